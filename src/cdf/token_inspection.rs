//! What a token may do, as CDF sees it: `GET /api/v1/token/inspect`.
//!
//! Owns the one call above the projects, for checks by people and by the watch over open
//! connections. Promises to change nothing in CDF. Never used on the data path: there CDF's refusal
//! of a write says it better.

use super::answer::Answer;
use super::token_slot::Bearer;
use super::{AttemptFailure, CdfClient, Identity, transport};
use crate::diagnostic::{Diagnostic, SqlState};
use reqwest::header::{ACCEPT, AUTHORIZATION};
use serde::Deserialize;
use serde_json::Value;

/// Bytes of the answer that are read; tokens with many groups name many capabilities.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// CDF's view of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInspection {
    /// Whom CDF takes the token's holder for.
    pub subject: String,
    /// Projects that the token opens.
    pub projects: Vec<String>,
    capabilities: Vec<Value>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    subject: String,
    #[serde(default)]
    projects: Vec<BodyProject>,
    #[serde(default)]
    capabilities: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BodyProject {
    project_url_name: String,
}

impl TokenInspection {
    /// Whether the token has `action` of `acl` (`timeSeriesAcl`, `WRITE`) in `project`, on
    /// everything or only on a part.
    pub fn allows(&self, project: &str, acl: &str, action: &str) -> bool {
        self.scopes(project, acl, action).next().is_some()
    }

    /// Whether there is anything in `project` that the token opens.
    pub fn reaches(&self, project: &str) -> bool {
        self.projects.iter().any(|found| found == project)
            || self
                .capabilities
                .iter()
                .any(|capability| is_in_project(capability, project))
    }

    /// On what the token has `action` of `acl` in `project`: each a scope as CDF writes it,
    /// `{"all": {}}` for everything.
    pub fn scopes<'a>(
        &'a self,
        project: &'a str,
        acl: &'a str,
        action: &'a str,
    ) -> impl Iterator<Item = &'a Value> {
        self.capabilities.iter().filter_map(move |capability| {
            let found = capability.get(acl)?;
            let has_action = found
                .get("actions")
                .and_then(Value::as_array)
                .is_some_and(|actions| actions.iter().any(|found| found == action));
            (has_action && is_in_project(capability, project))
                .then(|| found.get("scope").unwrap_or(&Value::Null))
        })
    }
}

fn is_in_project(capability: &Value, project: &str) -> bool {
    let scope = capability.get("projectScope");
    let projects = scope.and_then(|scope| scope.get("projects"));
    match projects.and_then(Value::as_array) {
        Some(projects) => projects.iter().any(|found| found == project),
        // Without a list the scope is all projects of the token.
        None => true,
    }
}

impl CdfClient {
    /// Asks CDF what the token of `identity` may do, after fetching one.
    ///
    /// # Errors
    /// No token can be had, CDF cannot be reached, or it refuses the token.
    pub async fn inspect_token(
        &self,
        identity: &Identity,
    ) -> Result<TokenInspection, Box<Diagnostic>> {
        let reason = |failure: AttemptFailure| Box::new(failure.reason().clone());
        let bearer = self.bearer(identity).await.map_err(reason)?;
        let mut answer = self.ask_inspection(identity, bearer.clone()).await?;
        // As for any call: a token that CDF rejects is renewed once.
        if answer.status == 401 && self.discard(identity, &bearer).await {
            let bearer = self.bearer(identity).await.map_err(reason)?;
            answer = self.ask_inspection(identity, bearer).await?;
        }
        if answer.status != 200 {
            return Err(refusal(&answer));
        }
        serde_json::from_slice::<Body>(&answer.body)
            .map(|body| TokenInspection {
                subject: body.subject,
                projects: body
                    .projects
                    .into_iter()
                    .map(|project| project.project_url_name)
                    .collect(),
                capabilities: body.capabilities,
            })
            .map_err(|_| {
                Box::new(Diagnostic::error(
                    SqlState::CONNECTION_FAILURE,
                    format!(
                        "{} does not answer as CDF does: check base_url",
                        inspection_url(identity)
                    ),
                ))
            })
    }

    async fn ask_inspection(
        &self,
        identity: &Identity,
        bearer: Bearer,
    ) -> Result<Answer, Box<Diagnostic>> {
        let url = inspection_url(identity);
        let sent = self
            .http(&url)
            .map_err(|failure| Box::new(failure.reason().clone()))?
            .get(&url)
            .header(AUTHORIZATION, bearer.header)
            .header(ACCEPT, "application/json")
            .send()
            .await;
        let answer = match sent {
            Ok(response) => transport::read(response, ANSWER_BYTES_MAX).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| {
            Box::new(Diagnostic::error(
                SqlState::CONNECTION_FAILURE,
                format!(
                    "CDF at {} cannot be reached: {}",
                    identity.project.base_url,
                    transport::cause(&error)
                ),
            ))
        })
    }
}

fn inspection_url(identity: &Identity) -> String {
    format!("{}/api/v1/token/inspect", identity.project.base_url)
}

/// Only 401 and 403 are about the token, and a page with 403 is somebody else's.
fn refusal(answer: &Answer) -> Box<Diagnostic> {
    let error = answer.error();
    let (sqlstate, what) = match answer.status {
        401 => (
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
            "CDF refuses the token",
        ),
        403 if error.from_cdf => (
            SqlState::INSUFFICIENT_PRIVILEGE,
            "CDF does not let the token show what it may do (projectsAcl LIST, groupsAcl LIST)",
        ),
        _ => (
            SqlState::CONNECTION_FAILURE,
            "CDF does not say what the token may do",
        ),
    };
    let said = error.message;
    Box::new(
        Diagnostic::error(sqlstate, format!("{what}: {said}"))
            .with_detail(format!("{}.", answer.in_words())),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_capability_holds_in_the_projects_of_its_scope() {
        let inspection = TokenInspection {
            subject: "client".to_owned(),
            projects: vec!["plant".to_owned()],
            capabilities: vec![
                json!({
                    "timeSeriesAcl": {"actions": ["READ", "WRITE"], "scope": {"all": {}}},
                    "projectScope": {"projects": ["plant"]},
                }),
                json!({
                    "rawAcl": {"actions": ["READ"], "scope": {"all": {}}},
                    "projectScope": {"allProjects": {}},
                }),
            ],
        };
        assert!(inspection.allows("plant", "timeSeriesAcl", "WRITE"));
        assert!(!inspection.allows("other", "timeSeriesAcl", "WRITE"));
        assert!(inspection.allows("other", "rawAcl", "READ"));
        assert!(!inspection.allows("plant", "rawAcl", "WRITE"));
        assert!(inspection.reaches("plant") && inspection.reaches("other"));
        let nothing = TokenInspection {
            projects: vec!["other".to_owned()],
            capabilities: inspection.capabilities[..1].to_vec(),
            ..inspection
        };
        assert!(nothing.reaches("plant") && nothing.reaches("other"));
        assert!(!nothing.reaches("elsewhere"));
    }
}
