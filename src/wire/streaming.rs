//! Transactions whose rows are sent with their statements, not at COMMIT.
//!
//! Owns the count of what a streaming transaction has written, and what is told of it. Promises
//! that whoever takes such a transaction back learns how many rows stay in CDF. Never takes a
//! written row back: CDF cannot.

use super::delivery::{Verdicts, verdicts};
use super::group::Group;
use super::reply::put_diagnostic;
use super::session::Session;
use super::transaction::Transaction;
use super::withheld::with_sentence;
use crate::config::TransactionMode;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::StatementOutcome;

/// Rows that ROLLBACK does not take back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    /// In CDF, or in the journal.
    pub(super) accepted: u64,
    /// Sent without an answer.
    pub(super) unknown: u64,
    /// Some count as accepted because the journal has them.
    is_journaled: bool,
}

impl Written {
    fn add(&mut self, verdicts: &Verdicts) {
        self.accepted += verdicts.accepted;
        self.unknown += verdicts.unknown;
        self.is_journaled |= verdicts.journaled;
    }

    fn since(self, earlier: Written) -> Written {
        Written {
            accepted: self.accepted - earlier.accepted,
            unknown: self.unknown - earlier.unknown,
            is_journaled: self.is_journaled,
        }
    }

    pub(super) fn is_nothing(self) -> bool {
        self.accepted + self.unknown == 0
    }

    /// How many rows of `whose` stay where they are.
    pub(super) fn sentence(self, whose: &str) -> String {
        let place = if self.is_journaled {
            "in CDF or in the journal"
        } else {
            "in CDF"
        };
        let (noun, verb, stays) = match self.accepted {
            1 => ("row", "is", "stays"),
            _ => ("rows", "are", "stay"),
        };
        let accepted = self.accepted;
        let mut sentence =
            format!("{accepted} {noun} of the {whose} {verb} {place} and {stays} there");
        if self.unknown > 0 {
            let verb = if self.unknown == 1 { "was" } else { "were" };
            sentence.push_str(&format!(", {} {verb} sent without an answer", self.unknown));
        }
        sentence.push('.');
        sentence
    }
}

impl Session {
    /// Whether the session wants its transactions to stream.
    pub(super) fn wants_streaming(&self) -> bool {
        self.settings.transaction_mode() == TransactionMode::Streaming
    }

    /// A SET in a block counts for the block itself as long as it has no rows.
    pub(super) fn choose_transaction_mode(&mut self) {
        let streams = self.wants_streaming();
        let is_sending = !self.implicit.is_empty();
        if let Transaction::Open(block) = &mut self.transaction
            && block.group.is_empty()
            && block.written.is_nothing()
            && !is_sending
        {
            block.is_streaming = streams;
        }
    }

    /// Rows of the open block, if it streams, have got their verdicts.
    pub(super) fn note_written(&mut self, verdicts: &Verdicts) {
        if let Transaction::Open(block) = &mut self.transaction
            && block.is_streaming
        {
            block.written.add(verdicts);
        }
    }

    /// Adds to an error what its streaming transaction has written in all.
    pub(super) fn with_written(&self, diagnostic: Box<Diagnostic>) -> Box<Diagnostic> {
        let written = self.transaction.written();
        if written.is_nothing() || !self.transaction.is_open() {
            return diagnostic;
        }
        with_sentence(diagnostic, written.sentence("transaction"))
    }

    /// Rows that were gathered outside of a staging block are not wanted any more: what is not
    /// under way is dropped. Returns what could not be taken back.
    pub(super) async fn give_up(&mut self) -> Written {
        self.open_batch = None;
        let mut written = Written::default();
        if self.implicit.is_sent() {
            self.delivery.break_off(&self.implicit).await;
            let verdicts = verdicts(&self.implicit);
            self.note_written(&verdicts);
            written.add(&verdicts);
        }
        self.implicit = Group::default();
        let withheld = std::mem::take(&mut self.withheld);
        self.count(&withheld, StatementOutcome::Cancelled);
        written
    }

    /// A streaming block is rolled back.
    pub(super) fn warn_of_written(&mut self, written: Written) {
        if !written.is_nothing() {
            let message = "rows of a streaming transaction cannot be rolled back";
            let detail = written.sentence("transaction");
            self.warn_with(Diagnostic::warning(SqlState::WARNING, message).with_detail(detail));
        }
    }

    /// A streaming block goes back to a savepoint that was made after `before` was written.
    pub(super) fn warn_of_written_since(&mut self, written: Written, before: Written) {
        let since = written.since(before);
        if !since.is_nothing() {
            let message = "rows of a streaming transaction cannot be rolled back to a savepoint";
            let detail = since.sentence("transaction since the savepoint");
            self.warn_with(Diagnostic::warning(SqlState::WARNING, message).with_detail(detail));
        }
    }

    /// The first savepoint of a streaming block.
    pub(super) fn warn_of_savepoint(&mut self) {
        let message = "savepoints do not take rows of a streaming transaction back";
        self.warn_with(Diagnostic::warning(SqlState::WARNING, message).with_hint(
            "SET penstock.transaction = 'staged' for transactions that need savepoints.",
        ));
    }

    pub(super) fn warn_with(&mut self, warning: Diagnostic) {
        put_diagnostic(&mut self.replies, self.encoding, &warning);
    }
}
