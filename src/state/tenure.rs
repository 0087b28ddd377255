//! The time in which this process is the one that serves.
//!
//! Owns a thread that takes the lease and renews it, and one that watches its time. Promises that
//! [`Tenure::begin`] ends when the lease is held, that a process that does not renew it is told
//! before anybody else can take it, also where the store does not answer at all, and that its term
//! for writing is over by then, also for a process that did not run meanwhile. Never serves anybody
//! itself.

use super::lease::LeaseAnswer;
use super::store::StateStore;
use super::{StateError, StateLocation};
use crate::cdf::WritingTerm;
use crate::telemetry::LeaseGauge;
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
type Act = Box<dyn FnOnce() + Send>;

/// Whether the lease is lost. Clones share it.
#[derive(Clone, Default)]
struct Loss(Arc<Mutex<LossState>>);

#[derive(Default)]
enum LossState {
    /// It is not, and nobody has said what to do then.
    #[default]
    Unwatched,
    Watched(Act),
    Lost,
}

impl Loss {
    fn put(&self, state: LossState) -> LossState {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *held, state)
    }

    fn watch(&self, act: Act) {
        if let LossState::Lost = self.put(LossState::Watched(act)) {
            // It was lost before anybody served.
            self.happen();
        }
    }

    fn happen(&self) {
        if let LossState::Watched(act) = self.put(LossState::Lost) {
            act();
        }
    }
}

/// The lease is this process's. Dropping this gives it back.
pub struct Tenure {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    loss: Loss,
    is_kept: Arc<AtomicBool>,
    term: WritingTerm,
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
        let loss = Loss::default();
        let is_kept = Arc::new(AtomicBool::new(false));
        let term = WritingTerm::new();
        let place = location.shown();
        let keeper = Keeper {
            location,
            lease,
            holder: name_of_process(),
            stopped,
            loss: loss.clone(),
            is_kept: is_kept.clone(),
            term: term.clone(),
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
            loss,
            is_kept,
            term,
        };
        is_held.await.unwrap_or_else(|_| {
            Err(StateError::Failed {
                place,
                fault: "the thread of the lease ended by a fault".to_owned(),
            })
        })?;
        Ok(tenure)
    }

    /// Until when the lease allows to write. It is put off as long as the lease is kept.
    pub fn term(&self) -> WritingTerm {
        self.term.clone()
    }

    /// What is to be done when the lease can no longer be kept, instead of what was said before; at
    /// once, if that is so already. It should not return.
    pub fn when_lost(&self, act: impl FnOnce() + Send + 'static) {
        self.loss.watch(Box::new(act));
    }

    /// Ends without giving the lease back: others wait until it runs out, as they do after a crash,
    /// because requests of this process may still be on their way.
    pub fn abandon(self) {
        tracing::warn!("rows may be on their way to CDF: the lease is left to run out");
        self.is_kept.store(true, Ordering::Release);
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
    loss: Loss,
    /// Whether the lease is left to run out.
    is_kept: Arc<AtomicBool>,
    term: WritingTerm,
}

impl Keeper {
    fn run(self, held: oneshot::Sender<Result<(), StateError>>, waits: &dyn Fn(&str)) {
        let mut store = match StateStore::open(&self.location, None) {
            Ok(store) => store,
            Err(error) => return drop(held.send(Err(error))),
        };
        let gauge = LeaseGauge::new();
        let Some(until) = self.wait(&mut store, waits) else {
            return;
        };
        gauge.is_held(true);
        self.term.put_off(until);
        // The wait may have been given up, or there is no thread: then it is given back at once.
        match self.guard(until) {
            Ok(untils) => {
                if held.send(Ok(())).is_ok() {
                    self.keep(&mut store, &untils);
                }
            }
            Err(error) => drop(held.send(Err(error))),
        }
        gauge.is_held(false);
        if self.is_kept.load(Ordering::Acquire) {
            return;
        }
        if let Err(error) = store.release_lease(&self.holder) {
            tracing::warn!(%error, "the lease is not given back: it runs out by itself");
        }
    }

    /// Starts the thread that watches the time; it is sent until when the lease may be used. It
    /// does nothing but wait, so that no answer of the store can keep it.
    fn guard(&self, mut until: Instant) -> Result<Sender<Instant>, StateError> {
        let (untils, later) = unbounded();
        let loss = self.loss.clone();
        let guard = thread::Builder::new()
            .name("lease-guard".to_owned())
            .spawn(move || {
                loop {
                    match later.recv_deadline(until) {
                        Ok(later) => until = later,
                        Err(RecvTimeoutError::Disconnected) => return,
                        Err(RecvTimeoutError::Timeout) => {
                            tracing::error!("the lease of the state store was not renewed in time");
                            return loss.happen();
                        }
                    }
                }
            });
        guard.map(|_| untils).map_err(|error| StateError::Failed {
            place: self.location.shown(),
            fault: format!("no thread for the lease: {error}"),
        })
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

    fn keep(&self, store: &mut StateStore, untils: &Sender<Instant>) {
        let mut pause = self.lease / RENEWALS;
        while self.pause(pause) {
            let asked = Instant::now();
            match self.ask(store) {
                Ok(LeaseAnswer::Held { .. }) => {
                    let until = self.until(asked);
                    // A guard that is gone has said that it is too late.
                    if untils.send(until).is_ok() {
                        self.term.put_off(until);
                    }
                    pause = self.lease / RENEWALS;
                }
                Ok(LeaseAnswer::Taken { holder, .. }) => {
                    self.term.end();
                    tracing::error!(holder, "the lease of the state store is somebody else's");
                    return self.loss.happen();
                }
                Err(error) => {
                    tracing::error!(%error, "the lease cannot be renewed");
                    pause = ASK_EVERY.min(pause);
                }
            }
        }
    }
}
