//! The changes of one request, before any of them is made.
//!
//! Owns the order of the checks and the view of the instances in which the request's own
//! changes are made already, so that items may refer to each other. A request that is
//! refused leaves nothing behind.

use super::super::identifier::{VersionedId, instance_name};
use super::super::stamps::Stamps;
use super::super::store::Model;
use super::super::view::ViewProperty;
use super::given::{GivenDeletion, GivenInstance, Options};
use super::instance::{Instance, InstanceType};
use crate::emulator::answer::Refusal;
use crate::emulator::reference::InstanceId;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The changes of one request.
pub struct Staging<'m> {
    pub model: &'m Model,
    pub options: Options,
    changed: BTreeMap<InstanceId, Instance>,
    deleted: BTreeSet<InstanceId>,
    /// The properties of the views that were written to, worked out once per request.
    pub views: HashMap<VersionedId, BTreeMap<&'m str, &'m ViewProperty>>,
}

/// What is to be done once all of a request is right.
#[derive(Debug)]
pub struct Changes {
    pub put: Vec<Instance>,
    pub delete: BTreeSet<InstanceId>,
}

/// Whether an item was taken or left out because what is there is newer.
enum Verdict {
    Take,
    Skip,
}

impl<'m> Staging<'m> {
    pub fn new(model: &'m Model, options: Options) -> Self {
        Self {
            model,
            options,
            changed: BTreeMap::new(),
            deleted: BTreeSet::new(),
            views: HashMap::new(),
        }
    }

    /// An instance as this request would leave it.
    pub fn current(&self, id: &InstanceId) -> Option<&Instance> {
        match self.changed.get(id) {
            Some(changed) => Some(changed),
            None if self.deleted.contains(id) => None,
            None => self.model.instances.get(id),
        }
    }

    /// The instances that this request writes.
    pub fn changed(&self) -> impl Iterator<Item = &Instance> {
        self.changed.values()
    }

    /// Whether this request leaves the stored instance `id` as it is.
    pub fn leaves(&self, id: &InstanceId) -> bool {
        !self.changed.contains_key(id) && !self.deleted.contains(id)
    }

    /// Adds an instance that is made along with others.
    pub fn add(&mut self, instance: Instance) {
        self.changed.insert(instance.id.clone(), instance);
    }

    /// Deletes these, nodes with their edges; unknown ones are left out.
    pub fn delete(&mut self, deletions: &[GivenDeletion]) -> Result<Vec<Value>, Refusal> {
        let ids: Vec<InstanceId> = deletions.iter().map(GivenDeletion::id).collect();
        let spaces = ids.iter().map(|id| id.space.as_str());
        self.model.schema.check_spaces(spaces)?;
        let mut shown = Vec::new();
        for (deletion, id) in deletions.iter().zip(ids) {
            let Some(found) = self.model.instances.get(&id) else {
                continue;
            };
            if found.instance_type() != deletion.instance_type || self.deleted.contains(&id) {
                continue;
            }
            if let Verdict::Skip = self.verdict(Some(found), deletion.existing_version)? {
                continue;
            }
            shown.push(found.reference());
            let edges = self.model.instances.edges_at(&id);
            self.deleted.extend(edges.cloned());
            self.deleted.insert(id);
        }
        Ok(shown)
    }

    /// Writes these, and gives what the answer says of each.
    pub fn write(&mut self, items: Vec<GivenInstance>) -> Result<Vec<Value>, Refusal> {
        let schema = &self.model.schema;
        let ids: Vec<InstanceId> = items.iter().map(GivenInstance::id).collect();
        schema.check_spaces(ids.iter().map(|id| id.space.as_str()))?;
        ids.iter()
            .try_for_each(|id| schema.check_writable_space(&id.space))?;
        let sources = items.iter().flat_map(|item| item.sources.iter().flatten());
        schema.check_sources(sources.map(|given| &given.source))?;
        let mut relations = Vec::new();
        let mut written = Vec::with_capacity(items.len());
        for (id, item) in ids.into_iter().zip(items) {
            written.push(self.write_one(id, item, &mut relations)?);
        }
        self.ensure_targets(relations)?;
        self.check_constraints()?;
        Ok(written
            .into_iter()
            .filter_map(|(id, was_modified)| Some(show(self.current(&id)?, was_modified)))
            .collect())
    }

    fn write_one(
        &mut self,
        id: InstanceId,
        item: GivenInstance,
        relations: &mut Vec<super::relations::Relation>,
    ) -> Result<(InstanceId, bool), Refusal> {
        let existing = self.current(&id).cloned();
        if let Some(existing) = &existing
            && existing.instance_type() != item.instance_type
        {
            return Err(Refusal::invalid(format!(
                "Cannot write the {} '{}': it is there as a {}",
                item.instance_type.name(),
                instance_name(&id),
                existing.instance_type().name()
            )));
        }
        if let Verdict::Skip = self.verdict(existing.as_ref(), item.existing_version)? {
            return Ok((id, false));
        }
        let mut next = existing
            .clone()
            .unwrap_or_else(|| Instance::new(id.clone()));
        super::relations::note_structure(&item, relations);
        if let Some(ends) = item.ends() {
            next.ends = Some(ends);
        }
        if item.relation_type.is_some() {
            next.relation_type.clone_from(&item.relation_type);
        }
        self.merge(&mut next, item.sources.unwrap_or_default(), relations)?;
        let was_modified = match &existing {
            None => true,
            Some(existing) => !existing.same_content(&next),
        };
        if was_modified {
            if let Some(existing) = existing {
                next.version = existing.version + 1;
                next.stamps = Stamps::touched(existing.stamps);
            }
            self.add(next);
        }
        Ok((id, was_modified))
    }

    /// Compares what a client last saw with what is there.
    fn verdict(&self, found: Option<&Instance>, seen: Option<i64>) -> Result<Verdict, Refusal> {
        match (found, seen) {
            (Some(found), Some(seen)) if found.version > seen => {
                if self.options.skips_conflicts {
                    Ok(Verdict::Skip)
                } else {
                    Err(Refusal::Conflict(
                        "A version conflict caused the ingest to fail.".to_owned(),
                    ))
                }
            }
            _ => Ok(Verdict::Take),
        }
    }

    /// What is to be done.
    pub fn finish(self) -> Changes {
        Changes {
            put: self.changed.into_values().collect(),
            delete: self.deleted,
        }
    }
}

fn show(instance: &Instance, was_modified: bool) -> Value {
    json!({
        "instanceType": instance.instance_type(),
        "space": instance.id.space,
        "externalId": instance.id.external_id,
        "version": instance.version,
        "wasModified": was_modified,
        "createdTime": instance.stamps.created_time,
        "lastUpdatedTime": instance.stamps.last_updated_time,
    })
}

/// Whether an instance is a node, for relations that only point to nodes.
pub fn is_node(instance: &Instance) -> bool {
    instance.instance_type() == InstanceType::Node
}
