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

/// How many kinds of tables are remembered: there are those of version 1.0, and those of 2.0.
const ASKED_MAX: usize = 2;

/// How many times in a row tables are asked for before a spare with others makes room for one with
/// them.
const ROW_MIN: usize = 2;

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
    /// What each of those in the making is made with.
    making: Vec<Base>,
    /// What statements wait for that wait for one in the making.
    waiting: Vec<Base>,
    /// What was asked for, the last first: the tables of either version of the gateway.
    asked: Vec<Base>,
    /// How many times in a row the last was asked for.
    row: usize,
    /// No more are kept.
    is_closed: bool,
}

impl State {
    /// Notes what is asked for.
    fn note(&mut self, base: &Base) {
        if self.asked.first() == Some(base) {
            self.row += 1;
            return;
        }
        self.asked.retain(|known| known != base);
        self.asked.insert(0, base.clone());
        self.asked.truncate(ASKED_MAX);
        self.row = 1;
    }

    /// The last spare with the tables of `base`.
    fn take_ready(&mut self, base: &Base) -> Option<Spare> {
        let index = self.ready.iter().rposition(|spare| spare.base == *base)?;
        Some(self.ready.remove(index))
    }

    /// A spare with other tables than those of `base`.
    fn take_other(&mut self, base: &Base) -> Option<Spare> {
        let index = self.ready.iter().position(|spare| spare.base != *base)?;
        Some(self.ready.remove(index))
    }

    /// What the next one is to be made with: what of all that is asked for there is least of.
    fn next_base(&self) -> Option<&Base> {
        let count = |base: &Base| {
            let ready = self.ready.iter().filter(|spare| spare.base == *base);
            let making = self.making.iter().filter(|made| *made == base);
            ready.count() + making.count()
        };
        self.asked.iter().min_by_key(|base| count(base))
    }
}

impl Spares {
    /// None yet; the first ones are made with `base`.
    pub fn new(base: Base) -> Self {
        Spares {
            state: Mutex::new(State {
                ready: Vec::new(),
                making: Vec::new(),
                waiting: Vec::new(),
                asked: vec![base],
                row: 0,
                is_closed: false,
            }),
            made: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A spare with the tables of `base`, if one is ready or soon will be. One with other tables makes
    /// room only when `base` is asked for again and again: users of either version may take turns.
    pub async fn take(&self, base: &Base) -> Option<Spare> {
        self.state().note(base);
        loop {
            let made = self.made.notified();
            tokio::pin!(made);
            // From here on no news is missed.
            made.as_mut().enable();
            let _waiting = {
                let mut state = self.state();
                while let Some(mut spare) = state.take_ready(base) {
                    if spare.engine.is_up() {
                        return Some(spare);
                    }
                    spare.place.counted.ends(EngineEnd::Broken);
                }
                let of_base = |bases: &[Base]| bases.iter().filter(|one| *one == base).count();
                if of_base(&state.waiting) >= of_base(&state.making) {
                    let is_unwanted = state.row >= ROW_MIN;
                    let unwanted = is_unwanted.then(|| state.take_other(base)).flatten();
                    drop(state);
                    // Not under the lock: it ends here.
                    drop(unwanted);
                    return None;
                }
                state.waiting.push(base.clone());
                Waiting { spares: self, base }
            };
            made.await;
        }
    }

    /// Gives one up whose place is needed. Returns whether there was one.
    pub fn give_up(&self) -> bool {
        let spare = self.state().ready.pop();
        spare.is_some()
    }

    /// Ends those that are ready, and keeps no more.
    pub fn close(&self) {
        let ready = {
            let mut state = self.state();
            state.is_closed = true;
            std::mem::take(&mut state.ready)
        };
        drop(ready);
    }

    /// Counts one more in the making, if fewer than `count` are ready or in the making.
    pub fn begin(&self, count: usize) -> Option<Making<'_>> {
        let mut state = self.state();
        if state.is_closed || state.ready.len() + state.making.len() >= count {
            return None;
        }
        let base = state.next_base()?.clone();
        state.making.push(base.clone());
        Some(Making { spares: self, base })
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
            match state.is_closed {
                true => Some(spare),
                false => {
                    state.ready.push(spare);
                    None
                }
            }
        };
        drop(unwanted);
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        forget(&mut self.spares.state().making, &self.base);
        self.spares.made.notify_waiters();
    }
}

/// A statement that waits, until dropped.
struct Waiting<'a> {
    spares: &'a Spares,
    base: &'a Base,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        forget(&mut self.spares.state().waiting, self.base);
    }
}

/// Takes one away that is like `base`.
fn forget(bases: &mut Vec<Base>, base: &Base) {
    if let Some(index) = bases.iter().position(|one| one == base) {
        bases.swap_remove(index);
    }
}
