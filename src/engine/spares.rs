//! Engines that are up and nobody's, so that a first statement need not wait for a start.
//!
//! Owns those that are ready and the count of those in the making. Promises that a statement waits
//! for one in the making instead of starting another beside it, unless somebody is before it. Never
//! makes one: the pool does.

use super::dressing::Base;
use super::link::EngineLink;
use super::places::Place;
use super::running::Engine;
use crate::telemetry::EngineEnd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// An engine with the built-in tables, which can become anybody's.
#[derive(Debug)]
pub(super) struct Spare {
    // Before the engine: the socket is closed first.
    pub link: EngineLink,
    pub engine: Box<dyn Engine>,
    pub base: Base,
    pub place: Place,
}

/// Those of one gateway.
#[derive(Debug)]
pub(super) struct Spares {
    state: Mutex<State>,
    /// One is ready, or will never be.
    made: Notify,
}

#[derive(Debug)]
struct State {
    ready: Vec<Spare>,
    making: usize,
    /// Statements that wait for one in the making.
    waiting: usize,
    /// What the next one is made with.
    base: Base,
}

impl Spares {
    /// None yet; the first ones are made with `base`.
    pub fn new(base: Base) -> Self {
        Spares {
            state: Mutex::new(State {
                ready: Vec::new(),
                making: 0,
                waiting: 0,
                base,
            }),
            made: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A spare with the tables of `base`, if one is ready or soon will be. Those with other tables
    /// make room.
    pub async fn take(&self, base: &Base) -> Option<Spare> {
        loop {
            let made = self.made.notified();
            tokio::pin!(made);
            // From here on no news is missed.
            made.as_mut().enable();
            let _waiting = {
                let mut state = self.state();
                if state.base != *base {
                    state.base = base.clone();
                    let others = std::mem::take(&mut state.ready);
                    drop(state);
                    drop(others);
                    return None;
                }
                while let Some(mut spare) = state.ready.pop() {
                    if spare.engine.is_up() {
                        return Some(spare);
                    }
                    spare.place.counted.ends(EngineEnd::Broken);
                }
                if state.waiting >= state.making {
                    return None;
                }
                state.waiting += 1;
                Waiting { spares: self }
            };
            made.await;
        }
    }

    /// Counts one more in the making, if fewer than `count` are ready or in the making.
    pub fn begin(&self, count: usize) -> Option<Making<'_>> {
        let mut state = self.state();
        if state.ready.len() + state.making >= count {
            return None;
        }
        state.making += 1;
        Some(Making {
            spares: self,
            base: state.base.clone(),
        })
    }
}

/// A spare in the making, until dropped.
pub(super) struct Making<'a> {
    spares: &'a Spares,
    pub base: Base,
}

impl Making<'_> {
    /// It is ready.
    pub fn done(self, spare: Spare) {
        // Not under the lock: one that is not wanted any more ends here.
        let unwanted = {
            let mut state = self.spares.state();
            match state.base == spare.base {
                true => {
                    state.ready.push(spare);
                    None
                }
                false => Some(spare),
            }
        };
        drop(unwanted);
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        self.spares.state().making -= 1;
        self.spares.made.notify_waiters();
    }
}

/// A statement that waits, until dropped.
struct Waiting<'a> {
    spares: &'a Spares,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.spares.state().waiting -= 1;
    }
}
