//! What becomes of rows that CDF names, and what a client is told of them.
//!
//! Owns the words, in PostgreSQL's manner. Promises the SQLSTATE of the case and keeps CDF's own
//! message and request id in DETAIL. Never sends a row again.

use super::Target;
use crate::cdf::Reference;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::segment::RowVerdict;
use crate::rows::{ActionKind, SeriesKey, SeriesReference};

/// Of a row that names something which CDF does not have: nothing to change or delete, or an
/// error.
pub fn missing_verdict(target: &Target, reference: &Reference, said: &Diagnostic) -> RowVerdict {
    let names_itself = matches!(
        reference,
        Reference::Id(_) | Reference::ExternalId(_) | Reference::InstanceId(_)
    );
    match target {
        Target::PointChanges { .. }
        | Target::Objects(_, ActionKind::Update | ActionKind::Delete, _)
            if names_itself =>
        {
            RowVerdict::Skipped
        }
        _ => RowVerdict::Rejected(missing_reason(target, reference, said)),
    }
}

/// Of a row that makes something which CDF has already.
pub fn duplicated_verdict(target: &Target, reference: &Reference, said: &Diagnostic) -> RowVerdict {
    match target {
        Target::Objects(_, ActionKind::CreateMissing, _) => RowVerdict::Skipped,
        _ => RowVerdict::Rejected(duplicated_reason(target, reference, said)),
    }
}

/// 23503, in PostgreSQL's manner.
fn missing_reason(target: &Target, reference: &Reference, said: &Diagnostic) -> Box<Diagnostic> {
    let message = match (target, reference) {
        (Target::Doubles | Target::Strings, Reference::ExternalId(name)) => {
            format!("time series \"{name}\" does not exist")
        }
        (Target::Doubles | Target::Strings, Reference::Id(id)) => {
            format!("time series with id {id} does not exist")
        }
        (Target::Doubles | Target::Strings, Reference::InstanceId(instance)) => format!(
            "time series \"{}\" of space \"{}\" does not exist",
            instance.external_id, instance.space
        ),
        (_, reference) => format!("{} does not exist in CDF", reference.in_words()),
    };
    let mut reason = said.clone();
    reason.sqlstate = SqlState::FOREIGN_KEY_VIOLATION;
    reason.message = message;
    Box::new(reason)
}

/// 23505, in PostgreSQL's manner.
fn duplicated_reason(target: &Target, reference: &Reference, said: &Diagnostic) -> Box<Diagnostic> {
    let mut reason = said.clone();
    reason.sqlstate = SqlState::UNIQUE_VIOLATION;
    if let Target::Objects(table, ..) = target {
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
        SeriesReference::InstanceId(instance) => format!(
            "time series \"{}\" of space \"{}\"",
            instance.external_id, instance.space
        ),
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
