//! Series by name: from the bytes of an external id, an id or the two parts of an instance id to
//! a shared key.
//!
//! Owns the names that one statement has used and, per batch, their place in it. The parts of an
//! instance id are entries of their own, which become series only where a row means them so. Promises
//! that a name is checked and allocated once per statement, that rows in a repeating order
//! of series cost one comparison each, and that memory is bounded: beyond
//! [`SERIES_MAX`] names it forgets all of them between two batches.

use super::{SeriesKey, SeriesReference};
use foldhash::fast::RandomState;
use std::borrow::Cow;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Names kept from one batch to the next.
pub const SERIES_MAX: usize = 100_000;

/// A free place in the hash table.
const FREE: u64 = 0;

/// How an entry is named; the bytes of texts are in one buffer.
#[derive(Clone, Copy, Debug)]
enum Name {
    /// An external id, or the space of an instance.
    Text {
        start: u32,
        outline: Outline,
    },
    Id(i64),
    /// By the entries of its parts.
    Instance {
        space: u32,
        external_id: u32,
    },
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
    /// Made with the first row that means it.
    key: Option<Arc<SeriesKey>>,
}

/// The series of one statement.
#[derive(Debug)]
pub struct SeriesInterner {
    hasher: RandomState,
    entries: Vec<Entry>,
    texts: Vec<u8>,
    /// Open addressing; the upper half of a place is of the hash, the lower is the entry's
    /// index plus one.
    table: Vec<u64>,
    last: u32,
    /// The space of the last instance: nearly always that of the next one, too.
    last_space: Option<u32>,
    generation: u32,
}

impl Default for SeriesInterner {
    fn default() -> Self {
        SeriesInterner {
            hasher: RandomState::default(),
            entries: Vec::new(),
            texts: Vec::new(),
            table: vec![FREE; 1024],
            last: 0,
            last_space: None,
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
        if self.is_text(guess, outline, name) {
            self.last = guess;
            return Some(guess);
        }
        self.search_text(outline, name)
    }

    #[inline(never)]
    fn search_text(&mut self, outline: Outline, name: &[u8]) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        let entry = self.find(hash, |interner, entry| {
            interner.is_text(entry, outline, name)
        })?;
        self.follow(entry);
        Some(entry)
    }

    /// The entry of an external id, which the caller has checked if it is new.
    pub fn external_id(&mut self, name: &[u8]) -> u32 {
        if let Some(entry) = self.known_external_id(name) {
            return entry;
        }
        let entry = self.insert_text(name);
        self.follow(entry);
        entry
    }

    /// The entry of a space that has been seen before.
    #[inline]
    pub fn known_space(&mut self, name: &[u8]) -> Option<u32> {
        let outline = Outline::of(name);
        if let Some(last) = self.last_space
            && self.is_text(last, outline, name)
        {
            return Some(last);
        }
        let hash = self.hasher.hash_one(name);
        // Spaces stand beside the order of series: what follows what stays as it is.
        self.last_space = self.find(hash, |interner, entry| {
            interner.is_text(entry, outline, name)
        });
        self.last_space
    }

    /// The entry of a space, which the caller has checked if it is new.
    pub fn space(&mut self, name: &[u8]) -> u32 {
        if let Some(entry) = self.known_space(name) {
            return entry;
        }
        let entry = self.insert_text(name);
        self.last_space = Some(entry);
        entry
    }

    /// The entry of the instance with these parts.
    #[inline]
    pub fn instance_id(&mut self, space: u32, external_id: u32) -> u32 {
        if let Some(guess) = self.guess()
            && self.is_instance(guess, space, external_id)
        {
            self.last = guess;
            return guess;
        }
        let hash = self.hasher.hash_one((space, external_id));
        let entry = self
            .find(hash, |interner, entry| {
                interner.is_instance(entry, space, external_id)
            })
            .unwrap_or_else(|| self.insert(hash, Name::Instance { space, external_id }));
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
            .unwrap_or_else(|| self.insert(hash, Name::Id(id)));
        self.follow(entry);
        entry
    }

    /// The entry's place in the batch; `open` makes one on its first row.
    #[inline]
    pub fn slot(&mut self, entry: u32, open: impl FnOnce(&Arc<SeriesKey>) -> u32) -> u32 {
        let found = &self.entries[entry as usize];
        if found.generation == self.generation {
            return found.slot;
        }
        let key = self.key(entry);
        let slot = open(&key);
        let opened = &mut self.entries[entry as usize];
        opened.generation = self.generation;
        opened.slot = slot;
        slot
    }

    /// The key of an entry, made if nobody has asked for it yet.
    fn key(&mut self, entry: u32) -> Arc<SeriesKey> {
        if let Some(key) = &self.entries[entry as usize].key {
            return key.clone();
        }
        let reference = match self.entries[entry as usize].name {
            Name::Text { .. } => SeriesReference::ExternalId(self.text(entry).into()),
            Name::Id(id) => SeriesReference::Id(id),
            Name::Instance { space, external_id } => {
                SeriesReference::instance(&self.text(space), &self.text(external_id))
            }
        };
        let key = Arc::new(SeriesKey::new(reference));
        self.entries[entry as usize].key = Some(key.clone());
        key
    }

    /// The text of an entry that has one.
    fn text(&self, entry: u32) -> Cow<'_, str> {
        match self.entries[entry as usize].name {
            Name::Text { start, outline } => {
                String::from_utf8_lossy(self.text_bytes(start, outline))
            }
            Name::Id(_) | Name::Instance { .. } => Cow::Borrowed(""),
        }
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
    fn is_text(&self, entry: u32, outline: Outline, name: &[u8]) -> bool {
        match self.entries[entry as usize].name {
            Name::Text {
                start,
                outline: known,
            } => {
                known == outline
                    && (name.len() <= OUTLINED_BYTES || self.text_bytes(start, known) == name)
            }
            Name::Id(_) | Name::Instance { .. } => false,
        }
    }

    #[inline]
    fn is_instance(&self, entry: u32, space: u32, external_id: u32) -> bool {
        matches!(
            self.entries[entry as usize].name,
            Name::Instance { space: known, external_id: name }
                if known == space && name == external_id
        )
    }

    #[inline]
    fn text_bytes(&self, start: u32, outline: Outline) -> &[u8] {
        let start = start as usize;
        &self.texts[start..start + outline.length as usize]
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
    fn insert_text(&mut self, name: &[u8]) -> u32 {
        let start = self.texts.len();
        self.texts.extend_from_slice(name);
        let hash = self.hasher.hash_one(name);
        let name = Name::Text {
            start: start as u32,
            outline: Outline::of(name),
        };
        self.insert(hash, name)
    }

    #[cold]
    fn insert(&mut self, hash: u64, name: Name) -> u32 {
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
            key: None,
        });
        place(&mut self.table, hash, entry);
        entry
    }

    fn grow(&mut self) {
        let mut table = vec![FREE; self.table.len() * 2];
        for (index, entry) in self.entries.iter().enumerate() {
            let hash = match entry.name {
                Name::Text { start, outline } => {
                    self.hasher.hash_one(self.text_bytes(start, outline))
                }
                Name::Id(id) => self.hasher.hash_one(id),
                Name::Instance { space, external_id } => self.hasher.hash_one((space, external_id)),
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
    fn an_instance_keeps_its_entry_and_its_key() {
        let mut interner = SeriesInterner::default();
        let mut seen: Vec<u32> = Vec::new();
        for round in 0..3 {
            for number in 0..3000_u32 {
                let space = interner.space(format!("space-{}", number % 7).as_bytes());
                let name = intern(&mut interner, &format!("series-{number}"));
                let entry = interner.instance_id(space, name);
                match round {
                    0 => seen.push(entry),
                    _ => assert_eq!(seen[number as usize], entry, "{number}"),
                }
            }
        }
        interner.start_batch();
        for (number, entry) in seen.iter().enumerate() {
            let place = interner.slot(*entry, |key| {
                let space = format!("space-{}", number % 7);
                let expected = SeriesReference::instance(&space, &format!("series-{number}"));
                assert_eq!(*key.reference(), expected);
                number as u32
            });
            assert_eq!(place, number as u32);
        }
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
