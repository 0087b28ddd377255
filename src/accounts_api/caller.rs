//! Who calls the API, and what CDF lets them do.
//!
//! Owns the check of the bearer token. Promises that every call is decided by CDF's own view of the
//! token at that moment, that a caller without access to a project learns nothing about it, and
//! that what is missing is named. Never keeps or logs a token.

use super::fault::ApiFault;
use super::minimum::{Capability, missing_in_words};
use crate::cdf::{CdfClient, Identity, Project, Secret, TokenInspection};
use axum::http::{HeaderMap, header};
use serde_json::Value;
use std::collections::HashSet;

/// The capability that the gateway's own calls need.
const ACL: &str = "postgresGatewayAcl";

/// A caller whose token CDF accepts in the project.
pub(super) struct Caller {
    project: Project,
    inspection: TokenInspection,
}

/// Which users a caller may act on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Everybody,
    /// Those of the scope `usersScope`.
    Only(HashSet<String>),
}

impl Reach {
    pub fn covers(&self, user: &str) -> bool {
        match self {
            Reach::Everybody => true,
            Reach::Only(names) => names.contains(user),
        }
    }
}

/// What a caller wants to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    fn action(self) -> &'static str {
        match self {
            Access::Read => "READ",
            Access::Write => "WRITE",
        }
    }
}

/// The bearer token of a request.
///
/// # Errors
/// 401: there is none.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Secret, ApiFault> {
    headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| Secret::new(token.trim()))
        .filter(|token| !token.expose().is_empty())
        .ok_or_else(|| ApiFault::unauthorized("a bearer token is needed: Authorization: Bearer …"))
}

/// CDF's view of `token`; of `project` only the address counts.
///
/// # Errors
/// 401: CDF refuses it; 503: CDF cannot be asked.
pub(super) async fn inspect(
    client: &CdfClient,
    project: &Project,
    token: Secret,
) -> Result<TokenInspection, ApiFault> {
    let identity = Identity::of_token(project.clone(), token);
    client.inspect_token(&identity).await.map_err(|diagnostic| {
        ApiFault::of_cdf(&diagnostic, |said| {
            ApiFault::unauthorized(format!("invalid token: {said}"))
        })
    })
}

impl Caller {
    /// Asks CDF whose `token` is, and whether it opens `project`.
    ///
    /// # Errors
    /// 401: CDF refuses it, or it does not open the project; 503: CDF cannot be asked.
    pub async fn identify(
        client: &CdfClient,
        project: Project,
        token: Secret,
    ) -> Result<Self, ApiFault> {
        let inspection = inspect(client, &project, token).await?;
        let name = project.name.clone();
        Self::in_project(inspection, project).ok_or_else(|| {
            ApiFault::unauthorized(format!(
                "invalid token: it opens no project \"{name}\"; check that a CDF group with the \
                 source id of a group of the caller's exists there"
            ))
        })
    }

    /// The holder of an inspected token as a caller for `project`; `None`: it does not open it.
    pub fn in_project(inspection: TokenInspection, project: Project) -> Option<Self> {
        inspection
            .projects
            .contains(&project.name)
            .then_some(Caller {
                project,
                inspection,
            })
    }

    /// The users on which the caller has `access`.
    ///
    /// # Errors
    /// 403: none.
    pub fn reach(&self, access: Access) -> Result<Reach, ApiFault> {
        let mut names = HashSet::new();
        let mut has_any = false;
        for scope in self
            .inspection
            .scopes(&self.project.name, ACL, access.action())
        {
            has_any = true;
            let usernames = scope.pointer("/usersScope/usernames");
            match usernames.and_then(Value::as_array) {
                Some(usernames) => names.extend(
                    usernames
                        .iter()
                        .filter_map(Value::as_str)
                        .map(str::to_owned),
                ),
                // Every other scope of this capability is everything.
                None if scope.get("usersScope").is_none() => return Ok(Reach::Everybody),
                None => {}
            }
        }
        if has_any {
            return Ok(Reach::Only(names));
        }
        Err(ApiFault::forbidden(format!(
            "the token lacks postgresGateway:{} ({ACL} {}) in project \"{}\": add it to the CDF \
             group of the caller",
            access.action(),
            access.action(),
            self.project.name
        )))
    }

    /// Refuses a caller without all of `capabilities`, naming each that is missing.
    ///
    /// # Errors
    /// What `refuse` makes of the words.
    pub fn need(
        &self,
        capabilities: &[Capability],
        refuse: impl FnOnce(String) -> ApiFault,
    ) -> Result<(), ApiFault> {
        match missing_in_words(&self.inspection, &self.project.name, capabilities) {
            None => Ok(()),
            Some(words) => Err(refuse(format!("the token of the caller lacks {words}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_read_and_anything_else_is_not() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
            bearer(&headers).map(|token| token.expose().to_owned()).ok()
        };
        assert_eq!(with("Bearer abc.def"), Some("abc.def".to_owned()));
        assert_eq!(with("bearer abc"), Some("abc".to_owned()));
        for bad in ["", "Bearer", "Bearer ", "Basic YTpi", "abc"] {
            assert_eq!(with(bad), None, "{bad:?}");
        }
    }
}
