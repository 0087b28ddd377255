//! What a client is told of rows that CDF names.
//!
//! Owns the words, in PostgreSQL's manner. Promises the SQLSTATE of the case and keeps CDF's own
//! message and request id in DETAIL. Never decides a verdict.

use super::Target;
use crate::cdf::Reference;
use crate::diagnostic::{Diagnostic, SqlState};

/// 23503, in PostgreSQL's manner.
pub fn missing_reason(
    target: &Target,
    reference: &Reference,
    said: &Diagnostic,
) -> Box<Diagnostic> {
    let message = match (target, reference) {
        (Target::Doubles | Target::Strings, Reference::ExternalId(name)) => {
            format!("time series \"{name}\" does not exist")
        }
        (Target::Doubles | Target::Strings, Reference::Id(id)) => {
            format!("time series with id {id} does not exist")
        }
        (_, reference) => format!("{} does not exist in CDF", reference.in_words()),
    };
    let mut reason = said.clone();
    reason.sqlstate = SqlState::FOREIGN_KEY_VIOLATION;
    reason.message = message;
    Box::new(reason)
}

/// 23505, in PostgreSQL's manner.
pub fn duplicated_reason(
    target: &Target,
    reference: &Reference,
    said: &Diagnostic,
) -> Box<Diagnostic> {
    let mut reason = said.clone();
    reason.sqlstate = SqlState::UNIQUE_VIOLATION;
    if let Target::Objects(table) = target {
        reason.message = format!("duplicate key value violates unique constraint \"{table}_pkey\"");
        let exists = format!("{} already exists.", reference.in_words());
        reason.detail = Some(match &said.detail {
            Some(detail) => format!("{exists} {detail}"),
            None => exists,
        });
    }
    Box::new(reason)
}
