//! The endpoints of groups and sessions.
//!
//! Owns their paths below the project and the names of their operations.

use crate::emulator::answer::Refusal;
use crate::emulator::route::{pick, unknown_path};
use axum::http::Method;

/// One operation on groups or sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessOperation {
    GroupsList,
    GroupsCreate,
    GroupsDelete,
    SessionsCreate,
    SessionsList,
    SessionsByIds,
    SessionsRevoke,
    /// A nonce or a session's key for a token.
    SessionsToken,
}

impl AccessOperation {
    /// The name, as budgets, faults and figures use it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GroupsList => "groups.list",
            Self::GroupsCreate => "groups.create",
            Self::GroupsDelete => "groups.delete",
            Self::SessionsCreate => "sessions.create",
            Self::SessionsList => "sessions.list",
            Self::SessionsByIds => "sessions.byids",
            Self::SessionsRevoke => "sessions.revoke",
            Self::SessionsToken => "sessions.token",
        }
    }
}

/// Finds the operation for the segments behind the project.
pub fn resolve(method: &Method, path: &str, segments: &[&str]) -> Result<AccessOperation, Refusal> {
    use AccessOperation as O;
    let (get, post) = match segments {
        ["groups"] => (Some(O::GroupsList), Some(O::GroupsCreate)),
        ["groups", "delete"] => (None, Some(O::GroupsDelete)),
        ["sessions"] => (Some(O::SessionsList), Some(O::SessionsCreate)),
        ["sessions", "byids"] => (None, Some(O::SessionsByIds)),
        ["sessions", "revoke"] => (None, Some(O::SessionsRevoke)),
        ["sessions", "token"] => (None, Some(O::SessionsToken)),
        _ => return Err(unknown_path(path)),
    };
    pick(method, path, get, post)
}
