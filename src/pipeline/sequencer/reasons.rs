//! What a client is told of rows that CDF names.
//!
//! Owns the words, in PostgreSQL's manner. Promises the SQLSTATE of the case and keeps CDF's own
//! message and request id in DETAIL. Never decides a verdict.

use super::Target;
use crate::cdf::Reference;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{SeriesKey, SeriesReference};

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

/// 42804 that names the series; `strings`: strings were written to it.
pub fn wrong_type_reason(key: &SeriesKey, strings: bool, said: &Diagnostic) -> Box<Diagnostic> {
    let series = match key.reference() {
        SeriesReference::ExternalId(name) => format!("time series \"{name}\""),
        SeriesReference::Id(id) => format!("time series with id {id}"),
    };
    let (has, written) = if strings {
        ("numeric values", "a string")
    } else {
        ("string values", "a number")
    };
    let mut reason = said.clone();
    reason.message = format!("{series} has {has}, {written} was written");
    Box::new(reason)
}
