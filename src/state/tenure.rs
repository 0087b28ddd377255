//! The time in which this process is the one that serves.
//!
//! Owns a thread that takes the lease and renews it. Promises that [`Tenure::begin`] ends when the
//! lease is held, and that a process that cannot renew it is told before anybody else can take it.
//! Never serves anybody itself.

use super::lease::LeaseAnswer;
use super::store::StateStore;
use super::{StateError, StateLocation};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often a lease is renewed in its time.
const RENEWALS: u32 = 3;

/// What part of its time a holder keeps away from the end: requests that it sent must land before
/// somebody else's.
const MARGIN: u32 = 4;

/// How often it is asked for by who waits, at least.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What is done when the lease is lost.
type Lost = Arc<OnceLock<Box<dyn Fn() + Send + Sync>>>;

/// The lease is this process's. Dropping this gives it back.
pub struct Tenure {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    lost: Lost,
}

impl Tenure {
    /// Waits for the lease of the store at `location`; `waits` is called with the holder's name
    /// whenever that is somebody else. Giving the wait up gives up the lease.
    ///
    /// # Errors
    /// The store cannot be opened, or there is no thread.
    pub async fn begin(
        location: StateLocation,
        lease: Duration,
        waits: impl Fn(&str) + Send + 'static,
    ) -> Result<Self, StateError> {
        let (stop, stopped) = bounded(0);
        let (held, is_held) = oneshot::channel();
        let lost = Lost::default();
        let place = location.shown();
        let keeper = Keeper {
            location,
            lease,
            holder: name_of_process(),
            stopped,
            lost: lost.clone(),
        };
        let thread = thread::Builder::new()
            .name("lease".to_owned())
            .spawn(move || keeper.run(held, &waits));
        let thread = thread.map_err(|error| StateError::Failed {
            place: place.clone(),
            fault: format!("no thread for the lease: {error}"),
        })?;
        let tenure = Tenure {
            stop: Some(stop),
            thread: Some(thread),
            lost,
        };
        is_held.await.unwrap_or_else(|_| {
            Err(StateError::Failed {
                place,
                fault: "the thread of the lease ended by a fault".to_owned(),
            })
        })?;
        Ok(tenure)
    }

    /// What is to be done when the lease can no longer be kept. It should not return.
    pub fn when_lost(&self, act: impl Fn() + Send + Sync + 'static) {
        // The first one stays: there is one gateway in a process.
        let _ = self.lost.set(Box::new(act));
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by its thread.
            let _ = thread.join();
        }
    }
}

fn name_of_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let unique: u64 = rand::random();
    format!("{}:{}:{unique:016x}", host.trim(), std::process::id())
}

struct Keeper {
    location: StateLocation,
    lease: Duration,
    holder: String,
    /// Nothing is ever sent: it ends when the sender is gone.
    stopped: Receiver<()>,
    lost: Lost,
}

impl Keeper {
    fn run(self, held: oneshot::Sender<Result<(), StateError>>, waits: &dyn Fn(&str)) {
        let mut store = match StateStore::open(&self.location, None) {
            Ok(store) => store,
            Err(error) => return drop(held.send(Err(error))),
        };
        let Some(until) = self.wait(&mut store, waits) else {
            return;
        };
        if held.send(Ok(())).is_ok() {
            self.keep(&mut store, until);
        }
        if let Err(error) = store.release_lease(&self.holder) {
            tracing::warn!(%error, "the lease is not given back: it runs out by itself");
        }
    }

    /// Whether there is time left after `pause`.
    fn pause(&self, pause: Duration) -> bool {
        self.stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout)
    }

    fn ask(&self, store: &mut StateStore) -> Result<LeaseAnswer, StateError> {
        let lease_ms = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        store.take_lease(&self.holder, lease_ms)
    }

    /// Until when the lease may be used, reckoned from before it was asked for.
    fn until(&self, asked: Instant) -> Instant {
        asked + self.lease - self.lease / MARGIN
    }

    fn wait(&self, store: &mut StateStore, waits: &dyn Fn(&str)) -> Option<Instant> {
        loop {
            let asked = Instant::now();
            let pause = match self.ask(store) {
                Ok(LeaseAnswer::Held { epoch }) => {
                    tracing::info!(epoch, "the lease of the state store is held");
                    return Some(self.until(asked));
                }
                Ok(LeaseAnswer::Taken { holder, for_ms }) => {
                    waits(&holder);
                    ASK_EVERY.min(Duration::from_millis(for_ms.unsigned_abs() + 1))
                }
                Err(error) => {
                    tracing::error!(%error, "the lease cannot be asked for");
                    ASK_EVERY
                }
            };
            if !self.pause(pause) {
                return None;
            }
        }
    }

    fn keep(&self, store: &mut StateStore, mut until: Instant) {
        let mut pause = self.lease / RENEWALS;
        while self.pause(pause) {
            let asked = Instant::now();
            let is_taken = match self.ask(store) {
                Ok(LeaseAnswer::Held { .. }) => {
                    until = self.until(asked);
                    pause = self.lease / RENEWALS;
                    continue;
                }
                Ok(LeaseAnswer::Taken { holder, .. }) => {
                    tracing::error!(holder, "the lease of the state store is somebody else's");
                    true
                }
                Err(error) => {
                    tracing::error!(%error, "the lease cannot be renewed");
                    false
                }
            };
            let left = until.saturating_duration_since(Instant::now());
            if is_taken || left.is_zero() {
                if let Some(act) = self.lost.get() {
                    act();
                }
                return;
            }
            pause = left.min(ASK_EVERY);
        }
    }
}
