//! What became of an attempt that did not succeed, by what to do next.
//!
//! Owns the classes. Promises that each carries a reason fit for the client. Never retries,
//! splits or counts: the pipeline does, by these classes.

use crate::diagnostic::Diagnostic;
use crate::rows::{InstanceName, SeriesReference};
use std::time::Duration;

/// Something that CDF names in `missing` or `duplicated`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// The object that a row writes to or makes.
    Id(i64),
    /// The same, by its external id.
    ExternalId(Box<str>),
    /// The same, by the node that it is.
    InstanceId(Box<InstanceName>),
    /// The same, by its name: a RAW table.
    Name(Box<str>),
    /// An object that a row points at with this column, such as its data set.
    InColumn { column: &'static str, id: i64 },
    /// The same by an external id, such as its parent or a label.
    NameInColumn {
        column: &'static str,
        name: Box<str>,
    },
}

impl Reference {
    /// For messages: `external_id "pump-7"`.
    pub fn in_words(&self) -> String {
        match self {
            Reference::Id(id) => format!("id {id}"),
            Reference::ExternalId(external_id) => format!("external_id \"{external_id}\""),
            Reference::InstanceId(instance) => format!(
                "instance_space \"{}\", external_id \"{}\"",
                instance.space, instance.external_id
            ),
            Reference::Name(name) => format!("name \"{name}\""),
            Reference::InColumn { column, id } => format!("{column} {id}"),
            Reference::NameInColumn { column, name } => format!("{column} \"{name}\""),
        }
    }
}

impl From<&SeriesReference> for Reference {
    fn from(reference: &SeriesReference) -> Self {
        match reference {
            SeriesReference::Id(id) => Reference::Id(*id),
            SeriesReference::ExternalId(external_id) => Reference::ExternalId(external_id.clone()),
            SeriesReference::InstanceId(instance) => Reference::InstanceId(instance.clone()),
        }
    }
}

/// Why CDF answered 429: each has its own cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// Requests, items or bytes came too fast; also what CDF does not say more of.
    Rate,
    /// Too many requests at once.
    Concurrency,
    /// Two requests changed one object at once.
    Conflict,
}

impl Throttle {
    /// By the text of the answer. Only that of concurrency is documented: "Project exceeded
    /// maximum number='50' of concurrent requests".
    pub fn of_message(message: &str) -> Self {
        let message = message.to_ascii_lowercase();
        if message.contains("concurrent requests") {
            Throttle::Concurrency
        } else if message.contains("conflict") {
            Throttle::Conflict
        } else {
            Throttle::Rate
        }
    }
}

/// An attempt that did not end in "CDF has the rows".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptFailure {
    /// Later, the same request may succeed.
    Retry {
        /// What CDF asked for; wait no less.
        retry_after: Option<Duration>,
        /// `false`: the request reached CDF and nobody knows what became of it, so the write
        /// may still land after a later one.
        answered: bool,
        /// HTTP status of CDF's answer to the rows; `None` without one.
        status: Option<u16>,
        /// CDF answered 429: why.
        throttle: Option<Throttle>,
        reason: Box<Diagnostic>,
    },
    /// Some rows spoil the request. With both lists empty, nobody says which: halve it.
    Split {
        /// What the rows name and CDF does not have.
        missing: Vec<Reference>,
        /// What the rows make and CDF has already.
        duplicated: Vec<Reference>,
        reason: Box<Diagnostic>,
    },
    /// The request can never succeed.
    Reject { reason: Box<Diagnostic> },
    /// CDF may have the rows, and a repeat could double them.
    Unknown { reason: Box<Diagnostic> },
    /// Nothing of this identity can succeed until somebody mends it.
    Stop { reason: Box<Diagnostic> },
}

impl AttemptFailure {
    /// Why, for the client.
    pub fn reason(&self) -> &Diagnostic {
        match self {
            AttemptFailure::Retry { reason, .. }
            | AttemptFailure::Split { reason, .. }
            | AttemptFailure::Reject { reason }
            | AttemptFailure::Unknown { reason }
            | AttemptFailure::Stop { reason } => reason,
        }
    }

    /// The class in metrics: `retry`, `split`, `reject`, `unknown`, `stop`.
    pub fn class(&self) -> &'static str {
        match self {
            AttemptFailure::Retry { .. } => "retry",
            AttemptFailure::Split { .. } => "split",
            AttemptFailure::Reject { .. } => "reject",
            AttemptFailure::Unknown { .. } => "unknown",
            AttemptFailure::Stop { .. } => "stop",
        }
    }
}
