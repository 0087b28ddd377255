//! Rows that may share a request: those of one identity with one target, and of one mode of
//! acknowledgement.
//!
//! Owns the free entries of a lane: small statements that somebody waits for, and everything
//! else, each shared fairly by connections. Promises that entries of one connection leave in
//! the order in which they became free. Never holds an entry that must wait for another.

use super::entries::{Entry, EntryId};
use super::turns::Turns;
use crate::catalog::{Resource, ResourceKind, RowShape, durable_name};
use crate::cdf::Identity;
use crate::pipeline::pacing::SlotKind;
use crate::rows::{ActionKind, ObjectNames, RawAction, RawDestination, RowBatch};
use foldhash::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Where the rows of one request go, beside the resource's endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Numbers and strings go apart: one series under both types would stand twice.
    Doubles,
    Strings,
    /// Points that are changed or deleted, and whether the table is one of strings.
    PointChanges {
        strings: bool,
        action: ActionKind,
    },
    Raw(Arc<RawDestination>, RawAction),
    /// By the table's name, or the definition of a view's table, what is done with its rows, and
    /// by which names: CDF refuses a request that holds one object under two.
    Objects(&'static str, ActionKind, ObjectNames),
}

impl Target {
    pub fn of(batch: &RowBatch) -> Self {
        match batch {
            RowBatch::Datapoints(batch) => {
                let strings = batch.table.shape == RowShape::StringDatapoints;
                match batch.action {
                    ActionKind::Update | ActionKind::Delete => Target::PointChanges {
                        strings,
                        action: batch.action,
                    },
                    _ if strings => Target::Strings,
                    _ => Target::Doubles,
                }
            }
            RowBatch::RawRows(batch) => Target::Raw(batch.destination.clone(), batch.action),
            RowBatch::Objects(batch) => {
                // Two views under one name, as a table was made anew, are two targets.
                let (_, name) = durable_name(batch.table);
                Target::Objects(name, batch.action.kind(), batch.names())
            }
        }
    }

    /// Whether rows of this target belong to `resource`.
    pub fn is_of(&self, resource: Resource) -> bool {
        match self {
            Target::Doubles | Target::Strings | Target::PointChanges { .. } => {
                resource == Resource::Datapoints
            }
            Target::Raw(..) => resource == Resource::RawRows,
            Target::Objects(..) => resource.kind() == ResourceKind::Objects,
        }
    }

    /// What is done with the rows.
    pub fn action(&self) -> ActionKind {
        match self {
            Target::Doubles | Target::Strings => ActionKind::Create,
            Target::Raw(_, action) => action.kind(),
            Target::Objects(_, action, _) | Target::PointChanges { action, .. } => *action,
        }
    }

    /// By which names the rows call their objects, where those have two.
    pub fn names(&self) -> ObjectNames {
        match self {
            Target::Objects(_, _, names) => *names,
            _ => ObjectNames::default(),
        }
    }
}

/// The most bytes of an entry that counts as small: a request of it takes CDF no longer than
/// an empty one.
const SMALL_BYTES: usize = 64 << 10;

/// What of a lane goes into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Small,
    Bulk,
    /// Small entries first, then the others.
    All,
}

/// Free entries of one kind, and what they weigh.
#[derive(Debug, Default)]
pub struct Heap {
    pub turns: Turns,
    pub rows: usize,
    pub bytes: usize,
}

impl Heap {
    fn push(&mut self, id: EntryId, entry: &Entry) {
        self.turns.push(entry.connection, id, entry.weight.bytes);
        self.rows += entry.weight.rows;
        self.bytes += entry.weight.bytes;
    }

    fn pop(&mut self, entry: &Entry) {
        self.turns.pop();
        self.rows -= entry.weight.rows;
        self.bytes -= entry.weight.bytes;
    }
}

/// The queue of one identity and target.
#[derive(Debug)]
pub struct Lane {
    pub identity: Arc<Identity>,
    pub target: Target,
    /// Its rows come from the journal: they have been acknowledged, and are never given up.
    pub is_journaled: bool,
    /// Where its requests wait for their turn.
    pub queue: usize,
    /// A few rows each, that somebody waits for.
    pub small: Heap,
    /// All other free entries.
    pub bulk: Heap,
    /// Free entries and entries that wait for others.
    pub waiting: usize,
    /// When the oldest of `bulk` came.
    pub oldest: Option<Instant>,
    /// Somebody waits for rows in `bulk`.
    pub urgent: bool,
    /// Entries up to this place in the order of arrival are waited for.
    pub urgent_sequence: u64,
    /// The request before was one of small entries: bulk is next.
    pub small_went_last: bool,
    /// Stands in the sequencer's list of lanes with free entries.
    pub listed: bool,
}

impl Lane {
    /// An entry of this lane has nothing to wait for any more.
    pub fn push(&mut self, id: EntryId, entry: &Entry) {
        let urgent = entry.urgent || entry.sequence <= self.urgent_sequence;
        // The end of a bulk load is not small: who waits for it waits for all of it.
        if urgent && entry.weight.bytes <= SMALL_BYTES && !self.bulk.turns.has(entry.connection) {
            self.small.push(id, entry);
            return;
        }
        self.bulk.push(id, entry);
        self.oldest = Some(
            self.oldest
                .map_or(entry.arrived, |at| at.min(entry.arrived)),
        );
        self.urgent |= urgent;
    }

    /// The small entry whose turn it is leaves.
    pub fn pop_small(&mut self, entry: &Entry) {
        self.small.pop(entry);
    }

    /// The bulk entry whose turn it is leaves.
    pub fn pop_bulk(&mut self, entry: &Entry) {
        self.bulk.pop(entry);
        if self.bulk.turns.is_empty() {
            self.oldest = None;
            self.urgent = false;
        }
    }

    pub fn has_free(&self) -> bool {
        !self.small.turns.is_empty() || !self.bulk.turns.is_empty()
    }

    /// What of the lane should go into requests now, the most wanted first.
    pub fn wanted(&self, bulk_is_due: bool) -> &'static [(Part, SlotKind)] {
        const SMALL: (Part, SlotKind) = (Part::Small, SlotKind::Small);
        const BULK: (Part, SlotKind) = (Part::Bulk, SlotKind::Bulk);
        let has_small = !self.small.turns.is_empty();
        // As few bytes as one small entry may have: nobody loses time.
        if has_small && self.small.bytes + self.bulk.bytes <= SMALL_BYTES {
            return &[(Part::All, SlotKind::Small)];
        }
        match (has_small, bulk_is_due) {
            (false, false) => &[],
            (false, true) => &[BULK],
            (true, false) => &[SMALL],
            (true, true) if self.small_went_last => &[BULK, SMALL],
            (true, true) => &[SMALL, BULK],
        }
    }
}

/// All lanes of a sequencer.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: Vec<Option<Lane>>,
    vacant: Vec<usize>,
    by_key: HashMap<(Arc<Identity>, Target, bool), usize>,
    /// Where the rows before went, and nearly always the next do too.
    last: usize,
}

/// Look for lanes that nobody uses when there are more than this.
const LANES_KEPT: usize = 64;

impl Lanes {
    /// The lane of these rows; made, with the queue that `queue` tells, if it is new.
    pub fn find_or_make(
        &mut self,
        identity: &Arc<Identity>,
        target: Target,
        is_journaled: bool,
        queue: impl FnOnce() -> usize,
    ) -> usize {
        if let Some(Some(lane)) = self.lanes.get(self.last)
            && Arc::ptr_eq(&lane.identity, identity)
            && lane.is_journaled == is_journaled
            && lane.target == target
        {
            return self.last;
        }
        let key = (identity.clone(), target, is_journaled);
        if let Some(lane) = self.by_key.get(&key) {
            self.last = *lane;
            return *lane;
        }
        if self.by_key.len() >= LANES_KEPT && self.by_key.len() >= 2 * self.in_use() {
            self.forget_unused();
        }
        let lane = Lane {
            identity: key.0.clone(),
            target: key.1.clone(),
            is_journaled,
            queue: queue(),
            small: Heap::default(),
            bulk: Heap::default(),
            waiting: 0,
            oldest: None,
            urgent: false,
            urgent_sequence: 0,
            small_went_last: false,
            listed: false,
        };
        let place = match self.vacant.pop() {
            Some(place) => {
                self.lanes[place] = Some(lane);
                place
            }
            None => {
                self.lanes.push(Some(lane));
                self.lanes.len() - 1
            }
        };
        self.by_key.insert(key, place);
        self.last = place;
        place
    }

    pub fn get_mut(&mut self, place: usize) -> Option<&mut Lane> {
        self.lanes.get_mut(place)?.as_mut()
    }

    /// All places, the vacant ones too.
    pub fn places(&self) -> impl Iterator<Item = Option<&Lane>> {
        self.lanes.iter().map(Option::as_ref)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Lane> {
        self.lanes.iter_mut().flatten()
    }

    fn in_use(&self) -> usize {
        self.lanes
            .iter()
            .flatten()
            .filter(|lane| lane.waiting > 0 || lane.listed)
            .count()
    }

    fn forget_unused(&mut self) {
        for (place, lane) in self.lanes.iter_mut().enumerate() {
            if lane
                .as_ref()
                .is_some_and(|lane| lane.waiting == 0 && !lane.listed)
                && let Some(unused) = lane.take()
            {
                self.by_key
                    .remove(&(unused.identity, unused.target, unused.is_journaled));
                self.vacant.push(place);
            }
        }
    }
}
