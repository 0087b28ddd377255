//! What follows from the report of a call: verdicts, repeats, splits.
//!
//! Owns the reading of the failure classes of a write; calls on the side are in `errands`, and when to
//! repeat one in `repeats`. Promises that each class ends in a verdict for
//! every row or in another call within bounds. Never blames a row that CDF did not name while
//! it could still be found by halving.

use super::errands::{makeable, may_follow};
use super::reads::Read;
use super::reasons::{duplicated_verdict, missing_verdict};
use super::request::Errand;
use super::{Sequencer, Stage};
use crate::catalog::Resource;
use crate::cdf::{AttemptFailure, Reference};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::attempt::{AttemptReport, CallAnswer, CallId};
use crate::pipeline::segment::{Piece, RowVerdict, Segment};
use crate::pipeline::sequencer::admission::cancelled;
use crate::pipeline::split::{Parted, halve, series_of, take_out};
use crate::rows::ActionKind;
use crate::telemetry::RetryCause;
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Instant;

impl Sequencer {
    pub(super) fn request_finished(&mut self, now: Instant, id: CallId, report: AttemptReport) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        if request.stage != Stage::Called {
            debug_assert!(false, "a call was reported twice");
            return;
        }
        request.stage = Stage::Queued;
        let under_way = request.under_way.take();
        let is_suspect = request.suspicion.is_founded();
        self.note_ended(now, under_way, &report, is_suspect);
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        match (report.result, request.errand.take()) {
            (Ok(CallAnswer::Found(found)), None) => self.found(now, id, found),
            (Ok(CallAnswer::Told(done)), None) => self.told(now, id, &done),
            (Ok(answer), None) => {
                if let (CallAnswer::Objects(objects), Some(piece)) =
                    (answer, request.pieces.front())
                {
                    piece.note_objects(objects);
                }
                if !self.deleted_page(now, id) {
                    self.settle_piece(now, id, &RowVerdict::Accepted);
                }
            }
            (Ok(answer), Some(errand)) => self.errand_done(now, id, errand, answer),
            (Err(failure), errand) => self.call_failed(now, id, failure, errand),
        }
    }

    /// The piece at hand gets its verdict.
    pub(super) fn settle_piece(&mut self, now: Instant, id: CallId, verdict: &RowVerdict) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        if let Some(piece) = request.pieces.front().cloned() {
            request.next_piece();
            if *verdict == RowVerdict::Accepted && self.resource == Resource::Assets {
                self.note_made(now, &piece);
            }
            self.settle(&piece, verdict);
        }
        self.proceed(now, id);
    }

    /// The request goes on with what is left of it.
    pub(super) fn proceed(&mut self, now: Instant, id: CallId) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        if request.pieces.is_empty() && !request.turned.is_empty() {
            self.take_turned(id);
        }
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        if request.pieces.is_empty() && !request.orphans.is_empty() {
            self.wait_for_parents(now, id);
            return;
        }
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        match (request.pieces.is_empty(), request.guard_until) {
            (true, _) => self.finish(now, id),
            // What went unanswered may share keys with what comes next.
            (false, Some(until)) if until > now && request.piece_began.is_none() => {
                request.stage = Stage::BackingOff;
                self.timers.push(Reverse((until, id)));
            }
            (false, _) => self.enqueue(now, id),
        }
    }

    /// Puts a request in the queue for its next call.
    pub(super) fn enqueue(&mut self, now: Instant, id: CallId) {
        if !self.prepare(now, id) {
            return;
        }
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.stage = Stage::Queued;
        request.queued_at = now;
        if let Some(queue) = self.queue_of(id) {
            self.queues.of(queue).waiting.push_back(id);
        }
    }

    /// All rows have their verdict. The keys are free, at once or when no late write of theirs
    /// can land any more.
    fn finish(&mut self, now: Instant, id: CallId) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.slot = None;
        request.stage = Stage::Guarding;
        match request.guard_until {
            Some(until) if until > now => self.timers.push(Reverse((until, id))),
            _ => self.release(id),
        }
    }

    /// Lets those go on that waited for the keys of a finished request.
    pub(super) fn release(&mut self, id: CallId) {
        if let Some(request) = self.requests.remove(&id) {
            for entry in request.entries {
                self.close(entry);
            }
        }
    }

    fn call_failed(
        &mut self,
        now: Instant,
        id: CallId,
        failure: AttemptFailure,
        errand: Option<Errand>,
    ) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let resource = self.resource;
        let only_read = request
            .pieces
            .front()
            .is_some_and(|piece| piece.must_read(resource));
        if errand.is_none() && !only_read {
            request.note_failure(now, self.guard, &failure);
        }
        match failure {
            // Acknowledged rows are not left in doubt where sending them again settles it.
            AttemptFailure::Unknown { reason }
                if request.is_journaled && request.unknowns_left > 0 && request.is_repeatable() =>
            {
                request.unknowns_left -= 1;
                request.may_be_written = true;
                request.errand = errand;
                self.back_off(now, id, None, &reason, RetryCause::Timeout);
            }
            AttemptFailure::Retry {
                retry_after,
                status,
                reason,
                answered,
                throttle: _,
            } => {
                let cause = retry_cause(status, answered);
                if status == Some(500)
                    && errand.is_none()
                    && let Some(poisoned) = self.suspect(id, &reason)
                {
                    self.split_blindly(now, id, poisoned);
                    return;
                }
                let Some(request) = self.requests.get_mut(&id) else {
                    return;
                };
                request.errand = errand;
                self.back_off(now, id, retry_after, &reason, cause);
            }
            failure => match errand {
                None | Some(Errand::CheckTypes | Errand::FindPresent(_)) => {
                    self.write_refused(now, id, failure);
                }
                Some(errand) => self.errand_failed(now, id, errand, failure.reason()),
            },
        }
    }

    /// Rows whose statement was cancelled are not sent again. Of a piece that may be in CDF
    /// all go or none: what is left, sent alone, could undo a later row of the same key.
    pub(super) fn drop_aborted(&mut self, id: CallId) {
        while let Some(request) = self.requests.get_mut(&id)
            && let Some(piece) = request.pieces.front()
        {
            let (wanted, aborted) = piece.part_aborted();
            if aborted.is_empty() || (request.may_be_written && !wanted.is_empty()) {
                return;
            }
            let verdict = request.given_up(&cancelled());
            let is_whole = wanted.is_empty();
            if is_whole {
                request.next_piece();
            } else {
                request.pieces[0] = Arc::new(Piece::new(wanted));
                request.read = Read::default();
            }
            for segment in aborted {
                self.settle_segment(&segment, &verdict);
            }
            if !is_whole {
                return;
            }
        }
    }

    /// CDF did not take the rows and will not.
    fn write_refused(&mut self, now: Instant, id: CallId, failure: AttemptFailure) {
        match failure {
            AttemptFailure::Split {
                missing,
                duplicated,
                reason,
            } => self.split(now, id, missing, duplicated, reason),
            AttemptFailure::Reject { reason } => {
                let verdict = self
                    .requests
                    .get(&id)
                    .map(|request| request.refused(&reason));
                self.settle_piece(now, id, &verdict.unwrap_or(RowVerdict::Rejected(reason)));
            }
            AttemptFailure::Unknown { reason } => {
                self.settle_piece(now, id, &RowVerdict::Unknown(reason));
            }
            AttemptFailure::Stop { reason } if self.is_parked_when_stopped(id) => {
                self.stop_journaled(now, id, reason);
            }
            AttemptFailure::Stop { reason } => {
                let verdict = self
                    .requests
                    .get(&id)
                    .map(|request| request.refused(&reason));
                self.settle_all(now, id, &verdict.unwrap_or(RowVerdict::Rejected(reason)));
            }
            AttemptFailure::Retry { reason, .. } => {
                // Retries are taken before; one that came here would be given up.
                self.settle_piece(now, id, &RowVerdict::Failed(reason));
            }
        }
    }

    pub(super) fn settle_all(&mut self, now: Instant, id: CallId, verdict: &RowVerdict) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let pieces = std::mem::take(&mut request.pieces);
        let turned: Vec<Segment> = request
            .turned
            .take()
            .chain(request.orphans.take())
            .collect();
        for piece in pieces {
            self.settle(&piece, verdict);
        }
        for segment in turned {
            self.settle_segment(&segment, verdict);
        }
        self.finish(now, id);
    }

    fn split(
        &mut self,
        now: Instant,
        id: CallId,
        missing: Vec<Reference>,
        duplicated: Vec<Reference>,
        reason: Box<Diagnostic>,
    ) {
        if self.turn(now, id, &missing, &duplicated, &reason)
            || self.await_parents(now, id, &missing)
        {
            return;
        }
        let reason = self.with_order_hint(id, reason);
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let makeable = makeable(request, &missing);
        let project = &request.identity.project;
        // What is changed or deleted is not there: earlier writes of it have ended.
        let changes = names_rows(self.resource)
            && matches!(
                request.target.action(),
                ActionKind::Update | ActionKind::Delete
            );
        let may_appear = |resource| self.names.may_appear(project, resource, now);
        let waits = makeable.is_empty()
            && !changes
            && (awaited(self.resource, &missing).is_some_and(may_appear)
                || may_follow(request, &missing, now)
                || (names_nodes(&missing) && may_appear(Resource::Instances)));
        if waits && self.wait_for_repeat(now, id, None, RetryCause::Missing) {
            return;
        }
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        // After a vain wait the rows that miss something are refused, and only they. Each half of
        // rows that cannot be told apart would wait again.
        let tells = |piece: &Arc<Piece>| !take_out(piece, &missing).named.is_empty();
        if waits && !request.pieces.front().is_some_and(tells) {
            self.give_up(now, id, &reason);
            return;
        }
        if !makeable.is_empty() && request.makings_left > 0 {
            request.makings_left -= 1;
            request.errand = Some(Errand::MakeSeries {
                missing: makeable,
                reason,
            });
            self.enqueue(now, id);
        } else if request.may_be_written && !duplicated.is_empty() {
            request.errand = Some(Errand::SettleCreates {
                duplicated: duplicated.into(),
                reason,
            });
            self.enqueue(now, id);
        } else if missing.is_empty() && duplicated.is_empty() {
            self.split_blindly(now, id, reason);
        } else {
            let mut verdicts: Vec<(Reference, RowVerdict)> = Vec::new();
            let target = &request.target;
            for reference in missing {
                let verdict = missing_verdict(target, &reference, &reason);
                verdicts.push((reference, verdict));
            }
            for reference in duplicated {
                let verdict = duplicated_verdict(target, &reference, &reason);
                verdicts.push((reference, verdict));
            }
            self.settle_named(now, id, verdicts, reason);
        }
    }

    /// Gives the rows that CDF named their verdicts and sends the others again.
    pub(super) fn settle_named(
        &mut self,
        now: Instant,
        id: CallId,
        verdicts: Vec<(Reference, RowVerdict)>,
        reason: Box<Diagnostic>,
    ) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return;
        };
        let (references, verdicts): (Vec<Reference>, Vec<RowVerdict>) =
            verdicts.into_iter().unzip();
        let Parted { named, rest } = take_out(&piece, &references);
        if named.is_empty() {
            // CDF names nothing that we sent.
            self.split_blindly(now, id, reason);
            return;
        }
        request.replace_piece(std::iter::once(rest));
        for (segment, reference) in named {
            self.settle_segment(&segment, &verdicts[reference]);
        }
        self.proceed(now, id);
    }

    /// Nobody says which rows are bad: ask for types, halve, and in the end blame what is left.
    pub(super) fn split_blindly(&mut self, now: Instant, id: CallId, reason: Box<Diagnostic>) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return;
        };
        let wrong_type = reason.sqlstate == SqlState::DATATYPE_MISMATCH;
        if wrong_type && !request.types_known {
            request.types_known = true;
            request.errand = Some(Errand::FindTypes { reason });
            self.enqueue(now, id);
            return;
        }
        // A series has one type, so its points share their fate.
        let stands_or_falls_together = wrong_type && series_of(&piece).len() == 1;
        match halve(&piece) {
            Some((first, second)) if request.halvings_left > 0 && !stands_or_falls_together => {
                request.halvings_left -= 1;
                request.replace_piece([first, second].into_iter());
                self.proceed(now, id);
            }
            _ => self.settle_piece(now, id, &RowVerdict::Rejected(reason)),
        }
    }
}

/// Whether rows of `resource` belong to objects of another resource, which they name.
fn names_rows(resource: Resource) -> bool {
    matches!(resource, Resource::Datapoints | Resource::SequenceRows)
}

/// Whether time series are missed that are nodes.
fn names_nodes(missing: &[Reference]) -> bool {
    missing
        .iter()
        .any(|reference| matches!(reference, Reference::InstanceId(_)))
}

/// Whose objects rows of `resource` miss, where those may come by themselves.
fn awaited(resource: Resource, missing: &[Reference]) -> Option<Resource> {
    let is_label = |reference: &Reference| matches!(reference, Reference::NameInColumn { column, .. } if *column == "labels");
    match resource {
        _ if missing.is_empty() => None,
        Resource::Datapoints => Some(Resource::TimeSeries),
        Resource::SequenceRows => Some(Resource::Sequences),
        Resource::ExtractionPipelineRuns => Some(Resource::ExtractionPipelines),
        _ => missing.iter().any(is_label).then_some(Resource::Labels),
    }
}

fn retry_cause(status: Option<u16>, answered: bool) -> RetryCause {
    match status {
        Some(429) => RetryCause::Throttled,
        Some(500..=599) => RetryCause::ServerError,
        Some(_) => RetryCause::AutoRetryable,
        None if answered => RetryCause::Connect,
        None => RetryCause::Timeout,
    }
}
