//! A rate per second, paced by governor on a clock that the caller moves.
//!
//! Owns one governor limiter. Promises that within any second no more cells pass than the
//! rate says: bursts are a twentieth of it, and what a burst may take is kept from the steady
//! rate. Never reads a clock and never sleeps: it tells until when.

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A clock that shows what it was last set to.
#[derive(Clone, Debug, Default)]
struct SetClock(Arc<AtomicU64>);

impl Clock for SetClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}

/// Cells (requests or items) per second.
#[derive(Debug)]
pub struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, SetClock, NoOpMiddleware<Nanos>>,
    clock: SetClock,
    epoch: Instant,
    burst: NonZeroU32,
    interval_ns: u64,
    /// When, after the epoch, all cells taken so far are paid off. governor knows it too but
    /// cannot be asked without taking; it is needed to take from several budgets or from none.
    paid_off_ns: u64,
}

impl Rate {
    /// `per_s` cells per second, of which `at_once` (up to `per_s`) can be taken together.
    pub fn new(per_s: NonZeroU32, at_once: NonZeroU32, epoch: Instant) -> Self {
        let burst = Self::burst_of(per_s).max(at_once.min(per_s));
        // The burst passes at once, and then a cell per interval: within a half-open second
        // that makes burst - 1 + steady cells, which is the rate.
        let steady = per_s.get() - (burst.get() - 1);
        let interval_ns = 1_000_000_000u64.div_ceil(u64::from(steady));
        let quota = Quota::with_period(Duration::from_nanos(interval_ns))
            .expect("an interval rounded up from a part of a second is above zero")
            .allow_burst(burst);
        let clock = SetClock::default();
        Rate {
            limiter: RateLimiter::direct_with_clock(quota, clock.clone()),
            clock,
            epoch,
            burst,
            interval_ns,
            paid_off_ns: 0,
        }
    }

    /// The most cells that pass at once: requests are kept that small.
    pub fn burst_of(per_s: NonZeroU32) -> NonZeroU32 {
        NonZeroU32::new(per_s.get() / 20).unwrap_or(NonZeroU32::MIN)
    }

    /// From when `cells` can be taken; `now` or earlier: at once. More than the burst counts
    /// as the burst.
    pub fn available_at(&self, cells: usize) -> Instant {
        let burst_ns = u64::from(self.burst.get()) * self.interval_ns;
        let due_ns = self.paid_off_ns + self.cost_ns(cells);
        self.epoch + Duration::from_nanos(due_ns.saturating_sub(burst_ns))
    }

    /// Takes `cells`, or tells from when they can be had.
    ///
    /// # Errors
    /// The earliest time at which the same call can succeed.
    pub fn take(&mut self, now: Instant, cells: usize) -> Result<(), Instant> {
        let Some(count) = NonZeroU32::new(self.counted(cells)) else {
            return Ok(());
        };
        let elapsed_ns = self.elapsed_ns(now);
        self.clock.0.store(elapsed_ns, Ordering::Relaxed);
        if let Ok(Err(not_until)) = self.limiter.check_n(count) {
            let wait = not_until.wait_time_from(elapsed_ns.into());
            return Err(now + wait.max(Duration::from_nanos(1)));
        }
        self.paid_off_ns = self.paid_off_ns.max(elapsed_ns) + self.cost_ns(cells);
        Ok(())
    }

    /// When all cells taken so far are paid off.
    pub fn paid_off(&self) -> Instant {
        self.epoch + Duration::from_nanos(self.paid_off_ns)
    }

    /// Takes what was taken before this rate was made: `paid_off` is when the last of it is
    /// paid off.
    pub fn restore(&mut self, now: Instant, paid_off: Instant) {
        let burst_ns = u64::from(self.burst.get()) * self.interval_ns;
        // A clock that was set back must not stop everything: nothing that was taken within
        // its rate is paid off later than a burst after a second from now.
        let latest_ns = self.elapsed_ns(now) + 1_000_000_000 + burst_ns;
        let paid_off_ns = self.elapsed_ns(paid_off).min(latest_ns);
        if paid_off_ns <= self.elapsed_ns(now) {
            return;
        }
        // governor has no other way in than to take: a whole burst, at the time from which
        // on it is paid off when it should be.
        let took_at_ns = paid_off_ns.saturating_sub(burst_ns);
        self.clock.0.store(took_at_ns, Ordering::Relaxed);
        let _ = self.limiter.check_n(self.burst);
        self.paid_off_ns = took_at_ns + burst_ns;
    }

    /// Nothing can be taken before `at`: what was taken before this rate was made is not known.
    pub fn hold_until(&mut self, now: Instant, at: Instant) {
        let burst_ns = u64::from(self.burst.get()) * self.interval_ns;
        self.restore(now, at + Duration::from_nanos(burst_ns));
    }

    fn counted(&self, cells: usize) -> u32 {
        u32::try_from(cells)
            .unwrap_or(u32::MAX)
            .min(self.burst.get())
    }

    fn cost_ns(&self, cells: usize) -> u64 {
        u64::from(self.counted(cells)) * self.interval_ns
    }

    fn elapsed_ns(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(elapsed).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(per_s: u32, epoch: Instant) -> Rate {
        let per_s = NonZeroU32::new(per_s).expect("tests use rates above zero");
        Rate::new(per_s, NonZeroU32::MIN, epoch)
    }

    #[test]
    fn a_rate_of_one_lets_one_pass_each_second() {
        let epoch = Instant::now();
        let mut rate = rate(1, epoch);
        assert_eq!(rate.take(epoch, 1), Ok(()));
        assert_eq!(rate.take(epoch, 1), Err(epoch + Duration::from_secs(1)));
        assert_eq!(rate.take(epoch + Duration::from_secs(1), 1), Ok(()));
    }

    #[test]
    fn a_rate_goes_on_where_the_one_before_it_ended() {
        let start = Instant::now();
        let mut before = rate(100, start);
        assert_eq!(before.take(start, 5), Ok(()));
        let restarted = start + Duration::from_millis(10);
        let mut after = rate(100, start);
        after.restore(restarted, before.paid_off());
        assert_eq!(after.available_at(5), before.available_at(5));
        let wait = after.take(restarted, 5).expect_err("the burst is taken");
        assert_eq!(wait, before.available_at(5));
        assert_eq!(after.take(wait, 5), Ok(()));
    }

    #[test]
    fn a_rate_that_is_held_gives_nothing_before() {
        let now = Instant::now();
        let mut rate = rate(100, now);
        let at = now + Duration::from_secs(1);
        rate.hold_until(now, at);
        assert!(rate.available_at(1) > at);
        assert!(rate.take(at, 1).is_err());
        assert_eq!(rate.take(rate.available_at(1), 1), Ok(()));
    }

    proptest! {
        #[test]
        fn no_second_ever_sees_more_than_the_rate_and_nearly_all_of_it_is_used(
            per_s in 1u32..3000,
            sizes in prop::collection::vec(1usize..200, 50..400),
        ) {
            let epoch = Instant::now();
            let mut rate = rate(per_s, epoch);
            let burst = Rate::burst_of(NonZeroU32::new(per_s).expect("above zero")).get() as usize;
            let mut now = epoch;
            let mut sent: Vec<(Instant, usize)> = Vec::new();
            for size in sizes {
                let size = size.min(burst);
                let told = rate.available_at(size);
                if let Err(until) = rate.take(now, size) {
                    prop_assert_eq!(until, told, "asking and taking disagree");
                    now = until;
                    prop_assert_eq!(rate.take(now, size), Ok(()));
                } else {
                    prop_assert!(told <= now, "asking and taking disagree");
                }
                sent.push((now, size));
                let within: usize = sent
                    .iter()
                    .filter(|(at, _)| *at + Duration::from_secs(1) > now)
                    .map(|(_, size)| size)
                    .sum();
                prop_assert!(within <= per_s as usize, "{within} cells within a second");
            }
            let total: usize = sent.iter().map(|(_, size)| size).sum();
            let floor = 0.9 * f64::from(per_s) * (now - epoch).as_secs_f64();
            prop_assert!(total as f64 >= floor, "{total} of {floor}");
        }
    }
}
