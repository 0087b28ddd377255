//! Views: what clients read and write instances through.
//!
//! Owns their JSON and the two kinds of properties, those mapped to a container and the
//! connections. Whether what they refer to exists, and what they inherit, is `schema`'s
//! part.

use super::check_texts;
use super::identifier::{
    ContainerId, Source, VersionedId, check_property, check_schema_external_id, check_space,
    check_version,
};
use super::stamps::Stamps;
use crate::emulator::answer::Refusal;
use crate::emulator::reference::InstanceId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most properties of one view.
const PROPERTIES_MAX: usize = 100;
/// Most views that one view inherits from directly.
const IMPLEMENTS_MAX: usize = 10;

/// A property that shows one of a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MappedProperty {
    container: Source,
    pub container_property_identifier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What a direct relation is expected to point to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

impl MappedProperty {
    /// The container that holds its values.
    pub fn container(&self) -> Result<&ContainerId, Refusal> {
        self.container.container("container")
    }
}

/// How instances hang together beyond direct relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionType {
    SingleEdgeConnection,
    #[default]
    MultiEdgeConnection,
    SingleReverseDirectRelation,
    MultiReverseDirectRelation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    #[default]
    Outwards,
    Inwards,
}

/// The direct relation that a reverse one follows back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Through {
    pub source: Source,
    pub identifier: String,
}

/// A property that stands for edges, or for direct relations that point here. It has no
/// values of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    #[serde(default)]
    connection_type: ConnectionType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    source: Source,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    edge_type: Option<InstanceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edge_source: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    direction: Option<Direction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
}

impl Connection {
    fn complete(&mut self, name: &str) -> Result<(), Refusal> {
        check_texts(&self.name, &self.description)?;
        self.source.view("source")?;
        let edge = matches!(
            self.connection_type,
            ConnectionType::SingleEdgeConnection | ConnectionType::MultiEdgeConnection
        );
        let (wanted, given) = if edge {
            self.direction.get_or_insert_default();
            ("type", self.edge_type.is_some())
        } else {
            ("through", self.through.is_some())
        };
        if !given {
            return Err(Refusal::invalid(format!(
                "properties.{name}.{wanted}: is required for this connection"
            )));
        }
        match &self.edge_source {
            Some(edge_source) => edge_source.view("edgeSource").map(|_| ()),
            None => Ok(()),
        }
    }
}

/// A property of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Value")]
pub enum ViewProperty {
    Mapped(MappedProperty),
    Connection(Connection),
}

impl TryFrom<Value> for ViewProperty {
    type Error = serde_json::Error;

    /// Told apart by hand, so that the error names the field that is wrong.
    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let connects = value.get("connectionType").is_some()
            || (value.get("container").is_none() && value.get("source").is_some());
        if connects {
            serde_json::from_value(value).map(Self::Connection)
        } else {
            serde_json::from_value(value).map(Self::Mapped)
        }
    }
}

/// What a client sends to make a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewDefinition {
    #[serde(flatten)]
    pub id: VersionedId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implements: Option<Vec<Source>>,
    #[serde(default)]
    pub properties: BTreeMap<String, ViewProperty>,
}

impl ViewDefinition {
    /// Checks what can be checked without the other views.
    pub fn complete(mut self) -> Result<Self, Refusal> {
        check_space(&self.id.space)?;
        check_schema_external_id(&self.id.external_id)?;
        check_version(&self.id.version)?;
        check_texts(&self.name, &self.description)?;
        if self.properties.len() > PROPERTIES_MAX {
            return Err(Refusal::invalid(format!(
                "properties: at most {PROPERTIES_MAX} are allowed, got {}",
                self.properties.len()
            )));
        }
        for parent in self.implements.iter().flatten() {
            parent.view("implements")?;
        }
        let parents = self.parents().count();
        if parents > IMPLEMENTS_MAX {
            return Err(Refusal::invalid(format!(
                "implements: at most {IMPLEMENTS_MAX} are allowed, got {parents}"
            )));
        }
        for (name, property) in &mut self.properties {
            check_property(name)?;
            match property {
                ViewProperty::Mapped(mapped) => {
                    check_texts(&mapped.name, &mapped.description)?;
                    mapped.container()?;
                    if let Some(source) = &mapped.source {
                        source.view("source")?;
                    }
                }
                ViewProperty::Connection(connection) => connection.complete(name)?,
            }
        }
        Ok(self)
    }

    /// The views that it inherits from, in their order.
    pub fn parents(&self) -> impl Iterator<Item = &VersionedId> {
        let implements = self.implements.iter().flatten();
        implements.filter_map(|parent| parent.view("implements").ok())
    }
}

/// A view of a project.
#[derive(Debug, Clone)]
pub struct View {
    pub definition: ViewDefinition,
    pub stamps: Stamps,
    pub is_global: bool,
}
