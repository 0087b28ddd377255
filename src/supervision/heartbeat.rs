//! The beat of one thread: a number that grows while its event loop turns.
//!
//! Owns the count. Promises that a loop which is blocked does not beat. Never reads a clock:
//! the watchdog counts its own looks.

use crate::telemetry::{HeartbeatCounters, WatchedThread};
use actix::ArbiterHandle;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A thread that is watched.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// What the thread does.
    pub thread: WatchedThread,
    beats: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Lets the event loop of `arbiter` beat every `interval` from now on.
    pub fn start(thread: WatchedThread, arbiter: &ArbiterHandle, interval: Duration) -> Self {
        let beats = Arc::new(AtomicU64::new(0));
        let counted = beats.clone();
        let counters = HeartbeatCounters::new();
        // An arbiter that has ended does not beat: the watchdog tells that like a hang.
        arbiter.spawn(async move {
            loop {
                counted.fetch_add(1, Ordering::Relaxed);
                counters.beats.add(thread, 1);
                tokio::time::sleep(interval).await;
            }
        });
        Heartbeat { thread, beats }
    }

    /// Beats so far.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }
}
