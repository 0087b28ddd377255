//! The failure table: what an answer means for the rows of its request.
//!
//! Owns the mapping from CDF's answers to classes; `docs/errors.md` lists it for readers.
//! Promises that every answer falls into a class. Never does I/O.

use super::answer::{Answer, Named};
use super::missing_target::MissingTarget;
use super::reasons::Reasons;
use super::{AttemptFailure, Operation, Reference, Repeat, Throttle};
use crate::catalog::Resource;
use crate::diagnostic::Diagnostic;

/// Openings of the messages for datapoints of the wrong kind, as Cognite's extractors know
/// them.
const TYPE_MISMATCHES: [&str; 2] = ["Expected string value", "Expected numeric value"];

/// Judges an answer that [`Operation::is_done`] does not take for success.
pub fn classify(operation: Operation, repeat: Repeat, answer: &Answer) -> AttemptFailure {
    let error = answer.error();
    let reasons = Reasons {
        operation,
        answer,
        error: &error,
    };
    if answer.auto_retryable || error.auto_retryable {
        return retry(&reasons, true);
    }
    match answer.status {
        200..=299 => AttemptFailure::Unknown {
            reason: reasons.unexpected_success(),
        },
        300..=399 => AttemptFailure::Stop {
            reason: reasons.redirected(),
        },
        400 | 422 => spoiled(&reasons),
        401 => AttemptFailure::Stop {
            reason: reasons.not_signed_in(),
        },
        403 => AttemptFailure::Stop {
            reason: reasons.not_allowed(),
        },
        404 if !error.missing.is_empty() => missing(&reasons),
        404 => AttemptFailure::Stop {
            reason: reasons.not_found(),
        },
        // An overwrite cannot exist already: two writers met at one object.
        409 if error.duplicated.is_empty() && repeat == Repeat::Harmless => retry(&reasons, true),
        409 => duplicated(&reasons),
        413 => halve(reasons.too_large()),
        // Told to come back: nothing was done, whatever it was.
        429 => retry(&reasons, true),
        500..=599 | 408 if repeat == Repeat::Doubles => AttemptFailure::Unknown {
            reason: reasons.failed_at_work(),
        },
        // Given up on the way: what lies behind may still be at work.
        408 | 502 | 504 => retry(&reasons, false),
        // Refused, or failed and over. 500 is a fault of CDF's that a repeat may pass.
        500..=599 => retry(&reasons, true),
        _ => AttemptFailure::Reject {
            reason: reasons.undocumented(),
        },
    }
}

fn retry(reasons: &Reasons<'_>, answered: bool) -> AttemptFailure {
    AttemptFailure::Retry {
        retry_after: reasons.answer.retry_after,
        answered,
        status: Some(reasons.answer.status),
        throttle: (reasons.answer.status == 429)
            .then(|| Throttle::of_message(&reasons.error.message)),
        reason: reasons.busy(),
    }
}

/// 400 and 422: something in the body.
fn spoiled(reasons: &Reasons<'_>) -> AttemptFailure {
    let error = reasons.error;
    if let Some(target) = MissingTarget::of(reasons.operation, error) {
        return missing_target(reasons, &target);
    }
    if !error.missing.is_empty() {
        return missing(reasons);
    }
    if !error.duplicated.is_empty() {
        return duplicated(reasons);
    }
    if TYPE_MISMATCHES
        .iter()
        .any(|opening| error.opens_with(opening))
    {
        return halve(reasons.wrong_type());
    }
    if !error.missing_fields.is_empty() {
        return halve(reasons.missing_fields());
    }
    halve(reasons.invalid())
}

/// Some row is to blame, and nobody says which.
fn halve(reason: Box<Diagnostic>) -> AttemptFailure {
    AttemptFailure::Split {
        missing: Vec::new(),
        duplicated: Vec::new(),
        reason,
    }
}

/// Rows name something that CDF does not have.
fn missing(reasons: &Reasons<'_>) -> AttemptFailure {
    let missing = references(&reasons.error.missing);
    let reason = reasons.missing(&missing);
    match reasons.operation {
        // A create names nothing of its own that could be missing: what is meant is some
        // object that a row points at, and nobody says by which column.
        Operation::InsertRawRows | Operation::CreateRawTables => halve(reason),
        Operation::Create(resource)
            if !matches!(
                resource,
                Resource::SequenceRows | Resource::ExtractionPipelineRuns
            ) =>
        {
            halve(reason)
        }
        Operation::InsertDatapoints
        | Operation::Create(_)
        | Operation::Update(_)
        | Operation::Delete(_)
        | Operation::LookUp(_)
        | Operation::List(_)
        | Operation::ReadBack => AttemptFailure::Split {
            missing,
            duplicated: Vec::new(),
            reason,
        },
    }
}

fn missing_target(reasons: &Reasons<'_>, target: &MissingTarget) -> AttemptFailure {
    AttemptFailure::Split {
        reason: reasons.missing_target(target.column, &target.references),
        missing: target.references.clone(),
        duplicated: Vec::new(),
    }
}

/// Something exists already, or the request names it twice.
fn duplicated(reasons: &Reasons<'_>) -> AttemptFailure {
    let duplicated = references(&reasons.error.duplicated);
    let of_points = Operation::Delete(Resource::Datapoints);
    if reasons.operation == Operation::InsertDatapoints || reasons.operation == of_points {
        // One series under both its names. Neither row is wrong: they only need requests of
        // their own.
        return halve(reasons.two_names(&duplicated));
    }
    AttemptFailure::Split {
        reason: reasons.exists(&duplicated),
        missing: Vec::new(),
        duplicated,
    }
}

fn references(named: &[Named]) -> Vec<Reference> {
    named
        .iter()
        .map(|named| match named {
            Named::Id(id) => Reference::Id(*id),
            Named::ExternalId(external_id) => Reference::ExternalId(external_id.clone()),
            Named::InstanceId(instance) => Reference::InstanceId(instance.clone()),
            Named::Name(name) => Reference::Name(name.clone()),
        })
        .collect()
}
