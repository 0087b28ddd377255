//! A rate that CDF does not publish, learned from its refusals.
//!
//! Owns the pace of one endpoint: none until CDF says that requests come too fast, then a part
//! of what was sent when it said so. Promises that the pace is kept for a while before it is
//! probed, so that probing costs few refusals, and forgotten once it no longer binds. Never
//! sleeps: it tells until when.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What CDF counts by is taken for a second.
const WINDOW: Duration = Duration::from_secs(1);

/// Answers of the last second that are remembered: more a second is no rate worth learning.
const ACCEPTED_MAX: usize = 4096;

/// So many requests must have been taken in the last second for a refusal to tell a rate. After
/// fewer it tells that somebody else used the budget up, and a rate learned from one request a
/// second would hold a quiet endpoint up for minutes.
const ACCEPTED_MIN: usize = 10;

/// The part that is kept of what CDF took in the second in which it refused more.
const KEPT: f64 = 0.9;

/// How long a learned rate is kept before it grows; doubled when it turns out right.
const HOLD_INITIAL: Duration = Duration::from_secs(30);
const HOLD_MAX: Duration = Duration::from_secs(600);

/// Growth per second afterwards.
const GROWTH_PER_S: f64 = 0.02;

/// No rate is kept any more when it has grown so many times.
const FORGOTTEN_AT: f64 = 2.0;

/// A rate as learned.
#[derive(Clone, Copy, Debug)]
struct Learned {
    per_s: f64,
    since: Instant,
    hold: Duration,
    /// From when the next attempt may begin.
    next_at: Instant,
}

impl Learned {
    /// How many times the rate has grown.
    fn growth(&self, now: Instant) -> f64 {
        let grew = now.saturating_duration_since(self.since + self.hold);
        (1.0 + GROWTH_PER_S).powf(grew.as_secs_f64())
    }
}

/// The learned rate of one endpoint.
#[derive(Debug, Default)]
pub struct LearnedRate {
    /// When CDF took requests, in the last second.
    accepted: VecDeque<Instant>,
    learned: Option<Learned>,
}

impl LearnedRate {
    /// From when an attempt may begin; `None`: at once.
    pub fn available_at(&self) -> Option<Instant> {
        self.learned.map(|learned| learned.next_at)
    }

    /// An attempt begins.
    pub fn begin(&mut self, now: Instant) {
        let Some(learned) = &mut self.learned else {
            return;
        };
        let growth = learned.growth(now);
        if growth > FORGOTTEN_AT {
            self.learned = None;
            return;
        }
        let interval = Duration::from_secs_f64(1.0 / (learned.per_s * growth));
        learned.next_at = learned.next_at.max(now) + interval;
    }

    /// CDF took an attempt.
    pub fn accepted(&mut self, now: Instant) {
        self.forget_old(now);
        if self.accepted.len() < ACCEPTED_MAX {
            self.accepted.push_back(now);
        }
    }

    /// CDF refused an attempt that began at `began`: too fast. A CDF that took next to nothing
    /// does not tell a rate.
    pub fn too_fast(&mut self, now: Instant, began: Instant) {
        self.forget_old(now);
        let sent_before = self.learned.is_some_and(|learned| began < learned.since);
        if sent_before || self.accepted.len() < ACCEPTED_MIN {
            return;
        }
        let hold = match &self.learned {
            Some(learned) => (learned.hold * 2).min(HOLD_MAX),
            None => HOLD_INITIAL,
        };
        self.learned = Some(Learned {
            per_s: self.accepted.len() as f64 / WINDOW.as_secs_f64() * KEPT,
            since: now,
            hold,
            // Refused requests count too: let them leave the window.
            next_at: now + WINDOW,
        });
    }

    /// The rate that is kept; `None`: none.
    pub fn per_s(&self, now: Instant) -> Option<f64> {
        let learned = self.learned?;
        Some(learned.per_s * learned.growth(now))
    }

    /// Attempts that were accepted within the last second, as far as they are counted.
    pub fn accepted_lately(&mut self, now: Instant) -> usize {
        self.forget_old(now);
        self.accepted.len()
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some(first) = self.accepted.front()
            && *first + WINDOW <= now
        {
            self.accepted.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends as fast as allowed for `seconds` to a CDF that takes `limit` in any second.
    /// Returns (sent, refused).
    fn saturate(
        rate: &mut LearnedRate,
        now: &mut Instant,
        seconds: u32,
        limit: usize,
    ) -> (u32, u32) {
        let end = *now + seconds * Duration::from_secs(1);
        let mut seen: VecDeque<Instant> = VecDeque::new();
        let (mut sent, mut refused) = (0, 0);
        while *now < end {
            if rate.available_at().is_none_or(|at| at <= *now) {
                rate.begin(*now);
                sent += 1;
                seen.push_back(*now);
                while seen.front().is_some_and(|at| *at + WINDOW <= *now) {
                    seen.pop_front();
                }
                if seen.len() > limit {
                    refused += 1;
                    rate.too_fast(*now, *now);
                } else {
                    rate.accepted(*now);
                }
            }
            *now += MS;
        }
        (sent, refused)
    }

    #[test]
    fn without_refusals_no_rate_is_kept() {
        let mut rate = LearnedRate::default();
        let mut now = Instant::now();
        let (sent, refused) = saturate(&mut rate, &mut now, 10, usize::MAX);
        assert_eq!((sent, refused), (10_000, 0));
        assert_eq!(rate.available_at(), None);
    }

    #[test]
    fn an_unpublished_rate_is_found_and_kept_with_few_refusals() {
        let mut rate = LearnedRate::default();
        let mut now = Instant::now();
        let (sent, refused) = saturate(&mut rate, &mut now, 600, 100);
        assert!(refused * 1000 < sent, "{refused} of {sent} were refused");
        assert!(sent > 600 * 80, "{sent} in ten minutes");
    }

    #[test]
    fn a_cdf_that_refuses_everything_teaches_no_rate() {
        let mut rate = LearnedRate::default();
        let mut now = Instant::now();
        let (sent, refused) = saturate(&mut rate, &mut now, 1, 0);
        assert_eq!((sent, refused), (1000, 1000));
        assert_eq!(rate.available_at(), None);
    }

    #[test]
    fn a_rate_that_no_longer_binds_is_forgotten() {
        let mut rate = LearnedRate::default();
        let mut now = Instant::now();
        saturate(&mut rate, &mut now, 10, 50);
        assert!(rate.available_at().is_some());
        saturate(&mut rate, &mut now, 600, usize::MAX);
        assert_eq!(rate.available_at(), None);
    }

    #[test]
    fn a_refusal_of_a_quiet_endpoint_tells_no_rate() {
        let mut rate = LearnedRate::default();
        let now = Instant::now();
        for _ in 1..ACCEPTED_MIN {
            rate.accepted(now);
        }
        rate.too_fast(now + MS, now);
        assert_eq!(rate.available_at(), None);
        rate.accepted(now);
        rate.too_fast(now + MS, now);
        assert!(rate.available_at().is_some());
    }
}
