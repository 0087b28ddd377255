//! Objects as answers show them.
//!
//! Owns the order of their fields and those that are found out when they are shown: the
//! external id of a parent, the root, and what `aggregatedProperties` and
//! `fetchResources` ask for.

use super::relationships;
use super::schema::Schema;
use super::store::{Index, Object};
use crate::emulator::project::Project;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;

/// What else an answer shows of assets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Aggregates {
    pub child_count: bool,
    pub depth: bool,
    pub path: bool,
}

/// One object in an answer.
pub struct Shown<'a> {
    pub schema: &'a Schema,
    pub index: &'a Index,
    pub object: &'a Object,
    pub aggregates: Aggregates,
    pub metadata: bool,
    /// Where to find the ends of a relationship that are to be shown with it.
    pub ends: Option<&'a Project>,
}

impl<'a> Shown<'a> {
    /// The object with everything that it has.
    pub fn whole(schema: &'a Schema, index: &'a Index, object: &'a Object) -> Self {
        Self {
            schema,
            index,
            object,
            aggregates: Aggregates::default(),
            metadata: true,
            ends: None,
        }
    }
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (object, index) = (self.object, self.index);
        let mut shown = serializer.serialize_map(None)?;
        if !self.schema.keyed_by_external_id {
            shown.serialize_entry("id", &object.id)?;
        }
        for (name, value) in &object.fields {
            if self.metadata || name != "metadata" {
                shown.serialize_entry(name, value)?;
            }
        }
        if self.schema.is_tree() {
            let parent = object.parent_id().and_then(|parent| index.get(parent));
            if let Some(name) = parent.and_then(|parent| parent.external_id()) {
                shown.serialize_entry("parentExternalId", name)?;
            }
            let root = object
                .parent_id()
                .and_then(|parent| index.line(parent).last());
            shown.serialize_entry("rootId", &root.unwrap_or(object.id))?;
        }
        let Aggregates {
            child_count,
            depth,
            path,
        } = self.aggregates;
        if child_count || depth || path {
            let mut line: Vec<i64> = index.line(object.id).collect();
            line.reverse();
            let mut aggregates = serde_json::Map::new();
            if child_count {
                let count = index.children(object.id).count();
                aggregates.insert("childCount".into(), count.into());
            }
            if depth {
                aggregates.insert("depth".into(), (line.len() - 1).into());
            }
            if path {
                let path = line.iter().map(|id| json!({"id": id})).collect();
                aggregates.insert("path".into(), path);
            }
            shown.serialize_entry("aggregates", &aggregates)?;
        }
        if let Some(project) = self.ends {
            relationships::show_ends(project, object, &mut shown)?;
        }
        shown.serialize_entry("createdTime", &object.created_ms)?;
        if self.schema.shows_last_updated {
            shown.serialize_entry("lastUpdatedTime", &object.last_updated_ms)?;
        }
        shown.end()
    }
}
