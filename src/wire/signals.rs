//! What a connection is told from outside: cancel, drain, stop.
//!
//! Owns the three flags of one connection. Promises that waiting for a flag and reading it
//! cannot miss a change. Lives on the connection's own thread: the actor sets, the loop reads.

use std::cell::Cell;
use tokio::sync::Notify;

/// The flags of one connection.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Cancel the statement that runs now.
    cancel: Cell<bool>,
    /// End when no statement runs.
    drain: Cell<bool>,
    /// End now.
    stop: Cell<bool>,
    changed: Notify,
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

    /// A statement starts: a cancel that came before was for an earlier one.
    pub(super) fn begin_statement(&self) {
        self.cancel.set(false);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain.get() || self.stop.get()
    }

    /// Waits until the running statement is to be broken off.
    pub(super) async fn interrupted(&self) {
        self.wait_for(|| self.cancel.get() || self.stop.get()).await;
    }

    /// Waits until an idle connection is to end.
    pub(super) async fn drained(&self) {
        self.wait_for(|| self.is_draining()).await;
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
