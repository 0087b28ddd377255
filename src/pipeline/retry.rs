//! How long to wait before the same request is sent again, and when to give it up.
//!
//! Owns the only use of the `backoff` crate: its exponential policy, with its own jitter
//! turned off. Promises full jitter (a delay is drawn evenly from zero to the interval, so
//! that clients that failed together do not come back together), never less than Retry-After,
//! and an end, but for rows of the journal. Never decides what may be repeated. No other file knows the crate's types: it
//! is unmaintained (RUSTSEC-2025-0012, docs/decisions/backoff.md), and this keeps it replaceable.

use crate::config::RetrySettings;
use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;
use rand::Rng;
use std::time::{Duration, Instant};

/// The repeats of one request.
#[derive(Debug)]
pub struct Retry {
    intervals: ExponentialBackoff,
    /// `None`: never.
    give_up_at: Option<Instant>,
}

impl Retry {
    /// For a request whose first attempt began at `began`.
    pub fn new(settings: &RetrySettings, began: Instant) -> Self {
        let initial = Duration::from_millis(settings.initial_interval_ms);
        Retry {
            intervals: ExponentialBackoff {
                current_interval: initial,
                initial_interval: initial,
                randomization_factor: 0.0,
                multiplier: settings.multiplier,
                max_interval: Duration::from_millis(settings.interval_max_ms),
                // The end is ours to watch: the crate reads the real clock.
                max_elapsed_time: None,
                ..ExponentialBackoff::default()
            },
            give_up_at: Some(began + Duration::from_secs(settings.elapsed_max_s)),
        }
    }

    /// For rows that have been acknowledged already: they are sent until CDF has an answer.
    pub fn endless(settings: &RetrySettings, began: Instant) -> Self {
        Retry {
            give_up_at: None,
            ..Self::new(settings, began)
        }
    }

    /// When to send again after a failure at `now`; `None` when that would be too late.
    pub fn next_attempt(
        &mut self,
        now: Instant,
        retry_after: Option<Duration>,
        random: &mut impl Rng,
    ) -> Option<Instant> {
        let interval = self.intervals.next_backoff()?;
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let jittered = Duration::from_nanos(random.random_range(0..=interval_ns));
        let delay = jittered.max(retry_after.unwrap_or_default());
        let at = now.checked_add(delay)?;
        self.give_up_at.is_none_or(|end| at <= end).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    fn settings() -> RetrySettings {
        RetrySettings {
            initial_interval_ms: 100,
            multiplier: 2.0,
            interval_max_ms: 1000,
            elapsed_max_s: 60,
            ..RetrySettings::default()
        }
    }

    #[test]
    fn delays_fill_the_whole_interval_and_the_interval_grows_to_its_cap() {
        let now = Instant::now();
        let mut random = StdRng::seed_from_u64(7);
        let caps_ms = [100, 200, 400, 800, 1000, 1000];
        let mut longest_ms = [0; 6];
        let mut shortest_ms = [u128::MAX; 6];
        for _ in 0..500 {
            let mut retry = Retry::new(&settings(), now);
            for (index, cap_ms) in caps_ms.iter().enumerate() {
                let at = retry
                    .next_attempt(now, None, &mut random)
                    .expect("a minute is not over");
                let delay_ms = (at - now).as_millis();
                assert!(delay_ms <= *cap_ms, "{delay_ms} ms at step {index}");
                longest_ms[index] = longest_ms[index].max(delay_ms);
                shortest_ms[index] = shortest_ms[index].min(delay_ms);
            }
        }
        for (index, cap_ms) in caps_ms.iter().enumerate() {
            assert!(longest_ms[index] > cap_ms * 9 / 10);
            assert!(shortest_ms[index] < cap_ms / 10);
        }
    }

    #[test]
    fn retry_after_is_a_floor() {
        let now = Instant::now();
        let mut random = StdRng::seed_from_u64(7);
        let asked = Duration::from_secs(5);
        let at = Retry::new(&settings(), now).next_attempt(now, Some(asked), &mut random);
        assert_eq!(at, Some(now + asked));
    }

    #[test]
    fn a_repeat_that_would_come_too_late_is_given_up_at_once() {
        let now = Instant::now();
        let mut random = StdRng::seed_from_u64(7);
        let mut retry = Retry::new(&settings(), now);
        let asked = Some(Duration::from_secs(61));
        assert_eq!(retry.next_attempt(now, asked, &mut random), None);
        let late = now + Duration::from_secs(61);
        assert_eq!(retry.next_attempt(late, None, &mut random), None);
    }
}
