//! What is known of one endpoint: an operation of one identity in one project.
//!
//! Owns its learned concurrency and rate, its breaker, the pause that CDF asked for and the
//! count of requests under way. Promises that a pause holds for the whole endpoint and not
//! only for the request that was told, and that small statements find a slot free where bulk
//! loads take all others. Never pays: the budgets do.

use super::PacingTerms;
use super::breaker::{Breaker, BreakerSettings, BreakerState, Passage};
use super::concurrency::Concurrency;
use super::figures::{BudgetFigures, BudgetScope, BudgetState};
use super::learned_rate::LearnedRate;
use crate::cdf::{AttemptFailure, Operation, Throttle};
use crate::diagnostic::Diagnostic;
use crate::telemetry::{EndpointMeters, ThrottleKind};
use rand::Rng;
use std::time::{Duration, Instant};

/// How long a slot is kept for small statements after the last one: bulk loads alone use all.
const RESERVED_FOR: Duration = Duration::from_secs(5);

/// Who asks for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotKind {
    /// A few rows that somebody waits for.
    Small,
    /// Anything else.
    Bulk,
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    pub began: Instant,
    /// Bytes that were paid for.
    pub paid_bytes: u64,
    /// Bytes of the body, where one was made.
    pub body_bytes: Option<u64>,
    /// Why it did not succeed.
    pub failure: Option<&'a AttemptFailure>,
    /// Others succeeded while this request failed before: its rows are to blame, not CDF.
    pub is_suspect: bool,
}

/// The state of one endpoint.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// Project and identity, for logs.
    pub whose: String,
    pub operation: Operation,
    /// The budgets that its calls are paid from.
    pub limiters: Vec<usize>,
    concurrency: Concurrency,
    learned_rate: LearnedRate,
    breaker: Breaker,
    paused_until: Option<Instant>,
    /// Slots that the configuration allows.
    slots_max: usize,
    /// Attempts that CDF has taken.
    successes: u64,
    /// Answers 429, and when the last of them came.
    throttled: u64,
    throttled_at: Option<Instant>,
    /// What CDF said last when it failed or asked for a pause.
    reason: Option<Box<Diagnostic>>,
    slots_taken: usize,
    bulk_slots_taken: usize,
    reserved_until: Option<Instant>,
    pause_unsaid: Duration,
    pause_max: Duration,
    meters: EndpointMeters,
}

impl Endpoint {
    pub fn new(
        whose: String,
        operation: Operation,
        limiters: Vec<usize>,
        slots_max: usize,
        terms: &PacingTerms,
    ) -> Self {
        let (pacing, retry) = (&terms.pacing, &terms.retry);
        let concurrency = Concurrency::new(slots_max, pacing.adaptive_concurrency);
        let meters = EndpointMeters::of(operation);
        meters
            .concurrency_limit
            .increment(concurrency.slots() as f64);
        Endpoint {
            whose,
            operation,
            limiters,
            concurrency,
            learned_rate: LearnedRate::default(),
            breaker: Breaker::new(BreakerSettings {
                failures_max: pacing.breaker_failures,
                open_initial: Duration::from_millis(pacing.breaker_open_initial_ms),
                open_max: Duration::from_millis(pacing.breaker_open_max_ms),
                probe_lost_after: Duration::from_secs(retry.request_timeout_s.saturating_mul(2)),
            }),
            paused_until: None,
            slots_max,
            successes: 0,
            throttled: 0,
            throttled_at: None,
            reason: None,
            slots_taken: 0,
            bulk_slots_taken: 0,
            reserved_until: None,
            pause_unsaid: Duration::from_millis(retry.initial_interval_ms),
            pause_max: Duration::from_secs(retry.elapsed_max_s),
            meters,
        }
    }

    pub fn has_slot(&self, now: Instant, kind: SlotKind) -> bool {
        let slots = self.concurrency.slots();
        match kind {
            SlotKind::Small => self.slots_taken < slots,
            SlotKind::Bulk => {
                let is_reserved = slots > 1 && self.reserved_until.is_some_and(|until| until > now);
                self.slots_taken < slots && self.bulk_slots_taken < slots - usize::from(is_reserved)
            }
        }
    }

    pub fn take_slot(&mut self, now: Instant, kind: SlotKind) {
        self.slots_taken += 1;
        match kind {
            SlotKind::Small => self.reserved_until = Some(now + RESERVED_FOR),
            SlotKind::Bulk => self.bulk_slots_taken += 1,
        }
    }

    pub fn free_slot(&mut self, kind: SlotKind) {
        debug_assert!(self.slots_taken > 0, "a slot was freed twice");
        self.slots_taken = self.slots_taken.saturating_sub(1);
        if kind == SlotKind::Bulk {
            self.bulk_slots_taken = self.bulk_slots_taken.saturating_sub(1);
        }
    }

    /// Until when nothing is sent because of the endpoint's own state: its breaker is open, or
    /// it asked for a pause.
    pub fn held_until(&self, now: Instant) -> Option<Instant> {
        let paused = self.paused_until.filter(|until| *until > now);
        let held = match self.breaker.passage(now) {
            Passage::Free => None,
            Passage::HeldUntil(until) => Some(until),
        };
        paused.max(held)
    }

    /// Whether it is left alone because it only fails, or is being probed.
    pub fn is_broken(&self, now: Instant) -> bool {
        self.breaker.state(now) != BreakerState::Closed
    }

    /// CDF has said how many calls it takes at once: no more are sent, and no more than the
    /// configuration allows.
    pub fn note_published(&mut self, slots: usize) {
        let before = self.concurrency.slots();
        self.concurrency.set_bound(slots.min(self.slots_max));
        let change = self.concurrency.slots() as f64 - before as f64;
        self.meters.concurrency_limit.increment(change);
    }

    pub fn successes(&self) -> u64 {
        self.successes
    }

    /// What is known of it, for people; `waiting`: who waits for a slot.
    pub fn figures(&mut self, now: Instant, waiting: usize) -> BudgetFigures {
        let held_until = self.held_until(now);
        let breaker = self.breaker.state(now);
        let slots = self.concurrency.slots();
        let spent_until = self.available_at(now);
        BudgetFigures {
            scope: BudgetScope::Operation,
            budget: self.operation.name(),
            state: match breaker {
                BreakerState::Open => BudgetState::Broken,
                BreakerState::HalfOpen => BudgetState::Probing,
                BreakerState::Closed if held_until.is_some() => BudgetState::Paused,
                BreakerState::Closed if spent_until.is_some() => BudgetState::Spent,
                BreakerState::Closed if self.slots_taken >= slots => BudgetState::Full,
                BreakerState::Closed => BudgetState::Free,
            },
            until: held_until.max(spent_until),
            requests_per_s: self.learned_rate.per_s(now),
            accepted_last_s: Some(self.learned_rate.accepted_lately(now)),
            items_per_s: None,
            window: None,
            slots: Some(slots),
            slots_taken: self.slots_taken,
            waiting,
            throttled: Some(self.throttled),
            throttled_at: self.throttled_at,
            reason: self.reason(),
        }
    }

    pub fn available_at(&self, now: Instant) -> Option<Instant> {
        self.learned_rate.available_at().filter(|at| *at > now)
    }

    pub fn begin(&mut self, now: Instant) {
        self.breaker.begin(now);
        self.learned_rate.begin(now);
    }

    /// Why it is held.
    pub fn reason(&self) -> Option<Box<Diagnostic>> {
        self.reason.clone()
    }

    /// An attempt has ended. Returns whether the endpoint was held, so that those who wait for
    /// it should look again: it may be free now, or held until another time.
    pub fn ended(&mut self, now: Instant, ended: &Ended<'_>, random: &mut impl Rng) -> bool {
        let before = self.concurrency.slots();
        let was_held = self.held_until(now).is_some() || self.is_broken(now);
        self.learn(now, ended, random);
        let after = self.concurrency.slots();
        if after != before {
            let change = after as f64 - before as f64;
            self.meters.concurrency_limit.increment(change);
        }
        was_held
    }

    fn learn(&mut self, now: Instant, ended: &Ended<'_>, random: &mut impl Rng) {
        let began = ended.began;
        match ended.failure {
            None => {
                self.successes += 1;
                let all_used = self.slots_taken >= self.concurrency.slots();
                let bytes = ended.body_bytes.unwrap_or(ended.paid_bytes);
                self.concurrency.accepted(now, began, bytes, all_used);
                self.learned_rate.accepted(now);
                self.alive();
            }
            Some(AttemptFailure::Retry {
                retry_after,
                throttle: Some(throttle),
                reason,
                ..
            }) => {
                self.alive();
                self.throttled(now, began, *throttle, *retry_after);
                self.reason = Some(reason.clone());
            }
            Some(AttemptFailure::Retry {
                retry_after,
                status,
                reason,
                ..
            }) => {
                if let Some(retry_after) = retry_after {
                    self.pause(now, *retry_after);
                }
                if status.is_some_and(|status| status < 500 && status != 408) {
                    self.alive();
                    return;
                }
                if ended.is_suspect && *status == Some(500) && !self.is_broken(now) {
                    return;
                }
                if *status == Some(503) {
                    self.concurrency.failed(now, began);
                }
                self.reason = Some(reason.clone());
                self.failed(now, began, random);
            }
            Some(AttemptFailure::Unknown { reason }) => {
                self.reason = Some(reason.clone());
                self.failed(now, began, random);
            }
            Some(
                AttemptFailure::Split { .. }
                | AttemptFailure::Reject { .. }
                | AttemptFailure::Stop { .. },
            ) => self.alive(),
        }
    }

    fn throttled(
        &mut self,
        now: Instant,
        began: Instant,
        throttle: Throttle,
        retry_after: Option<Duration>,
    ) {
        self.throttled += 1;
        self.throttled_at = Some(now);
        match throttle {
            Throttle::Rate => {
                self.meters.throttled.add(ThrottleKind::Rate, 1);
                self.learned_rate.too_fast(now, began);
                self.pause(now, retry_after.unwrap_or(self.pause_unsaid));
            }
            Throttle::Concurrency => {
                self.meters.throttled.add(ThrottleKind::Concurrency, 1);
                self.concurrency.too_many(now, began, self.slots_taken);
                if let Some(retry_after) = retry_after {
                    self.pause(now, retry_after);
                }
            }
            // Two writers met at one object: others need not wait for that.
            Throttle::Conflict => self.meters.throttled.add(ThrottleKind::Conflict, 1),
        }
    }

    fn pause(&mut self, now: Instant, pause: Duration) {
        let until = now + pause.min(self.pause_max);
        self.paused_until = self.paused_until.max(Some(until));
    }

    fn alive(&mut self) {
        if self.breaker.succeeded() {
            self.meters.breakers_open.decrement(1.0);
            tracing::info!(
                whose = self.whose,
                operation = self.operation.name(),
                "CDF answers again: the circuit breaker is closed"
            );
        }
    }

    fn failed(&mut self, now: Instant, began: Instant, random: &mut impl Rng) {
        let was_closed = !self.is_broken(now);
        if self.breaker.failed(now, began, random) {
            if was_closed {
                self.meters.breakers_open.increment(1.0);
                self.meters.breaker_openings.increment(1);
            }
            let reason = self.reason.as_ref().map(ToString::to_string);
            tracing::warn!(
                whose = self.whose,
                operation = self.operation.name(),
                reason,
                "calls only fail: the circuit breaker is open"
            );
        }
    }
}
