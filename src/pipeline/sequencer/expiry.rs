//! Rows that wait for an endpoint which is left alone: they are given up when their time is
//! over, as they would be if they were sent again and again.
//!
//! Owns that end. Promises that waiting for an open circuit breaker or a pause takes no longer
//! than repeats would (`retry.elapsed_max_s`). Never gives up what only waits for its turn in
//! a budget: that is pacing, and no failure; and never rows of the journal.

use super::admission::Lookup;
use super::{Sequencer, Stage};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::attempt::CallId;
use crate::pipeline::segment::RowVerdict;
use std::time::{Duration, Instant};

impl Sequencer {
    /// Gives up what has waited too long behind endpoints that are held, and notes when to
    /// look again.
    pub(super) fn expire(&mut self, now: Instant) {
        if !self.queues.iter().any(|queue| queue.is_held) {
            self.expiry_at = None;
            return;
        }
        if self.expiry_at.is_some_and(|at| at > now) {
            return;
        }
        let patience = Duration::from_secs(self.retry.elapsed_max_s);
        let mut next = now + patience;
        for queue in 0..self.queues.len() {
            if self.queues.of(queue).is_held {
                next = next.min(self.expire_calls(now, queue, patience));
            }
        }
        next = next.min(self.expire_rows(now, patience));
        self.expiry_at = Some(next);
    }

    /// Calls that wait in a queue. Returns when the next of them expires.
    fn expire_calls(&mut self, now: Instant, queue: usize, patience: Duration) -> Instant {
        let mut next = now + patience;
        let reason = self.why_held(queue);
        let waiting: Vec<CallId> = self.queues.of(queue).waiting.iter().copied().collect();
        for id in waiting {
            let since = if let Some(request) = self.requests.get(&id) {
                if request.stage != Stage::Queued || request.is_journaled {
                    continue;
                }
                let arrived = request
                    .entries
                    .iter()
                    .filter_map(|entry| self.entries.get(*entry))
                    .map(|entry| entry.arrived);
                request.piece_began.or(arrived.min())
            } else {
                if self.lookups.get(&id).is_some_and(Lookup::is_journaled) {
                    continue;
                }
                self.lookups.get(&id).map(|lookup| lookup.since)
            };
            let expires = since.unwrap_or(now) + patience;
            if expires > now {
                next = next.min(expires);
                continue;
            }
            self.queues.of(queue).waiting.retain(|other| *other != id);
            if let Some(request) = self.requests.get(&id) {
                let verdict = request.given_up(&reason);
                self.settle_all(now, id, &verdict);
            } else {
                self.lookup_failed(now, id, &RowVerdict::Failed(reason.clone()));
            }
        }
        next
    }

    /// Rows that no request has taken. Returns when the next of them expire.
    fn expire_rows(&mut self, now: Instant, patience: Duration) -> Instant {
        let mut next = now + patience;
        let queues = &mut self.queues;
        let held: Vec<Option<usize>> = self
            .lanes
            .places()
            .map(|lane| {
                lane.map(|lane| lane.queue)
                    .filter(|queue| queues.of(*queue).is_held)
            })
            .collect();
        let held_by = |lane: usize| held.get(lane).copied().flatten();
        let expired = self.entries.take_segments(|entry, segment| {
            let expires = entry.arrived + patience;
            let is_journaled = segment.submission.part.is_journaled();
            let is_held = held_by(entry.lane).is_some() && !is_journaled;
            if is_held && expires > now {
                next = next.min(expires);
            }
            is_held && expires <= now
        });
        for (lane, segment) in expired {
            if let Some(queue) = held_by(lane) {
                let reason = self.why_held(queue);
                self.settle_segment(&segment, &RowVerdict::Failed(reason));
            }
        }
        next
    }

    fn why_held(&mut self, queue: usize) -> Box<Diagnostic> {
        let endpoint = self.queues.of(queue).endpoint;
        self.pacing.why_held(endpoint).unwrap_or_else(|| {
            Box::new(Diagnostic::error(
                SqlState::CONNECTION_FAILURE,
                "CDF has not been reachable for too long",
            ))
        })
    }
}
