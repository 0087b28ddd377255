//! Values of an item, merged into what is there.
//!
//! Owns the way from the property of a view or a container to its place in the data, the
//! check of each value, nulls, defaults, what has to be given and what never changes.

use super::super::container::{Container, UsedFor};
use super::super::identifier::{ContainerId, Source, instance_name};
use super::super::property_type::Kind;
use super::super::value;
use super::super::view::ViewProperty;
use super::given::GivenSource;
use super::instance::{Data, Instance, InstanceType};
use super::relations::{Relation, Way};
use super::staging::Staging;
use crate::emulator::answer::Refusal;
use crate::emulator::reference::InstanceId;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The values that an item gives for one container.
type Given = BTreeMap<String, Value>;

impl Staging<'_> {
    /// Merges what `sources` give into `next`, and notes what its relations point to.
    pub fn merge(
        &mut self,
        next: &mut Instance,
        sources: Vec<GivenSource>,
        relations: &mut Vec<Relation>,
    ) -> Result<(), Refusal> {
        let mut given: BTreeMap<ContainerId, Given> = BTreeMap::new();
        for source in sources {
            self.place(&source.source, source.properties, &mut given)?;
        }
        for (id, values) in given {
            let container = Arc::clone(self.model.schema.container(&id)?);
            check_use(&container, next)?;
            let name = instance_name(&next.id);
            let old = next.data.get(&id);
            let data = merge_container(&container, &name, old, values, self.options.replaces)?;
            note_targets(&container, &name, &data, relations);
            next.data.insert(id, data);
        }
        Ok(())
    }

    /// Puts the values of one source under the containers that hold them.
    fn place(
        &mut self,
        source: &Source,
        properties: Option<serde_json::Map<String, Value>>,
        given: &mut BTreeMap<ContainerId, Given>,
    ) -> Result<(), Refusal> {
        let properties = properties.unwrap_or_default();
        let id = match source {
            Source::Container(id) => {
                given.entry(id.clone()).or_default().extend(properties);
                return Ok(());
            }
            Source::View(id) => id,
        };
        let schema = &self.model.schema;
        if !self.views.contains_key(id) {
            let known = schema.properties_of(schema.view(id)?);
            self.views.insert(id.clone(), known);
        }
        for (name, value) in properties {
            let known = self
                .views
                .get(id)
                .and_then(|known| known.get(name.as_str()));
            match known {
                Some(ViewProperty::Mapped(mapped)) => {
                    let container = mapped.container()?.clone();
                    let stored = mapped.container_property_identifier.clone();
                    given.entry(container).or_default().insert(stored, value);
                }
                Some(ViewProperty::Connection(_)) => {
                    return Err(Refusal::invalid(format!(
                        "Property '{name}' of {source} is a connection and has no value to write"
                    )));
                }
                None => return Err(unknown_property(&name, source)),
            }
        }
        Ok(())
    }
}

/// The 400 for a property that a view or a container does not have.
pub fn unknown_property(name: &str, source: &Source) -> Refusal {
    Refusal::invalid(format!("Unknown property '{name}' in {source}"))
}

fn check_use(container: &Container, instance: &Instance) -> Result<(), Refusal> {
    match (container.used_for(), instance.instance_type()) {
        (UsedFor::All, _)
        | (UsedFor::Node, InstanceType::Node)
        | (UsedFor::Edge, InstanceType::Edge) => Ok(()),
        (used_for, instance_type) => Err(Refusal::invalid(format!(
            "Cannot write the {} '{}': container '{}' is used for {} only",
            instance_type.name(),
            instance_name(&instance.id),
            container.definition.id,
            used_for.name()
        ))),
    }
}

fn merge_container(
    container: &Container,
    instance: &str,
    old: Option<&Data>,
    given: Given,
    replaces: bool,
) -> Result<Data, Refusal> {
    let id = &container.definition.id;
    let known = &container.definition.properties;
    let named: BTreeSet<String> = given.keys().cloned().collect();
    let mut data = match old {
        Some(old) if !replaces => old.clone(),
        _ => Data::new(),
    };
    for (name, value) in given {
        let Some(property) = known.get(&name) else {
            return Err(unknown_property(&name, &Source::Container(id.clone())));
        };
        if value.is_null() {
            data.remove(&name);
            continue;
        }
        let checked = value::check(&property.property_type, value).map_err(|wrong| {
            Refusal::invalid(format!(
                "Invalid value for property '{name}' of container '{id}' in instance '{instance}': {wrong}"
            ))
        })?;
        data.insert(name, checked);
    }
    for (name, property) in known {
        let fresh = old.is_none() || replaces;
        if let Some(default_value) = &property.default_value
            && fresh
            && !named.contains(name)
        {
            data.insert(name.clone(), default_value.clone());
        }
        if !property.nullable && !data.contains_key(name) {
            return Err(Refusal::invalid(format!(
                "Property '{name}' of container '{id}' has to have a value in instance '{instance}'"
            )));
        }
        let before = old.and_then(|old| old.get(name));
        if property.immutable && before.is_some() && before != data.get(name) {
            return Err(Refusal::invalid(format!(
                "Cannot update immutable property '{name}' of container '{id}' in instance '{instance}'"
            )));
        }
    }
    Ok(data)
}

fn note_targets(container: &Container, instance: &str, data: &Data, relations: &mut Vec<Relation>) {
    for (name, value) in data {
        let Some(property) = container.definition.properties.get(name) else {
            continue;
        };
        if property.property_type.kind != Kind::Direct {
            continue;
        }
        let target_container = property.property_type.target_container();
        let required = target_container.and_then(|source| source.container("container").ok());
        let targets = match value {
            Value::Array(targets) => targets.as_slice(),
            one => std::slice::from_ref(one),
        };
        for target in targets {
            let field = |name: &str| target.get(name).and_then(Value::as_str);
            if let (Some(space), Some(external_id)) = (field("space"), field("externalId")) {
                relations.push(Relation {
                    from: instance.to_owned(),
                    target: InstanceId {
                        space: space.to_owned(),
                        external_id: external_id.to_owned(),
                    },
                    way: Way::Direct {
                        required: required.cloned(),
                    },
                });
            }
        }
    }
}
