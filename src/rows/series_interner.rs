//! Series by name: from the bytes of an external id, or an id, to a shared key.
//!
//! Owns the names that one statement has used and, per batch, their place in it. Promises
//! that a name is checked and allocated once per statement, that rows in a repeating order
//! of series cost one comparison each, and that memory is bounded: beyond
//! [`SERIES_MAX`] names it forgets all of them between two batches.

use super::{SeriesKey, SeriesReference};
use foldhash::fast::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Names kept from one batch to the next.
pub const SERIES_MAX: usize = 100_000;

/// A free place in the hash table.
const FREE: u64 = 0;

/// How an entry is named; the bytes of external ids are in one buffer.
#[derive(Clone, Copy, Debug)]
enum Name {
    ExternalId { start: u32, outline: Outline },
    Id(i64),
}

/// The length of a name with its first and its last bytes, which overlap in a short one: all
/// there is to a name of up to 16 bytes, and enough to refute nearly every longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Outline {
    length: u32,
    first: u64,
    last: u64,
}

/// Names up to this length are the same if their outlines are.
const OUTLINED_BYTES: usize = 16;

impl Outline {
    #[inline(always)]
    fn of(name: &[u8]) -> Self {
        let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => (Self::short(name), 0),
        };
        Outline {
            length: name.len() as u32,
            first,
            last,
        }
    }

    /// Fewer than eight bytes as one number.
    fn short(name: &[u8]) -> u64 {
        name.iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[derive(Clone, Debug)]
struct Entry {
    name: Name,
    /// The batch in which `slot` is valid.
    generation: u32,
    slot: u32,
    /// The entry that followed this one last time: the first guess for what follows now.
    successor: u32,
    key: Arc<SeriesKey>,
}

/// The series of one statement.
#[derive(Debug)]
pub struct SeriesInterner {
    hasher: RandomState,
    entries: Vec<Entry>,
    external_ids: Vec<u8>,
    /// Open addressing; the upper half of a place is of the hash, the lower is the entry's
    /// index plus one.
    table: Vec<u64>,
    last: u32,
    generation: u32,
}

impl Default for SeriesInterner {
    fn default() -> Self {
        SeriesInterner {
            hasher: RandomState::default(),
            entries: Vec::new(),
            external_ids: Vec::new(),
            table: vec![FREE; 1024],
            last: 0,
            generation: 1,
        }
    }
}

impl SeriesInterner {
    /// The entry of an external id that has been seen before.
    #[inline(always)]
    pub fn known_external_id(&mut self, name: &[u8]) -> Option<u32> {
        let outline = Outline::of(name);
        let guess = self.guess()?;
        if self.is_external_id(guess, outline, name) {
            self.last = guess;
            return Some(guess);
        }
        self.search_external_id(outline, name)
    }

    #[inline(never)]
    fn search_external_id(&mut self, outline: Outline, name: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        let entry = self.find(hash, |interner, entry| {
            interner.is_external_id(entry, outline, name)
        })?;
        self.follow(entry);
        Some(entry)
    }

    /// The entry of an external id, which the caller has checked if it is new.
    pub fn external_id(&mut self, name: &[u8]) -> u32 {
        if let Some(entry) = self.known_external_id(name) {
            return entry;
        }
        let text = String::from_utf8_lossy(name).into_owned().into_boxed_str();
        let start = self.external_ids.len();
        self.external_ids.extend_from_slice(name);
        let hash = self.hasher.hash_one(name);
        let name = Name::ExternalId {
            start: start as u32,
            outline: Outline::of(name),
        };
        let entry = self.insert(hash, name, SeriesReference::ExternalId(text));
        self.follow(entry);
        entry
    }

    /// The entry of an id, which the caller has checked.
    #[inline]
    pub fn id(&mut self, id: i64) -> u32 {
        if let Some(guess) = self.guess()
            && self.is_id(guess, id)
        {
            self.last = guess;
            return guess;
        }
        let hash = self.hasher.hash_one(id);
        let entry = self
            .find(hash, |interner, entry| interner.is_id(entry, id))
            .unwrap_or_else(|| self.insert(hash, Name::Id(id), SeriesReference::Id(id)));
        self.follow(entry);
        entry
    }

    /// The entry's place in the batch; `open` makes one on its first row.
    #[inline]
    pub fn slot(&mut self, entry: u32, open: impl FnOnce(&Arc<SeriesKey>) -> u32) -> u32 {
        let entry = &mut self.entries[entry as usize];
        if entry.generation != self.generation {
            entry.generation = self.generation;
            entry.slot = open(&entry.key);
        }
        entry.slot
    }

    /// Begins a batch: no entry has a place in it yet.
    pub fn start_batch(&mut self) {
        if self.entries.len() > SERIES_MAX || self.generation == u32::MAX {
            *self = SeriesInterner::default();
        } else {
            self.generation += 1;
        }
    }

    #[inline]
    fn guess(&self) -> Option<u32> {
        self.entries
            .get(self.last as usize)
            .map(|last| last.successor)
    }

    #[inline]
    fn is_external_id(&self, entry: u32, outline: Outline, name: &[u8]) -> bool {
        match self.entries[entry as usize].name {
            Name::ExternalId {
                start,
                outline: known,
            } => {
                known == outline
                    && (name.len() <= OUTLINED_BYTES
                        || self.external_id_bytes(start, known) == name)
            }
            Name::Id(_) => false,
        }
    }

    #[inline]
    fn external_id_bytes(&self, start: u32, outline: Outline) -> &[u8] {
        let start = start as usize;
        &self.external_ids[start..start + outline.length as usize]
    }

    #[inline]
    fn is_id(&self, entry: u32, id: i64) -> bool {
        matches!(self.entries[entry as usize].name, Name::Id(known) if known == id)
    }

    /// Remembers that `entry` followed the last one.
    #[inline]
    fn follow(&mut self, entry: u32) {
        self.entries[self.last as usize].successor = entry;
        self.last = entry;
    }

    #[inline]
    fn find(&self, hash: u64, is_it: impl Fn(&Self, u32) -> bool) -> Option<u32> {
        let mask = self.table.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let found = self.table[place];
            if found == FREE {
                return None;
            }
            let entry = (found as u32) - 1;
            if found >> 32 == hash >> 32 && is_it(self, entry) {
                return Some(entry);
            }
            place = (place + 1) & mask;
        }
    }

    #[cold]
    fn insert(&mut self, hash: u64, name: Name, reference: SeriesReference) -> u32 {
        // At most half full, so that a free place is always near.
        if (self.entries.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        let entry = self.entries.len() as u32;
        self.entries.push(Entry {
            name,
            generation: 0,
            slot: 0,
            successor: entry,
            key: Arc::new(SeriesKey::new(reference)),
        });
        place(&mut self.table, hash, entry);
        entry
    }

    fn grow(&mut self) {
        let mut table = vec![FREE; self.table.len() * 2];
        for (index, entry) in self.entries.iter().enumerate() {
            let hash = match entry.name {
                Name::ExternalId { start, outline } => {
                    self.hasher.hash_one(self.external_id_bytes(start, outline))
                }
                Name::Id(id) => self.hasher.hash_one(id),
            };
            place(&mut table, hash, index as u32);
        }
        self.table = table;
    }
}

/// Puts an entry into the first free place.
fn place(table: &mut [u64], hash: u64, entry: u32) {
    let mask = table.len() - 1;
    let mut place = hash as usize & mask;
    while table[place] != FREE {
        place = (place + 1) & mask;
    }
    table[place] = (hash >> 32) << 32 | u64::from(entry + 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intern(interner: &mut SeriesInterner, name: &str) -> u32 {
        interner.external_id(name.as_bytes())
    }

    #[test]
    fn a_name_keeps_its_entry_in_any_order() {
        let mut interner = SeriesInterner::default();
        let names: Vec<String> = (0..5000).map(|n| format!("series-{n}")).collect();
        let entries: Vec<u32> = names.iter().map(|n| intern(&mut interner, n)).collect();
        for (index, name) in names.iter().enumerate().rev() {
            assert_eq!(intern(&mut interner, name), entries[index]);
        }
        for (index, name) in names.iter().enumerate() {
            assert_eq!(intern(&mut interner, name), entries[index]);
        }
    }

    #[test]
    fn an_id_is_not_an_external_id_of_the_same_bytes() {
        let mut interner = SeriesInterner::default();
        let by_name = intern(&mut interner, "7");
        let by_id = interner.id(7);
        assert_ne!(by_name, by_id);
        assert_eq!(intern(&mut interner, "7"), by_name);
    }

    #[test]
    fn a_series_has_one_place_per_batch() {
        let mut interner = SeriesInterner::default();
        let entry = intern(&mut interner, "a");
        assert_eq!(interner.slot(entry, |_| 5), 5);
        assert_eq!(interner.slot(entry, |_| 6), 5);
        interner.start_batch();
        assert_eq!(interner.slot(entry, |_| 6), 6);
    }

    #[test]
    fn a_name_is_known_once_it_was_given() {
        let mut interner = SeriesInterner::default();
        assert_eq!(interner.known_external_id(b"a"), None);
        let entry = intern(&mut interner, "a");
        assert_eq!(interner.known_external_id(b"a"), Some(entry));
        assert_eq!(interner.known_external_id(b"aa"), None);
    }

    #[test]
    fn names_of_every_length_are_told_apart_by_every_byte() {
        let mut interner = SeriesInterner::default();
        for length in 1..40 {
            let name = vec![b'x'; length];
            interner.external_id(&name);
            for at in 0..length {
                let mut other = name.clone();
                other[at] = b'y';
                assert_eq!(interner.known_external_id(&other), None, "{length} {at}");
            }
            assert!(interner.known_external_id(&name).is_some());
        }
    }
}
