//! How data modeling names things, and which names it allows.
//!
//! Owns the identifiers of containers, views and data models, their JSON and CDF's
//! patterns and reserved words. Instances are named by
//! [`InstanceId`](crate::emulator::reference::InstanceId). Never looks anything up.

use crate::emulator::answer::Refusal;
use crate::emulator::reference::InstanceId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest external id of a node or an edge, in characters. One more than a series of the
/// classic API may have.
pub const INSTANCE_EXTERNAL_ID_CHARS_MAX: usize = 256;

const SPACE_CHARS_MAX: usize = 43;
const SCHEMA_EXTERNAL_ID_CHARS_MAX: usize = 255;
const VERSION_CHARS_MAX: usize = 43;
const PROPERTY_CHARS_MAX: usize = 255;
const CONSTRAINT_CHARS_MAX: usize = 43;
const ENUM_VALUE_CHARS_MAX: usize = 128;

const SPACES_RESERVED: [&str; 8] = [
    "space", "cdf", "dms", "pg3", "shared", "system", "node", "edge",
];

const EXTERNAL_IDS_RESERVED: [&str; 19] = [
    "Query",
    "Mutation",
    "Subscription",
    "String",
    "Int32",
    "Int64",
    "Int",
    "Float32",
    "Float64",
    "Float",
    "Timestamp",
    "JSONObject",
    "Date",
    "Numeric",
    "Boolean",
    "PageInfo",
    "File",
    "Sequence",
    "TimeSeries",
];

const PROPERTIES_RESERVED: [&str; 12] = [
    "space",
    "externalId",
    "createdTime",
    "lastUpdatedTime",
    "deletedTime",
    "edge_id",
    "node_id",
    "project_id",
    "property_group",
    "seq",
    "tg_table_name",
    "extensions",
];

/// Names a container.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerId {
    pub space: String,
    pub external_id: String,
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.space, self.external_id)
    }
}

/// Names one version of a view or of a data model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionedId {
    pub space: String,
    pub external_id: String,
    pub version: String,
}

impl VersionedId {
    /// The key of its properties in an instance: `externalId/version`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.external_id, self.version)
    }
}

impl fmt::Display for VersionedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.space, self.external_id, self.version)
    }
}

/// A reference to a view or to a container, as requests tag it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Source {
    View(VersionedId),
    Container(ContainerId),
}

impl Source {
    /// The view; a container is a 400 that names `field`.
    pub fn view(&self, field: &str) -> Result<&VersionedId, Refusal> {
        match self {
            Self::View(view) => Ok(view),
            Self::Container(_) => Err(Refusal::invalid(format!(
                "{field}: expected a reference to a view, got one to a container"
            ))),
        }
    }

    /// The container; a view is a 400 that names `field`.
    pub fn container(&self, field: &str) -> Result<&ContainerId, Refusal> {
        match self {
            Self::Container(container) => Ok(container),
            Self::View(_) => Err(Refusal::invalid(format!(
                "{field}: expected a reference to a container, got one to a view"
            ))),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::View(view) => write!(f, "view '{view}'"),
            Self::Container(container) => write!(f, "container '{container}'"),
        }
    }
}

/// An instance as messages name it.
pub fn instance_name(id: &InstanceId) -> String {
    format!("{}:{}", id.space, id.external_id)
}

/// Checks the name of a space that is to be made.
pub fn check_new_space(space: &str) -> Result<(), Refusal> {
    if SPACES_RESERVED.contains(&space) {
        return Err(Refusal::invalid(format!("space: '{space}' is reserved")));
    }
    check_space(space)
}

/// Checks the name of a space.
pub fn check_space(space: &str) -> Result<(), Refusal> {
    let fits = starts_with_letter(space)
        && space.len() <= SPACE_CHARS_MAX
        && space.bytes().all(is_word_or_dash)
        // Only the last place of the longest name is narrower.
        && (space.len() < SPACE_CHARS_MAX || ends_with_alphanumeric(space));
    accept(fits, "space", space)
}

/// Checks the external id of a container, a view or a data model.
pub fn check_schema_external_id(external_id: &str) -> Result<(), Refusal> {
    if EXTERNAL_IDS_RESERVED.contains(&external_id) {
        return Err(Refusal::invalid(format!(
            "externalId: '{external_id}' is reserved"
        )));
    }
    let fits = starts_with_letter(external_id)
        && external_id.len() <= SCHEMA_EXTERNAL_ID_CHARS_MAX
        && external_id.bytes().all(is_word)
        && ends_with_alphanumeric(external_id);
    accept(fits, "externalId", external_id)
}

/// Checks the version of a view or of a data model.
pub fn check_version(version: &str) -> Result<(), Refusal> {
    let fits = starts_with_alphanumeric(version)
        && version.len() <= VERSION_CHARS_MAX
        && version
            .bytes()
            .all(|byte| is_word_or_dash(byte) || byte == b'.')
        && ends_with_alphanumeric(version);
    accept(fits, "version", version)
}

/// Checks the name of a property.
pub fn check_property(name: &str) -> Result<(), Refusal> {
    if PROPERTIES_RESERVED.contains(&name) {
        return Err(Refusal::invalid(format!(
            "properties: '{name}' is reserved"
        )));
    }
    let fits = starts_with_alphanumeric(name)
        && name.len() <= PROPERTY_CHARS_MAX
        && name.bytes().all(is_word_or_dash)
        && (name.len() < PROPERTY_CHARS_MAX || ends_with_alphanumeric(name));
    accept(fits, "properties", name)
}

/// Checks the name of a constraint or of an index.
pub fn check_constraint(field: &str, name: &str) -> Result<(), Refusal> {
    accept(
        (1..=CONSTRAINT_CHARS_MAX).contains(&name.chars().count()),
        field,
        name,
    )
}

/// Checks one value of an enum property.
pub fn check_enum_value(name: &str) -> Result<(), Refusal> {
    let starts = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let fits = starts
        && name.len() <= ENUM_VALUE_CHARS_MAX
        && name.bytes().all(is_word)
        && !["true", "false", "null"].contains(&name);
    accept(fits, "values", name)
}

/// Checks the identifier of a node or of an edge.
pub fn check_instance(id: &InstanceId) -> Result<(), Refusal> {
    check_instance_parts(&id.space, &id.external_id)
}

/// The same, for an identifier that is still borrowed from the body.
pub fn check_instance_parts(space: &str, external_id: &str) -> Result<(), Refusal> {
    check_space(space)?;
    let fits = !external_id.is_empty()
        && !external_id.contains('\0')
        && (external_id.len() <= INSTANCE_EXTERNAL_ID_CHARS_MAX
            || external_id.chars().count() <= INSTANCE_EXTERNAL_ID_CHARS_MAX);
    if fits {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "externalId: has to be 1 to {INSTANCE_EXTERNAL_ID_CHARS_MAX} characters without NUL, got {}",
        external_id.chars().count()
    )))
}

fn accept(fits: bool, field: &str, name: &str) -> Result<(), Refusal> {
    if fits {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "{field}: '{name}' does not match the pattern of its kind"
    )))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_word_or_dash(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

fn starts_with_letter(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
}

fn starts_with_alphanumeric(text: &str) -> bool {
    text.bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric())
}

fn ends_with_alphanumeric(text: &str) -> bool {
    text.bytes()
        .next_back()
        .is_some_and(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_follow_their_pattern() {
        for space in ["a", "A-b_9", "plant_", &"s".repeat(43)] {
            assert!(check_new_space(space).is_ok(), "{space}");
        }
        let long = format!("{}_", "s".repeat(42));
        for space in ["", "9a", "a b", "ü", "cdf", "edge", &long, &"s".repeat(44)] {
            assert!(check_new_space(space).is_err(), "{space}");
        }
    }

    #[test]
    fn schema_external_ids_end_with_a_letter_or_a_digit() {
        assert!(check_schema_external_id("Pump_1").is_ok());
        for external_id in ["Pump_", "Pump-1", "1Pump", "", "TimeSeries"] {
            assert!(
                check_schema_external_id(external_id).is_err(),
                "{external_id}"
            );
        }
    }

    #[test]
    fn an_instance_is_measured_in_characters() {
        assert!(check_instance_parts("s", &"ü".repeat(256)).is_ok());
        assert!(check_instance_parts("s", &"ü".repeat(257)).is_err());
        assert!(check_instance_parts("s", "a\0b").is_err());
    }
}
