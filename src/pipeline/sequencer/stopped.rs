//! Rows of the journal whose identity CDF does not let write.
//!
//! Owns the identities that are stopped. Promises that all of an identity's journaled rows that
//! wait here go back at once and in their order, and that none of them overtakes those when the
//! identity works again. Never stops rows that a statement waits for.

use super::Sequencer;
use crate::diagnostic::Diagnostic;
use crate::pipeline::Submission;
use crate::pipeline::attempt::CallId;
use crate::pipeline::segment::{RowVerdict, Segment};
use std::sync::Arc;
use std::time::Instant;

impl Sequencer {
    /// Whether the rows of a request can go back to the journal and come again.
    pub(super) fn is_parked_when_stopped(&self, id: CallId) -> bool {
        self.requests.get(&id).is_some_and(|request| {
            request.is_journaled && (!request.may_be_written || request.is_repeatable())
        })
    }

    /// The rows of a request go back, and those of its identity that wait.
    pub(super) fn stop_journaled(&mut self, now: Instant, id: CallId, reason: Box<Diagnostic>) {
        let Some(request) = self.requests.get(&id) else {
            return;
        };
        let name = request.identity.name.clone();
        let waiting = self.entries.take_segments(|_, segment| {
            let submission = &segment.submission;
            submission.part.is_journaled() && submission.identity.name == name
        });
        self.stopped.insert(name, reason.clone());
        let verdict = RowVerdict::Stopped(reason);
        self.settle_all(now, id, &verdict);
        for (_, segment) in waiting {
            self.settle_segment(&segment, &verdict);
        }
    }

    /// Sends a submission of the journal back if its identity is stopped; one that was parked is
    /// a trial, and ends the stop.
    pub(super) fn pass_stopped(&mut self, submission: Submission) -> Option<Submission> {
        if self.stopped.is_empty() {
            return Some(submission);
        }
        let Some(record) = submission.part.record() else {
            return Some(submission);
        };
        if record.is_parked() {
            self.stopped.remove(&submission.identity.name);
            return Some(submission);
        }
        if !self.stopped.contains_key(&submission.identity.name) {
            return Some(submission);
        }
        self.send_back(submission);
        None
    }

    pub(super) fn send_back(&self, submission: Submission) {
        let reason = Diagnostic::error(
            crate::diagnostic::SqlState::INSUFFICIENT_PRIVILEGE,
            "CDF does not let this principal write",
        );
        let rows = 0..submission.batch.rows();
        let submission = Arc::new(submission);
        self.settle_segment(
            &Segment { submission, rows },
            &RowVerdict::Stopped(Box::new(reason)),
        );
    }
}
