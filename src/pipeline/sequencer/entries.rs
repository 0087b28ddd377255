//! What waits or is on its way, and what must come before what.
//!
//! Owns the entries (a submission, or a slice of one) and the links between them. Promises
//! that an entry stays open until its rows have verdicts and no late write of them can land,
//! and that those who wait for it hear of its end. Never knows keys: claims make the links.

use crate::pipeline::segment::Segment;
use crate::pipeline::weight::Weight;
use crate::rows::ObjectNames;
use foldhash::HashMap;
use std::time::Instant;

/// In the place of a lane and of a connection where an entry is a gate: there are none of these
/// numbers.
const GATE_LANE: usize = usize::MAX;
const GATE_CONNECTION: u64 = u64::MAX - 1;

/// Names an entry for good: the place is used again, the name is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryId {
    place: u32,
    generation: u32,
}

#[cfg(test)]
impl EntryId {
    /// Entries that nobody has made, told apart by their place.
    pub fn at(place: u32) -> Self {
        EntryId {
            place,
            generation: 0,
        }
    }
}

/// One that waits for another.
#[derive(Clone, Copy, Debug)]
struct Successor {
    entry: EntryId,
    /// Both may go in one request, in their order.
    merges: bool,
    /// They share no key, but may mean one object by its two names.
    by_names: bool,
}

/// Rows that travel together.
#[derive(Debug)]
pub struct Entry {
    /// Taken when the rows become part of a request.
    pub segment: Option<Segment>,
    pub lane: usize,
    /// Stands for the RAW table that its rows are of; 0 for others.
    pub table: u64,
    /// By which names its rows call their objects, where those have two.
    pub names: ObjectNames,
    pub connection: u64,
    pub weight: Weight,
    pub arrived: Instant,
    /// Position in the order of arrival.
    pub sequence: u64,
    /// Somebody waits for these rows.
    pub urgent: bool,
    /// Part of a request already, behind those that it waited for.
    pub taken: bool,
    /// Its rows waited for their parents: it holds up nobody but those of its keys.
    lets_names_pass: bool,
    open_predecessors: u32,
    successors: Vec<Successor>,
    /// The cut that `predecessors_in_cut` counts for.
    cut: u64,
    predecessors_in_cut: u32,
}

impl Entry {
    pub fn new(segment: Segment, weight: Weight, lane: usize, arrived: Instant) -> Self {
        Entry {
            connection: segment.submission.connection,
            segment: Some(segment),
            lane,
            weight,
            ..Entry::gate(arrived)
        }
    }

    /// An entry without rows, which stands between those before it and those behind it.
    pub fn gate(now: Instant) -> Self {
        Entry {
            segment: None,
            lane: GATE_LANE,
            table: 0,
            names: ObjectNames::default(),
            connection: GATE_CONNECTION,
            weight: Weight::default(),
            arrived: now,
            sequence: 0,
            urgent: false,
            taken: false,
            lets_names_pass: false,
            open_predecessors: 0,
            successors: Vec::new(),
            cut: 0,
            predecessors_in_cut: 0,
        }
    }

    /// Whether it has never had rows.
    pub fn is_gate(&self) -> bool {
        self.lane == GATE_LANE
    }

    /// Nothing must come before it.
    pub fn is_free(&self) -> bool {
        self.open_predecessors == 0
    }
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    entry: Option<Entry>,
}

/// All open entries of a sequencer.
#[derive(Debug, Default)]
pub struct Entries {
    places: Vec<Place>,
    vacant: Vec<u32>,
    open: usize,
    /// Open entries of each connection.
    by_connection: HashMap<u64, usize>,
    /// Open entries that go by keys where objects have ids too, and by those ids.
    by_key: usize,
    by_id: usize,
}

impl Entries {
    pub fn insert(&mut self, entry: Entry) -> EntryId {
        self.open += 1;
        *self.by_connection.entry(entry.connection).or_default() += 1;
        self.by_key += usize::from(entry.names.by_key);
        self.by_id += usize::from(entry.names.by_id);
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            // 2^32 entries would be terabytes: the memory budget ends far before.
            (self.places.len() - 1) as u32
        });
        let slot = &mut self.places[place as usize];
        slot.entry = Some(entry);
        EntryId {
            place,
            generation: slot.generation,
        }
    }

    pub fn get(&self, id: EntryId) -> Option<&Entry> {
        let place = self.places.get(id.place as usize)?;
        if place.generation == id.generation {
            place.entry.as_ref()
        } else {
            None
        }
    }

    pub fn get_mut(&mut self, id: EntryId) -> Option<&mut Entry> {
        let place = self.places.get_mut(id.place as usize)?;
        if place.generation == id.generation {
            place.entry.as_mut()
        } else {
            None
        }
    }

    /// Entries that are open.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.places.iter().filter_map(|place| place.entry.as_ref())
    }

    /// Whose rows an open entry holds.
    pub fn connection(&self, id: EntryId) -> Option<u64> {
        self.get(id).map(|entry| entry.connection)
    }

    pub fn is_open(&self, id: EntryId) -> bool {
        self.get(id).is_some()
    }

    /// Open entries with rows of that RAW table.
    pub fn of_table(&self, table: u64) -> Vec<EntryId> {
        (0..)
            .zip(&self.places)
            .filter(|(_, place)| {
                place
                    .entry
                    .as_ref()
                    .is_some_and(|entry| entry.table == table)
            })
            .map(|(index, place)| EntryId {
                place: index,
                generation: place.generation,
            })
            .collect()
    }

    /// Open entries of a connection.
    pub fn open_of(&self, connection: u64) -> usize {
        self.by_connection.get(&connection).copied().unwrap_or(0)
    }

    /// Entries that are open.
    pub fn open(&self) -> usize {
        self.open
    }

    /// Whether open entries go by the other name than these.
    pub fn cross(&self, names: ObjectNames) -> bool {
        names.cross(ObjectNames {
            by_key: self.by_key > 0,
            by_id: self.by_id > 0,
        })
    }

    /// Whether an entry is open, and who goes by the other name must wait for it.
    pub fn holds_back(&self, id: EntryId) -> bool {
        self.get(id).is_some_and(|entry| !entry.lets_names_pass)
    }

    /// `later` must not be sent before `earlier` is closed; in one request with it only if
    /// `merges`. Returns whether `earlier` is open at all.
    pub fn link(&mut self, earlier: EntryId, later: EntryId, merges: bool) -> bool {
        self.link_as(
            earlier,
            Successor {
                entry: later,
                merges,
                by_names: false,
            },
        )
    }

    /// The same for entries that may mean one object by its two names.
    pub fn link_names(&mut self, earlier: EntryId, later: EntryId) -> bool {
        self.link_as(
            earlier,
            Successor {
                entry: later,
                merges: false,
                by_names: true,
            },
        )
    }

    /// Undoes the links of [`Self::link_names`] behind an entry, for good, and calls `free` with
    /// each that waited for nothing else.
    pub fn let_names_pass(&mut self, id: EntryId, free: impl FnMut(EntryId)) {
        let Some(entry) = self.get_mut(id) else {
            return;
        };
        entry.lets_names_pass = true;
        let let_go: Vec<Successor> = entry
            .successors
            .extract_if(.., |successor| successor.by_names)
            .collect();
        self.let_go(let_go, free);
    }

    fn link_as(&mut self, earlier: EntryId, successor: Successor) -> bool {
        let Some(entry) = self.get_mut(earlier) else {
            return false;
        };
        // Links to one entry are made in a row, so a repeated one is the last one made.
        if let Some(last) = entry.successors.last_mut()
            && last.entry == successor.entry
        {
            last.merges &= successor.merges;
            last.by_names &= successor.by_names;
            return true;
        }
        entry.successors.push(successor);
        if let Some(later) = self.get_mut(successor.entry) {
            later.open_predecessors += 1;
        }
        true
    }

    /// Notes that `taken` is part of cut number `cut`, and calls `free` with each waiting
    /// entry of its lane that may now follow it into the same request.
    pub fn take_into_cut(&mut self, taken: EntryId, cut: u64, mut free: impl FnMut(EntryId)) {
        let Some(entry) = self.get_mut(taken) else {
            return;
        };
        let lane = entry.lane;
        let successors = std::mem::take(&mut entry.successors);
        for successor in successors.iter().filter(|successor| successor.merges) {
            if let Some(later) = self.get_mut(successor.entry)
                && later.lane == lane
            {
                if later.cut != cut {
                    later.cut = cut;
                    later.predecessors_in_cut = 0;
                }
                later.predecessors_in_cut += 1;
                if later.predecessors_in_cut == later.open_predecessors {
                    free(successor.entry);
                }
            }
        }
        if let Some(entry) = self.get_mut(taken) {
            entry.successors = successors;
        }
    }

    /// Ends an entry and calls `free` with each that waited for nothing else, unless it is in
    /// a request already.
    pub fn close(&mut self, id: EntryId, free: impl FnMut(EntryId)) {
        let Some(place) = self.places.get_mut(id.place as usize) else {
            return;
        };
        if place.generation != id.generation {
            return;
        }
        let Some(entry) = place.entry.take() else {
            return;
        };
        place.generation = place.generation.wrapping_add(1);
        self.vacant.push(id.place);
        self.open -= 1;
        self.by_key -= usize::from(entry.names.by_key);
        self.by_id -= usize::from(entry.names.by_id);
        if let Some(open) = self.by_connection.get_mut(&entry.connection) {
            *open -= 1;
            if *open == 0 {
                self.by_connection.remove(&entry.connection);
            }
        }
        self.let_go(entry.successors, free);
    }

    fn let_go(&mut self, successors: Vec<Successor>, mut free: impl FnMut(EntryId)) {
        for successor in successors {
            if let Some(later) = self.get_mut(successor.entry) {
                later.open_predecessors -= 1;
                if later.is_free() && !later.taken {
                    free(successor.entry);
                }
            }
        }
    }

    /// Takes the rows out of those waiting entries that `is_unwanted` picks. The entries stay,
    /// as links in the chains of their keys.
    /// Each comes with its lane, in the order of their arrival.
    pub fn take_segments(
        &mut self,
        mut is_unwanted: impl FnMut(&Entry, &Segment) -> bool,
    ) -> Vec<(usize, Segment)> {
        let mut taken = Vec::new();
        for entry in self
            .places
            .iter_mut()
            .filter_map(|place| place.entry.as_mut())
        {
            let unwanted = entry
                .segment
                .as_ref()
                .is_some_and(|segment| is_unwanted(entry, segment));
            if unwanted && let Some(segment) = entry.segment.take() {
                taken.push((entry.sequence, entry.lane, segment));
            }
        }
        taken.sort_unstable_by_key(|(sequence, _, _)| *sequence);
        taken
            .into_iter()
            .map(|(_, lane, segment)| (lane, segment))
            .collect()
    }
}
