//! A ticket: what a statement waits on until every one of its rows has a verdict.
//!
//! Owns the counts and the first error of a statement. Promises that it settles: a part that
//! is dropped, by a panic, a killed actor or a shutdown, counts its open rows as failed if no
//! request with them was sent and as unknown (40003) after. A part may stand for a record of
//! the journal instead, which is told of its verdicts. Never counts a row twice.

use super::Submission;
use super::creations::Creation;
use super::refused_row::{RefusedRow, is_of_the_row};
use super::segment::RowVerdict;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::RowBatch;
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What became of a statement's rows.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// CDF has them.
    pub accepted: u64,
    /// CDF, or a rule of ours, refused them.
    pub rejected: u64,
    /// Never sent: the statement was cancelled, or the gateway stopped.
    pub failed: u64,
    /// Sent without an answer: CDF may have them.
    pub unknown: u64,
    /// Refused, and the statement goes on without them.
    pub ignored: u64,
    /// Nothing was to be done: `DO NOTHING` met an object, or a change met none.
    pub skipped: u64,
    /// The error of the lowest row number, with that number (from 1).
    pub first_error: Option<(u64, Diagnostic)>,
}

/// Accepted rows that something older may take the place of.
#[derive(Debug)]
struct Doubt {
    rows: u64,
    first_row_number: u64,
    reason: Diagnostic,
}

#[derive(Debug, Default)]
struct State {
    outcome: Outcome,
    open_parts: usize,
    /// Counted when every verdict is there.
    doubts: Vec<Doubt>,
    /// Rows that the statement goes on without, until the connection takes them.
    refused: Vec<RefusedRow>,
    /// Numbers of the rows for which nothing was to be done, until the connection takes them.
    skipped: Vec<u64>,
    /// What CDF made of rows, by their numbers, until the connection takes it.
    returned: Vec<(u64, Box<RawValue>)>,
}

impl State {
    /// What was accepted in doubt is unknown.
    fn count_doubts(&mut self) {
        for doubt in std::mem::take(&mut self.doubts) {
            let doubtful = doubt.rows.min(self.outcome.accepted);
            if doubtful > 0 {
                self.outcome.accepted -= doubtful;
                self.outcome.unknown += doubtful;
                note_error(&mut self.outcome, doubt.first_row_number, &doubt.reason);
            }
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    settled: Notify,
    aborted: AtomicBool,
    /// The statement goes on without rows that CDF refuses.
    ignores_refusals: bool,
    /// Somebody wants to know what CDF made of the rows.
    wants_objects: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // The counts stay right even if a holder panicked: each change is a single addition.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One part, or hold, less.
    fn close_part(&self, mut state: MutexGuard<'_, State>) {
        state.open_parts -= 1;
        if state.open_parts == 0 {
            state.count_doubts();
            drop(state);
            self.settled.notify_waiters();
        }
    }
}

/// The waiting side, held by the connection.
#[derive(Debug, Default)]
pub struct Ticket {
    shared: Arc<Shared>,
}

/// A record of the journal whose rows are under way: their statement has been answered, and the
/// record goes on until each of them has a verdict. Dropped without one, it comes again.
pub trait JournalRecord: fmt::Debug + Send + Sync {
    /// Rows `rows` of the submission's batch got `verdict`. Must not block.
    fn settled(&self, submission: &Arc<Submission>, rows: Range<usize>, verdict: &RowVerdict);

    /// Whether it was parked because CDF did not let its identity write, and is now tried again.
    fn is_parked(&self) -> bool;
}

/// Who is told of verdicts.
#[derive(Debug)]
enum Waiter {
    Statement(Arc<Shared>),
    Record(Box<dyn JournalRecord>),
}

/// The working side, one per batch, moved along with its rows.
#[derive(Debug)]
pub struct TicketPart {
    waiter: Waiter,
    first_row_number: u64,
    open_rows: AtomicU64,
    sent: AtomicBool,
    /// Counts the rows among those that make time series, until the part ends.
    creation: Option<Creation>,
}

impl Ticket {
    pub fn new() -> Self {
        Self::default()
    }

    /// For a statement that goes on without the rows that CDF refuses.
    pub fn ignoring_refusals() -> Self {
        Ticket {
            shared: Arc::new(Shared {
                ignores_refusals: true,
                ..Shared::default()
            }),
        }
    }

    /// For a statement that tells the client what CDF made of its rows.
    pub fn wanting_objects() -> Self {
        Ticket {
            shared: Arc::new(Shared {
                wants_objects: true,
                ..Shared::default()
            }),
        }
    }

    /// Takes the numbers of the rows for which nothing was to be done, since the last call.
    pub fn take_skipped(&self) -> Vec<u64> {
        std::mem::take(&mut self.shared.state().skipped)
    }

    /// Takes the objects that CDF answered with, by row number, since the last call.
    pub fn take_returned(&self) -> Vec<(u64, Box<RawValue>)> {
        std::mem::take(&mut self.shared.state().returned)
    }

    /// Takes the refused rows that the statement goes on without, since the last call.
    pub fn take_refused(&self) -> Vec<RefusedRow> {
        std::mem::take(&mut self.shared.state().refused)
    }

    /// A part for a batch of `rows` rows whose first is row `first_row_number` of the statement.
    pub fn part(&self, rows: u64, first_row_number: u64) -> TicketPart {
        self.shared.state().open_parts += 1;
        TicketPart {
            waiter: Waiter::Statement(self.shared.clone()),
            first_row_number,
            open_rows: AtomicU64::new(rows),
            sent: AtomicBool::new(false),
            creation: None,
        }
    }

    /// Asks the pipeline to drop the rows that it has not sent yet.
    pub fn abort(&self) {
        self.shared.aborted.store(true, Ordering::Release);
    }

    /// Whether an error is already known, so that reading more rows is vain.
    pub fn has_failed(&self) -> bool {
        self.shared.state().outcome.first_error.is_some()
    }

    /// Whether every part and every hold is gone.
    pub fn is_settled(&self) -> bool {
        self.shared.state().open_parts == 0
    }

    /// What is known now, while parts may still be open.
    pub fn so_far(&self) -> Outcome {
        self.shared.state().outcome.clone()
    }

    /// Waits until every part handed out has resolved, then tells the counts so far.
    pub async fn settled(&self) -> Outcome {
        loop {
            let notified = self.shared.settled.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            {
                let state = self.shared.state();
                if state.open_parts == 0 {
                    return state.outcome.clone();
                }
            }
            notified.await;
        }
    }
}

/// Keeps a statement from settling though its rows have their verdicts: dropped, it lets go.
#[derive(Debug)]
pub struct TicketHold {
    shared: Arc<Shared>,
    rows: u64,
    first_row_number: u64,
}

impl TicketHold {
    /// The rows were accepted, and something older may take effect after them, as `reason` says:
    /// their outcome is unknown.
    pub fn doubt(self, reason: &str) {
        // Rows of it may have no verdict yet, and those that are refused are in no doubt.
        self.shared.state().doubts.push(Doubt {
            rows: self.rows,
            first_row_number: self.first_row_number,
            reason: Diagnostic::error(SqlState::STATEMENT_COMPLETION_UNKNOWN, reason),
        });
    }
}

impl Drop for TicketHold {
    fn drop(&mut self) {
        self.shared.close_part(self.shared.state());
    }
}

impl TicketPart {
    /// The part of a record of the journal: no statement waits for it.
    pub fn of_record(record: Box<dyn JournalRecord>) -> Self {
        TicketPart {
            waiter: Waiter::Record(record),
            first_row_number: 0,
            open_rows: AtomicU64::new(0),
            sent: AtomicBool::new(false),
            creation: None,
        }
    }

    /// The rows make time series: they count as such until the part ends.
    pub fn note_creation(&mut self, creation: Option<Creation>) {
        self.creation = creation;
    }

    /// The record of the journal that this is a part of.
    pub fn record(&self) -> Option<&dyn JournalRecord> {
        match &self.waiter {
            Waiter::Statement(_) => None,
            Waiter::Record(record) => Some(&**record),
        }
    }

    /// Whether the rows have been acknowledged already: they must not be given up.
    pub fn is_journaled(&self) -> bool {
        matches!(self.waiter, Waiter::Record(_))
    }

    /// Lets the statement wait for something beside the verdicts; `None`: no statement waits.
    pub fn hold(&self) -> Option<TicketHold> {
        let Waiter::Statement(shared) = &self.waiter else {
            return None;
        };
        shared.state().open_parts += 1;
        Some(TicketHold {
            shared: shared.clone(),
            rows: self.open_rows(),
            first_row_number: self.first_row_number,
        })
    }

    /// From now on a drop means that the outcome of the open rows is unknown.
    pub fn mark_sent(&self) {
        self.sent.store(true, Ordering::Release);
    }

    /// Whether the statement no longer wants its unsent rows delivered.
    pub fn is_aborted(&self) -> bool {
        match &self.waiter {
            Waiter::Statement(shared) => shared.aborted.load(Ordering::Acquire),
            Waiter::Record(_) => false,
        }
    }

    /// Rows without a verdict.
    pub fn open_rows(&self) -> u64 {
        self.open_rows.load(Ordering::Acquire)
    }

    /// CDF accepted `rows` rows, or the journal has them.
    pub fn accept(&self, rows: u64) {
        self.count(rows, |outcome, rows| outcome.accepted += rows);
    }

    /// For rows `rows` of `batch` nothing was to be done.
    pub fn skip(&self, batch: &RowBatch, rows: Range<usize>) {
        let Waiter::Statement(shared) = &self.waiter else {
            return;
        };
        let closed = self.close(rows.len() as u64);
        let mut state = shared.state();
        state.outcome.skipped += closed;
        state.skipped.extend(rows.map(|row| batch.row_number(row)));
    }

    /// Whether somebody wants to know what CDF made of the rows.
    pub fn wants_objects(&self) -> bool {
        match &self.waiter {
            Waiter::Statement(shared) => shared.wants_objects,
            Waiter::Record(_) => false,
        }
    }

    /// What CDF made of row `row_number`.
    pub fn note_object(&self, row_number: u64, object: Box<RawValue>) {
        if let Waiter::Statement(shared) = &self.waiter {
            shared.state().returned.push((row_number, object));
        }
    }

    /// `rows` rows, the first of them row `row_number`, can never succeed.
    pub fn reject(&self, rows: u64, row_number: u64, reason: &Diagnostic) {
        self.count(rows, |outcome, rows| {
            outcome.rejected += rows;
            note_error(outcome, row_number, reason);
        });
    }

    /// Rows `rows` of `batch`, which this part stands for, can never succeed. They are kept where
    /// the statement goes on without them.
    pub fn reject_rows(&self, batch: &RowBatch, rows: Range<usize>, reason: &Diagnostic) {
        let count = rows.len() as u64;
        if count == 0 {
            return;
        }
        let shared = match &self.waiter {
            Waiter::Statement(shared) if shared.ignores_refusals && is_of_the_row(reason) => shared,
            Waiter::Statement(_) | Waiter::Record(_) => {
                let first = batch.row_number(rows.start);
                self.reject(count, first, reason);
                return;
            }
        };
        let refused: Vec<RefusedRow> = RefusedRow::of(batch, rows, reason).collect();
        let closed = self.close(count);
        let mut state = shared.state();
        state.outcome.ignored += closed;
        state.refused.extend(refused);
    }

    /// `rows` rows were not sent, or were surely not accepted, and will not be sent again.
    pub fn fail(&self, rows: u64, row_number: u64, reason: &Diagnostic) {
        self.count(rows, |outcome, rows| {
            outcome.failed += rows;
            note_error(outcome, row_number, reason);
        });
    }

    /// `rows` rows were sent, and nobody knows whether CDF has them.
    pub fn unknown(&self, rows: u64, row_number: u64, reason: &Diagnostic) {
        self.count(rows, |outcome, rows| {
            outcome.unknown += rows;
            note_error(outcome, row_number, reason);
        });
    }

    /// Counts for the statement; a record of the journal is told by
    /// [`JournalRecord::settled`] instead.
    fn count(&self, rows: u64, count: impl FnOnce(&mut Outcome, u64)) {
        if let Waiter::Statement(shared) = &self.waiter {
            let rows = self.close(rows);
            count(&mut shared.state().outcome, rows);
        }
    }

    /// Takes up to `rows` from the open rows, so that no row is counted twice.
    fn close(&self, rows: u64) -> u64 {
        let mut closed = 0;
        let _ = self
            .open_rows
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                closed = open.min(rows);
                Some(open - closed)
            });
        debug_assert_eq!(closed, rows, "a row got two verdicts");
        closed
    }
}

fn note_error(outcome: &mut Outcome, row_number: u64, reason: &Diagnostic) {
    let earlier = outcome
        .first_error
        .as_ref()
        .is_some_and(|(number, _)| *number <= row_number);
    if !earlier {
        outcome.first_error = Some((row_number, reason.clone()));
    }
}

impl Drop for TicketPart {
    fn drop(&mut self) {
        let Waiter::Statement(shared) = &self.waiter else {
            return;
        };
        let open = self.open_rows.swap(0, Ordering::AcqRel);
        let sent = self.sent.load(Ordering::Acquire);
        let mut state = shared.state();
        if open > 0 {
            let reason = if sent {
                state.outcome.unknown += open;
                Diagnostic::error(
                    SqlState::STATEMENT_COMPLETION_UNKNOWN,
                    "the gateway stopped before CDF answered: the rows may or may not be in CDF",
                )
            } else {
                state.outcome.failed += open;
                Diagnostic::error(
                    SqlState::QUERY_CANCELED,
                    "the rows were not sent: the statement ended before their turn",
                )
            };
            note_error(&mut state.outcome, self.first_row_number, &reason);
        }
        shared.close_part(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_accepted_rows_are_in_doubt() {
        let refused = SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
        let ticket = Ticket::new();
        let part = ticket.part(2, 1);
        // Before there is a verdict.
        let hold = part.hold().expect("a statement waits");
        hold.doubt("older rows may come");
        part.reject(1, 1, &Diagnostic::error(refused, "refused"));
        part.accept(1);
        drop(part);
        let outcome = ticket.so_far();
        let counts = (outcome.accepted, outcome.rejected, outcome.unknown);
        assert_eq!(counts, (0, 1, 1));
        let (_, first) = outcome.first_error.expect("a row was refused");
        assert_eq!(first.sqlstate, refused);
    }
}
