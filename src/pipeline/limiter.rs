//! The budget of one CDF identity for one resource: how much may be sent, and when.
//!
//! Owns requests per second, items per second, bytes per window and the slots for requests
//! under way. The batcher actor owns the limiters of its resource, one for each identity
//! name, so they need no lock. Promises that every attempt pays, a repeated one too, and that
//! no rate is exceeded over any window. Never sleeps: it tells until when.

use super::byte_window::ByteWindow;
use super::rate::Rate;
use crate::config::OperationLimits;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Whether something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    Granted,
    /// Not before this time.
    WaitUntil(Instant),
}

/// Budgets of one identity.
#[derive(Debug)]
pub struct Limiter {
    slots_max: usize,
    slots_taken: usize,
    requests: Option<Rate>,
    items: Option<Rate>,
    bytes: Option<ByteWindow>,
}

impl Limiter {
    /// Keeps `share` (above 0, up to 1) of `limits`, and never more than `in_flight_max`
    /// requests under way.
    pub fn new(limits: &OperationLimits, share: f64, in_flight_max: usize, epoch: Instant) -> Self {
        let slots = if limits.concurrency == 0 {
            in_flight_max
        } else {
            let shared = (limits.concurrency as f64 * share).floor() as usize;
            in_flight_max.min(shared)
        };
        let rate = |per_s: u32| shared_rate(per_s, share).map(|rate| Rate::new(rate, epoch));
        let bytes = (limits.bytes_per_window > 0 && limits.window_s > 0).then(|| {
            let bytes = (limits.bytes_per_window as f64 * share) as u64;
            ByteWindow::new(bytes, Duration::from_secs(limits.window_s), epoch)
        });
        Limiter {
            slots_max: slots.max(1),
            slots_taken: 0,
            requests: rate(limits.requests_per_s),
            items: rate(limits.items_per_s),
            bytes,
        }
    }

    /// The most items that one request should have, so that it fits the rate's burst.
    pub fn request_items_max(limits: &OperationLimits, share: f64) -> usize {
        shared_rate(limits.items_per_s, share)
            .map_or(usize::MAX, |rate| Rate::burst_of(rate).get() as usize)
    }

    pub fn has_slot(&self) -> bool {
        self.slots_taken < self.slots_max
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

    /// Whether an attempt of one item and one byte could be paid now. Rows wait for company
    /// rather than for the budget, so nothing is cut before this grants.
    pub fn prepare(&mut self, now: Instant) -> Permission {
        self.available(now, 1, 1)
    }

    /// Pays for an attempt of `items` items and about `bytes` bytes, or tells when to ask
    /// again. Either all budgets are paid from or none.
    pub fn pay(&mut self, now: Instant, items: usize, bytes: u64) -> Permission {
        if let wait @ Permission::WaitUntil(_) = self.available(now, items, bytes) {
            return wait;
        }
        for (rate, cells) in [(&mut self.requests, 1), (&mut self.items, items)] {
            if let Some(rate) = rate
                && let Err(until) = rate.take(now, cells)
            {
                return Permission::WaitUntil(until);
            }
        }
        if let Some(window) = &mut self.bytes {
            window.add(now, bytes);
        }
        Permission::Granted
    }

    fn available(&mut self, now: Instant, items: usize, bytes: u64) -> Permission {
        let requests = self.requests.as_ref().map(|rate| rate.available_at(1));
        let items = self.items.as_ref().map(|rate| rate.available_at(items));
        let bytes = self
            .bytes
            .as_mut()
            .map(|window| window.available_at(now, bytes));
        let at = [requests, items, bytes].into_iter().flatten().max();
        match at {
            Some(at) if at > now => Permission::WaitUntil(at),
            _ => Permission::Granted,
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

    #[test]
    fn a_share_of_a_budget_is_rounded_down_but_never_to_nothing() {
        let limits = OperationLimits {
            concurrency: 10,
            requests_per_s: 1,
            ..OperationLimits::default()
        };
        let epoch = Instant::now();
        let mut limiter = Limiter::new(&limits, 0.25, 100, epoch);
        limiter.take_slot();
        limiter.take_slot();
        assert!(!limiter.has_slot(), "a quarter of ten is two");
        assert_eq!(limiter.pay(epoch, 1, 1), Permission::Granted);
    }

    #[test]
    fn an_attempt_is_paid_from_all_budgets_or_from_none() {
        let limits = OperationLimits {
            requests_per_s: 1,
            items_per_s: 20,
            ..OperationLimits::default()
        };
        let epoch = Instant::now();
        let mut limiter = Limiter::new(&limits, 1.0, 1, epoch);
        let second = epoch + Duration::from_secs(1);
        assert_eq!(limiter.pay(epoch, 1, 0), Permission::Granted);
        for _ in 0..100 {
            assert_eq!(limiter.pay(epoch, 1, 0), Permission::WaitUntil(second));
        }
        assert_eq!(limiter.pay(second, 1, 0), Permission::Granted);
    }

    #[test]
    fn a_wrong_estimate_is_corrected_both_ways() {
        let limits = OperationLimits {
            bytes_per_window: 100,
            window_s: 60,
            ..OperationLimits::default()
        };
        let epoch = Instant::now();
        let mut limiter = Limiter::new(&limits, 1.0, 1, epoch);
        assert_eq!(limiter.pay(epoch, 1, 80), Permission::Granted);
        limiter.correct_bytes(epoch, 80, 50);
        assert_eq!(limiter.pay(epoch, 1, 50), Permission::Granted);
        limiter.correct_bytes(epoch, 50, 60);
        assert!(matches!(limiter.pay(epoch, 1, 1), Permission::WaitUntil(_)));
    }
}
