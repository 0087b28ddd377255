//! What containers demand of the instances with data in them.
//!
//! Owns the checks of constraints over more than one value. Uniqueness reads all
//! instances, once per request and constraint: fine for the sizes that an emulator holds.

use super::super::container::Constraint;
use super::super::identifier::{ContainerId, instance_name};
use super::instance::Instance;
use super::staging::Staging;
use crate::emulator::answer::Refusal;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

impl Staging<'_> {
    /// Checks the constraints of every container that this request writes to.
    pub fn check_constraints(&self) -> Result<(), Refusal> {
        let written: BTreeSet<&ContainerId> = self
            .changed()
            .flat_map(|instance| instance.data.keys())
            .collect();
        for id in written {
            let Some(container) = self.model.schema.containers.get(id) else {
                continue;
            };
            for (name, constraint) in container.constraints() {
                match constraint {
                    Constraint::Requires { require } => {
                        self.check_required(id, require.container("require")?)?;
                    }
                    Constraint::Uniqueness {
                        properties,
                        by_space,
                    } => self.check_unique(id, name, properties, *by_space)?,
                }
            }
        }
        Ok(())
    }

    fn check_required(&self, id: &ContainerId, required: &ContainerId) -> Result<(), Refusal> {
        let lacking = self
            .changed()
            .find(|one| one.data.contains_key(id) && !one.data.contains_key(required));
        match lacking {
            None => Ok(()),
            Some(lacking) => Err(Refusal::invalid(format!(
                "Instance '{}' has data in container '{id}', which requires data in container '{required}'",
                instance_name(&lacking.id)
            ))),
        }
    }

    fn check_unique(
        &self,
        id: &ContainerId,
        constraint: &str,
        properties: &[String],
        by_space: bool,
    ) -> Result<(), Refusal> {
        let kept = self
            .model
            .instances
            .iter()
            .filter(|one| self.leaves(&one.id));
        let mut holders: HashMap<String, &Instance> = HashMap::new();
        for instance in kept.chain(self.changed()) {
            let Some(key) = unique_key(instance, id, properties, by_space) else {
                continue;
            };
            if let Some(holder) = holders.insert(key, instance) {
                return Err(Refusal::invalid(format!(
                    "Instances '{}' and '{}' have the same values, which the uniqueness constraint '{constraint}' of container '{id}' does not allow",
                    instance_name(&holder.id),
                    instance_name(&instance.id)
                )));
            }
        }
        Ok(())
    }
}

/// The values that have to be unique; `None` when one of them is null, as nulls differ.
fn unique_key(
    instance: &Instance,
    container: &ContainerId,
    properties: &[String],
    by_space: bool,
) -> Option<String> {
    let values: Vec<&Value> = properties
        .iter()
        .map(|property| instance.value(container, property))
        .collect::<Option<_>>()?;
    let space = by_space.then_some(&instance.id.space);
    Some(json!([space, values]).to_string())
}
