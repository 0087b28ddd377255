//! When and how rows become a request.
//!
//! Owns the cut: at a bound of a request, when rows have waited `linger_ms`, or at once when
//! somebody waits and a slot is free. Small statements go in requests of their own while bulk
//! loads fill others, and take along what does not delay them. Promises that no request breaks a bound, and that an
//! entry goes into a request only when all that must come before it is done or in front of it
//! in the same request. Never cuts before the budget has room: rows gather instead.

use super::admission::cancelled;
use super::entries::{Entry, EntryId};
use super::lane::{Lane, Part};
use super::request::Request;
use super::upsert::{self, REQUESTS_TOGETHER};
use super::{Sequencer, Stage};
use crate::catalog::{Resource, ResourceKind};
use crate::pipeline::attempt::{Attempt, CallId};
use crate::pipeline::pacing::{Slot, SlotKind};
use crate::pipeline::segment::{Piece, RowVerdict, Segment, Step};
use crate::pipeline::split::{by_database, by_sequence_columns};
use crate::pipeline::weight::{RequestBounds, Weight};
use crate::rows::{ActionKind, RowBatch};
use foldhash::{HashSet, HashSetExt};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

impl Sequencer {
    /// Cuts requests from all lanes whose time has come, one from each in turn.
    pub(super) fn cut_due_lanes(&mut self, now: Instant, calls: &mut Vec<Attempt>) {
        self.linger_ends = None;
        let linger = Duration::from_millis(self.batch.linger_ms);
        let mut passed_over = 0;
        while passed_over < self.listed.len() {
            let Some(place) = self.listed.pop_front() else {
                return;
            };
            let Some(lane) = self.lanes.get_mut(place) else {
                continue;
            };
            if !lane.has_free() {
                lane.listed = false;
                continue;
            }
            self.listed.push_back(place);
            passed_over += 1;
            let lingers_until = lane.oldest.unwrap_or(now) + linger;
            let bulk_is_due = !lane.bulk.turns.is_empty()
                && (self.flushing
                    || lane.urgent
                    || lingers_until <= now
                    || is_full(
                        lane,
                        self.resource,
                        &bounds_of(lane.target.action(), &self.bounds, self.resource),
                    ));
            let wanted = lane.wanted(bulk_is_due);
            if wanted.is_empty() {
                let ends = self.linger_ends.get_or_insert(lingers_until);
                *ends = lingers_until.min(*ends);
                continue;
            }
            if self.cut_one_of(now, place, wanted, calls) {
                passed_over = 0;
            }
        }
    }

    /// Cuts the first of `wanted` for which there is a slot.
    fn cut_one_of(
        &mut self,
        now: Instant,
        place: usize,
        wanted: &[(Part, SlotKind)],
        calls: &mut Vec<Attempt>,
    ) -> bool {
        for (part, kind) in wanted {
            let Some(queue) = self.lanes.get_mut(place).map(|lane| lane.queue) else {
                return false;
            };
            let state = self.queues.of(queue);
            if !state.waiting.is_empty() {
                return false;
            }
            match self.pacing.take_slot(now, state.endpoint, *kind) {
                Err(wait) => state.note(wait),
                Ok(slot) => {
                    if let Some(id) = self.cut(now, place, *part, slot) {
                        self.enqueue(now, id);
                        // Something may have to be looked up first.
                        let queue = self.queue_of(id).unwrap_or(queue);
                        self.grant(now, queue, calls);
                    }
                    return true;
                }
            }
        }
        false
    }

    /// Makes a request of the first rows of a lane; `None` when nobody wants them any more.
    fn cut(&mut self, now: Instant, place: usize, part: Part, slot: Slot) -> Option<CallId> {
        let number = self.next_cut;
        self.next_cut += 1;
        let action = self.lanes.get_mut(place)?.target.action();
        let mut bounds = self.bounds_of(action);
        if action == ActionKind::Upsert {
            bounds.items_max *= REQUESTS_TOGETHER;
            bounds.bytes_max *= REQUESTS_TOGETHER;
        }
        let mut fill = Fill::default();
        let mut members = Vec::new();
        let mut segments = Vec::new();
        let mut followers: VecDeque<EntryId> = VecDeque::new();
        loop {
            let lane = self.lanes.get_mut(place)?;
            let small = match part {
                Part::Small | Part::All => lane.small.turns.front(),
                Part::Bulk => None,
            };
            let bulk = match part {
                Part::Bulk | Part::All => lane.bulk.turns.front(),
                Part::Small => None,
            };
            let Some(id) = small.or(bulk).or_else(|| followers.front().copied()) else {
                break;
            };
            let entry = self
                .entries
                .get_mut(id)
                .expect("an entry is closed only after it has left its queue for a request");
            if !fill.takes(entry, &segments, self.resource, &bounds) {
                break;
            }
            if small.is_some() {
                lane.pop_small(entry);
            } else if bulk.is_some() {
                lane.pop_bulk(entry);
            } else {
                followers.pop_front();
            }
            lane.waiting -= 1;
            self.meters.queue_rows.decrement(entry.weight.rows as f64);
            entry.taken = true;
            let weight = entry.weight;
            match entry.segment.take() {
                Some(segment) if segment.submission.part.is_aborted() => {
                    self.settle_segment(&segment, &RowVerdict::Failed(cancelled()));
                }
                Some(segment) => {
                    fill.add(&weight, &segment);
                    segments.push(segment);
                }
                None => {}
            }
            // An entry that nobody wants stays a link in the chain of its keys until those
            // before it are done: with no rows it costs the request nothing.
            self.entries
                .take_into_cut(id, number, |free| followers.push_back(free));
            members.push(id);
        }
        if segments.is_empty() {
            for id in members {
                self.close(id);
            }
            return None;
        }
        let piece = Piece {
            weight: fill.weight(),
            step: Step::Asked,
            found: None,
            segments,
        };
        self.meters.request_rows.record(piece.weight.rows as f64);
        let pieces = match (action, self.resource) {
            (ActionKind::Upsert, _) => {
                let changes = self.bounds_of(ActionKind::Update);
                upsert::pieces(piece.segments, &changes, &self.bounds)
            }
            (_, Resource::RawTables) => by_database(&piece),
            (_, Resource::SequenceRows) => by_sequence_columns(&piece),
            _ => vec![piece],
        };
        let id = self.new_call_id();
        let lane = self.lanes.get_mut(place)?;
        lane.small_went_last = part != Part::Bulk;
        let request = Request::new(
            lane.identity.clone(),
            lane.target.clone(),
            lane.queue,
            slot,
            members,
            pieces.into_iter(),
            now,
        );
        debug_assert_eq!(request.stage, Stage::Queued);
        self.requests.insert(id, request);
        Some(id)
    }

    /// The bounds of a request that does `action`.
    pub(super) fn bounds_of(&self, action: ActionKind) -> RequestBounds {
        bounds_of(action, &self.bounds, self.resource)
    }

    /// Ends an entry; those that waited for it alone become free.
    pub(super) fn close(&mut self, id: EntryId) {
        let mut freed = Vec::new();
        self.entries.close(id, |free| freed.push(free));
        self.free_all(freed);
    }

    /// Entries wait for nothing any more. Gates have no rows: they end at once.
    pub(super) fn free_all(&mut self, mut freed: Vec<EntryId>) {
        let mut place = 0;
        while let Some(id) = freed.get(place).copied() {
            place += 1;
            if self.entries.get(id).is_some_and(Entry::is_gate) {
                self.entries.close(id, |free| freed.push(free));
            } else {
                self.push_free(id);
            }
        }
    }
}

/// Objects that CDF changes or deletes in one call, whatever it takes of new ones: 1000 of nearly
/// all, by its API reference. Of RAW rows it publishes no figure for deletes; Cognite's extractors
/// delete 1000 at a time, and that is enough to hold of rows that are read before they change.
const CHANGES_MAX: usize = 1000;

/// The bounds of a request that does `action`.
pub(super) fn bounds_of(
    action: ActionKind,
    creates: &RequestBounds,
    resource: Resource,
) -> RequestBounds {
    match (action, resource) {
        (
            ActionKind::CreateMissing | ActionKind::Update | ActionKind::Delete,
            Resource::RawRows,
        ) => RequestBounds {
            items_max: creates.items_max.min(CHANGES_MAX),
            ..*creates
        },
        (ActionKind::Create | ActionKind::CreateMissing, _)
        | (
            _,
            Resource::Datapoints
            | Resource::SequenceRows
            | Resource::DataSets
            | Resource::RawTables,
        ) => *creates,
        (ActionKind::Upsert | ActionKind::Update | ActionKind::Delete, _) => RequestBounds {
            items_max: creates.items_max.max(CHANGES_MAX),
            ..*creates
        },
    }
}

/// Whether a lane holds as much as one request takes. Distinct series are not counted here:
/// that would cost a look at each, and the cut does it when it matters.
fn is_full(lane: &Lane, resource: Resource, bounds: &RequestBounds) -> bool {
    let rows_max = match resource.kind() {
        ResourceKind::Datapoints if lane.target.action() == ActionKind::Delete => bounds.items_max,
        ResourceKind::Datapoints => bounds.points_max,
        ResourceKind::RawRows | ResourceKind::Objects => bounds.items_max,
    };
    lane.bulk.rows >= rows_max || lane.bulk.bytes >= bounds.bytes_max
}

/// How full the request at hand is.
#[derive(Debug, Default)]
struct Fill {
    rows: usize,
    bytes: usize,
    /// Items, where entries share a series counted again for each.
    items: usize,
    /// The distinct series, once `items` alone would have ended the request.
    series: Option<HashSet<u64>>,
}

impl Fill {
    /// Whether the entry fits as well. The first one always does.
    fn takes(
        &mut self,
        entry: &Entry,
        taken: &[Segment],
        resource: Resource,
        bounds: &RequestBounds,
    ) -> bool {
        if self.rows == 0 {
            return true;
        }
        let weight = &entry.weight;
        if self.bytes + weight.bytes > bounds.bytes_max {
            return false;
        }
        match resource.kind() {
            ResourceKind::Datapoints if deletes_points(entry) => {
                self.items + weight.items <= bounds.items_max
            }
            ResourceKind::Datapoints => {
                self.rows + weight.rows <= bounds.points_max
                    && (self.items + weight.items <= bounds.items_max
                        || self.series_with(entry, taken) <= bounds.items_max)
            }
            ResourceKind::RawRows | ResourceKind::Objects => {
                self.items + weight.items <= bounds.items_max
            }
        }
    }

    fn add(&mut self, weight: &Weight, segment: &Segment) {
        self.rows += weight.rows;
        self.bytes += weight.bytes;
        match &mut self.series {
            Some(series) => {
                series.extend(series_hashes(segment));
                self.items = series.len();
            }
            None => self.items += weight.items,
        }
    }

    /// Distinct series if the entry were taken.
    fn series_with(&mut self, entry: &Entry, taken: &[Segment]) -> usize {
        let series = self
            .series
            .get_or_insert_with(|| taken.iter().flat_map(series_hashes).collect());
        self.items = series.len();
        let more = match &entry.segment {
            Some(segment) => {
                let mut new: HashSet<u64> = HashSet::new();
                new.extend(series_hashes(segment).filter(|hash| !series.contains(hash)));
                new.len()
            }
            None => 0,
        };
        series.len() + more
    }

    fn weight(&self) -> Weight {
        Weight {
            rows: self.rows,
            items: self.items,
            bytes: self.bytes,
        }
    }
}

/// Whether an entry deletes points: each of its rows is an item of a request, though they share
/// series.
fn deletes_points(entry: &Entry) -> bool {
    let batch = entry
        .segment
        .as_ref()
        .map(|segment| &segment.submission.batch);
    matches!(batch, Some(RowBatch::Datapoints(batch)) if batch.action == ActionKind::Delete)
}

/// The series of a segment, by hash; those of the whole batch where it is the batch.
fn series_hashes(segment: &Segment) -> Box<dyn Iterator<Item = u64> + '_> {
    match &segment.submission.batch {
        RowBatch::Datapoints(batch) if segment.rows.len() == batch.timestamps_ms.len() => {
            Box::new(batch.series.iter().map(|series| series.hash()))
        }
        RowBatch::Datapoints(batch) => Box::new(
            batch.series_index[segment.rows.clone()]
                .iter()
                .map(|index| batch.series[*index as usize].hash()),
        ),
        RowBatch::RawRows(_) | RowBatch::Objects(_) => Box::new(std::iter::empty()),
    }
}
