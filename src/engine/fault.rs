//! Why an engine did not answer, split by what the caller does next.
//!
//! Owns the faults of the cold road below SQL. Promises that what PostgreSQL itself said is kept
//! whole, and that a caller sees whether the engine may be used again. Never words CDF's errors.

use crate::diagnostic::{Diagnostic, SqlState};
use std::io;

/// Why an engine did not do what it was asked.
#[derive(Debug)]
pub enum EngineFault {
    /// There is none to be had: off, all in use, or it cannot be started. The statement fails, the
    /// session goes on.
    Unavailable(Box<Diagnostic>),
    /// PostgreSQL refused the statement, in its own words. The engine is good.
    Refused(Box<Diagnostic>),
    /// The gateway broke the statement off, for this reason. The engine must be ended: it may still
    /// be busy with it.
    Stopped(Box<Diagnostic>),
    /// The engine is gone, or in no state to be used again: it must be ended.
    Broken(String),
}

impl EngineFault {
    /// Whether the engine can be used again.
    pub fn leaves_the_engine_good(&self) -> bool {
        matches!(self, EngineFault::Unavailable(_) | EngineFault::Refused(_))
    }

    /// What the client is told.
    pub fn into_diagnostic(self) -> Box<Diagnostic> {
        match self {
            EngineFault::Unavailable(diagnostic)
            | EngineFault::Refused(diagnostic)
            | EngineFault::Stopped(diagnostic) => diagnostic,
            EngineFault::Broken(why) => Box::new(
                Diagnostic::error(
                    SqlState::SYSTEM_ERROR,
                    "the PostgreSQL that runs this statement has ended",
                )
                .with_detail(why)
                .with_hint(
                    "Try again: another one is started. COPY, INSERT, and UPDATE and DELETE by \
                     key do not need it.",
                ),
            ),
        }
    }
}

impl From<io::Error> for EngineFault {
    fn from(error: io::Error) -> Self {
        EngineFault::Broken(error.to_string())
    }
}
