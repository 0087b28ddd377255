//! Changes of points and sequence rows, before they are sent: which of them CDF has.
//!
//! CDF overwrites what is there and makes what is not, and never tells which. So an UPDATE finds
//! out first which rows exist, and writes those; a DELETE of points finds out which of its series
//! are of its table's type, and, where somebody wants to know, how many points or rows there
//! are. Promises that a row which is none of the table's is skipped, and never sent. The keys are
//! claimed meanwhile, so no other write of the gateway comes between the look and the change.

use super::presence::Presence;
use super::request::Errand;
use super::{Sequencer, Target};
use crate::catalog::Resource;
use crate::cdf::PresentPage;
use crate::pipeline::attempt::CallId;
use crate::pipeline::segment::{Piece, RowVerdict, Segment, Step};
use crate::pipeline::split::{part_by_series, series_of};
use crate::rows::{ActionKind, SeriesKey};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

impl Sequencer {
    /// Notes what has to be found out before the piece at hand is sent. Returns whether the
    /// request has a next call; if not, it goes on by itself.
    pub(super) fn prepare(&mut self, now: Instant, id: CallId) -> bool {
        let resource = self.resource;
        let Some(request) = self.requests.get_mut(&id) else {
            return false;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return true;
        };
        if let Some(Errand::FindPresent(presence)) = &request.errand
            && !Arc::ptr_eq(&presence.piece, &piece)
        {
            // Rows were given up meanwhile.
            request.errand = None;
        }
        if request.errand.is_some() || piece.step != Step::Asked {
            return true;
        }
        let strings = matches!(request.target, Target::PointChanges { strings: true, .. });
        let presence = |counts| Presence::of(piece.clone(), resource, strings, counts);
        match (resource, request.target.action()) {
            (Resource::Datapoints | Resource::SequenceRows, ActionKind::Update) => {
                request.errand = Some(Errand::FindPresent(presence(false)));
                true
            }
            (Resource::Datapoints, ActionKind::Delete) => {
                self.prepare_delete(now, id, &piece, strings)
            }
            (Resource::SequenceRows, ActionKind::Delete) if piece.wants_objects() => {
                request.errand = Some(Errand::FindPresent(presence(true)));
                true
            }
            _ => true,
        }
    }

    /// The series of the other type are none of the table's: they have nothing to delete.
    fn prepare_delete(
        &mut self,
        now: Instant,
        id: CallId,
        piece: &Arc<Piece>,
        strings: bool,
    ) -> bool {
        let Some(request) = self.requests.get_mut(&id) else {
            return false;
        };
        let series = series_of(piece);
        let types = self.names.types(&request.identity, &series, now);
        if types.contains(&None) && !request.types_known {
            request.errand = Some(Errand::CheckTypes);
            return true;
        }
        let others: HashSet<u64> = series
            .iter()
            .zip(types)
            .filter(|(_, is_string)| is_string.is_some_and(|is_string| is_string != strings))
            .map(|(key, _)| key.hash())
            .collect();
        let is_other = |key: &Arc<SeriesKey>| others.contains(&key.hash());
        let (other, rest) = match others.is_empty() {
            true => (Piece::default(), Piece::clone(piece)),
            false => part_by_series(piece, is_other),
        };
        let wants_counts = rest.wants_objects();
        let is_empty = rest.segments.is_empty();
        let rest = match wants_counts {
            true => rest,
            false => rest.by(Step::LookedUp),
        };
        request.replace_piece(std::iter::once(rest));
        if wants_counts && let Some(piece) = request.pieces.front().cloned() {
            let presence = Presence::of(piece, Resource::Datapoints, strings, true);
            request.errand = Some(Errand::FindPresent(presence));
        }
        self.settle(&other, &RowVerdict::Skipped);
        if is_empty {
            self.proceed(now, id);
        }
        !is_empty
    }

    /// The directory knows the types of the series now, as far as there are such series.
    pub(super) fn types_known(&mut self, now: Instant, id: CallId) {
        if let Some(request) = self.requests.get_mut(&id) {
            request.types_known = true;
        }
        self.proceed(now, id);
    }

    /// Takes in what CDF has, and asks on or goes on to the write.
    pub(super) fn present_known(
        &mut self,
        now: Instant,
        id: CallId,
        mut presence: Presence,
        pages: Vec<PresentPage>,
    ) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        presence.absorb(pages);
        if presence.has_questions() {
            request.errand = Some(Errand::FindPresent(presence));
            self.enqueue(now, id);
            return;
        }
        match request.target.action() {
            ActionKind::Update => self.skip_absent(now, id, &presence),
            _ => {
                note_counts(&presence);
                let piece = Piece::clone(&presence.piece).by(Step::LookedUp);
                request.replace_piece(std::iter::once(piece));
                self.proceed(now, id);
            }
        }
    }

    /// An UPDATE goes on with the rows that exist.
    fn skip_absent(&mut self, now: Instant, id: CallId, presence: &Presence) {
        let (mut present, mut absent) = (Vec::new(), Vec::new());
        let mut found = presence.found().iter().map(|found| *found > 0);
        for segment in &presence.piece.segments {
            for row in segment.rows.clone() {
                let part = match found.next() {
                    Some(true) => &mut present,
                    _ => &mut absent,
                };
                push_row(part, segment, row);
            }
        }
        if let Some(request) = self.requests.get_mut(&id) {
            let piece = Piece::new(present).by(Step::LookedUp);
            request.replace_piece(std::iter::once(piece));
        }
        self.settle(&Piece::new(absent), &RowVerdict::Skipped);
        self.proceed(now, id);
    }
}

/// Tells the statements how much of each row there was.
fn note_counts(presence: &Presence) {
    let mut found = presence.found().iter();
    for segment in &presence.piece.segments {
        let submission = &segment.submission;
        let is_wanted = submission.part.wants_objects();
        for row in segment.rows.clone() {
            let count = found.next().copied().unwrap_or(0);
            if is_wanted && let Ok(count) = RawValue::from_string(count.to_string()) {
                let number = submission.batch.row_number(row);
                submission.part.note_object(number, count);
            }
        }
    }
}

fn push_row(part: &mut Vec<Segment>, segment: &Segment, row: usize) {
    match part.last_mut() {
        Some(last)
            if Arc::ptr_eq(&last.submission, &segment.submission) && last.rows.end == row =>
        {
            last.rows.end = row + 1;
        }
        _ => part.push(Segment {
            submission: segment.submission.clone(),
            rows: row..row + 1,
        }),
    }
}
