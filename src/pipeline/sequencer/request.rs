//! A request: rows that were cut together, until each of them has a verdict.
//!
//! Owns the state of one request. Promises that its pieces are sent one after the other: they
//! may share keys. Never sends: it says what to call next.

use super::entries::EntryId;
use super::lane::Target;
use super::orphans::Waiting;
use super::poison::Suspicion;
use super::presence::Presence;
use super::queues::UnderWay;
use super::reads::{Read, next_read};
use super::upsert::Turned;
use crate::catalog::Resource;
use crate::cdf::{AttemptFailure, Identity, Reference};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::attempt::Call;
use crate::pipeline::pacing::Slot;
use crate::pipeline::retry::Retry;
use crate::pipeline::segment::{Piece, RowVerdict};
use crate::pipeline::split::series_of;
use crate::rows::{InstanceName, RowBatch};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Halvings that a request may make to find its bad rows, after which the piece at hand is
/// rejected whole. Enough for a few bad rows among 100,000, and an end for a request that CDF
/// refuses row by row.
const HALVINGS_MAX: u32 = 128;

/// Times that a request may make series that it misses.
pub const MAKINGS_MAX: u32 = 3;

/// Attempts of a request of the journal whose outcome is unknown, after which it is given up: a
/// fault of the gateway's own that every attempt meets.
const UNKNOWNS_MAX: u32 = 16;

/// What must be known or done before the piece at hand is sent again.
#[derive(Debug)]
pub enum Errand {
    /// Make these series.
    MakeSeries {
        missing: Vec<Reference>,
        reason: Box<Diagnostic>,
    },
    /// Learn the types of the series.
    FindTypes { reason: Box<Diagnostic> },
    /// Learn the types of the series whose points are deleted: what is of the other type is none
    /// of the table's.
    CheckTypes,
    /// Learn which of the rows CDF has.
    FindPresent(Presence),
    /// Learn whose these objects are.
    SettleCreates {
        duplicated: Arc<[Reference]>,
        reason: Box<Diagnostic>,
    },
}

/// What a request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its turn in the budget.
    Queued,
    /// CDF's answer.
    Called,
    /// The time of its next attempt.
    BackingOff,
    /// Parents of its rows.
    AwaitingParents,
    /// Every row has its verdict; a late write may still land.
    Guarding,
}

/// Rows on their way to CDF.
#[derive(Debug)]
pub struct Request {
    pub identity: Arc<Identity>,
    pub target: Target,
    /// Its rows have been acknowledged: they are sent until CDF has an answer for them.
    pub is_journaled: bool,
    /// Where its writes wait for their turn.
    pub queue: usize,
    /// Its right to be under way; given back with the last verdict.
    pub slot: Option<Slot>,
    pub entries: Vec<EntryId>,
    /// The first is the one at hand.
    pub pieces: VecDeque<Arc<Piece>>,
    /// Rows of upserts that were written in the wrong way, gathered so that few requests write
    /// them in the right one.
    pub turned: Turned,
    /// Rows that wait for their parents.
    pub orphans: Waiting,
    /// When the last attempt began.
    pub last_sent: Option<Instant>,
    pub stage: Stage,
    pub errand: Option<Errand>,
    /// Since when it waits for its turn.
    pub queued_at: Instant,
    /// The call that has not been reported.
    pub under_way: Option<UnderWay>,
    /// Until when an unanswered attempt may still land.
    pub guard_until: Option<Instant>,
    /// Repeats of the piece at hand.
    pub retry: Option<Retry>,
    /// When the first attempt of the piece at hand began.
    pub piece_began: Option<Instant>,
    /// When the first attempt of all began.
    pub first_sent: Option<Instant>,
    /// When an attempt of an earlier life of the gateway may have begun, at the earliest.
    pub sent_before: Option<SystemTime>,
    /// An attempt may have been carried out though no answer said so.
    pub may_be_written: bool,
    /// Attempts of unknown outcome after which rows of the journal are sent again.
    pub unknowns_left: u32,
    /// Whether CDF fails with these rows alone.
    pub suspicion: Suspicion,
    pub halvings_left: u32,
    pub makings_left: u32,
    /// Nodes were made for series that the piece at hand misses.
    pub nodes_made: bool,
    /// The types were asked for: they do not tell the bad rows.
    pub types_known: bool,
    /// What has been read of the piece at hand.
    pub read: Read,
}

impl Request {
    pub fn new(
        identity: Arc<Identity>,
        target: Target,
        queue: usize,
        slot: Slot,
        entries: Vec<EntryId>,
        pieces: impl Iterator<Item = Piece>,
        now: Instant,
    ) -> Self {
        let pieces: VecDeque<Arc<Piece>> = pieces.map(Arc::new).collect();
        let segments = || pieces.iter().flat_map(|piece| &piece.segments);
        // A lane holds rows of one kind.
        let is_journaled = segments().any(|segment| segment.submission.part.is_journaled());
        let sent_before = segments()
            .filter_map(|segment| segment.submission.sent_before)
            .min();
        Request {
            identity,
            target,
            is_journaled,
            queue,
            slot: Some(slot),
            entries,
            pieces,
            turned: Turned::default(),
            orphans: Waiting::default(),
            last_sent: None,
            stage: Stage::Queued,
            errand: None,
            queued_at: now,
            under_way: None,
            guard_until: None,
            retry: None,
            piece_began: None,
            first_sent: None,
            sent_before,
            may_be_written: sent_before.is_some(),
            unknowns_left: UNKNOWNS_MAX,
            suspicion: Suspicion::default(),
            halvings_left: HALVINGS_MAX,
            makings_left: MAKINGS_MAX,
            nodes_made: false,
            types_known: false,
            read: Read::default(),
        }
    }

    /// The next call; `None` when no row is left.
    pub fn call(&mut self, resource: Resource) -> Option<Call> {
        let piece = self.pieces.front()?;
        match &mut self.errand {
            None if piece.must_read(resource) => Some(next_read(piece, &self.read, resource)),
            None => Some(Call::Write(piece.clone())),
            Some(Errand::MakeSeries { missing, .. }) => {
                Some(making(missing, self.target == Target::Strings))
            }
            Some(Errand::FindTypes { .. } | Errand::CheckTypes) => {
                Some(Call::FindSeries(series_of(piece).into()))
            }
            Some(Errand::FindPresent(presence)) => presence.call(),
            Some(Errand::SettleCreates { duplicated, .. }) => Some(Call::SettleCreates {
                duplicated: duplicated.clone(),
                first_sent: self.first_sent?,
                sent_before: self.sent_before,
            }),
        }
    }

    /// The piece at hand is done with.
    pub fn next_piece(&mut self) {
        self.pieces.pop_front();
        self.start_piece_afresh();
    }

    /// Puts pieces in the place of the one at hand.
    pub fn replace_piece(&mut self, pieces: impl DoubleEndedIterator<Item = Piece>) {
        self.pieces.pop_front();
        for piece in pieces.rev() {
            if !piece.segments.is_empty() {
                self.pieces.push_front(Arc::new(piece));
            }
        }
        self.start_piece_afresh();
    }

    fn start_piece_afresh(&mut self) {
        self.retry = None;
        self.piece_began = None;
        self.nodes_made = false;
        self.errand = None;
        self.read = Read::default();
    }

    /// Notes what an attempt that failed leaves behind in CDF.
    pub fn note_failure(&mut self, now: Instant, guard: Duration, failure: &AttemptFailure) {
        match failure {
            AttemptFailure::Retry {
                answered, status, ..
            } => {
                // A server that gives up may have done the work: 500, 502, 504.
                let status_is_vague = matches!(status, Some(500 | 502 | 504));
                self.may_be_written |= !answered || status_is_vague;
                if !answered {
                    self.guard_until = Some(now + guard);
                }
            }
            AttemptFailure::Unknown { .. } => self.guard_until = Some(now + guard),
            AttemptFailure::Split { .. }
            | AttemptFailure::Reject { .. }
            | AttemptFailure::Stop { .. } => {}
        }
    }

    /// Whether the piece at hand may be sent again though an attempt may have been carried out:
    /// CDF would refuse to make its rows twice, or overwrites them.
    pub fn is_repeatable(&self) -> bool {
        self.pieces.front().is_none_or(|piece| {
            piece
                .segments
                .iter()
                .all(|segment| match &segment.submission.batch {
                    RowBatch::Objects(batch) => {
                        !batch.key_hashes[segment.rows.clone()].contains(&0)
                    }
                    RowBatch::Datapoints(_) | RowBatch::RawRows(_) => true,
                })
        })
    }

    /// The verdict of rows that are given up for `reason`.
    pub fn given_up(&self, reason: &Diagnostic) -> RowVerdict {
        self.unless_written(reason, RowVerdict::Failed)
    }

    /// The verdict of rows that CDF refused whatever they hold. An unanswered attempt before
    /// may have met with another answer.
    pub fn refused(&self, reason: &Diagnostic) -> RowVerdict {
        self.unless_written(reason, RowVerdict::Rejected)
    }

    fn unless_written(
        &self,
        reason: &Diagnostic,
        verdict: impl FnOnce(Box<Diagnostic>) -> RowVerdict,
    ) -> RowVerdict {
        if !self.may_be_written {
            return verdict(Box::new(reason.clone()));
        }
        let mut unknown = reason.clone();
        unknown.sqlstate = SqlState::STATEMENT_COMPLETION_UNKNOWN;
        let look =
            "An attempt may have been carried out: look in CDF before you send the rows again.";
        unknown.hint = Some(match &reason.hint {
            Some(hint) => format!("{hint} {look}"),
            None => look.to_owned(),
        });
        RowVerdict::Unknown(Box::new(unknown))
    }
}

/// The call that makes the series that `references` name: all nodes, or all by external id.
fn making(references: &[Reference], is_string: bool) -> Call {
    let nodes: Arc<[InstanceName]> = references
        .iter()
        .filter_map(|reference| match reference {
            Reference::InstanceId(instance) => Some((**instance).clone()),
            _ => None,
        })
        .collect();
    if !nodes.is_empty() {
        return Call::MakeNodes { nodes, is_string };
    }
    let external_ids = references
        .iter()
        .filter_map(|reference| match reference {
            Reference::ExternalId(external_id) => Some(external_id.clone()),
            _ => None,
        })
        .collect();
    Call::MakeSeries {
        external_ids,
        is_string,
    }
}
