//! All nodes and edges of a project.
//!
//! Owns the lookup by identifier, which nodes and edges share, and the edges at each node.
//! Never checks anything.

use super::super::identifier::ContainerId;
use super::instance::Instance;
use crate::emulator::reference::InstanceId;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

/// The instances of one project, in the order of their identifiers.
#[derive(Debug, Default)]
pub struct Instances {
    by_id: BTreeMap<InstanceId, Instance>,
    edges_at: HashMap<InstanceId, BTreeSet<InstanceId>>,
}

impl Instances {
    pub fn get(&self, id: &InstanceId) -> Option<&Instance> {
        self.by_id.get(id)
    }

    /// The edges that start or end at a node.
    pub fn edges_at(&self, node: &InstanceId) -> impl Iterator<Item = &InstanceId> {
        self.edges_at.get(node).into_iter().flatten()
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Instance> {
        self.by_id.values()
    }

    /// Those behind `after`, or all.
    pub fn after(&self, after: Option<&InstanceId>) -> impl Iterator<Item = &Instance> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.by_id.range((start, Bound::Unbounded));
        range.map(|(_, instance)| instance)
    }

    /// Those of a space.
    pub fn in_space(&self, space: &str) -> impl Iterator<Item = &Instance> {
        let first = InstanceId {
            space: space.to_owned(),
            external_id: String::new(),
        };
        self.by_id
            .range(first.clone()..)
            .take_while(move |(id, _)| id.space == first.space)
            .map(|(_, instance)| instance)
    }

    /// How many nodes and edges `counts`.
    pub fn count(&self, counts: impl Fn(&InstanceId) -> bool) -> (u64, u64) {
        let (mut nodes, mut edges) = (0, 0);
        for (id, instance) in &self.by_id {
            if counts(id) {
                match instance.ends {
                    None => nodes += 1,
                    Some(_) => edges += 1,
                }
            }
        }
        (nodes, edges)
    }

    /// Puts one in place, instead of the one with the same identifier.
    pub fn put(&mut self, instance: Instance) {
        self.remove(&instance.id);
        if let Some(ends) = &instance.ends {
            for node in [&ends.start, &ends.end] {
                let edges = self.edges_at.entry(node.clone()).or_default();
                edges.insert(instance.id.clone());
            }
        }
        self.by_id.insert(instance.id.clone(), instance);
    }

    /// Takes one away.
    pub fn remove(&mut self, id: &InstanceId) -> Option<Instance> {
        let removed = self.by_id.remove(id)?;
        if let Some(ends) = &removed.ends {
            for node in [&ends.start, &ends.end] {
                if let Some(edges) = self.edges_at.get_mut(node) {
                    edges.remove(id);
                    if edges.is_empty() {
                        self.edges_at.remove(node);
                    }
                }
            }
        }
        Some(removed)
    }

    /// Forgets the data in these containers.
    pub fn drop_data(&mut self, containers: &[ContainerId]) {
        for instance in self.by_id.values_mut() {
            for container in containers {
                instance.data.remove(container);
            }
        }
    }
}
