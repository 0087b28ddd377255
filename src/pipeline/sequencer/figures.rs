//! What a sequencer has of one identity, as people are shown it.
//!
//! Owns the counts and the word for what holds them up. Promises figures of one moment, and none of
//! another identity's rows. Never changes anything, and is asked by people alone: it walks through
//! all that is open.

use super::Sequencer;
use super::request::{Request, Stage};
use crate::cdf::Identity;
use crate::diagnostic::Diagnostic;
use std::time::{Duration, Instant};

/// What becomes of an identity's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueState {
    Idle,
    /// They wait for company.
    Gathering,
    Sending,
    /// A budget is spent, or all slots are taken.
    Waiting,
    Retrying,
    /// CDF fails, or has asked for a pause.
    Held,
    /// CDF does not let the identity write.
    Stopped,
    /// Writes of those before may still land.
    Guarded,
}

impl QueueState {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            QueueState::Idle => "idle",
            QueueState::Gathering => "gathering",
            QueueState::Sending => "sending",
            QueueState::Waiting => "waiting",
            QueueState::Retrying => "retrying",
            QueueState::Held => "held",
            QueueState::Stopped => "stopped",
            QueueState::Guarded => "guarded",
        }
    }
}

/// An identity's rows in one sequencer, at one moment.
#[derive(Clone, Debug)]
pub struct QueueFigures {
    pub state: QueueState,
    /// What CDF said last, where something is retried, held or stopped.
    pub reason: Option<Box<Diagnostic>>,
    /// When what waits or is held is looked at again.
    pub until: Option<Instant>,
    /// Batches that are not part of a request yet.
    pub waiting_batches: usize,
    pub waiting_rows: usize,
    pub waiting_bytes: usize,
    /// Requests that wait for their turn, their next attempt, or parents.
    pub waiting_requests: usize,
    pub in_flight_requests: usize,
    /// Rows of all these requests.
    pub requested_rows: u64,
    pub oldest_age: Option<Duration>,
}

impl QueueFigures {
    /// Those of nothing.
    pub fn nothing() -> Self {
        QueueFigures {
            state: QueueState::Idle,
            reason: None,
            until: None,
            waiting_batches: 0,
            waiting_rows: 0,
            waiting_bytes: 0,
            waiting_requests: 0,
            in_flight_requests: 0,
            requested_rows: 0,
            oldest_age: None,
        }
    }
}

impl Sequencer {
    /// What there is of `identity`, or was: `None` if it never had anything here.
    pub fn figures(&self, now: Instant, identity: &Identity) -> Option<QueueFigures> {
        let mut figures = QueueFigures::nothing();
        let mut oldest: Option<Instant> = None;
        let mut note_age = |arrived: Instant| {
            oldest = Some(oldest.map_or(arrived, |oldest| oldest.min(arrived)));
        };
        let is_its_own = |other: &Identity| other.name == identity.name;
        for entry in self.entries.iter() {
            let waiting = entry.segment.as_ref();
            if waiting.is_some_and(|segment| is_its_own(&segment.submission.identity)) {
                figures.waiting_batches += 1;
                figures.waiting_rows += entry.weight.rows;
                figures.waiting_bytes += entry.weight.bytes;
                note_age(entry.arrived);
            }
        }
        let lookups = self.lookups.values();
        for lookup in lookups.filter(|lookup| is_its_own(&lookup.identity)) {
            for submission in &lookup.waiting {
                figures.waiting_batches += 1;
                figures.waiting_rows += submission.batch.rows();
                figures.waiting_bytes += submission.permit.bytes();
            }
            note_age(lookup.since);
        }
        let requests = self.requests.values();
        let open: Vec<&Request> = requests
            .filter(|request| request.stage != Stage::Guarding && is_its_own(&request.identity))
            .collect();
        for request in &open {
            match request.stage {
                Stage::Called => figures.in_flight_requests += 1,
                _ => figures.waiting_requests += 1,
            }
            let pieces = request.pieces.iter();
            figures.requested_rows += pieces.map(|piece| piece.rows()).sum::<u64>();
            let entries = request.entries.iter();
            let arrived = entries.filter_map(|id| self.entries.get(*id));
            arrived.for_each(|entry| note_age(entry.arrived));
        }
        figures.oldest_age = oldest.map(|oldest| now.saturating_duration_since(oldest));
        let is_known = self.queues.of_name(&identity.name).next().is_some()
            || self.stopped.contains_key(&identity.name);
        if figures.oldest_age.is_none() && !is_known {
            return None;
        }
        self.judge(&mut figures, &open, identity);
        Some(figures)
    }

    /// Finds the word for what holds the rows up, the worst first, and the reason.
    fn judge(&self, figures: &mut QueueFigures, open: &[&Request], identity: &Identity) {
        let is_retrying = |request: &&&Request| request.stage == Stage::BackingOff;
        let held = self
            .queues
            .of_name(&identity.name)
            .find(|queue| queue.is_held);
        if let Some(reason) = self.stopped.get(&identity.name) {
            figures.state = QueueState::Stopped;
            figures.reason = Some(reason.clone());
        } else if figures.oldest_age.is_none() {
            figures.state = QueueState::Idle;
        } else if let Some(held) = held {
            figures.state = QueueState::Held;
            figures.reason = self.pacing.why_held(held.endpoint);
            figures.until = held.wait_until();
        } else if let Some(request) = open.iter().find(is_retrying) {
            figures.state = QueueState::Retrying;
            figures.reason = self.pacing.why_held(self.queues.endpoint(request.queue));
        } else if figures.in_flight_requests > 0 {
            figures.state = QueueState::Sending;
        } else if figures.waiting_requests > 0 {
            figures.state = QueueState::Waiting;
        } else {
            let of_name = self.queues.of_name(&identity.name);
            figures.until = of_name.filter_map(|queue| queue.wait_until()).min();
            figures.state = match figures.until {
                Some(_) => QueueState::Waiting,
                None => QueueState::Gathering,
            };
        }
    }
}
