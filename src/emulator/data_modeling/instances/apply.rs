//! `POST /models/instances`: writing nodes and edges.
//!
//! Owns the call as a whole: all of it is checked against a staging, then put in place at
//! once, with the time series that come along.

use super::given::{self, ApplyRequest, GivenDeletion, GivenInstance};
use super::staging::{Changes, Staging};
use super::{series, sink};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::data_modeling::store::Model;
use crate::emulator::project::Project;
use crate::emulator::reference::Reference;
use serde_json::json;

/// Writes and deletes, all or nothing.
pub fn apply(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    if call.sink() {
        return sink::apply(call);
    }
    let body = call.bytes();
    let request = ApplyRequest::take_in(call, &body)?;
    let options = request.options();
    let items: Vec<GivenInstance> = request.items()?;
    let deletions: Vec<GivenDeletion> = request.deletions()?;
    given::check(&items, &deletions)?;
    call.tally.keys = items
        .iter()
        .take(16)
        .map(|item| Reference::InstanceId(item.id()).label())
        .collect();
    let mut model = call.project.model.write();
    let mut staging = Staging::new(&model, options);
    let deleted = staging.delete(&deletions)?;
    let written = staging.write(items)?;
    let changes = staging.finish();
    commit(&mut model, call.project, changes);
    Ok(Answer::json(
        200,
        &json!({"items": written, "deleted": deleted}),
    ))
}

/// Puts changes in place.
pub fn commit(model: &mut Model, project: &Project, changes: Changes) {
    for id in &changes.delete {
        if let Some(removed) = model.instances.remove(id) {
            series::forget(project, &removed);
        }
    }
    for instance in changes.put {
        series::follow(project, &instance);
        model.instances.put(instance);
    }
}
