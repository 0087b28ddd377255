//! How long a SET lasts: transactions and savepoints.
//!
//! Owns the marks to go back to. Promises that ROLLBACK takes back what the transaction set, and
//! that COMMIT ends SET LOCAL. Never copies values before something changes.

use super::Settings;
use crate::sql::session_command::SetScope;
use crate::sql::statement::TransactionModes;

impl Settings {
    /// A transaction begins, explicit or implicit.
    pub fn begin(&mut self, modes: &TransactionModes) {
        self.marks.clear();
        self.marks.push(None);
        // Modes are enumerated by the parser, so their names are valid values.
        let _ = self.set_modes(modes, "transaction", SetScope::Local);
    }

    /// The transaction is committed: what SET LOCAL changed goes back.
    pub fn commit(&mut self) {
        self.marks.clear();
        self.changes.local.clear();
        self.refresh();
    }

    /// The transaction is rolled back: whatever it set goes back.
    pub fn rollback(&mut self) {
        if let Some(Some(before)) = self.marks.drain(..).next() {
            self.changes = before;
        }
        self.changes.local.clear();
        self.refresh();
    }

    /// A savepoint is made, on top of those that exist.
    pub fn savepoint(&mut self) {
        self.marks.push(None);
    }

    /// Savepoint number `index` (the oldest is 0) and those after it are released.
    pub fn release(&mut self, index: usize) {
        self.marks.truncate(index + 1);
    }

    /// Goes back to savepoint number `index` (the oldest is 0), which stays.
    pub fn rollback_to(&mut self, index: usize) {
        let mark = index + 1;
        if let Some(Some(before)) = self.marks.get(mark).cloned() {
            self.changes = before;
        }
        self.marks.truncate(mark);
        self.marks.push(None);
        self.refresh();
    }

    /// Keeps the present changes for every mark since which nothing changed.
    pub(super) fn remember(&mut self) {
        for mark in &mut self.marks {
            if mark.is_none() {
                *mark = Some(self.changes.clone());
            }
        }
    }
}
