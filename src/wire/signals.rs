//! What breaks a connection's waits off: cancel, drain, stop, departure, and its deadlines.
//!
//! Owns the flags of one connection that are set from outside. Promises that waiting for a
//! flag and reading it cannot miss a change, and that whatever broke a statement off can be told.
//! Lives on the connection's own thread: the actor sets, the loop reads.

use super::deadlines::Deadlines;
use super::departure::Departure;
use super::ending::Ending;
use crate::diagnostic::{Diagnostic, SqlState};
use std::cell::Cell;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until};

/// How long what leaves off by itself may take for that.
const LEAVE_OFF_MAX: Duration = Duration::from_secs(5);

/// The flags of one connection.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Cancel the statement that runs now.
    cancel: Cell<bool>,
    /// End when no statement runs.
    drain: Cell<bool>,
    /// End now.
    stop: Cell<bool>,
    /// Why, if it is not the gateway that ends.
    departure: Cell<Option<Departure>>,
    /// End before sign-in: the place is needed.
    crowded_out: Cell<bool>,
    /// What runs now sees to an interruption by itself.
    leaves_off: Cell<bool>,
    changed: Notify,
    pub(super) deadlines: Deadlines,
}

/// As long as it lives, what runs sees to an interruption by itself.
struct LeavingOff<'a>(&'a Cell<bool>);

impl Drop for LeavingOff<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Signals {
    pub(super) fn cancel(&self) {
        self.cancel.set(true);
        self.changed.notify_waiters();
    }

    pub(super) fn drain(&self) {
        self.drain.set(true);
        self.changed.notify_waiters();
    }

    pub(super) fn stop(&self) {
        self.stop.set(true);
        self.changed.notify_waiters();
    }

    /// Ends now, with the words of `departure`.
    pub(super) fn depart(&self, departure: Departure) {
        self.departure.set(Some(departure));
        self.stop();
    }

    pub(super) fn crowd_out(&self) {
        self.crowded_out.set(true);
        self.changed.notify_waiters();
    }

    /// Drains because the token has expired.
    pub(super) fn expire(&self) {
        self.departure.set(Some(Departure::TokenExpired));
        self.drain();
    }

    /// What a connection that was told to end says.
    pub(super) fn ending(&self) -> Ending {
        match self.departure.get() {
            Some(departure) => departure.ending(),
            None => Ending::shutdown(),
        }
    }

    /// A statement starts: a cancel that came before was for an earlier one.
    pub(super) fn begin_statement(&self) {
        self.cancel.set(false);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain.get() || self.stop.get()
    }

    /// Waits until the running statement is to be broken off.
    pub(super) async fn interrupted(&self) {
        let flagged = self.wait_for(|| self.cancel.get() || self.stop.get());
        match self.deadlines.of_statement() {
            None => flagged.await,
            Some(deadline) => tokio::select! {
                biased;
                () = flagged => {}
                () = sleep_until(deadline) => {}
            },
        }
    }

    /// The same, for what can leave off by itself: whoever would break it off gives it some time.
    pub(super) async fn interrupted_mildly(&self) {
        self.leaves_off.set(true);
        let _leaving_off = LeavingOff(&self.leaves_off);
        self.interrupted().await;
    }

    /// Waits until the running statement is to be broken off because it does not leave off by itself.
    pub(super) async fn must_break_off(&self) {
        self.interrupted().await;
        if self.leaves_off.get() {
            sleep(LEAVE_OFF_MAX).await;
        }
    }

    /// What the client is told of a statement that was broken off.
    pub(super) fn interruption(&self) -> Box<Diagnostic> {
        match self.deadlines.passed() {
            Some(passed) if !self.cancel.get() => passed,
            _ => Box::new(Diagnostic::error(
                SqlState::QUERY_CANCELED,
                "canceling statement due to user request",
            )),
        }
    }

    /// Waits until an idle connection is to end.
    pub(super) async fn drained(&self) {
        self.wait_for(|| self.is_draining()).await;
    }

    /// Waits until the connection is to end if nobody has signed in.
    pub(super) async fn crowded_out(&self) {
        self.wait_for(|| self.crowded_out.get()).await;
    }

    /// Waits until the connection is to end at once.
    pub(super) async fn stopped(&self) {
        self.wait_for(|| self.stop.get()).await;
    }

    async fn wait_for(&self, condition: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition() {
                return;
            }
            changed.await;
        }
    }
}
