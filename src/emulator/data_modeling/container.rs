//! Containers: where the properties of instances are stored.
//!
//! Owns their JSON, their limits and the changes that are allowed. Whether what they refer
//! to exists is `schema`'s part.

use super::identifier::{
    ContainerId, Source, check_constraint, check_property, check_schema_external_id, check_space,
};
use super::property_type::{Kind, PropertyType};
use super::stamps::Stamps;
use super::{check_texts, value};
use crate::emulator::answer::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most properties of one container.
const PROPERTIES_MAX: usize = 100;
const CONSTRAINTS_MAX: usize = 10;
const INDEXES_MAX: usize = 10;

/// What a container may hold data of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsedFor {
    #[default]
    Node,
    Edge,
    All,
}

impl UsedFor {
    /// As requests name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Edge => "edge",
            Self::All => "all",
        }
    }
}

/// A property of a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerProperty {
    #[serde(rename = "type")]
    pub property_type: PropertyType,
    #[serde(default = "yes")]
    pub nullable: bool,
    #[serde(default)]
    pub immutable: bool,
    #[serde(default)]
    pub auto_increment: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

fn yes() -> bool {
    true
}

impl ContainerProperty {
    /// Whether every instance with data in the container has to be given this.
    pub fn is_required(&self) -> bool {
        !self.nullable && self.default_value.is_none()
    }

    fn complete(mut self, name: &str) -> Result<Self, Refusal> {
        check_property(name)?;
        check_texts(&self.name, &self.description)?;
        self.property_type = self.property_type.complete()?;
        if self.auto_increment {
            return Err(Refusal::invalid(format!(
                "properties.{name}.autoIncrement: not served by this local CDF"
            )));
        }
        if let Some(default_value) = self.default_value.take() {
            if self.property_type.is_list() || self.property_type.kind == Kind::Direct {
                return Err(Refusal::invalid(format!(
                    "properties.{name}.defaultValue: not allowed for {}",
                    self.property_type.describe()
                )));
            }
            let checked = value::check(&self.property_type, default_value).map_err(|wrong| {
                Refusal::invalid(format!("properties.{name}.defaultValue: {wrong}"))
            })?;
            self.default_value = Some(checked);
        }
        Ok(self)
    }
}

/// A constraint over the data of a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "constraintType", rename_all = "camelCase")]
pub enum Constraint {
    /// No two instances have the same values here.
    #[serde(rename_all = "camelCase")]
    Uniqueness {
        properties: Vec<String>,
        #[serde(default)]
        by_space: bool,
    },
    /// An instance with data here has data there as well.
    Requires { require: Source },
}

/// An index: carried, as it changes no answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    properties: Vec<String>,
    #[serde(default = "Index::btree")]
    index_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cursorable: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by_space: Option<bool>,
}

impl Index {
    fn btree() -> String {
        "btree".to_owned()
    }
}

/// What a client sends to make a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDefinition {
    #[serde(flatten)]
    pub id: ContainerId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default)]
    used_for: Option<UsedFor>,
    pub properties: BTreeMap<String, ContainerProperty>,
    #[serde(default)]
    constraints: Option<BTreeMap<String, Constraint>>,
    #[serde(default)]
    indexes: Option<BTreeMap<String, Index>>,
}

impl ContainerDefinition {
    /// Checks it and fills in what CDF fills in.
    pub fn complete(mut self) -> Result<Self, Refusal> {
        check_space(&self.id.space)?;
        check_schema_external_id(&self.id.external_id)?;
        check_texts(&self.name, &self.description)?;
        self.used_for.get_or_insert_default();
        self.constraints.get_or_insert_default();
        self.indexes.get_or_insert_default();
        if !(1..=PROPERTIES_MAX).contains(&self.properties.len()) {
            return Err(Refusal::invalid(format!(
                "properties: has to be from 1 to {PROPERTIES_MAX}, got {}",
                self.properties.len()
            )));
        }
        self.properties = self
            .properties
            .into_iter()
            .map(|(name, property)| {
                let property = property.complete(&name)?;
                Ok((name, property))
            })
            .collect::<Result<_, Refusal>>()?;
        self.check_constraints()?;
        Ok(self)
    }

    fn check_constraints(&self) -> Result<(), Refusal> {
        let constraints = self.constraints.iter().flatten();
        let indexes = self.indexes.iter().flatten();
        for (field, count, most) in [
            ("constraints", constraints.clone().count(), CONSTRAINTS_MAX),
            ("indexes", indexes.clone().count(), INDEXES_MAX),
        ] {
            if count > most {
                return Err(Refusal::invalid(format!(
                    "{field}: at most {most} are allowed, got {count}"
                )));
            }
        }
        for (name, constraint) in constraints {
            check_constraint("constraints", name)?;
            match constraint {
                Constraint::Uniqueness { properties, .. } => self.check_known(name, properties)?,
                Constraint::Requires { require } => {
                    let required = require.container("constraints.require")?;
                    if *required == self.id {
                        return Err(Refusal::invalid(format!(
                            "constraints.{name}: a container cannot require itself"
                        )));
                    }
                }
            }
        }
        for (name, index) in indexes {
            check_constraint("indexes", name)?;
            self.check_known(name, &index.properties)?;
        }
        Ok(())
    }

    fn check_known(&self, name: &str, properties: &[String]) -> Result<(), Refusal> {
        let unknown = properties
            .iter()
            .find(|property| !self.properties.contains_key(*property));
        match unknown {
            Some(unknown) => Err(Refusal::invalid(format!(
                "'{name}' names the property '{unknown}', which container '{}' does not have",
                self.id
            ))),
            None if properties.is_empty() => Err(Refusal::invalid(format!(
                "'{name}' has to name at least one property"
            ))),
            None => Ok(()),
        }
    }

    /// The containers that this one requires or whose data its relations require.
    pub fn required_containers(&self) -> impl Iterator<Item = &ContainerId> {
        let constraints = self.constraints.iter().flatten();
        let required = constraints.filter_map(|(_, constraint)| match constraint {
            Constraint::Requires { require } => require.container("require").ok(),
            Constraint::Uniqueness { .. } => None,
        });
        let targets = self
            .properties
            .values()
            .filter_map(|property| property.property_type.target_container())
            .filter_map(|source| source.container("container").ok());
        required.chain(targets)
    }

    /// Whether it may become `next`: data that is there must stay readable.
    pub fn check_change(&self, next: &Self) -> Result<(), Refusal> {
        if self.used_for != next.used_for {
            return Err(Refusal::invalid(format!(
                "Cannot change usedFor of container '{}'",
                self.id
            )));
        }
        for (name, property) in &self.properties {
            let Some(changed) = next.properties.get(name) else {
                continue;
            };
            if !property.property_type.may_become(&changed.property_type) {
                return Err(Refusal::invalid(format!(
                    "Cannot change the type of property '{name}' of container '{}' from {} to {}",
                    self.id,
                    property.property_type.describe(),
                    changed.property_type.describe()
                )));
            }
        }
        Ok(())
    }
}

/// A container of a project.
#[derive(Debug, Clone)]
pub struct Container {
    pub definition: ContainerDefinition,
    pub stamps: Stamps,
    pub is_global: bool,
}

impl Container {
    /// What it may hold data of.
    pub fn used_for(&self) -> UsedFor {
        self.definition.used_for.unwrap_or_default()
    }

    /// Its constraints by their names.
    pub fn constraints(&self) -> impl Iterator<Item = (&String, &Constraint)> {
        self.definition.constraints.iter().flatten()
    }

    /// A copy without a constraint or an index; `None` when it has none of that name.
    pub fn without(&self, constraint: bool, name: &str) -> Option<Self> {
        let mut copy = self.clone();
        let definition = &mut copy.definition;
        if constraint {
            definition.constraints.as_mut()?.remove(name)?;
        } else {
            definition.indexes.as_mut()?.remove(name)?;
        }
        copy.stamps = copy.stamps.touched();
        Some(copy)
    }

    /// As answers show it.
    pub fn to_json(&self) -> Value {
        let mut shown = serde_json::to_value(&self.definition)
            .expect("definitions are plain structures that always serialise");
        for (part, field, state) in [
            ("properties", "constraintState", json!({})),
            ("constraints", "state", json!("current")),
            ("indexes", "state", json!("current")),
        ] {
            for (_, entry) in shown[part].as_object_mut().into_iter().flatten() {
                entry[field] = state.clone();
            }
        }
        self.stamps.show(&mut shown, self.is_global);
        shown
    }
}
