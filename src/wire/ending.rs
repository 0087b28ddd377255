//! How a connection ends: why, and what the client is told last.
//!
//! Owns the reasons. Promises that whoever can still read gets a FATAL error with a SQLSTATE,
//! not a silent close. Never ends anything itself.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::ConnectionEnd;
use std::io;

/// The end of a connection.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) why: ConnectionEnd,
    /// FATAL; `None` where nobody listens any more, or nothing is wrong.
    pub(super) last_words: Option<Box<Diagnostic>>,
}

impl Ending {
    /// Without a word.
    pub(super) fn silent(why: ConnectionEnd) -> Self {
        Ending {
            why,
            last_words: None,
        }
    }

    pub(super) fn with_words(why: ConnectionEnd, last_words: Box<Diagnostic>) -> Self {
        Ending {
            why,
            last_words: Some(last_words),
        }
    }

    /// The client broke the protocol.
    pub(super) fn violation(diagnostic: Box<Diagnostic>) -> Self {
        Self::with_words(ConnectionEnd::ProtocolError, diagnostic)
    }

    /// The gateway stops.
    pub(super) fn shutdown() -> Self {
        Self::with_words(
            ConnectionEnd::Shutdown,
            Box::new(Diagnostic::fatal(
                SqlState::ADMIN_SHUTDOWN,
                "terminating connection due to administrator command",
            )),
        )
    }
}

impl Ending {
    /// The token that the client signed in with has expired, and its grace is over.
    pub(super) fn token_expired() -> Self {
        let diagnostic = Diagnostic::fatal(
            SqlState::ADMIN_SHUTDOWN,
            "terminating connection because the access token of its sign-in has expired",
        )
        .with_hint("Fetch a new token and connect again.");
        Self::with_words(ConnectionEnd::TokenExpired, Box::new(diagnostic))
    }
}

impl From<io::Error> for Ending {
    /// A broken socket: the client is gone.
    fn from(_: io::Error) -> Self {
        Self::silent(ConnectionEnd::Vanished)
    }
}
