//! A request, ready to be sent as often as need be.
//!
//! Owns the encoded form of some rows: path, body, and what pacing counts. Promises that
//! sending it again sends the same bytes. Never holds credentials: those are added per attempt.

use super::Operation;
use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
use std::fmt;

/// What a repeat does when the first attempt got through after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The same state: an overwrite or a read.
    Harmless,
    /// A 409 for what the first attempt made: [`super::CdfClient::settle_creates`] tells
    /// those from objects that were there before.
    Conflicts,
    /// A second object: never repeat without a refusal in hand.
    Doubles,
}

/// Rows as one HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedRequest {
    pub operation: Operation,
    pub repeat: Repeat,
    /// Below `/api/v1/projects/{project}`, percent-encoded, with its query.
    pub path: String,
    pub body: Bytes,
    pub content_type: &'static str,
    /// The body is gzip-compressed.
    pub gzip: bool,
    /// Series for datapoints, rows for the others, as they are in the body: a row that a
    /// later one of the request replaces is not.
    pub items: usize,
    /// Datapoints in the body; 0 for the other resources.
    pub points: usize,
    /// Bytes of the body before compression, which is what CDF's byte budgets count.
    pub uncompressed_bytes: usize,
}

/// Why rows cannot be one request. All but [`EncodeError::UnusableName`] are faults of the
/// caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// No rows.
    Empty,
    /// A batch of another resource than the request's.
    WrongShape,
    /// RAW rows of several tables, or RAW tables of several databases: the path names one.
    SeveralDestinations,
    /// A row that names no object, to be changed or deleted.
    Unnamed,
    /// What CDF has under a key is no JSON object with what was asked for.
    NoObject,
    /// A RAW database or table named `.` or `..`: no URL can name it.
    UnusableName,
}

impl fmt::Display for EncodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            EncodeError::Empty => "a request needs at least one row",
            EncodeError::WrongShape => "the rows are of another resource than the request",
            EncodeError::SeveralDestinations => {
                "one request writes to one RAW table, or makes tables in one RAW database"
            }
            EncodeError::Unnamed => "a row names no object by its key",
            EncodeError::NoObject => "what CDF has of a row cannot be changed: it is no object",
            EncodeError::UnusableName => {
                "a RAW database or table named \".\" or \"..\" cannot be addressed"
            }
        })
    }
}

impl std::error::Error for EncodeError {}

impl From<EncodeError> for Box<Diagnostic> {
    fn from(error: EncodeError) -> Self {
        Box::new(match error {
            EncodeError::UnusableName => {
                Diagnostic::error(SqlState::INVALID_NAME, error.to_string())
                    .with_hint("Choose another name.")
            }
            EncodeError::NoObject => Diagnostic::error(SqlState::FDW_ERROR, error.to_string())
                .with_hint("Replace the row as a whole, by INSERT."),
            EncodeError::Empty
            | EncodeError::WrongShape
            | EncodeError::Unnamed
            | EncodeError::SeveralDestinations => Diagnostic::error(
                SqlState::INTERNAL_ERROR,
                format!("the rows could not be made into a request: {error}"),
            ),
        })
    }
}
