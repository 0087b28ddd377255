//! The settings that bound time.
//!
//! Owns their values as durations. Promises that 0 is no bound. Never measures anything.

use super::{Settings, number};
use std::time::Duration;

/// How long things of a session may take; `None`: as long as they like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionTimeouts {
    pub statement: Option<Duration>,
    pub transaction: Option<Duration>,
    /// Between statements, outside of a transaction block.
    pub idle: Option<Duration>,
    /// The same inside of one.
    pub idle_in_transaction: Option<Duration>,
}

impl Settings {
    /// The time-outs that hold now.
    pub fn timeouts(&self) -> SessionTimeouts {
        let timeout = |name| {
            let milliseconds = number::milliseconds(self.known(name));
            (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
        };
        SessionTimeouts {
            statement: timeout("statement_timeout"),
            transaction: timeout("transaction_timeout"),
            idle: timeout("idle_session_timeout"),
            idle_in_transaction: timeout("idle_in_transaction_session_timeout"),
        }
    }
}
