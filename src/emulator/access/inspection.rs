//! `GET /token/inspect`: what a token may do.
//!
//! Owns the answer: the subject, its projects with the groups that it is in, and the
//! capabilities of these. Where nothing is enforced everybody may do everything, and that
//! is what it says.

use super::capability::Capability;
use crate::emulator::answer::Answer;
use crate::emulator::call::Call;
use serde_json::{Value, json};

/// Shows what the caller may do.
pub fn inspect(call: &Call<'_>) -> Answer {
    let (projects, capabilities) = if call.emulator.access.enforced {
        granted(call)
    } else {
        everything(call)
    };
    Answer::json(
        200,
        &json!({
            "subject": call.principal.subject,
            "projects": projects,
            "capabilities": capabilities,
        }),
    )
}

fn granted(call: &Call<'_>) -> (Vec<Value>, Vec<Value>) {
    let (mut projects, mut capabilities) = (Vec::new(), Vec::new());
    for (name, project) in call.emulator.access.all() {
        let groups = project.groups.of(call.principal);
        if groups.is_empty() {
            continue;
        }
        let ids: Vec<i64> = groups.iter().map(|group| group.id).collect();
        projects.push(json!({"projectUrlName": name, "groups": ids}));
        let all = groups.iter().flat_map(|group| &group.capabilities);
        let scope = json!({"projects": [name]});
        capabilities.extend(all.map(|capability| in_scope(capability, &scope)));
    }
    (projects, capabilities)
}

fn everything(call: &Call<'_>) -> (Vec<Value>, Vec<Value>) {
    let names = call.emulator.project_names();
    let projects = names
        .iter()
        .map(|name| json!({"projectUrlName": name, "groups": [1]}))
        .collect();
    let capabilities = Capability::of_administrators()
        .iter()
        .map(|capability| in_scope(capability, &json!({"allProjects": {}})))
        .collect();
    (projects, capabilities)
}

/// The capability as it was sent, and the projects that it holds for.
fn in_scope(capability: &Capability, scope: &Value) -> Value {
    let mut shown = capability.sent.clone();
    if let Some(members) = shown.as_object_mut() {
        members.insert("projectScope".to_owned(), scope.clone());
    }
    shown
}
