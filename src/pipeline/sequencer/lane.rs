//! Rows that may share a request: those of one identity with one target.
//!
//! Owns the queue of free entries of a lane. Promises that entries leave in the order in
//! which they became free. Never holds an entry that must wait for another.

use super::entries::{Entry, EntryId};
use crate::catalog::Resource;
use crate::cdf::Identity;
use crate::rows::{DatapointValues, RawDestination, RowBatch};
use foldhash::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Where the rows of one request go, beside the resource's endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Numbers and strings go apart: one series under both types would stand twice.
    Doubles,
    Strings,
    Raw(Arc<RawDestination>),
    Objects(&'static str),
}

impl Target {
    pub fn of(batch: &RowBatch) -> Self {
        match batch {
            RowBatch::Datapoints(batch) => match batch.values {
                DatapointValues::Double(_) => Target::Doubles,
                DatapointValues::Text(_) => Target::Strings,
            },
            RowBatch::RawRows(batch) => Target::Raw(batch.destination.clone()),
            RowBatch::Objects(batch) => Target::Objects(batch.table.name),
        }
    }

    /// Whether rows of this target belong to `resource`.
    pub fn is_of(&self, resource: Resource) -> bool {
        match self {
            Target::Doubles | Target::Strings => resource == Resource::Datapoints,
            Target::Raw(_) => resource == Resource::RawRows,
            Target::Objects(_) => {
                matches!(resource, Resource::RawTables | Resource::TimeSeries)
            }
        }
    }
}

/// The queue of one identity and target.
#[derive(Debug)]
pub struct Lane {
    pub identity: Arc<Identity>,
    pub target: Target,
    /// Where its requests wait for their turn.
    pub queue: usize,
    pub free: VecDeque<EntryId>,
    /// Entries in `free` and entries that wait for others.
    pub waiting: usize,
    pub free_rows: usize,
    pub free_bytes: usize,
    /// When the oldest of `free` came.
    pub oldest: Option<Instant>,
    /// Somebody waits for rows in `free`.
    pub urgent: bool,
    /// Entries up to this place in the order of arrival are waited for.
    pub urgent_sequence: u64,
    /// Stands in the sequencer's list of lanes with free entries.
    pub listed: bool,
}

impl Lane {
    /// An entry of this lane has nothing to wait for any more.
    pub fn push(&mut self, id: EntryId, entry: &Entry) {
        self.free.push_back(id);
        self.free_rows += entry.weight.rows;
        self.free_bytes += entry.weight.bytes;
        self.oldest = Some(
            self.oldest
                .map_or(entry.arrived, |at| at.min(entry.arrived)),
        );
        self.urgent |= entry.urgent || entry.sequence <= self.urgent_sequence;
    }

    /// The first free entry leaves.
    pub fn pop(&mut self, entry: &Entry) {
        self.free.pop_front();
        self.free_rows -= entry.weight.rows;
        self.free_bytes -= entry.weight.bytes;
        if self.free.is_empty() {
            self.oldest = None;
            self.urgent = false;
        }
    }
}

/// All lanes of a sequencer.
#[derive(Debug, Default)]
pub struct Lanes {
    lanes: Vec<Option<Lane>>,
    vacant: Vec<usize>,
    by_key: HashMap<(Arc<Identity>, Target), usize>,
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
        queue: impl FnOnce() -> usize,
    ) -> usize {
        if let Some(Some(lane)) = self.lanes.get(self.last)
            && Arc::ptr_eq(&lane.identity, identity)
            && lane.target == target
        {
            return self.last;
        }
        let key = (identity.clone(), target);
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
            queue: queue(),
            free: VecDeque::new(),
            waiting: 0,
            free_rows: 0,
            free_bytes: 0,
            oldest: None,
            urgent: false,
            urgent_sequence: 0,
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
                self.by_key.remove(&(unused.identity, unused.target));
                self.vacant.push(place);
            }
        }
    }
}
