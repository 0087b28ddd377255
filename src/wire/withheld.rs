//! Replies that wait for verdicts, and what a client is told when rows failed.
//!
//! Owns the wording of failed deliveries. Promises that an error names the statement, the row
//! and the numbers of rows that are in CDF, that are not, and that may be. Never hides that
//! some rows were written.

use super::completion::{Completion, Counted};
use super::delivery::{FirstError, Verdicts};
use super::group::{Group, RunKind};
use crate::diagnostic::Diagnostic;
use crate::telemetry::StatementKind;
use std::time::Instant;

/// A CommandComplete that is true once the rows of its statement are in CDF.
#[derive(Debug)]
pub(super) struct Withheld {
    /// Number of the statement in its group.
    pub(super) statement: usize,
    /// Where the reply starts among the replies; `None` once the client has it, before the end
    /// of its Query.
    pub(super) offset: Option<usize>,
    pub(super) kind: StatementKind,
    pub(super) started: Instant,
    /// What the reply says, as long as no verdict changes it.
    pub(super) completion: Completion,
}

impl Withheld {
    /// Whether more than the rows that were skipped changes the reply.
    pub(super) fn waits_for_verdicts(&self) -> bool {
        self.returns_rows() || self.completion.counted == Counted::ByCdf
    }

    /// Whether rows go to the client before the reply.
    pub(super) fn returns_rows(&self) -> bool {
        self.completion.returned.is_some() || self.completion.relayed.is_some()
    }
}

/// The error of rows that failed, with where and how many.
pub(super) fn report(group: &Group, verdicts: &Verdicts, cause: FirstError) -> Box<Diagnostic> {
    let mut diagnostic = Box::new(cause.diagnostic);
    if let Some(run) = group.runs.get(cause.origin.run) {
        let statement = match run.kind {
            RunKind::Insert => "INSERT INTO",
            RunKind::Copy => "COPY",
            RunKind::Update => "UPDATE",
            RunKind::Delete => "DELETE FROM",
        };
        let mut place = format!("{statement} {}, row {}", run.table.name, cause.origin.row);
        let statements = group.statements();
        if group.is_answered && statements > 1 {
            let number = cause.origin.statement + 1;
            place.push_str(&format!(" (statement {number} of {statements} with rows)"));
        }
        diagnostic.context = Some(match diagnostic.context.take() {
            Some(context) => format!("{context}\n{place}"),
            None => place,
        });
        diagnostic
            .table
            .get_or_insert_with(|| run.table.name.to_owned());
    }
    with_counts(diagnostic, verdicts)
}

/// Adds to the detail how many rows are where.
pub(super) fn with_counts(diagnostic: Box<Diagnostic>, verdicts: &Verdicts) -> Box<Diagnostic> {
    with_sentence(diagnostic, counts(verdicts))
}

/// Adds a sentence to the detail.
pub(super) fn with_sentence(mut diagnostic: Box<Diagnostic>, sentence: String) -> Box<Diagnostic> {
    diagnostic.detail = Some(match diagnostic.detail.take() {
        Some(detail) => format!("{detail}\n{sentence}"),
        None => sentence,
    });
    diagnostic
}

fn counts(verdicts: &Verdicts) -> String {
    let Verdicts {
        accepted,
        rejected,
        unsent,
        unknown,
        ignored,
        skipped,
        journaled,
        ..
    } = verdicts;
    let rows = accepted + rejected + unsent + unknown + ignored + skipped;
    let place = if *journaled {
        "in CDF or in the journal"
    } else {
        "in CDF"
    };
    let mut parts = vec![format!("{accepted} of {rows} rows are {place}")];
    for (count, what) in [
        (rejected, "refused"),
        (ignored, "refused and left out"),
        (unsent, "not sent"),
        (skipped, "left as it is"),
        (
            unknown,
            "sent without an answer, so that they may be in CDF",
        ),
    ] {
        if *count > 0 {
            let verb = if *count == 1 { "was" } else { "were" };
            parts.push(format!("{count} {verb} {what}"));
        }
    }
    format!("{}.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SqlState;

    #[test]
    fn the_detail_says_how_many_rows_are_where() {
        let verdicts = Verdicts {
            accepted: 7,
            rejected: 1,
            unsent: 2,
            ..Verdicts::default()
        };
        let cancelled = Diagnostic::error(SqlState::QUERY_CANCELED, "cancelled");
        let diagnostic = with_counts(Box::new(cancelled), &verdicts);
        assert_eq!(
            diagnostic.detail.as_deref(),
            Some("7 of 10 rows are in CDF, 1 was refused, 2 were not sent.")
        );
    }
}
