//! How many requests an endpoint is given at once: learned, within a bound.
//!
//! Owns the limit of one endpoint. Promises at least one and never more than the bound, which
//! is the smaller of `in_flight_max` and what CDF publishes. Grows by one request per round
//! trip while all of it is used (doubling until the first sign of trouble), shrinks when CDF
//! says that there are too many at once, when it answers 503, or when answers become several
//! times as slow as answers to requests of that size were. A number of requests that CDF has
//! refused is not tried again for a while, so that probing costs few refusals. Never sends.

use std::time::{Duration, Instant};

/// Where an endpoint starts: what Cognite's own extractors keep in flight is 5.
const START: f64 = 4.0;

/// What is left after CDF refused or failed: gentle, as `ceiling` keeps from the same again.
const LEFT_AFTER_REFUSAL: f64 = 0.7;

/// What is left when answers have become slow.
const LEFT_WHEN_SLOW: f64 = 0.9;

/// Answers are slow when they take so many times what requests of their size took.
const SLOW: f64 = 2.5;

/// Added to times before they are compared: below it, differences are the gateway's own noise
/// and not a queue in CDF.
const NOISE_S: f64 = 0.05;

/// Weight of a new answer in the average of now.
const QUICK: f64 = 0.3;

/// Weight of a new answer in the average of always: a quicker one tells what is possible, a
/// slower one is believed only when many follow.
const USUAL_QUICKER: f64 = 0.1;
const USUAL_SLOWER: f64 = 0.002;

/// How long a refused number is not tried again; doubled when it is refused again.
const HOLD_INITIAL: Duration = Duration::from_secs(30);
const HOLD_MAX: Duration = Duration::from_secs(600);

/// Sizes are compared with their like: one class for each power of four bytes.
const CLASSES: usize = 16;

/// A number of requests that was refused.
#[derive(Clone, Copy, Debug)]
struct Ceiling {
    /// Do not go above.
    limit: f64,
    until: Instant,
    hold: Duration,
}

/// The limit of one endpoint.
#[derive(Debug)]
pub struct Concurrency {
    limit: f64,
    limit_max: f64,
    is_adaptive: bool,
    /// No sign of trouble yet.
    doubling: bool,
    /// Attempts from before the last decrease say nothing about the limit after it.
    decreased_at: Option<Instant>,
    ceiling: Option<Ceiling>,
    /// Seconds that answers to requests of each size take in the long run.
    usual_s: [Option<f64>; CLASSES],
    /// How many times the usual answers take now.
    slowness: f64,
}

impl Concurrency {
    /// Not adaptive: the bound itself, always.
    pub fn new(limit_max: usize, is_adaptive: bool) -> Self {
        let limit_max = limit_max.max(1) as f64;
        Concurrency {
            limit: if is_adaptive {
                START.min(limit_max)
            } else {
                limit_max
            },
            limit_max,
            is_adaptive,
            doubling: true,
            decreased_at: None,
            ceiling: None,
            usual_s: [None; CLASSES],
            slowness: 1.0,
        }
    }

    /// From now on no more than `limit_max` are given.
    pub fn set_bound(&mut self, limit_max: usize) {
        self.limit_max = limit_max.max(1) as f64;
        self.limit = match self.is_adaptive {
            true => self.limit.min(self.limit_max),
            false => self.limit_max,
        };
    }

    /// Requests that may be under way.
    pub fn slots(&self) -> usize {
        self.limit as usize
    }

    /// CDF took an attempt of about `bytes` bytes that began at `began`; `all_used`: as many
    /// were under way as may be.
    pub fn accepted(&mut self, now: Instant, began: Instant, bytes: u64, all_used: bool) {
        if !self.is_adaptive {
            return;
        }
        let took_s = now.saturating_duration_since(began).as_secs_f64();
        let class = (bytes.max(1).ilog2() as usize / 2).min(CLASSES - 1);
        let usual_s = self.usual_s[class].get_or_insert(took_s);
        let slowness = (took_s + NOISE_S) / (*usual_s + NOISE_S);
        let weight = if took_s < *usual_s {
            USUAL_QUICKER
        } else {
            USUAL_SLOWER
        };
        *usual_s += weight * (took_s - *usual_s);
        self.slowness += QUICK * (slowness - self.slowness);
        if self.slowness > SLOW {
            if self.is_news(began) {
                self.shrink(now, LEFT_WHEN_SLOW);
            }
            return;
        }
        if !all_used {
            return;
        }
        let step = if self.doubling { 1.0 } else { 1.0 / self.limit };
        let bound = match self.ceiling {
            Some(ceiling) if ceiling.until > now => ceiling.limit.min(self.limit_max),
            _ => self.limit_max,
        };
        self.limit = (self.limit + step).min(bound.max(self.limit));
    }

    /// CDF refused an attempt because `under_way` requests were too many.
    pub fn too_many(&mut self, now: Instant, began: Instant, under_way: usize) {
        if !self.is_adaptive || !self.is_news(began) {
            return;
        }
        let refused_again = |ceiling: &Ceiling| now < ceiling.until + ceiling.hold;
        let hold = match self.ceiling {
            Some(ceiling) if refused_again(&ceiling) => (ceiling.hold * 2).min(HOLD_MAX),
            _ => HOLD_INITIAL,
        };
        self.ceiling = Some(Ceiling {
            limit: (under_way.saturating_sub(1) as f64).max(1.0),
            until: now + hold,
            hold,
        });
        self.limit = self.limit.min(under_way as f64);
        self.shrink(now, LEFT_AFTER_REFUSAL);
    }

    /// CDF is overloaded, or fails.
    pub fn failed(&mut self, now: Instant, began: Instant) {
        if self.is_adaptive && self.is_news(began) {
            self.shrink(now, LEFT_AFTER_REFUSAL);
        }
    }

    fn is_news(&self, began: Instant) -> bool {
        self.decreased_at.is_none_or(|at| began >= at)
    }

    fn shrink(&mut self, now: Instant, left: f64) {
        self.limit = (self.limit * left).max(1.0);
        self.doubling = false;
        self.decreased_at = Some(now);
        self.slowness = 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    /// Rounds of as many answers as there are slots, each after `took`.
    fn rounds(limit: &mut Concurrency, now: &mut Instant, count: usize, took: Duration) {
        for _ in 0..count {
            let began = *now;
            *now += took;
            for _ in 0..limit.slots() {
                limit.accepted(*now, began, 1000, true);
            }
        }
    }

    #[test]
    fn it_grows_to_the_bound_while_all_of_it_is_used_and_not_beyond() {
        let (mut limit, mut now) = (Concurrency::new(40, true), Instant::now());
        assert_eq!(limit.slots(), 4);
        rounds(&mut limit, &mut now, 4, 100 * MS);
        assert_eq!(limit.slots(), 40);
        rounds(&mut limit, &mut now, 10, 100 * MS);
        assert_eq!(limit.slots(), 40);
    }

    #[test]
    fn a_bound_that_cdf_publishes_is_kept_at_once_and_can_rise_again() {
        let (mut limit, mut now) = (Concurrency::new(40, true), Instant::now());
        rounds(&mut limit, &mut now, 4, 100 * MS);
        limit.set_bound(3);
        assert_eq!(limit.slots(), 3);
        rounds(&mut limit, &mut now, 10, 100 * MS);
        assert_eq!(limit.slots(), 3);
        limit.set_bound(8);
        rounds(&mut limit, &mut now, 10, 100 * MS);
        assert_eq!(limit.slots(), 8);
    }

    #[test]
    fn it_does_not_grow_while_nobody_needs_it() {
        let (mut limit, now) = (Concurrency::new(40, true), Instant::now());
        for _ in 0..100 {
            limit.accepted(now + 100 * MS, now, 1000, false);
        }
        assert_eq!(limit.slots(), 4);
    }

    #[test]
    fn a_number_that_was_refused_is_tried_again_only_after_a_while() {
        let (mut limit, mut now) = (Concurrency::new(40, true), Instant::now());
        rounds(&mut limit, &mut now, 4, 100 * MS);
        limit.too_many(now, now, 21);
        assert_eq!(limit.slots(), 14, "seven tenths of 21");
        rounds(&mut limit, &mut now, 200, 100 * MS);
        assert_eq!(limit.slots(), 20, "one below the refused number");
        rounds(&mut limit, &mut now, 120, 100 * MS);
        assert!(limit.slots() > 20, "30 seconds are over");
    }

    #[test]
    fn refusals_of_one_round_count_once() {
        let (mut limit, began) = (Concurrency::new(8, true), Instant::now());
        let now = began + 100 * MS;
        for _ in 0..8 {
            limit.failed(now, began);
        }
        assert_eq!(limit.slots(), 2, "seven tenths of 4, once");
    }

    #[test]
    fn answers_that_become_slow_shrink_it_and_it_recovers() {
        let (mut limit, mut now) = (Concurrency::new(10, true), Instant::now());
        rounds(&mut limit, &mut now, 50, 100 * MS);
        assert_eq!(limit.slots(), 10);
        rounds(&mut limit, &mut now, 10, 2000 * MS);
        assert!(limit.slots() < 10, "{}", limit.slots());
        rounds(&mut limit, &mut now, 100, 100 * MS);
        assert_eq!(limit.slots(), 10);
    }

    #[test]
    fn large_requests_are_not_slow_only_because_small_ones_are_quick() {
        let (mut limit, mut now) = (Concurrency::new(10, true), Instant::now());
        for _ in 0..200 {
            let began = now;
            now += 1000 * MS;
            limit.accepted(now, now - 10 * MS, 100, true);
            limit.accepted(now, began, 4_000_000, true);
        }
        assert_eq!(limit.slots(), 10);
    }

    proptest! {
        #[test]
        fn whatever_comes_it_stays_between_one_and_the_bound(
            limit_max in 1usize..60,
            events in prop::collection::vec((0u8..4, 0u64..5000, 0usize..80), 1..300),
        ) {
            let (mut limit, mut now) = (Concurrency::new(limit_max, true), Instant::now());
            for (kind, ms, under_way) in events {
                let began = now;
                now += ms as u32 * MS;
                match kind {
                    0 => limit.too_many(now, began, under_way),
                    1 => limit.failed(now, began),
                    _ => limit.accepted(now, began, 1 << (ms % 30), under_way > 20),
                }
                prop_assert!((1..=limit_max).contains(&limit.slots()));
            }
        }
    }
}
