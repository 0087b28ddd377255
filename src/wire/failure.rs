//! Why a statement did not end well, split by what becomes of its connection.
//!
//! Owns that decision. Promises that whatever is FATAL ends the connection with its words. Never
//! sends anything.

use super::ending::Ending;
use super::withheld::with_sentence;
use crate::diagnostic::{Diagnostic, Severity, SqlState};
use crate::telemetry::ConnectionEnd;

/// Why a statement did not end well.
#[derive(Debug)]
pub(super) enum Failure {
    /// The client is told, and goes on.
    Statement(Box<Diagnostic>),
    /// The connection ends.
    Connection(Ending),
}

impl Failure {
    /// Adds what the client must know besides.
    pub(super) fn with_sentence(self, sentence: String) -> Self {
        match self {
            Failure::Statement(diagnostic) => {
                Failure::Statement(with_sentence(diagnostic, sentence))
            }
            Failure::Connection(ending) => Failure::Connection(Ending {
                last_words: ending
                    .last_words
                    .map(|last_words| with_sentence(last_words, sentence)),
                ..ending
            }),
        }
    }
}

impl From<Box<Diagnostic>> for Failure {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        if diagnostic.sqlstate == SqlState::TRANSACTION_TIMEOUT {
            Failure::Connection(Ending::with_words(ConnectionEnd::TimedOut, diagnostic))
        } else if diagnostic.severity == Severity::Fatal {
            Failure::Connection(Ending::violation(diagnostic))
        } else {
            Failure::Statement(diagnostic)
        }
    }
}

impl From<Ending> for Failure {
    fn from(ending: Ending) -> Self {
        Failure::Connection(ending)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Connection(error.into())
    }
}
