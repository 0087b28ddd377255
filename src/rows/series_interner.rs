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
    ExternalId { start: u32, length: u32 },
    Id(i64),
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
    /// The entry of an external id. `check` judges a name that is new: whether it is UTF-8,
    /// too.
    ///
    /// # Errors
    /// What `check` says.
    #[inline]
    pub fn external_id<E>(
        &mut self,
        name: &[u8],
        check: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<u32, E> {
        if let Some(guess) = self.guess()
            && self.is_external_id(guess, name)
        {
            self.last = guess;
            return Ok(guess);
        }
        let hash = self.hasher.hash_one(name);
        let found = self.find(hash, |interner, entry| interner.is_external_id(entry, name));
        let entry = match found {
            Some(entry) => entry,
            None => {
                check(name)?;
                let text = String::from_utf8_lossy(name).into_owned().into_boxed_str();
                let start = self.external_ids.len();
                self.external_ids.extend_from_slice(name);
                let name = Name::ExternalId {
                    start: start as u32,
                    length: name.len() as u32,
                };
                self.insert(hash, name, SeriesReference::ExternalId(text))
            }
        };
        self.follow(entry);
        Ok(entry)
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
    fn is_external_id(&self, entry: u32, name: &[u8]) -> bool {
        match self.entries[entry as usize].name {
            Name::ExternalId { start, length } => {
                let start = start as usize;
                is_same(&self.external_ids[start..start + length as usize], name)
            }
            Name::Id(_) => false,
        }
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
                Name::ExternalId { start, length } => {
                    let start = start as usize;
                    let name = &self.external_ids[start..start + length as usize];
                    self.hasher.hash_one(name)
                }
                Name::Id(id) => self.hasher.hash_one(id),
            };
            place(&mut table, hash, index as u32);
        }
        self.table = table;
    }
}

/// Whether two names are the same. They are short: comparing in place costs less than a call.
#[inline]
fn is_same(known: &[u8], name: &[u8]) -> bool {
    if known.len() != name.len() {
        return false;
    }
    let mut known_words = known.chunks_exact(8);
    let mut name_words = name.chunks_exact(8);
    for (known, name) in known_words.by_ref().zip(name_words.by_ref()) {
        if word(known) != word(name) {
            return false;
        }
    }
    match (known.last_chunk::<8>(), name.last_chunk::<8>()) {
        // The last eight bytes cover what is left, with some that were compared before.
        (Some(known), Some(name)) => known == name,
        _ => known_words.remainder() == name_words.remainder(),
    }
}

#[inline]
fn word(eight: &[u8]) -> u64 {
    eight
        .first_chunk()
        .map_or(0, |eight| u64::from_le_bytes(*eight))
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
    use std::convert::Infallible;

    fn intern(interner: &mut SeriesInterner, name: &str) -> u32 {
        interner
            .external_id(name.as_bytes(), |name| {
                Ok::<_, Infallible>(assert!(name.is_ascii()))
            })
            .expect("never refused")
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
    fn a_refused_name_leaves_nothing_behind() {
        let mut interner = SeriesInterner::default();
        for _ in 0..2 {
            assert_eq!(
                interner.external_id(b"bad", |_| Err("refused")),
                Err("refused")
            );
        }
        assert_eq!(interner.entries.len(), 0);
    }
}
