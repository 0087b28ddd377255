//! The series of a project and their identifiers.
//!
//! Owns the lookup by id, external id and instance id. Creating, updating and deleting are
//! all or nothing. The points of a series have a lock of their own, so that writers of
//! different series do not meet.

use super::model::{NewTimeSeries, TimeSeries};
use crate::emulator::answer::Refusal;
use crate::emulator::checksum;
use crate::emulator::clock;
use crate::emulator::datapoints::Points;
use crate::emulator::reference::{ID_MAX, InstanceId, Reference};
use crate::emulator::update::Change;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A series and its points.
#[derive(Debug)]
pub struct Series {
    pub id: i64,
    /// Never changes.
    pub is_string: bool,
    description: RwLock<TimeSeries>,
    points: Mutex<Points>,
}

impl Series {
    fn new(description: TimeSeries) -> Self {
        Self {
            id: description.id,
            is_string: description.is_string,
            points: Mutex::new(Points::new(description.is_string)),
            description: RwLock::new(description),
        }
    }

    /// A numeric series under this reference, for sink mode.
    pub fn imagined(reference: &Reference) -> Self {
        let mut new = NewTimeSeries::default();
        let id = match reference {
            Reference::Id(id) => *id,
            Reference::ExternalId(external_id) => {
                new.external_id = Some(external_id.clone());
                id_from(reference.checksum_factor())
            }
            Reference::InstanceId(instance_id) => {
                new.instance_id = Some(instance_id.clone());
                id_from(reference.checksum_factor())
            }
        };
        Self::new(TimeSeries::create(id, new, 0))
    }

    /// What describes it, as of now.
    pub fn description(&self) -> RwLockReadGuard<'_, TimeSeries> {
        // A description is replaced as a whole: a panic leaves none half written.
        self.description
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Its points.
    pub fn points(&self) -> MutexGuard<'_, Points> {
        // Inserting is the last step of a request and does not panic half way.
        self.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Index {
    by_id: BTreeMap<i64, Arc<Series>>,
    by_external_id: HashMap<String, i64>,
    by_instance_id: HashMap<InstanceId, i64>,
    created: u64,
}

impl Index {
    fn find(&self, reference: &Reference) -> Option<&Arc<Series>> {
        let id = match reference {
            Reference::Id(id) => id,
            Reference::ExternalId(external_id) => self.by_external_id.get(external_id)?,
            Reference::InstanceId(instance_id) => self.by_instance_id.get(instance_id)?,
        };
        self.by_id.get(id)
    }

    fn next_id(&mut self) -> i64 {
        loop {
            self.created += 1;
            // Ids of a real project are no sequence; clients must not rely on one.
            let id = id_from(checksum::bytes(&self.created.to_le_bytes()));
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }
}

fn id_from(hash: u64) -> i64 {
    (hash as i64 & ID_MAX).max(1)
}

/// The series of one project.
#[derive(Debug, Default)]
pub struct TimeSeriesStore {
    index: RwLock<Index>,
}

impl TimeSeriesStore {
    fn read(&self) -> RwLockReadGuard<'_, Index> {
        // Writers check first and change after, without panicking in between.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up references in their order.
    pub fn find_all(&self, references: &[Reference]) -> Vec<Option<Arc<Series>>> {
        let index = self.read();
        references
            .iter()
            .map(|reference| index.find(reference).cloned())
            .collect()
    }

    /// Creates all of `new`, or none: external ids that are taken are a 409.
    pub fn create(&self, new: Vec<NewTimeSeries>) -> Result<Vec<TimeSeries>, Refusal> {
        let mut index = self.write();
        let taken: Vec<_> = new
            .iter()
            .filter_map(|series| series.external_id.as_ref())
            .filter(|external_id| index.by_external_id.contains_key(*external_id))
            .map(|external_id| json!({"externalId": external_id}))
            .collect();
        refuse_taken(taken)?;
        let now_ms = clock::now_ms();
        let created = new.into_iter().map(|new| {
            let description = TimeSeries::create(index.next_id(), new, now_ms);
            let id = description.id;
            if let Some(external_id) = &description.external_id {
                index.by_external_id.insert(external_id.clone(), id);
            }
            if let Some(instance_id) = &description.instance_id {
                index.by_instance_id.insert(instance_id.clone(), id);
            }
            let series = Arc::new(Series::new(description.clone()));
            index.by_id.insert(id, series);
            description
        });
        Ok(created.collect())
    }

    /// Applies all changes, or none. Unknown references are a 400, external ids that are
    /// taken a 409.
    pub fn update(&self, changes: Vec<Change>) -> Result<Vec<TimeSeries>, Refusal> {
        let mut index = self.write();
        let missing: Vec<_> = changes
            .iter()
            .filter(|change| index.find(&change.reference).is_none())
            .map(|change| change.reference.to_json())
            .collect();
        if !missing.is_empty() {
            return Err(Refusal::UnknownReferences {
                message: "Time series not found".to_owned(),
                missing,
            });
        }
        let now_ms = clock::now_ms();
        let mut updated: BTreeMap<i64, TimeSeries> = BTreeMap::new();
        let mut order = Vec::with_capacity(changes.len());
        for change in changes {
            let Some(series) = index.find(&change.reference) else {
                continue;
            };
            let mut description = series.description().clone();
            description.apply(change.fields, now_ms)?;
            description.check()?;
            order.push(series.id);
            if updated.insert(series.id, description).is_some() {
                crate::emulator::reference::refuse_doubled(vec![change.reference.to_json()])?;
            }
        }
        index.check_new_names(&updated)?;
        index.replace(&updated);
        Ok(order
            .iter()
            .filter_map(|id| updated.get(id).cloned())
            .collect())
    }

    /// Deletes these series and their points.
    pub fn delete(&self, series: &[Arc<Series>]) {
        let mut index = self.write();
        for series in series {
            let description = series.description();
            if let Some(external_id) = &description.external_id {
                index.by_external_id.remove(external_id);
            }
            if let Some(instance_id) = &description.instance_id {
                index.by_instance_id.remove(instance_id);
            }
            index.by_id.remove(&series.id);
        }
    }

    /// Makes the series of a node, or renews what the node says of it. Its type stays.
    pub fn follow_instance(&self, new: NewTimeSeries) {
        let Some(instance_id) = new.instance_id.clone() else {
            return;
        };
        let mut index = self.write();
        let now_ms = clock::now_ms();
        let known = index.by_instance_id.get(&instance_id).copied();
        if let Some(series) = known.and_then(|id| index.by_id.get(&id)) {
            let mut description = series
                .description
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            description.follow(new, now_ms);
            return;
        }
        let id = index.next_id();
        let series = Arc::new(Series::new(TimeSeries::create(id, new, now_ms)));
        index.by_id.insert(id, series);
        index.by_instance_id.insert(instance_id, id);
    }

    /// Deletes the series of a node, if it has one.
    pub fn forget_instance(&self, instance_id: &InstanceId) {
        let found = self.find_all(&[Reference::InstanceId(instance_id.clone())]);
        self.delete(&found.into_iter().flatten().collect::<Vec<_>>());
    }

    /// The series with ids above `after`, in the order of their ids.
    pub fn after(&self, after: i64) -> Vec<Arc<Series>> {
        self.read()
            .by_id
            .range((Bound::Excluded(after), Bound::Unbounded))
            .map(|(_, series)| Arc::clone(series))
            .collect()
    }
}

impl Index {
    /// External ids may change hands only if nobody has them afterwards twice.
    fn check_new_names(&self, updated: &BTreeMap<i64, TimeSeries>) -> Result<(), Refusal> {
        let mut named = HashMap::new();
        let mut taken = Vec::new();
        for (id, description) in updated {
            let Some(external_id) = &description.external_id else {
                continue;
            };
            let holder = self.by_external_id.get(external_id);
            let held_by_other = holder.is_some_and(|holder| {
                holder != id
                    && updated
                        .get(holder)
                        .is_none_or(|other| other.external_id.as_ref() == Some(external_id))
            });
            if held_by_other || named.insert(external_id, id).is_some() {
                taken.push(json!({"externalId": external_id}));
            }
        }
        refuse_taken(taken)
    }

    fn replace(&mut self, updated: &BTreeMap<i64, TimeSeries>) {
        for id in updated.keys() {
            if let Some(series) = self.by_id.get(id)
                && let Some(external_id) = &series.description().external_id
            {
                self.by_external_id.remove(external_id);
            }
        }
        for (id, description) in updated {
            if let Some(external_id) = &description.external_id {
                self.by_external_id.insert(external_id.clone(), *id);
            }
            if let Some(series) = self.by_id.get(id) {
                *series
                    .description
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = description.clone();
            }
        }
    }
}

fn refuse_taken(duplicated: Vec<serde_json::Value>) -> Result<(), Refusal> {
    if duplicated.is_empty() {
        return Ok(());
    }
    Err(Refusal::AlreadyExists {
        message: "Time series with these external ids already exist".to_owned(),
        duplicated,
    })
}
