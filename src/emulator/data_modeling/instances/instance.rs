//! A node or an edge.
//!
//! Owns what is kept of one and how answers show it without its properties. Data is kept
//! per container: a view is only a way to look at it. A value that is null is absent.

use super::super::identifier::ContainerId;
use super::super::stamps::Stamps;
use crate::emulator::reference::InstanceId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The two kinds of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceType {
    #[default]
    Node,
    Edge,
}

impl InstanceType {
    /// As requests name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Edge => "edge",
        }
    }
}

/// What an edge connects.
#[derive(Debug, Clone, PartialEq)]
pub struct Ends {
    pub start: InstanceId,
    pub end: InstanceId,
}

/// The values in one container, without those that are null.
pub type Data = BTreeMap<String, Value>;

/// A node or an edge.
#[derive(Debug, Clone)]
pub struct Instance {
    pub id: InstanceId,
    pub version: i64,
    pub stamps: Stamps,
    /// Every edge has one, a node may.
    pub relation_type: Option<InstanceId>,
    /// Only edges have ends.
    pub ends: Option<Ends>,
    pub data: BTreeMap<ContainerId, Data>,
}

impl Instance {
    /// A new one without data.
    pub fn new(id: InstanceId) -> Self {
        Self {
            id,
            version: 1,
            stamps: Stamps::now(),
            relation_type: None,
            ends: None,
            data: BTreeMap::new(),
        }
    }

    pub fn instance_type(&self) -> InstanceType {
        match self.ends {
            None => InstanceType::Node,
            Some(_) => InstanceType::Edge,
        }
    }

    /// Whether it says the same as `other`; versions and times do not count.
    pub fn same_content(&self, other: &Self) -> bool {
        self.relation_type == other.relation_type
            && self.ends == other.ends
            && self.data == other.data
    }

    /// The value of a container's property; `None` for null.
    pub fn value(&self, container: &ContainerId, property: &str) -> Option<&Value> {
        self.data.get(container)?.get(property)
    }

    /// `{instanceType, space, externalId}`, as delete calls answer.
    pub fn reference(&self) -> Value {
        json!({
            "instanceType": self.instance_type(),
            "space": self.id.space,
            "externalId": self.id.external_id,
        })
    }

    /// What reading calls show besides the properties.
    pub fn show(&self, properties: Map<String, Value>) -> Value {
        let mut shown = json!({
            "instanceType": self.instance_type(),
            "version": self.version,
            "space": self.id.space,
            "externalId": self.id.external_id,
            "createdTime": self.stamps.created_time,
            "lastUpdatedTime": self.stamps.last_updated_time,
            "properties": properties,
        });
        if let Some(relation_type) = &self.relation_type {
            shown["type"] = json!(relation_type);
        }
        if let Some(ends) = &self.ends {
            shown["startNode"] = json!(ends.start);
            shown["endNode"] = json!(ends.end);
        }
        shown
    }
}
