//! What is known of time series: whether they exist, their type, and their names.
//!
//! Owns the cache of one identity in one project: what it may see is its own. Promises a
//! bound on entries and on their age, and that one series has one canonical key however it
//! is named. Never asks CDF: others look up and record.

use crate::rows::{InstanceName, SeriesKey, SeriesReference};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What CDF says of a time series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesFacts {
    pub id: i64,
    pub external_id: Option<Box<str>>,
    /// The node that the series is, if it is one.
    pub instance_id: Option<Box<InstanceName>>,
    /// Holds strings; otherwise numbers.
    pub is_string: bool,
    /// Milliseconds since 1970-01-01 UTC, by CDF's clock.
    pub created_time_ms: i64,
}

impl SeriesFacts {
    /// Its names, that which stands for it first: the external id, the node, the id.
    pub fn names(&self) -> Vec<SeriesReference> {
        let external_id = self.external_id.clone().map(SeriesReference::ExternalId);
        let instance_id = self.instance_id.clone().map(SeriesReference::InstanceId);
        let id = SeriesReference::Id(self.id);
        external_id
            .into_iter()
            .chain(instance_id)
            .chain([id])
            .collect()
    }
}

/// What the directory says of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeriesStatus {
    Exists(Arc<SeriesFacts>),
    /// CDF said that there is no such series.
    Missing,
}

#[derive(Clone, Debug)]
struct Entry {
    status: SeriesStatus,
    /// The key by which order is kept, the same for all names of a series.
    canonical: Arc<SeriesKey>,
    learned: Instant,
}

/// Two generations: the younger one fills; when it is full it becomes the elder and the
/// former elder is dropped. What is asked for moves to the younger, so series in use stay.
#[derive(Debug, Default)]
struct Generations {
    young: HashMap<SeriesReference, Entry>,
    elder: HashMap<SeriesReference, Entry>,
}

/// The series of one identity, shared by the actors that work for it.
#[derive(Debug)]
pub struct SeriesDirectory {
    generations: Mutex<Generations>,
    generation_entries_max: usize,
    lifetime: Duration,
    missing_lifetime: Duration,
}

impl SeriesDirectory {
    /// Holds at most `entries_max` references (a series with two names is two of them), each for
    /// `lifetime` at most. That a series is missing is believed for a second only: somebody
    /// may be making it.
    pub fn new(entries_max: usize, lifetime: Duration) -> Self {
        SeriesDirectory {
            generations: Mutex::default(),
            generation_entries_max: (entries_max / 2).max(2),
            lifetime,
            missing_lifetime: lifetime.min(Duration::from_secs(1)),
        }
    }

    /// Notes what CDF says of a series, under all its names.
    pub fn record(&self, facts: SeriesFacts, now: Instant) {
        let names = facts.names();
        // The external id is the canonical name where there is one: those who write by
        // external id, which is nearly everybody, then never need a look-up first.
        let canonical = Arc::new(SeriesKey::new(names[0].clone()));
        let entry = Entry {
            status: SeriesStatus::Exists(Arc::new(facts)),
            canonical,
            learned: now,
        };
        let mut generations = self.generations();
        for name in names {
            generations.insert(name, entry.clone(), self.generation_entries_max);
        }
    }

    /// Notes that CDF has no such series.
    pub fn record_missing(&self, reference: &SeriesReference, now: Instant) {
        let entry = Entry {
            status: SeriesStatus::Missing,
            canonical: Arc::new(SeriesKey::new(reference.clone())),
            learned: now,
        };
        self.generations()
            .insert(reference.clone(), entry, self.generation_entries_max);
    }

    /// Drops what is known of a reference and of the series' other names: CDF said otherwise.
    pub fn forget(&self, reference: &SeriesReference) {
        let mut generations = self.generations();
        let Some(entry) = generations.remove(reference) else {
            return;
        };
        if let SeriesStatus::Exists(facts) = entry.status {
            for name in facts.names() {
                generations.remove(&name);
            }
        }
    }

    /// What is known of a reference, if it is fresh.
    pub fn find(&self, reference: &SeriesReference, now: Instant) -> Option<SeriesStatus> {
        self.entry(reference, now).map(|entry| entry.status)
    }

    /// The key that stands for the series, however it is named. `None` for an id or an instance id
    /// that must be looked up first: a write by external id may be in flight for the same series.
    pub fn canonical_key(&self, key: &Arc<SeriesKey>, now: Instant) -> Option<Arc<SeriesKey>> {
        match key.reference() {
            SeriesReference::ExternalId(_) => Some(key.clone()),
            SeriesReference::Id(_) | SeriesReference::InstanceId(_) => self
                .entry(key.reference(), now)
                .map(|entry| entry.canonical),
        }
    }

    /// References held, fresh or not.
    pub fn len(&self) -> usize {
        let generations = self.generations();
        generations.young.len() + generations.elder.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entry(&self, reference: &SeriesReference, now: Instant) -> Option<Entry> {
        let mut generations = self.generations();
        let entry = generations.find(reference, self.generation_entries_max)?;
        let lifetime = match entry.status {
            SeriesStatus::Exists(_) => self.lifetime,
            SeriesStatus::Missing => self.missing_lifetime,
        };
        if now.saturating_duration_since(entry.learned) > lifetime {
            generations.remove(reference);
            return None;
        }
        Some(entry)
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        // Each change is a whole entry, so the maps are right even if a holder panicked.
        self.generations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, reference: SeriesReference, entry: Entry, entries_max: usize) {
        if self.young.len() >= entries_max && !self.young.contains_key(&reference) {
            self.elder = std::mem::take(&mut self.young);
        }
        self.elder.remove(&reference);
        self.young.insert(reference, entry);
    }

    fn find(&mut self, reference: &SeriesReference, entries_max: usize) -> Option<Entry> {
        if let Some(entry) = self.young.get(reference) {
            return Some(entry.clone());
        }
        let (reference, entry) = self.elder.remove_entry(reference)?;
        self.insert(reference, entry.clone(), entries_max);
        Some(entry)
    }

    fn remove(&mut self, reference: &SeriesReference) -> Option<Entry> {
        let elder = self.elder.remove(reference);
        self.young.remove(reference).or(elder)
    }
}
