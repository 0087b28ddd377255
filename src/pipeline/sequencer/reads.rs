//! Reads that come before a write: RAW and instances know no change of what exists only.
//!
//! Owns what has been read of a request, and which of its rows are written then. Promises that a
//! key is read and written within one request, so that no other write of it through this gateway
//! comes between; that rows which are not there are skipped, or made where that is what is
//! wanted; and that no more is held of what was read than a request may have, and one round of
//! reads. Never sends.

use super::Sequencer;
use crate::catalog::Resource;
use crate::cdf::{Found, FoundKeys};
use crate::pipeline::attempt::{Call, CallId};
use crate::pipeline::pacing::{EndpointId, Permission, Slot, SlotKind};
use crate::pipeline::segment::{Piece, RowVerdict, Segment};
use crate::rows::{RawAction, RowBatch};
use foldhash::{HashSet, HashSetExt};
use serde_json::value::{RawValue, to_raw_value};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// RAW rows of one request that are read at a time. Each is a call of its own, in a slot of its
/// own.
const READS_TOGETHER: usize = 16;

/// What has been read of the piece at hand.
#[derive(Debug, Default)]
pub struct Read {
    rows: Vec<Option<Box<RawValue>>>,
    bytes: usize,
    /// Where the next page of keys starts.
    cursor: Option<Box<str>>,
    /// Rows of a table that have been deleted.
    deleted: u64,
}

/// The read that comes next of a piece.
pub(super) fn next_read(piece: &Arc<Piece>, read: &Read, resource: Resource) -> Call {
    let begin = read.rows.len();
    let rows = piece.rows() as usize;
    let end = match resource {
        Resource::RawRows => rows.min(begin + READS_TOGETHER),
        _ => rows,
    };
    Call::Read {
        piece: piece.clone(),
        rows: begin..end,
        cursor: read.cursor.clone(),
    }
}

impl Sequencer {
    /// Takes slots and pays for as many reads at a time as pacing allows now; the first one is
    /// paid.
    pub(super) fn widen(
        &mut self,
        now: Instant,
        endpoint: EndpointId,
        call: Call,
    ) -> (Call, Vec<Slot>) {
        let mut slots = Vec::new();
        let Call::Read {
            piece,
            rows,
            cursor,
        } = call
        else {
            return (call, slots);
        };
        let rows = match self.resource {
            Resource::RawRows => {
                while slots.len() + 1 < rows.len()
                    && let Ok(slot) = self.pacing.take_slot(now, endpoint, SlotKind::Bulk)
                    && self.pacing.pay(now, endpoint, 1, 0) == Permission::Granted
                {
                    slots.push(slot);
                }
                rows.start..rows.start + slots.len() + 1
            }
            _ => rows,
        };
        let call = Call::Read {
            piece,
            rows,
            cursor,
        };
        (call, slots)
    }

    /// CDF has told what it has of rows of the piece at hand.
    pub(super) fn found(&mut self, now: Instant, id: CallId, found: Found) {
        let bytes_max = self.bounds.bytes_max;
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return;
        };
        match found {
            Found::Keys(page) => self.found_keys(now, id, &piece, page),
            Found::Rows(rows) => {
                let read = &mut request.read;
                read.bytes += rows
                    .iter()
                    .flatten()
                    .map(|row| row.get().len())
                    .sum::<usize>();
                read.rows.extend(rows);
                let is_whole = read.rows.len() as u64 >= piece.rows();
                if is_whole || read.bytes >= bytes_max {
                    let rows = std::mem::take(&mut read.rows);
                    self.write_found(now, id, &piece, rows);
                } else {
                    request.retry = None;
                    request.piece_began = None;
                    self.enqueue(now, id);
                }
            }
        }
    }

    /// Rows of the piece have been read, from the first one on: those that need nothing get their
    /// verdict, the others are written, and what was not read comes after them.
    fn write_found(
        &mut self,
        now: Instant,
        id: CallId,
        piece: &Arc<Piece>,
        found: Vec<Option<Box<RawValue>>>,
    ) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let action = piece.raw_action();
        let makes = action == Some(RawAction::InsertMissing);
        let upserts = action == Some(RawAction::Upsert);
        let deletes = action == Some(RawAction::DeleteFound);
        let (mut skipped, mut written, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        let mut written_found = Vec::new();
        let mut done: HashSet<(u64, Vec<u8>)> = HashSet::new();
        let mut found = found.into_iter();
        for (segment, row) in rows_of(piece) {
            let part = match found.next() {
                None => &mut rest,
                Some(found) if upserts => {
                    written_found.push(found);
                    &mut written
                }
                // Of two rows that are to be made, the second one is there already.
                Some(None) if makes && done.insert(key_of(segment, row)) => {
                    written_found.push(None);
                    &mut written
                }
                // Of two that are to be deleted, the second one is gone.
                Some(Some(_)) if deletes && !done.insert(key_of(segment, row)) => &mut skipped,
                Some(Some(row)) if !makes => {
                    written_found.push(Some(row));
                    &mut written
                }
                Some(_) => &mut skipped,
            };
            push_row(part, segment, row);
        }
        let mut written = Piece::new(written);
        written.found = Some(Arc::new(Found::Rows(written_found)));
        request.replace_piece([written, Piece::new(rest)].into_iter());
        for segment in skipped {
            self.settle_segment(&segment, &RowVerdict::Skipped);
        }
        self.proceed(now, id);
    }

    /// A page of the keys of a table that is emptied.
    fn found_keys(&mut self, now: Instant, id: CallId, piece: &Arc<Piece>, page: FoundKeys) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        request.retry = None;
        request.piece_began = None;
        request.read.cursor.clone_from(&page.next);
        if !page.keys.is_empty() {
            let mut next = Piece::clone(piece);
            next.found = Some(Arc::new(Found::Keys(page)));
            request.pieces[0] = Arc::new(next);
            self.proceed(now, id);
        } else if page.next.is_some() {
            self.proceed(now, id);
        } else {
            self.table_is_empty(now, id, piece);
        }
    }

    /// A page of keys has been deleted: the next one comes, if there is one. Returns whether it
    /// was such a case.
    pub(super) fn deleted_page(&mut self, now: Instant, id: CallId) -> bool {
        let Some(request) = self.requests.get_mut(&id) else {
            return false;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return false;
        };
        let Some(Found::Keys(page)) = piece.found.as_deref() else {
            return false;
        };
        request.read.deleted += page.keys.len() as u64;
        request.retry = None;
        request.piece_began = None;
        if page.next.is_none() {
            self.table_is_empty(now, id, &piece);
            return true;
        }
        let mut next = Piece::clone(&piece);
        next.found = None;
        request.pieces[0] = Arc::new(next);
        self.proceed(now, id);
        true
    }

    /// All pages have been deleted.
    fn table_is_empty(&mut self, now: Instant, id: CallId, piece: &Arc<Piece>) {
        let Some(request) = self.requests.get(&id) else {
            return;
        };
        // The first statement has emptied it; those that came with it have found nothing.
        let counts = std::iter::once(request.read.deleted).chain(std::iter::repeat(0));
        piece.note_objects(
            counts
                .take(piece.rows() as usize)
                .filter_map(|count| to_raw_value(&count).ok())
                .collect(),
        );
        self.settle_piece(now, id, &RowVerdict::Accepted);
    }

    /// CDF has told for each row of the piece whether there was something to do.
    pub(super) fn told(&mut self, now: Instant, id: CallId, done: &[bool]) {
        let Some(request) = self.requests.get_mut(&id) else {
            return;
        };
        let Some(piece) = request.pieces.front().cloned() else {
            return;
        };
        // An attempt that went unanswered may have done it.
        if request.may_be_written || done.len() as u64 != piece.rows() {
            self.settle_piece(now, id, &RowVerdict::Accepted);
            return;
        }
        let (mut accepted, mut skipped) = (Vec::new(), Vec::new());
        for ((segment, row), done) in rows_of(&piece).zip(done) {
            let part = if *done { &mut accepted } else { &mut skipped };
            push_row(part, segment, row);
        }
        request.next_piece();
        for (segments, verdict) in [
            (accepted, RowVerdict::Accepted),
            (skipped, RowVerdict::Skipped),
        ] {
            for segment in segments {
                self.settle_segment(&segment, &verdict);
            }
        }
        self.proceed(now, id);
    }
}

/// The rows of a piece in their order, each with the segment that it is of.
fn rows_of(piece: &Piece) -> impl Iterator<Item = (&Segment, usize)> {
    piece
        .segments
        .iter()
        .flat_map(|segment| segment.rows.clone().map(move |row| (segment, row)))
}

/// The rows at these places of a piece.
pub fn rows_at(piece: &Piece, places: Range<usize>) -> impl Iterator<Item = (&Segment, usize)> {
    rows_of(piece).skip(places.start).take(places.len())
}

/// Appends a row to segments.
fn push_row(segments: &mut Vec<Segment>, of: &Segment, row: usize) {
    match segments.last_mut() {
        Some(last) if Arc::ptr_eq(&last.submission, &of.submission) && last.rows.end == row => {
            last.rows.end = row + 1;
        }
        _ => segments.push(Segment {
            submission: of.submission.clone(),
            rows: row..row + 1,
        }),
    }
}

/// What names a RAW row within its table.
fn key_of(segment: &Segment, row: usize) -> (u64, Vec<u8>) {
    match &segment.submission.batch {
        RowBatch::RawRows(batch) => (batch.key_hashes[row], batch.keys.bytes(row).to_vec()),
        _ => (0, Vec::new()),
    }
}
