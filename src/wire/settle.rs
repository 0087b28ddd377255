//! The moment of truth: gathered rows are delivered, and their replies released or replaced.
//!
//! Owns what happens to the replies of a group when its verdicts are there. Promises that a
//! CommandComplete leaves the gateway only if CDF accepted every row of its statement, and that
//! an error takes the place of the reply of its own statement. Never reorders replies.

use super::delivery::{Halt, verdicts};
use super::session::{Failure, Protocol, Session};
use super::withheld::{Withheld, report, with_counts};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{StatementKind, StatementOutcome};

impl Session {
    /// Delivers what was gathered outside a transaction block and waits for the verdicts.
    ///
    /// # Errors
    /// The first error. The reply of its statement and those after it are gone then: the
    /// caller puts the error in their place.
    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        self.settle_ignoring().await.map(drop)
    }

    /// The same, and tells how many rows their COPY goes on without: refused, or skipped.
    pub(super) async fn settle_ignoring(&mut self) -> Result<u64, Failure> {
        if self.implicit.is_empty() {
            return Ok(0);
        }
        self.stage_open_batch();
        let halt = self.delivery.send(&mut self.implicit, true).await.err();
        let (verdicts, is_cancelled) = self.delivery.settle(&mut self.implicit, halt).await;
        self.note_written(&verdicts);
        let mut group = std::mem::take(&mut self.implicit);
        let withheld = std::mem::take(&mut self.withheld);
        let done = verdicts.accepted + verdicts.ignored + verdicts.skipped;
        if verdicts.is_settled && done == group.rows() {
            return match self.end_ignoring(&mut group).await {
                Ok(ignored) => {
                    let left_out = ignored + verdicts.skipped;
                    self.complete(withheld, &group)?;
                    Ok(left_out)
                }
                Err(failure) => {
                    self.count(&withheld, StatementOutcome::Failed);
                    if let Some(offset) = withheld.iter().find_map(|reply| reply.offset) {
                        self.replies.truncate(offset);
                    }
                    Err(match failure {
                        Failure::Statement(diagnostic) => {
                            Failure::Statement(with_counts(diagnostic, &verdicts))
                        }
                        failure => failure,
                    })
                }
            };
        }
        let first_failed = verdicts
            .first_error
            .as_ref()
            .map_or(0, |error| error.origin.statement);
        let at = withheld.partition_point(|reply| reply.statement < first_failed);
        let mut succeeded = withheld;
        let failed = succeeded.split_off(at);
        let outcome = if is_cancelled {
            StatementOutcome::Cancelled
        } else {
            StatementOutcome::Failed
        };
        self.count(&failed, outcome);
        if let Some(offset) = failed.iter().find_map(|reply| reply.offset) {
            self.replies.truncate(offset);
        }
        self.complete(succeeded, &group)?;
        let diagnostic = match verdicts.cause.clone() {
            _ if is_cancelled => with_counts(self.signals.interruption(), &verdicts),
            Some(cause) => report(&group, &verdicts, cause),
            None => with_counts(without_verdict(), &verdicts),
        };
        Err(Failure::from(diagnostic))
    }

    /// A statement failed: rows that were gathered with it and not sent are discarded. Returns
    /// the error with what became of those that were sent.
    pub(super) async fn discard_implicit(
        &mut self,
        mut diagnostic: Box<Diagnostic>,
        protocol: Protocol,
    ) -> Box<Diagnostic> {
        // Inside a block these rows are younger than the last savepoint: they go, too.
        self.open_batch = None;
        if self.implicit.is_sent() {
            self.delivery.break_off(&self.implicit).await;
            let verdicts = verdicts(&self.implicit);
            self.note_written(&verdicts);
            diagnostic = with_counts(diagnostic, &verdicts);
        }
        self.implicit = Default::default();
        let withheld = std::mem::take(&mut self.withheld);
        self.count(&withheld, StatementOutcome::Failed);
        // In a pipeline each Execute is owed its reply, and the missing commit at Sync says that
        // they are void, as in PostgreSQL. A Query is answered by its error alone.
        if protocol == Protocol::Simple
            && let Some(offset) = withheld.iter().find_map(|reply| reply.offset)
        {
            self.replies.truncate(offset);
        }
        diagnostic
    }

    /// Sends what is gathered so far, because a batch is full.
    ///
    /// # Errors
    /// As [`Session::settle`], when rows that were sent before have failed.
    pub(super) async fn send_gathered(&mut self) -> Result<(), Failure> {
        match self.delivery.send(&mut self.implicit, false).await {
            Ok(()) => self.keep_refused().await,
            Err(Halt::Cancelled) => Err(self.signals.interruption().into()),
            Err(Halt::Failed) => self.settle().await,
        }
    }

    pub(super) fn count(&self, replies: &[Withheld], outcome: StatementOutcome) {
        for reply in replies {
            // What only turned out to write rows was counted when it had run.
            if reply.kind == StatementKind::Other && outcome == StatementOutcome::Succeeded {
                continue;
            }
            let duration = reply.started.elapsed();
            self.gateway.statements.ended(reply.kind, outcome, duration);
        }
    }
}

/// Verdicts are missing though every ticket has settled: a fault of the gateway.
fn without_verdict() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::INTERNAL_ERROR,
        "rows were not accepted, and no reason is known",
    ))
}
