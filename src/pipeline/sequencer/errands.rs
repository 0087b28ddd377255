//! Calls that a request needs before its rows can be sent again: series to make, types to
//! learn, creates to settle.
//!
//! Owns what follows from their reports. Promises an end: series are made a few times at most,
//! and types are asked for once a piece. Never gives a row a verdict that CDF did not give a
//! reason for.

use super::reasons::{duplicated_verdict, wrong_type_reason};
use super::request::{Errand, MAKINGS_MAX, Request};
use super::{Sequencer, Target};
use crate::cdf::{Reference, SettledCreates};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::attempt::{CallAnswer, CallId};
use crate::pipeline::segment::RowVerdict;
use crate::pipeline::split::{part_by_series, series_of};
use crate::rows::SeriesKey;
use crate::telemetry::RetryCause;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Series of the wrong type that get an error of their own; further ones of a request share one,
/// so that taking them out costs one pass over the rows.
const SERIES_BLAMED_MAX: usize = 16;

/// How long rows wait for the time series of a node: CDF makes it some time after the node.
const NODE_GRACE: Duration = Duration::from_secs(10);

impl Sequencer {
    pub(super) fn errand_done(
        &mut self,
        now: Instant,
        id: CallId,
        errand: Errand,
        answer: CallAnswer,
    ) {
        match (errand, answer) {
            (Errand::MakeSeries { missing, reason }, _) => {
                if let Some(request) = self.requests.get_mut(&id) {
                    request.nodes_made |= matches!(missing.first(), Some(Reference::InstanceId(_)));
                }
                self.made_series(now, id, &reason);
            }
            (Errand::FindTypes { reason }, _) => self.split_by_type(now, id, reason),
            (Errand::CheckTypes, _) => self.types_known(now, id),
            (Errand::FindPresent(presence), CallAnswer::Present(pages)) => {
                self.present_known(now, id, presence, pages);
            }
            (Errand::FindPresent(_), _) => {
                debug_assert!(false, "the answer of another call");
                self.proceed(now, id);
            }
            (Errand::SettleCreates { reason, .. }, CallAnswer::Settled(settled)) => {
                self.settle_creates(now, id, settled, reason);
            }
            (Errand::SettleCreates { reason, .. }, _) => {
                debug_assert!(false, "the answer of another call");
                self.settle_piece(now, id, &RowVerdict::Unknown(reason));
            }
        }
    }

    /// The missing series are there now, though CDF may need a moment to see them.
    fn made_series(&mut self, now: Instant, id: CallId, reason: &Diagnostic) {
        let first_time = self
            .requests
            .get(&id)
            .is_some_and(|request| request.makings_left + 1 == MAKINGS_MAX);
        if first_time {
            self.enqueue(now, id);
        } else {
            self.back_off(now, id, None, reason, RetryCause::Missing);
        }
    }

    fn settle_creates(
        &mut self,
        now: Instant,
        id: CallId,
        settled: SettledCreates,
        reason: Box<Diagnostic>,
    ) {
        let Some(request) = self.requests.get(&id) else {
            return;
        };
        let ours = settled
            .ours
            .into_iter()
            .map(|reference| (reference, RowVerdict::Accepted));
        let theirs = settled.theirs.into_iter().map(|reference| {
            let verdict = duplicated_verdict(&request.target, &reference, &reason);
            (reference, verdict)
        });
        let verdicts = ours.chain(theirs).collect();
        self.settle_named(now, id, verdicts, reason);
    }

    /// The errand came to nothing: the rows get the reason for which they were held up.
    pub(super) fn errand_failed(
        &mut self,
        now: Instant,
        id: CallId,
        errand: Errand,
        failure: &Diagnostic,
    ) {
        match errand {
            Errand::MakeSeries { missing, .. } => {
                let reason = Box::new(failure.clone());
                let verdicts = missing
                    .into_iter()
                    .map(|reference| (reference, RowVerdict::Rejected(reason.clone())))
                    .collect();
                self.settle_named(now, id, verdicts, reason);
            }
            Errand::FindTypes { reason } => self.split_blindly(now, id, reason),
            // Their failures are the write's.
            Errand::CheckTypes | Errand::FindPresent(_) => {
                let reason = Box::new(failure.clone());
                self.settle_piece(now, id, &RowVerdict::Rejected(reason));
            }
            Errand::SettleCreates { duplicated, reason } => {
                // They exist, and nobody can say since when.
                let mut unknown = *reason.clone();
                unknown.sqlstate = SqlState::STATEMENT_COMPLETION_UNKNOWN;
                let verdicts = duplicated
                    .iter()
                    .map(|reference| {
                        let verdict = RowVerdict::Unknown(Box::new(unknown.clone()));
                        (reference.clone(), verdict)
                    })
                    .collect();
                self.settle_named(now, id, verdicts, reason);
            }
        }
    }

    /// Takes out the rows whose series are now known to be of the other type.
    fn split_by_type(&mut self, now: Instant, id: CallId, reason: Box<Diagnostic>) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return;
        };
        let strings = matches!(
            request.target,
            Target::Strings | Target::PointChanges { strings: true, .. }
        );
        let series = series_of(&piece);
        let types = self.names.types(&request.identity, &series, now);
        let wrong: Vec<Arc<SeriesKey>> = series
            .into_iter()
            .zip(types)
            .filter(|(_, is_string)| is_string.is_some_and(|is_string| is_string != strings))
            .map(|(key, _)| key)
            .collect();
        if wrong.is_empty() {
            self.split_blindly(now, id, reason);
            return;
        }
        let (blamed, crowd) = wrong.split_at(wrong.len().min(SERIES_BLAMED_MAX));
        let crowd: HashSet<u64> = crowd.iter().map(|key| key.hash()).collect();
        let mut verdicts = Vec::with_capacity(blamed.len() + 1);
        let mut rest = piece;
        for key in blamed {
            let parted = part_by_series(&rest, |other| other.hash() == key.hash());
            verdicts.push((parted.0, wrong_type_reason(key, strings, &reason)));
            rest = Arc::new(parted.1);
        }
        let (named, rest) = part_by_series(&rest, |key| crowd.contains(&key.hash()));
        verdicts.push((named, reason));
        request.replace_piece(std::iter::once(rest));
        // CDF may know of further ones that the directory does not.
        request.types_known = false;
        for (named, reason) in verdicts {
            self.settle(&named, &RowVerdict::Rejected(reason));
        }
        self.proceed(now, id);
    }
}

/// The series among `missing` that this user wants made, those by external id or the nodes: one
/// call makes series of one kind. Only by name can one be made.
pub(super) fn makeable(request: &Request, missing: &[Reference]) -> Vec<Reference> {
    let is_wanted = request.identity.create_missing_time_series
        && matches!(request.target, Target::Doubles | Target::Strings);
    let those = |is_one: fn(&Reference) -> bool| -> Vec<Reference> {
        let wanted = missing.iter().filter(|one| is_wanted && is_one(one));
        wanted.cloned().collect()
    };
    let by_external_id = those(|one| matches!(one, Reference::ExternalId(_)));
    if !by_external_id.is_empty() {
        return by_external_id;
    }
    match request.nodes_made {
        // They are there; it takes CDF a moment to make their series.
        true => Vec::new(),
        false => those(|one| matches!(one, Reference::InstanceId(_))),
    }
}

/// Whether a node that CDF does not have as a time series may be one soon.
pub(super) fn may_follow(request: &Request, missing: &[Reference], now: Instant) -> bool {
    missing
        .iter()
        .any(|one| matches!(one, Reference::InstanceId(_)))
        && request
            .piece_began
            .is_some_and(|began| now.saturating_duration_since(began) < NODE_GRACE)
}
