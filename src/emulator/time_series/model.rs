//! The fields of a time series, their JSON and their limits.
//!
//! Owns what a series looks like in requests and answers. Never knows other series.

use crate::emulator::answer::Refusal;
use crate::emulator::metadata::{self, Metadata, MetadataLimits};
use crate::emulator::reference::{InstanceId, check_chars, check_external_id};
use crate::emulator::update;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

const NAME_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 1_000;
const UNIT_CHARS_MAX: usize = 32;
const UNIT_EXTERNAL_ID_CHARS_MAX: usize = 64;
/// No figure is given for one value: the total bounds it.
const METADATA: MetadataLimits = MetadataLimits {
    value_bytes_max: 10_000,
    total_bytes_max: 10_000,
};

/// What a client sends to create a series.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTimeSeries {
    pub external_id: Option<String>,
    pub name: Option<String>,
    pub is_string: Option<bool>,
    pub metadata: Option<Metadata>,
    pub unit: Option<String>,
    pub unit_external_id: Option<String>,
    pub asset_id: Option<i64>,
    pub is_step: Option<bool>,
    pub description: Option<String>,
    pub security_categories: Option<Vec<i64>>,
    pub data_set_id: Option<i64>,
    /// Set for nodes and by the admin call: classic creates make no instances.
    #[serde(skip)]
    pub instance_id: Option<InstanceId>,
}

/// A series as answers show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeSeries {
    pub id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub is_string: bool,
    /// `numeric` or `string`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_id: Option<i64>,
    pub is_step: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_categories: Option<Vec<i64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_set_id: Option<i64>,
    pub created_time: i64,
    pub last_updated_time: i64,
}

impl TimeSeries {
    /// The series that `new` asks for.
    pub fn create(id: i64, new: NewTimeSeries, now_ms: i64) -> Self {
        let is_string = new.is_string.unwrap_or(false);
        Self {
            id,
            external_id: new.external_id,
            instance_id: new.instance_id,
            name: new.name,
            is_string,
            kind: if is_string { "string" } else { "numeric" },
            metadata: new.metadata,
            unit: new.unit,
            unit_external_id: new.unit_external_id,
            asset_id: new.asset_id,
            is_step: new.is_step.unwrap_or(false),
            description: new.description,
            security_categories: new.security_categories,
            data_set_id: new.data_set_id,
            created_time: now_ms,
            last_updated_time: now_ms,
        }
    }

    /// Takes over what a node says of its series.
    pub fn follow(&mut self, node: NewTimeSeries, now_ms: i64) {
        self.name = node.name;
        self.description = node.description;
        self.unit = node.unit;
        self.unit_external_id = node.unit_external_id;
        self.is_step = node.is_step.unwrap_or(false);
        self.last_updated_time = now_ms;
    }

    /// Checks every field against its limit.
    pub fn check(&self) -> Result<(), Refusal> {
        if let Some(external_id) = &self.external_id {
            check_external_id(external_id)?;
        }
        for (field, text, most) in [
            ("name", &self.name, NAME_CHARS_MAX),
            ("description", &self.description, DESCRIPTION_CHARS_MAX),
            ("unit", &self.unit, UNIT_CHARS_MAX),
            (
                "unitExternalId",
                &self.unit_external_id,
                UNIT_EXTERNAL_ID_CHARS_MAX,
            ),
        ] {
            if let Some(text) = text {
                check_chars(field, text, most)?;
            }
        }
        if self.is_string && self.unit_external_id.is_some() {
            return Err(Refusal::invalid(
                "unitExternalId: only numeric time series can have a unit of the catalog",
            ));
        }
        match &self.metadata {
            Some(pairs) => metadata::check(pairs, METADATA),
            None => Ok(()),
        }
    }

    /// Applies an update; the result is not checked yet.
    pub fn apply(&mut self, fields: Map<String, Value>, now_ms: i64) -> Result<(), Refusal> {
        for (field, operation) in fields {
            let name = field.as_str();
            // A series of a data model is described there; only these stay classic.
            let classic = ["externalId", "metadata", "assetId", "dataSetId"];
            if self.instance_id.is_some() && !classic.contains(&name) {
                return Err(Refusal::invalid(format!(
                    "update.{name}: cannot be updated here, the time series belongs to a data model"
                )));
            }
            match name {
                "externalId" => update::nullable(name, operation, &mut self.external_id)?,
                "name" => update::nullable(name, operation, &mut self.name)?,
                "metadata" => update::metadata(operation, &mut self.metadata)?,
                "unit" => update::nullable(name, operation, &mut self.unit)?,
                "unitExternalId" => update::nullable(name, operation, &mut self.unit_external_id)?,
                "assetId" => update::nullable(name, operation, &mut self.asset_id)?,
                "isStep" => update::required(name, operation, &mut self.is_step)?,
                "description" => update::nullable(name, operation, &mut self.description)?,
                "securityCategories" => {
                    update::ids(name, operation, &mut self.security_categories)?;
                }
                "dataSetId" => update::nullable(name, operation, &mut self.data_set_id)?,
                _ => {
                    return Err(Refusal::invalid(format!(
                        "update.{name}: cannot be updated"
                    )));
                }
            }
        }
        self.last_updated_time = now_ms;
        Ok(())
    }
}
