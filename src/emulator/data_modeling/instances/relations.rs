//! What the instances of a request point to.
//!
//! Owns the rule for each way of pointing: whether a missing node is made along or is a
//! 400. They are looked at when all items are in, so that the order of items is free.

use super::super::identifier::{ContainerId, instance_name};
use super::given::GivenInstance;
use super::instance::Instance;
use super::staging::{Staging, is_node};
use crate::emulator::answer::Refusal;
use crate::emulator::reference::InstanceId;

/// A way of pointing to a node.
#[derive(Debug)]
pub enum Way {
    /// A direct relation, whose target may have to have data in a container.
    Direct {
        required: Option<ContainerId>,
    },
    /// The type of a node or of an edge.
    Type,
    Start,
    End,
}

/// One instance points to a node.
#[derive(Debug)]
pub struct Relation {
    /// The instance that points, as messages name it.
    pub from: String,
    pub target: InstanceId,
    pub way: Way,
}

/// Notes what an item points to by its type and its ends.
pub fn note_structure(item: &GivenInstance, relations: &mut Vec<Relation>) {
    let from = instance_name(&item.id());
    let mut note = |target: &InstanceId, way: Way| {
        relations.push(Relation {
            from: from.clone(),
            target: target.clone(),
            way,
        });
    };
    if let Some(relation_type) = &item.relation_type {
        note(relation_type, Way::Type);
    }
    if let Some(ends) = item.ends() {
        note(&ends.start, Way::Start);
        note(&ends.end, Way::End);
    }
}

impl Staging<'_> {
    /// Makes or refuses the nodes that are pointed to and not there.
    pub fn ensure_targets(&mut self, relations: Vec<Relation>) -> Result<(), Refusal> {
        for relation in relations {
            self.ensure(&relation)?;
        }
        Ok(())
    }

    fn ensure(&mut self, relation: &Relation) -> Result<(), Refusal> {
        let Relation { from, target, way } = relation;
        let (what, makes) = match way {
            Way::Direct { .. } => ("a direct relation", self.options.makes_targets),
            Way::Type => ("its type", self.options.makes_targets),
            Way::Start => ("its startNode", self.options.makes_start_nodes),
            Way::End => ("its endNode", self.options.makes_end_nodes),
        };
        let refused = |why: &str| {
            Err(Refusal::invalid(format!(
                "Instance '{from}' points by {what} to '{}', {why}",
                instance_name(target)
            )))
        };
        match (self.current(target), way) {
            (Some(found), _) if !is_node(found) => refused("which is an edge"),
            (
                Some(found),
                Way::Direct {
                    required: Some(required),
                },
            ) if !found.data.contains_key(required) => {
                refused(&format!("which has no data in container '{required}'"))
            }
            (Some(_), _) => Ok(()),
            // The data that is demanded could not be made along.
            (None, Way::Direct { required: Some(_) }) => refused("which does not exist"),
            (None, _) if !makes => refused("which does not exist"),
            (None, _) => {
                self.model.schema.check_writable_space(&target.space)?;
                self.add(Instance::new(target.clone()));
                Ok(())
            }
        }
    }
}
