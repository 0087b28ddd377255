//! The objects of one kind in one project.
//!
//! Owns the lookup by id, by external id and by parent. A writer checks everything under
//! the lock and changes after that, so that a call takes effect as a whole or not at all.
//! It knows no schema.

use super::field::Fields;
use crate::emulator::answer::Refusal;
use crate::emulator::checksum;
use crate::emulator::reference::{ID_MAX, Reference};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// An object as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    pub id: i64,
    /// Everything that the client gave, and what the resource adds to it.
    pub fields: Fields,
    pub created_ms: i64,
    pub last_updated_ms: i64,
}

impl Object {
    pub fn external_id(&self) -> Option<&str> {
        self.fields.get("externalId")?.as_str()
    }

    /// The asset above an asset.
    pub fn parent_id(&self) -> Option<i64> {
        self.fields.get("parentId")?.as_i64()
    }

    /// A field as filters and sorting see it, ids and times included.
    pub fn value(&self, field: &str) -> Option<Value> {
        match field {
            "id" => Some(self.id.into()),
            "createdTime" => Some(self.created_ms.into()),
            "lastUpdatedTime" => Some(self.last_updated_ms.into()),
            _ => self.fields.get(field).cloned(),
        }
    }
}

/// The objects and the ways to find them.
#[derive(Debug, Default)]
pub struct Index {
    by_id: BTreeMap<i64, Arc<Object>>,
    by_external_id: HashMap<String, i64>,
    /// Pairs of a parent and its child.
    children: BTreeSet<(i64, i64)>,
    created: u64,
}

impl Index {
    pub fn get(&self, id: i64) -> Option<&Arc<Object>> {
        self.by_id.get(&id)
    }

    pub fn find(&self, reference: &Reference) -> Option<&Arc<Object>> {
        match reference {
            Reference::Id(id) => self.get(*id),
            Reference::ExternalId(external_id) => self.find_named(external_id),
            Reference::InstanceId(_) => None,
        }
    }

    pub fn find_named(&self, external_id: &str) -> Option<&Arc<Object>> {
        self.get(*self.by_external_id.get(external_id)?)
    }

    /// The objects with ids above `after`, in the order of their ids.
    pub fn after(&self, after: i64) -> impl Iterator<Item = &Arc<Object>> {
        let range = (Bound::Excluded(after), Bound::Unbounded);
        self.by_id.range(range).map(|(_, object)| object)
    }

    /// The ids of the children of an object.
    pub fn children(&self, parent: i64) -> impl Iterator<Item = i64> {
        self.children
            .range((parent, i64::MIN)..=(parent, i64::MAX))
            .map(|(_, child)| *child)
    }

    /// The ids from an object up to its root, itself included.
    pub fn line(&self, id: i64) -> impl Iterator<Item = i64> {
        std::iter::successors(Some(id), |id| self.get(*id)?.parent_id())
    }

    /// An id that is not in use.
    pub fn next_id(&mut self) -> i64 {
        loop {
            self.created += 1;
            // Ids of a real project are no sequence; clients must not rely on one.
            let id = id_from(checksum::bytes(&self.created.to_le_bytes()));
            if !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }

    /// Stores an object, in the place of the one with its id if there is one.
    pub fn put(&mut self, object: Object) -> Arc<Object> {
        self.remove(object.id);
        if let Some(external_id) = object.external_id() {
            self.by_external_id
                .insert(external_id.to_owned(), object.id);
        }
        if let Some(parent) = object.parent_id() {
            self.children.insert((parent, object.id));
        }
        let object = Arc::new(object);
        self.by_id.insert(object.id, Arc::clone(&object));
        object
    }

    pub fn remove(&mut self, id: i64) {
        let Some(object) = self.by_id.remove(&id) else {
            return;
        };
        if let Some(external_id) = object.external_id()
            // Names may have changed hands within one update.
            && self.by_external_id.get(external_id) == Some(&id)
        {
            self.by_external_id.remove(external_id);
        }
        if let Some(parent) = object.parent_id() {
            self.children.remove(&(parent, id));
        }
    }

    /// Refuses external ids that two objects would have once `changed` is stored.
    pub fn check_names(&self, plural: &str, changed: &[Object]) -> Result<(), Refusal> {
        let renamed: HashMap<i64, Option<&str>> = changed
            .iter()
            .map(|object| (object.id, object.external_id()))
            .collect();
        let mut named = BTreeSet::new();
        let mut duplicated = Vec::new();
        for object in changed {
            let Some(external_id) = object.external_id() else {
                continue;
            };
            let holder = self.by_external_id.get(external_id);
            let held = holder.is_some_and(|holder| {
                *holder != object.id
                    && renamed
                        .get(holder)
                        .is_none_or(|name| *name == Some(external_id))
            });
            if held || !named.insert(external_id) {
                duplicated.push(json!({"externalId": external_id}));
            }
        }
        if duplicated.is_empty() {
            return Ok(());
        }
        Err(Refusal::AlreadyExists {
            message: format!("The external ids of these {plural} already exist"),
            duplicated,
        })
    }
}

/// An id that an object could have.
pub fn id_from(hash: u64) -> i64 {
    (hash as i64 & ID_MAX).max(1)
}

/// The objects of one kind in one project.
#[derive(Debug, Default)]
pub struct ObjectStore {
    index: RwLock<Index>,
}

impl ObjectStore {
    pub fn read(&self) -> RwLockReadGuard<'_, Index> {
        // Writers check first and change after, without panicking in between.
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(id: i64, external_id: &str, parent: Option<i64>) -> Object {
        let mut fields = Fields::new();
        fields.insert("externalId".into(), external_id.into());
        if let Some(parent) = parent {
            fields.insert("parentId".into(), parent.into());
        }
        Object {
            id,
            fields,
            created_ms: 0,
            last_updated_ms: 0,
        }
    }

    #[test]
    fn names_that_change_hands_in_one_update_are_found_under_their_new_holders() {
        let mut index = Index::default();
        index.put(object(1, "a", None));
        index.put(object(2, "b", None));
        let swapped = [object(1, "b", None), object(2, "a", None)];
        assert_eq!(index.check_names("assets", &swapped), Ok(()));
        for object in swapped {
            index.put(object);
        }
        assert_eq!(index.find_named("a").map(|object| object.id), Some(2));
        assert_eq!(index.find_named("b").map(|object| object.id), Some(1));
    }

    #[test]
    fn a_removed_object_leaves_nothing_behind() {
        let mut index = Index::default();
        index.put(object(1, "a", None));
        index.put(object(2, "b", Some(1)));
        assert_eq!(index.children(1).collect::<Vec<_>>(), [2]);
        assert_eq!(index.line(2).collect::<Vec<_>>(), [2, 1]);
        index.remove(2);
        assert_eq!(index.children(1).count(), 0);
        assert!(index.find_named("b").is_none());
    }
}
