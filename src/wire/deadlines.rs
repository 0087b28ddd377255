//! When a session has waited long enough: its time-outs as moments.
//!
//! Owns the deadlines of what runs now: of a statement, of a transaction, of silence. Promises
//! PostgreSQL's names, messages and SQLSTATEs for each. Never breaks anything off itself:
//! whoever waits looks here.

use super::ending::Ending;
use super::session::{Failure, Session};
use super::signals::Signals;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::ConnectionEnd;
use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The deadlines of one session; `None`: none.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    statement: Cell<Option<Instant>>,
    transaction: Cell<Option<Instant>>,
}

impl Deadlines {
    /// The running statement may take so long from now.
    pub(super) fn set_statement(&self, timeout: Option<Duration>) {
        self.statement
            .set(timeout.map(|timeout| Instant::now() + timeout));
    }

    /// A transaction that began at `began` may take so long.
    pub(super) fn set_transaction(&self, began: Option<Instant>, timeout: Option<Duration>) {
        let deadline = began.zip(timeout).map(|(began, timeout)| began + timeout);
        self.transaction.set(deadline);
    }

    /// When the statement that runs now must be broken off.
    pub(super) fn of_statement(&self) -> Option<Instant> {
        match (self.statement.get(), self.transaction.get()) {
            (Some(statement), Some(transaction)) => Some(statement.min(transaction)),
            (statement, transaction) => statement.or(transaction),
        }
    }

    /// When the transaction must be over.
    pub(super) fn of_transaction(&self) -> Option<Instant> {
        self.transaction.get()
    }

    /// What is told of the deadline that has passed, the transaction's first; `None`: none has.
    pub(super) fn passed(&self) -> Option<Box<Diagnostic>> {
        let now = Instant::now();
        let has_passed = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if has_passed(self.transaction.get()) {
            Some(transaction_timeout())
        } else if has_passed(self.statement.get()) {
            Some(Box::new(Diagnostic::error(
                SqlState::QUERY_CANCELED,
                "canceling statement due to statement timeout",
            )))
        } else {
            None
        }
    }
}

impl Session {
    /// A transaction begins, implicit or not: its time runs from now.
    pub(super) fn transaction_begins(&mut self) {
        self.began = Some(Instant::now());
        self.set_transaction_deadline();
    }

    /// The time of the transaction, by the settings as they are now.
    pub(super) fn set_transaction_deadline(&self) {
        let timeout = self.timeouts.transaction;
        self.signals.deadlines.set_transaction(self.began, timeout);
    }

    /// A statement starts: its time runs from now.
    pub(super) fn begin_statement(&self) {
        self.signals.begin_statement();
        self.begin_wait();
    }

    /// What the client waits for now has the time of a statement.
    pub(super) fn begin_wait(&self) {
        self.signals
            .deadlines
            .set_statement(self.timeouts.statement);
    }

    /// Delivers what a pipeline has gathered, within the time of a statement: that of each Execute
    /// has ended with it.
    ///
    /// # Errors
    /// As [`Session::settle`].
    pub(super) async fn settle_in_time(&mut self) -> Result<(), Failure> {
        self.begin_wait();
        self.settle().await
    }
}

/// FATAL: the transaction takes too long.
pub(super) fn transaction_timeout() -> Box<Diagnostic> {
    Box::new(Diagnostic::fatal(
        SqlState::TRANSACTION_TIMEOUT,
        "terminating connection due to transaction timeout",
    ))
}

/// The client has been silent for too long, in a transaction block or outside.
pub(super) fn silence(is_in_block: bool) -> Ending {
    let (sqlstate, message) = if is_in_block {
        (
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            "terminating connection due to idle-in-transaction timeout",
        )
    } else {
        (
            SqlState::IDLE_SESSION_TIMEOUT,
            "terminating connection due to idle-session timeout",
        )
    };
    Ending::with_words(
        ConnectionEnd::TimedOut,
        Box::new(Diagnostic::fatal(sqlstate, message)),
    )
}

/// Ends the session when its token's time is over, as a drain of the gateway would: a statement
/// that runs may end within `drain`, then it is broken off.
pub(super) async fn expire(
    signals: &Signals,
    ends_at: Option<Instant>,
    drain: Duration,
) -> Infallible {
    if let Some(ends_at) = ends_at {
        sleep_until(ends_at).await;
        signals.expire();
        sleep(drain).await;
        signals.stop();
    }
    std::future::pending().await
}
