//! What can go wrong with the store, by what the caller does next.
//!
//! Owns the classes and what a client is told. Promises that a full disk is told apart from
//! damage. Never hides that letters were not stored.

use crate::diagnostic::{Diagnostic, SqlState};
use rusqlite::ErrorCode;

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, or the letters at hand alone exceed the bound: try again later, when
    /// an operator has made room. Nothing was stored.
    #[error("there is no room for dead letters: {0}")]
    Full(String),
    /// The request names something that is not there, or cannot be.
    #[error("{0}")]
    Refused(String),
    /// The store is damaged or unreachable: an operator must look.
    #[error("the store of dead letters failed: {0}")]
    Failed(String),
    /// The gateway is stopping.
    #[error("the store of dead letters is closed")]
    Closed,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full(error.to_string()),
            _ => StoreError::Failed(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Failed(format!("a letter is not as it was written: {error}"))
    }
}

impl From<StoreError> for Box<Diagnostic> {
    /// What a client is told whose rows could not be kept.
    fn from(error: StoreError) -> Self {
        let sqlstate = match error {
            StoreError::Full(_) => SqlState::DISK_FULL,
            StoreError::Refused(_) => SqlState::INVALID_PARAMETER_VALUE,
            StoreError::Failed(_) => SqlState::SYSTEM_ERROR,
            StoreError::Closed => SqlState::ADMIN_SHUTDOWN,
        };
        Box::new(Diagnostic::error(sqlstate, error.to_string()))
    }
}
