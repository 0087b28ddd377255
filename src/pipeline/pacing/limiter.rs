//! One budget of CDF: how much of it may be spent, and when.
//!
//! Owns requests per second, items per second, bytes per window and the slots for requests
//! under way, of one identity or of a whole project. Promises that every attempt pays, a
//! repeated one too, and that no rate is exceeded over any window. Never sleeps: it tells
//! until when. Never knows who shares it: [`Pacing`](super::Pacing) does.

use super::byte_window::ByteWindow;
use super::figures::{BudgetFigures, BudgetScope, BudgetState, WindowFigures};
use super::rate::Rate;
use crate::config::OperationLimits;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Whose budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    Identity,
    Project,
}

/// A budget and what is spent of it.
#[derive(Debug)]
pub struct Limiter {
    /// `None`: no bound is known.
    slots_max: Option<usize>,
    slots_taken: usize,
    pub(super) requests: Option<Rate>,
    pub(super) items: Option<Rate>,
    pub(super) bytes: Option<ByteWindow>,
    request_cost: usize,
}

impl Limiter {
    /// Keeps `share` (above 0, up to 1) of the figures of `scope` in `limits`.
    pub fn new(limits: &OperationLimits, scope: Scope, share: f64, epoch: Instant) -> Self {
        let project = &limits.project;
        let (requests_per_s, items_per_s, bytes_per_window, concurrency) = match scope {
            Scope::Identity => (
                limits.requests_per_s,
                limits.items_per_s,
                limits.bytes_per_window,
                limits.concurrency,
            ),
            Scope::Project => (
                project.requests_per_s,
                project.items_per_s,
                project.bytes_per_window,
                project.concurrency,
            ),
        };
        let cost = NonZeroU32::new(limits.request_cost).unwrap_or(NonZeroU32::MIN);
        let rate = |per_s: u32, at_once: NonZeroU32| {
            shared_rate(per_s, share).map(|rate| Rate::new(rate, at_once, epoch))
        };
        let bytes = (bytes_per_window > 0 && limits.window_s > 0).then(|| {
            let bytes = (bytes_per_window as f64 * share) as u64;
            ByteWindow::new(bytes, Duration::from_secs(limits.window_s), epoch)
        });
        Limiter {
            slots_max: (concurrency > 0)
                .then(|| ((concurrency as f64 * share).floor() as usize).max(1)),
            slots_taken: 0,
            requests: rate(requests_per_s, cost),
            items: rate(items_per_s, NonZeroU32::MIN),
            bytes,
            request_cost: cost.get() as usize,
        }
    }

    /// The most items that one request should have, so that it fits the rates' bursts.
    pub fn request_items_max(limits: &OperationLimits, share: f64) -> usize {
        [limits.items_per_s, limits.project.items_per_s]
            .into_iter()
            .filter_map(|per_s| shared_rate(per_s, share))
            .map(|rate| Rate::burst_of(rate).get() as usize)
            .min()
            .unwrap_or(usize::MAX)
    }

    /// The most requests that may be under way; `None`: no bound is known.
    pub fn slots_max(&self) -> Option<usize> {
        self.slots_max
    }

    pub fn has_slot(&self) -> bool {
        self.slots_max.is_none_or(|most| self.slots_taken < most)
    }

    /// A request begins. Check [`Limiter::has_slot`] first.
    pub fn take_slot(&mut self) {
        debug_assert!(self.has_slot(), "more requests under way than allowed");
        self.slots_taken += 1;
    }

    /// A request has ended.
    pub fn free_slot(&mut self) {
        debug_assert!(self.slots_taken > 0, "a slot was freed twice");
        self.slots_taken = self.slots_taken.saturating_sub(1);
    }

    /// From when an attempt of `items` items and about `bytes` bytes can be paid; `None`: at
    /// once.
    pub fn available_at(&mut self, now: Instant, items: usize, bytes: u64) -> Option<Instant> {
        let cost = self.request_cost;
        let requests = self.requests.as_ref().map(|rate| rate.available_at(cost));
        let items = self.items.as_ref().map(|rate| rate.available_at(items));
        let bytes = self
            .bytes
            .as_mut()
            .map(|window| window.available_at(now, bytes));
        let at = [requests, items, bytes].into_iter().flatten().max()?;
        (at > now).then_some(at)
    }

    /// Pays for an attempt. Check [`Limiter::available_at`] first.
    pub fn pay(&mut self, now: Instant, items: usize, bytes: u64) {
        for (rate, cells) in [
            (&mut self.requests, self.request_cost),
            (&mut self.items, items),
        ] {
            if let Some(rate) = rate {
                let paid = rate.take(now, cells);
                debug_assert_eq!(paid, Ok(()), "paid before it was available");
            }
        }
        if let Some(window) = &mut self.bytes {
            window.add(now, bytes);
        }
    }

    /// What is kept and spent of it, for people, as the configuration has it in `limits` of that
    /// `share`; `waiting`: who waits for a slot.
    pub fn figures(
        &mut self,
        now: Instant,
        (budget, scope): (&'static str, Scope),
        limits: &OperationLimits,
        share: f64,
        waiting: usize,
    ) -> BudgetFigures {
        let until = self.available_at(now, 1, 1);
        let (requests_per_s, items_per_s) = match scope {
            Scope::Identity => (limits.requests_per_s, limits.items_per_s),
            Scope::Project => (limits.project.requests_per_s, limits.project.items_per_s),
        };
        BudgetFigures {
            scope: match scope {
                Scope::Identity => BudgetScope::Identity,
                Scope::Project => BudgetScope::Project,
            },
            budget,
            state: match until {
                Some(_) => BudgetState::Spent,
                None if !self.has_slot() => BudgetState::Full,
                None => BudgetState::Free,
            },
            until,
            requests_per_s: shared_rate(requests_per_s, share).map(|rate| rate.get().into()),
            accepted_last_s: None,
            items_per_s: shared_rate(items_per_s, share).map(|rate| rate.get().into()),
            window: self.bytes.as_mut().map(|bytes| WindowFigures {
                window_s: limits.window_s,
                bytes_max: bytes.bytes_max(),
                spent_bytes: bytes.spent(now).iter().map(|(_, bytes)| bytes).sum(),
            }),
            slots: self.slots_max,
            slots_taken: self.slots_taken,
            waiting,
            throttled: None,
            throttled_at: None,
            reason: None,
        }
    }

    /// Corrects the estimate of an attempt once the size of its body is known.
    pub fn correct_bytes(&mut self, now: Instant, estimated: u64, actual: u64) {
        if let Some(window) = &mut self.bytes {
            if actual > estimated {
                window.add(now, actual - estimated);
            } else {
                window.give_back(estimated - actual);
            }
        }
    }
}

/// `share` of a rate, at least one; `None` where no rate is kept.
fn shared_rate(per_s: u32, share: f64) -> Option<NonZeroU32> {
    let per_s = NonZeroU32::new(per_s)?;
    let shared = (f64::from(per_s.get()) * share).floor() as u32;
    Some(NonZeroU32::new(shared).unwrap_or(NonZeroU32::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProjectLimits;

    fn limiter(limits: &OperationLimits, share: f64, epoch: Instant) -> Limiter {
        Limiter::new(limits, Scope::Identity, share, epoch)
    }

    #[test]
    fn a_share_of_a_budget_is_rounded_down_but_never_to_nothing() {
        let limits = OperationLimits {
            concurrency: 10,
            requests_per_s: 1,
            ..OperationLimits::default()
        };
        let epoch = Instant::now();
        let mut limiter = limiter(&limits, 0.25, epoch);
        limiter.take_slot();
        limiter.take_slot();
        assert!(!limiter.has_slot(), "a quarter of ten is two");
        assert_eq!(limiter.available_at(epoch, 1, 1), None);
    }

    #[test]
    fn a_project_has_figures_of_its_own() {
        let limits = OperationLimits {
            requests_per_s: 1,
            project: ProjectLimits {
                concurrency: 3,
                ..ProjectLimits::default()
            },
            ..OperationLimits::default()
        };
        let epoch = Instant::now();
        let mut project = Limiter::new(&limits, Scope::Project, 1.0, epoch);
        assert_eq!(project.slots_max(), Some(3));
        project.pay(epoch, 1, 1);
        assert_eq!(project.available_at(epoch, 1, 1), None, "no rate is kept");
        assert_eq!(limiter(&limits, 1.0, epoch).slots_max(), None);
    }

    #[test]
    fn a_costly_call_counts_as_several_requests() {
        let limits = OperationLimits {
            requests_per_s: 10,
            request_cost: 5,
            ..OperationLimits::default()
        };
        let epoch = Instant::now();
        let mut limiter = limiter(&limits, 1.0, epoch);
        let mut now = epoch;
        for _ in 0..6 {
            now = limiter.available_at(now, 1, 0).unwrap_or(now);
            limiter.pay(now, 1, 0);
        }
        let took = now - epoch;
        assert!(
            took >= Duration::from_secs(2),
            "two calls a second: {took:?}"
        );
    }

    #[test]
    fn a_wrong_estimate_is_corrected_both_ways() {
        let limits = OperationLimits {
            bytes_per_window: 100,
            window_s: 60,
            ..OperationLimits::default()
        };
        let epoch = Instant::now();
        let mut limiter = limiter(&limits, 1.0, epoch);
        limiter.pay(epoch, 1, 80);
        limiter.correct_bytes(epoch, 80, 50);
        assert_eq!(limiter.available_at(epoch, 1, 50), None);
        limiter.pay(epoch, 1, 50);
        limiter.correct_bytes(epoch, 50, 60);
        assert!(limiter.available_at(epoch, 1, 1).is_some());
    }
}
