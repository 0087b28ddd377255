//! Properties that filters and sorts name.
//!
//! Owns the way from a path (`["node", "space"]`, `[space, "view/version", property]`) to a
//! value of an instance, and the form of the values that it is compared with.

use super::super::identifier::{ContainerId, Source, VersionedId};
use super::super::property_type::{Kind, PropertyType};
use super::super::schema::Schema;
use super::super::value;
use super::super::view::ViewProperty;
use super::instance::Instance;
use super::merge::unknown_property;
use crate::emulator::answer::Refusal;
use serde_json::{Value, json};
use std::borrow::Cow;

/// What every instance has.
#[derive(Debug, Clone, Copy)]
pub enum Base {
    InstanceType,
    Version,
    Space,
    ExternalId,
    CreatedTime,
    LastUpdatedTime,
    Type,
    StartNode,
    EndNode,
}

/// A property that is looked at.
#[derive(Debug, Clone)]
pub enum Property {
    Base(Base),
    Stored {
        container: ContainerId,
        name: String,
        property_type: Box<PropertyType>,
    },
}

impl Property {
    /// Finds the property behind a path.
    pub fn read(schema: &Schema, path: &Value) -> Result<Self, Refusal> {
        let refused = || {
            Refusal::invalid(format!(
                "property: {path} has to be [\"node\" or \"edge\", name] or [space, view or container, name]"
            ))
        };
        let parts: Vec<&str> = path
            .as_array()
            .ok_or_else(refused)?
            .iter()
            .map(|part| part.as_str().ok_or_else(refused))
            .collect::<Result<_, _>>()?;
        match parts.as_slice() {
            ["node" | "edge", name] => Self::base(name).ok_or_else(refused),
            [space, source, name] => Self::stored(schema, space, source, name),
            _ => Err(refused()),
        }
    }

    fn base(name: &str) -> Option<Self> {
        Some(Self::Base(match name {
            "instanceType" => Base::InstanceType,
            "version" => Base::Version,
            "space" => Base::Space,
            "externalId" => Base::ExternalId,
            "createdTime" => Base::CreatedTime,
            "lastUpdatedTime" => Base::LastUpdatedTime,
            "type" => Base::Type,
            "startNode" => Base::StartNode,
            "endNode" => Base::EndNode,
            _ => return None,
        }))
    }

    fn stored(schema: &Schema, space: &str, source: &str, name: &str) -> Result<Self, Refusal> {
        let (container, stored) = match source.split_once('/') {
            None => {
                let container = ContainerId {
                    space: space.to_owned(),
                    external_id: source.to_owned(),
                };
                (container, name.to_owned())
            }
            Some((external_id, version)) => {
                let id = VersionedId {
                    space: space.to_owned(),
                    external_id: external_id.to_owned(),
                    version: version.to_owned(),
                };
                let property = schema.properties_of(schema.view(&id)?).remove(name);
                let Some(ViewProperty::Mapped(mapped)) = property else {
                    return Err(unknown_property(name, &Source::View(id)));
                };
                (
                    mapped.container()?.clone(),
                    mapped.container_property_identifier.clone(),
                )
            }
        };
        let properties = &schema.container(&container)?.definition.properties;
        match properties.get(&stored) {
            None => Err(unknown_property(&stored, &Source::Container(container))),
            Some(property) => Ok(Self::Stored {
                property_type: Box::new(property.property_type.clone()),
                container,
                name: stored,
            }),
        }
    }

    /// Its value in an instance; `None` for null.
    pub fn value<'a>(&self, instance: &'a Instance) -> Option<Cow<'a, Value>> {
        let base = match self {
            Self::Stored {
                container, name, ..
            } => return instance.value(container, name).map(Cow::Borrowed),
            Self::Base(base) => base,
        };
        let ends = instance.ends.as_ref();
        Some(Cow::Owned(match base {
            Base::InstanceType => json!(instance.instance_type()),
            Base::Version => json!(instance.version),
            Base::Space => json!(instance.id.space),
            Base::ExternalId => json!(instance.id.external_id),
            Base::CreatedTime => json!(instance.stamps.created_time),
            Base::LastUpdatedTime => json!(instance.stamps.last_updated_time),
            Base::Type => json!(instance.relation_type.as_ref()?),
            Base::StartNode => json!(ends?.start),
            Base::EndNode => json!(ends?.end),
        }))
    }

    /// A value to compare with, in the form in which values are kept. One of the wrong type
    /// is a 400.
    pub fn operand(&self, operand: &Value) -> Result<Value, Refusal> {
        if operand.get("parameter").is_some() || operand.get("property").is_some() {
            return Err(Refusal::invalid(
                "filter: parameters and references to properties are not served by this local CDF",
            ));
        }
        let Self::Stored {
            name,
            property_type,
            ..
        } = self
        else {
            return Ok(operand.clone());
        };
        // An enum may be asked for a value that it does not have.
        if property_type.kind == Kind::Enum && operand.is_string() {
            return Ok(operand.clone());
        }
        let checked = if operand.is_array() && property_type.is_list() {
            value::check(property_type, operand.clone())
        } else {
            value::check_one(property_type, operand.clone())
        };
        checked.map_err(|wrong| {
            Refusal::invalid(format!("Invalid value for property '{name}': {wrong}"))
        })
    }

    /// Whether its values name nodes.
    pub fn is_direct(&self) -> bool {
        match self {
            Self::Base(base) => matches!(base, Base::Type | Base::StartNode | Base::EndNode),
            Self::Stored { property_type, .. } => property_type.kind == Kind::Direct,
        }
    }
}
