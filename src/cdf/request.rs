//! A request, ready to be sent as often as need be.
//!
//! Owns the encoded form of some rows: path, body, and what pacing counts. Promises that
//! sending it again sends the same bytes. Never holds credentials: those are added per attempt.

use crate::catalog::Resource;
use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
use std::fmt;

/// What a request asks of CDF. Budgets, success codes and the harm of a repeat go by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// `POST /timeseries/data`.
    InsertDatapoints,
    /// `POST /raw/dbs/{db}/tables/{table}/rows`.
    InsertRawRows,
    /// `POST /raw/dbs/{db}/tables`.
    CreateRawTables,
    /// `POST /timeseries`.
    CreateTimeSeries,
    /// `POST /timeseries/byids`.
    LookUpTimeSeries,
    /// Any read of what was written: pages of datapoints or of RAW rows.
    ReadBack,
}

impl Operation {
    /// The name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Operation::InsertDatapoints => "insert_datapoints",
            Operation::InsertRawRows => "insert_raw_rows",
            Operation::CreateRawTables => "create_raw_tables",
            Operation::CreateTimeSeries => "create_time_series",
            Operation::LookUpTimeSeries => "look_up_time_series",
            Operation::ReadBack => "read_back",
        }
    }

    /// The operation that writes rows of `resource`.
    pub fn writing(resource: Resource) -> Self {
        match resource {
            Resource::Datapoints => Operation::InsertDatapoints,
            Resource::RawRows => Operation::InsertRawRows,
            Resource::RawTables => Operation::CreateRawTables,
            Resource::TimeSeries => Operation::CreateTimeSeries,
        }
    }

    /// The resource whose budget the operation draws on.
    pub fn resource(self) -> Resource {
        match self {
            Operation::InsertDatapoints | Operation::ReadBack => Resource::Datapoints,
            Operation::InsertRawRows => Resource::RawRows,
            Operation::CreateRawTables => Resource::RawTables,
            Operation::CreateTimeSeries | Operation::LookUpTimeSeries => Resource::TimeSeries,
        }
    }

    /// Whether `status` says that CDF has done it. CDF's API description names 201 for
    /// creates and 200 for the rest; both say "done", so either is taken. 202 ("will be
    /// done") and 204 are no success here: no row is acknowledged on a promise.
    pub fn is_done(self, status: u16) -> bool {
        matches!(status, 200 | 201)
    }

    /// What a CDF user would call it, for messages.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Operation::InsertDatapoints => "the datapoints",
            Operation::InsertRawRows => "the RAW rows",
            Operation::CreateRawTables => "the RAW tables",
            Operation::CreateTimeSeries => "the time series",
            Operation::LookUpTimeSeries => "a look-up of time series",
            Operation::ReadBack => "a read",
        }
    }
}

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
            EncodeError::Empty | EncodeError::WrongShape | EncodeError::SeveralDestinations => {
                Diagnostic::error(
                    SqlState::INTERNAL_ERROR,
                    format!("the rows could not be made into a request: {error}"),
                )
            }
        })
    }
}
