//! A circuit breaker: an endpoint that only fails is left alone for a while.
//!
//! Owns the state of one endpoint: closed (calls go), open (none goes), half-open (one call
//! probes). Promises that while it is open nothing is sent, that half-open has one probe at a
//! time, and that a probe whose end is never reported does not hold it half-open for ever.
//! Never counts 429 as a failure: an endpoint that says "slow down" is alive.

use rand::Rng;
use std::time::{Duration, Instant};

/// When the breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it; 0: it never opens.
    pub failures_max: u32,
    /// How long it stays open the first time; doubled with each probe that fails.
    pub open_initial: Duration,
    /// The longest time that it stays open.
    pub open_max: Duration,
    /// After this time a probe without a report counts as lost.
    pub probe_lost_after: Duration,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    Closed,
    Open,
    HalfOpen,
}

/// What a breaker says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    Free,
    /// Not before this time, unless the breaker closes earlier.
    HeldUntil(Instant),
}

/// The breaker of one endpoint.
#[derive(Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    failures: u32,
    /// Until when it is open; `None`: closed.
    open_until: Option<Instant>,
    /// How long it was opened for last; without the jitter.
    open_for: Duration,
    /// The probe under way.
    probe_began: Option<Instant>,
}

impl Breaker {
    pub fn new(settings: BreakerSettings) -> Self {
        Breaker {
            settings,
            failures: 0,
            open_until: None,
            open_for: Duration::ZERO,
            probe_began: None,
        }
    }

    pub fn state(&self, now: Instant) -> BreakerState {
        match self.open_until {
            None => BreakerState::Closed,
            Some(until) if until > now => BreakerState::Open,
            Some(_) => BreakerState::HalfOpen,
        }
    }

    /// Whether a call could begin now.
    pub fn passage(&self, now: Instant) -> Passage {
        match (self.open_until, self.probe_began) {
            (None, _) => Passage::Free,
            (Some(until), _) if until > now => Passage::HeldUntil(until),
            (Some(_), Some(began)) if began + self.settings.probe_lost_after > now => {
                Passage::HeldUntil(began + self.settings.probe_lost_after)
            }
            (Some(_), _) => Passage::Free,
        }
    }

    /// A call begins. Check [`Breaker::passage`] first.
    pub fn begin(&mut self, now: Instant) {
        if self.open_until.is_some() {
            self.probe_began = Some(now);
        }
    }

    /// A call got an answer that shows the endpoint alive. Returns whether that closed the
    /// breaker.
    pub fn succeeded(&mut self) -> bool {
        self.failures = 0;
        self.probe_began = None;
        self.open_for = Duration::ZERO;
        self.open_until.take().is_some()
    }

    /// A call that began at `began` failed. Returns whether that opened the breaker.
    pub fn failed(&mut self, now: Instant, began: Instant, random: &mut impl Rng) -> bool {
        self.failures = self.failures.saturating_add(1);
        match (self.open_until, self.probe_began) {
            // Calls from before it opened say nothing new.
            (Some(_), Some(probe)) if began < probe => return false,
            (Some(_), None) => return false,
            (Some(_), Some(_)) => {}
            (None, _) => {
                let most = self.settings.failures_max;
                if most == 0 || self.failures < most {
                    return false;
                }
            }
        }
        self.probe_began = None;
        self.open_for = (self.open_for * 2)
            .max(self.settings.open_initial)
            .min(self.settings.open_max);
        // Half of it is drawn, so that gateways that failed together do not probe together.
        let half_ns = u64::try_from(self.open_for.as_nanos() / 2).unwrap_or(u64::MAX);
        let drawn = Duration::from_nanos(random.random_range(0..=half_ns));
        self.open_until = Some(now + self.open_for / 2 + drawn);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    const SECOND: Duration = Duration::from_secs(1);

    fn breaker() -> (Breaker, StdRng) {
        let settings = BreakerSettings {
            failures_max: 3,
            open_initial: SECOND,
            open_max: 8 * SECOND,
            probe_lost_after: 60 * SECOND,
        };
        (Breaker::new(settings), StdRng::seed_from_u64(1))
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_only_then() {
        let (mut breaker, mut random) = breaker();
        let now = Instant::now();
        assert!(!breaker.failed(now, now, &mut random));
        assert!(!breaker.failed(now, now, &mut random));
        assert!(!breaker.succeeded());
        assert!(!breaker.failed(now, now, &mut random));
        assert!(!breaker.failed(now, now, &mut random));
        assert_eq!(breaker.state(now), BreakerState::Closed);
        assert!(breaker.failed(now, now, &mut random));
        assert_eq!(breaker.state(now), BreakerState::Open);
        let Passage::HeldUntil(until) = breaker.passage(now) else {
            panic!("it is open");
        };
        assert!(until >= now + SECOND / 2 && until <= now + SECOND);
    }

    #[test]
    fn half_open_lets_one_call_probe_and_its_success_closes() {
        let (mut breaker, mut random) = breaker();
        let now = Instant::now();
        for _ in 0..3 {
            breaker.failed(now, now, &mut random);
        }
        let later = now + SECOND;
        assert_eq!(breaker.state(later), BreakerState::HalfOpen);
        assert_eq!(breaker.passage(later), Passage::Free);
        breaker.begin(later);
        assert_ne!(breaker.passage(later), Passage::Free, "one probe is enough");
        assert!(breaker.succeeded());
        assert_eq!(breaker.passage(later), Passage::Free);
    }

    #[test]
    fn each_probe_that_fails_opens_it_for_longer_up_to_the_bound() {
        let (mut breaker, mut random) = breaker();
        let mut now = Instant::now();
        for _ in 0..3 {
            breaker.failed(now, now, &mut random);
        }
        for seconds in [1, 2, 4, 8, 8, 8] {
            let Passage::HeldUntil(until) = breaker.passage(now) else {
                panic!("it is open");
            };
            assert!(until - now >= seconds * SECOND / 2 && until - now <= seconds * SECOND);
            now = until;
            breaker.begin(now);
            assert!(breaker.failed(now, now, &mut random));
        }
    }

    #[test]
    fn a_call_from_before_it_opened_does_not_end_the_probe() {
        let (mut breaker, mut random) = breaker();
        let now = Instant::now();
        for _ in 0..3 {
            breaker.failed(now, now, &mut random);
        }
        let later = now + SECOND;
        breaker.begin(later);
        assert!(!breaker.failed(later, now, &mut random), "an old call");
        assert_ne!(breaker.passage(later), Passage::Free, "the probe goes on");
        let lost = later + 60 * SECOND;
        assert_eq!(breaker.passage(lost), Passage::Free, "nobody reported it");
    }
}
