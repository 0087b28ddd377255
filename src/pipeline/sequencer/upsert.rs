//! Upserts, which CDF does not have: changing what exists, making what does not.
//!
//! Owns the choice of the first way and the rows that need the other one. Promises that rows
//! turned away from one way gather before they are sent the other way, so that a load in which
//! half of the rows are new costs two requests for each one that an all-new load costs; and an
//! end, where others make and delete the same objects meanwhile. Never takes a way that was not
//! refused a row.

use super::Sequencer;
use crate::cdf::Reference;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::attempt::CallId;
use crate::pipeline::segment::{Piece, RowVerdict, Segment, Step};
use crate::pipeline::split::{Parted, take_out};
use crate::pipeline::weight::{RequestBounds, Weight};
use crate::rows::{ActionKind, RowBatch};
use std::sync::Arc;
use std::time::Instant;

/// Times that rows of one request are sent the other way.
const TURNS_MAX: u32 = 6;

/// Requests' worth of rows that are cut together, so that those that must go the other way fill
/// requests of their own.
pub(super) const REQUESTS_TOGETHER: usize = 8;

/// Rows that go another way than they went.
#[derive(Debug, Default)]
pub struct Turned {
    make: Vec<Segment>,
    change: Vec<Segment>,
    turns: u32,
    /// What CDF said of the last of them.
    reason: Option<Box<Diagnostic>>,
}

impl Turned {
    pub fn is_empty(&self) -> bool {
        self.make.is_empty() && self.change.is_empty()
    }

    /// All of them, for one verdict.
    pub fn take(&mut self) -> impl Iterator<Item = Segment> {
        let turned = std::mem::take(self);
        turned.make.into_iter().chain(turned.change)
    }
}

/// The rows of an upsert as pieces of one request each. Rows without a key can only be made.
pub(super) fn pieces(
    segments: Vec<Segment>,
    changes: &RequestBounds,
    makes: &RequestBounds,
) -> Vec<Piece> {
    let (mut keyed, mut keyless) = (Vec::new(), Vec::new());
    for segment in segments {
        let RowBatch::Objects(batch) = &segment.submission.batch else {
            continue;
        };
        let mut start = segment.rows.start;
        while start < segment.rows.end {
            let is_keyless = batch.key_hashes[start] == 0;
            let end = (start + 1..segment.rows.end)
                .find(|row| (batch.key_hashes[*row] == 0) != is_keyless)
                .unwrap_or(segment.rows.end);
            let run = Segment {
                submission: segment.submission.clone(),
                rows: start..end,
            };
            if is_keyless {
                keyless.push(run);
            } else {
                keyed.push(run);
            }
            start = end;
        }
    }
    let mut pieces = cut_to_bounds(keyed, Step::Asked, changes);
    pieces.extend(cut_to_bounds(keyless, Step::Make, makes));
    pieces
}

/// Segments as pieces that keep the bounds of a request.
pub(super) fn cut_to_bounds(
    segments: Vec<Segment>,
    step: Step,
    bounds: &RequestBounds,
) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut open: Vec<Segment> = Vec::new();
    let mut weight = Weight::default();
    for segment in segments {
        let mut rows = segment.rows.clone();
        while !rows.is_empty() {
            let own = Weight::of_rows(&segment.submission.batch, rows.clone());
            let row_bytes = (own.bytes / own.rows.max(1)).max(1);
            let fit = (bounds.items_max.saturating_sub(weight.items))
                .min(bounds.bytes_max.saturating_sub(weight.bytes) / row_bytes);
            let fit = if open.is_empty() { fit.max(1) } else { fit };
            if fit == 0 {
                pieces.push(Piece::new(std::mem::take(&mut open)).by(step));
                weight = Weight::default();
                continue;
            }
            let end = rows.end.min(rows.start + fit);
            weight += Weight::of_rows(&segment.submission.batch, rows.start..end);
            open.push(Segment {
                submission: segment.submission.clone(),
                rows: rows.start..end,
            });
            rows.start = end;
        }
    }
    if !open.is_empty() {
        pieces.push(Piece::new(open).by(step));
    }
    pieces
}

impl Sequencer {
    /// Chooses how the piece at hand is written, if it is an upsert's first attempt.
    pub(super) fn decide_step(&mut self, id: CallId) {
        let step = self.upserts_begin;
        let bounds = self.bounds;
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return;
        };
        if piece.step != Step::Asked || piece.action() != ActionKind::Upsert {
            return;
        }
        // A create may take fewer objects than a change: one file.
        let is_too_large = step == Step::Make && piece.weight.items > bounds.items_max;
        let pieces = match is_too_large {
            true => cut_to_bounds(piece.segments.clone(), step, &bounds),
            false => vec![Piece::clone(&piece).by(step)],
        };
        request.replace_piece(pieces.into_iter());
    }

    /// CDF named rows of an upsert that need the other way: those, and the rest of their piece,
    /// go on when the other pieces have been tried. Returns whether it was such a case.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        id: CallId,
        missing: &[Reference],
        duplicated: &[Reference],
        reason: &Diagnostic,
    ) -> bool {
        let Some(request) = self.requests.get_mut(&id) else {
            return false;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return false;
        };
        // What a row points at is another thing than what it writes.
        let missing: Vec<Reference> = missing
            .iter()
            .filter(|reference| matches!(reference, Reference::Id(_) | Reference::ExternalId(_)))
            .cloned()
            .collect();
        let references = match piece.step {
            Step::Change if !missing.is_empty() => &missing,
            Step::Make if !duplicated.is_empty() && piece.action() == ActionKind::Upsert => {
                duplicated
            }
            _ => return false,
        };
        let Parted { named, rest } = take_out(&piece, references);
        if named.is_empty() {
            return false;
        }
        let named: Vec<Segment> = named.into_iter().map(|(segment, _)| segment).collect();
        let named_count: u64 = named.iter().map(Segment::rows).sum();
        let (other, make_named) = match piece.step {
            Step::Change => (Step::Make, true),
            _ => (Step::Change, false),
        };
        // Most rows needed the other way: those that come will, too.
        if named_count * 2 > piece.rows() {
            self.upserts_begin = other;
        }
        let Some(request) = self.requests.get_mut(&id) else {
            return true;
        };
        request.next_piece();
        let turned = &mut request.turned;
        if make_named {
            turned.make.extend(named);
            turned.change.extend(rest.segments);
        } else {
            turned.change.extend(named);
            turned.make.extend(rest.segments);
        }
        turned.reason = Some(Box::new(reason.clone()));
        self.proceed(now, id);
        true
    }

    /// All pieces have been tried: what was turned away goes the other way.
    pub(super) fn take_turned(&mut self, id: CallId) {
        let (makes, changes) = (self.bounds, self.bounds_of(ActionKind::Update));
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        if request.turned.is_empty() {
            return;
        }
        let mut turned = std::mem::take(&mut request.turned);
        if turned.turns >= TURNS_MAX {
            let mut reason = turned.reason.take().unwrap_or_else(|| {
                Box::new(Diagnostic::error(SqlState::UNIQUE_VIOLATION, String::new()))
            });
            reason.sqlstate = SqlState::UNIQUE_VIOLATION;
            reason.message =
                "others made and deleted the object again and again while it was to be written"
                    .to_owned();
            let verdict = RowVerdict::Rejected(reason);
            for segment in turned.take() {
                self.settle_segment(&segment, &verdict);
            }
            return;
        }
        request.turned.turns = turned.turns + 1;
        let change = cut_to_bounds(turned.change, Step::Change, &changes);
        let make = cut_to_bounds(turned.make, Step::Make, &makes);
        for piece in change.into_iter().chain(make) {
            request.pieces.push_back(Arc::new(piece));
        }
    }
}
