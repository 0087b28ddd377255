//! When a call is made again, and when no more.
//!
//! Owns the delay before the next attempt of a request, and its end. Promises that a request that
//! can be repeated no more gets its verdict. Never decides whether a failure is worth a repeat.

use super::{Sequencer, Stage};
use crate::config::RetrySettings;
use crate::diagnostic::Diagnostic;
use crate::pipeline::attempt::CallId;
use crate::pipeline::retry::Retry;
use crate::telemetry::RetryCause;
use std::cmp::Reverse;
use std::time::{Duration, Instant};

impl Sequencer {
    /// Waits for the next attempt, or gives up.
    pub(super) fn back_off(
        &mut self,
        now: Instant,
        id: CallId,
        retry_after: Option<Duration>,
        reason: &Diagnostic,
        cause: RetryCause,
    ) {
        if !self.wait_for_repeat(now, id, retry_after, cause) {
            self.give_up(now, id, reason);
        }
    }

    pub(super) fn give_up(&mut self, now: Instant, id: CallId, reason: &Diagnostic) {
        if let Some(request) = self.requests.get(&id) {
            let verdict = request.given_up(reason);
            self.settle_all(now, id, &verdict);
        }
    }

    /// Puts the next attempt off; `false` when it would be too late.
    pub(super) fn wait_for_repeat(
        &mut self,
        now: Instant,
        id: CallId,
        retry_after: Option<Duration>,
        cause: RetryCause,
    ) -> bool {
        self.drop_aborted(id);
        let Some(request) = self.requests.get_mut(&id) else {
            return true;
        };
        let Some(began) = request.piece_began else {
            // Another piece is at hand now, or none.
            self.proceed(now, id);
            return true;
        };
        let is_journaled = request.is_journaled;
        let retry = request
            .retry
            .get_or_insert_with(|| repeats(&self.retry, began, is_journaled));
        let Some(at) = retry.next_attempt(now, retry_after, &mut self.random) else {
            return false;
        };
        self.meters.retries.add(cause, 1);
        if self.is_broken(now, id) {
            // The breaker tells when to try again, for all requests together.
            self.enqueue(now, id);
        } else if let Some(request) = self.requests.get_mut(&id) {
            request.stage = Stage::BackingOff;
            self.timers.push(Reverse((at, id)));
        }
        true
    }

    fn is_broken(&mut self, now: Instant, id: CallId) -> bool {
        self.queue_of(id).is_some_and(|queue| {
            let endpoint = self.queues.of(queue).endpoint;
            self.pacing.is_broken(now, endpoint)
        })
    }
}

/// The repeats of a piece: endless for rows that have been acknowledged.
pub(super) fn repeats(settings: &RetrySettings, began: Instant, is_journaled: bool) -> Retry {
    if is_journaled {
        Retry::endless(settings, began)
    } else {
        Retry::new(settings, began)
    }
}
