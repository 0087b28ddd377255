//! A connection that ends within a statement or a transaction.
//!
//! Owns what becomes of its rows. Promises that rows which nobody will ever confirm are not sent any
//! more, and that the last words and the log say what was. Never ends a connection by itself.

use super::delivery::verdicts;
use super::ending::Ending;
use super::session::Session;
use super::withheld::{with_counts, with_sentence};

impl Session {
    /// The connection is over: rows that nobody will ever confirm are not sent any more.
    pub(super) fn abandon(&mut self, mut ending: Ending) -> Ending {
        // Nothing of what a transaction block stages was sent: it ends as by ROLLBACK.
        let staged = self.transaction.rows();
        let written = self.transaction.written();
        let rows = self.implicit.rows();
        if rows + staged == 0 && written.is_nothing() {
            return ending;
        }
        self.implicit.abort();
        let verdicts = verdicts(&self.implicit);
        tracing::warn!(
            peer = %self.peer,
            user = %self.user.name,
            why = ?ending.why,
            rows,
            accepted = verdicts.accepted,
            unknown = verdicts.unknown,
            staged,
            written = written.accepted,
            "a connection ended within a statement or transaction: rows that were not sent to \
             CDF are dropped"
        );
        if rows > 0 {
            ending.last_words = ending
                .last_words
                .map(|last_words| with_counts(last_words, &verdicts));
        }
        if !written.is_nothing() {
            ending.last_words = ending
                .last_words
                .map(|last_words| with_sentence(last_words, written.sentence("transaction")));
        }
        ending
    }
}
