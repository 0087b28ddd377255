//! Why a value cannot go into its column, before it is known where in the statement it stands.
//!
//! Owns nothing but the words. Promises that the reader turns it into a diagnostic with table,
//! column and position. Never reaches a client as it is.

use crate::diagnostic::{Diagnostic, SqlState};

/// A refused value.
#[derive(Debug)]
pub(crate) struct Refusal(Box<Diagnostic>);

impl Refusal {
    pub fn new(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Refusal(Box::new(Diagnostic::error(sqlstate, message)))
    }

    /// What somebody else found wrong with the value.
    pub fn of(diagnostic: Box<Diagnostic>) -> Self {
        Refusal(diagnostic)
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// The diagnostic at character `position` of the statement.
    pub fn at(mut self, position: u32) -> Box<Diagnostic> {
        self.0.position = Some(position);
        self.0
    }

    /// The diagnostic, for those who add the position themselves.
    pub fn unplaced(self) -> Box<Diagnostic> {
        self.0
    }
}
