//! What a view of data modeling has: `POST /models/views/byids`.
//!
//! Owns the call, and which column type a property has. Promises every property that instances
//! hold; connections, which are edges or other instances' properties, are left out. Never used on
//! the data path: a table keeps what was read when it was made.

use super::client::{Call, JSON};
use super::{AttemptFailure, CdfClient, Identity, Operation, Repeat};
use crate::catalog::{ColumnType, InstanceType, Resource};
use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Bytes of the answer that are read: a view has some hundred properties.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A view as CDF has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewProperties {
    pub version: String,
    /// What is written through it; `None`: both nodes and edges can be.
    pub instance_type: Option<InstanceType>,
    pub properties: Vec<(String, ColumnType)>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    version: String,
    #[serde(default)]
    created_time: i64,
    #[serde(default)]
    used_for: String,
    #[serde(default)]
    properties: Map<String, Value>,
}

impl CdfClient {
    /// Reads one version of a view, or the youngest one where no version is named; `None`: there
    /// is no such view.
    ///
    /// # Errors
    /// CDF cannot be reached, refuses the call, or answers what is no list of views; a property
    /// has a type that no column has.
    pub async fn view_properties(
        &self,
        identity: &Identity,
        space: &str,
        external_id: &str,
        version: Option<&str>,
    ) -> Result<Option<ViewProperties>, Box<Diagnostic>> {
        let mut item = json!({"space": space, "externalId": external_id});
        if let Some(version) = version {
            item["version"] = json!(version);
        }
        let call = Call {
            operation: Operation::LookUp(Resource::Instances),
            repeat: Repeat::Harmless,
            method: Method::POST,
            path: "/models/views/byids?includeInheritedProperties=true",
            body: Bytes::from(json!({"items": [item]}).to_string()),
            content_type: JSON,
            gzip: false,
            accept: JSON,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self
            .call(identity, &call)
            .await
            .map_err(|failure: AttemptFailure| Box::new(failure.reason().clone()))?;
        let page: Page = serde_json::from_slice(&answer.body)
            .map_err(|error| unreadable(format!("CDF's list of views cannot be read: {error}")))?;
        let Some(item) = page.items.into_iter().max_by_key(|item| item.created_time) else {
            return Ok(None);
        };
        let mut properties = Vec::new();
        for (name, described) in item.properties {
            // A connection has no type of its own.
            let Some(described) = described.get("type") else {
                continue;
            };
            let kind = described.get("type").and_then(Value::as_str).unwrap_or("");
            let is_list = described.get("list") == Some(&Value::Bool(true));
            let Some(column_type) = column_type(kind, is_list) else {
                return Err(unreadable(format!(
                    "property \"{name}\" of the view has type \"{kind}\", which no column has"
                )));
            };
            properties.push((name, column_type));
        }
        Ok(Some(ViewProperties {
            version: item.version,
            instance_type: match item.used_for.as_str() {
                "node" => Some(InstanceType::Node),
                "edge" => Some(InstanceType::Edge),
                _ => None,
            },
            properties,
        }))
    }
}

/// The column type of a property. Dates are text, as there is no column type for them; so are
/// lists of times.
fn column_type(kind: &str, is_list: bool) -> Option<ColumnType> {
    let (single, list) = match kind {
        "text" | "enum" | "date" | "timeseries" | "file" | "sequence" => {
            (ColumnType::Text, ColumnType::TextArray)
        }
        "timestamp" => (ColumnType::TimestampTz, ColumnType::TextArray),
        "boolean" => (ColumnType::Bool, ColumnType::BoolArray),
        "int32" | "int64" => (ColumnType::BigInt, ColumnType::BigIntArray),
        "float32" => (ColumnType::Real, ColumnType::RealArray),
        "float64" => (
            ColumnType::DoublePrecision,
            ColumnType::DoublePrecisionArray,
        ),
        "json" | "direct" => (ColumnType::Json, ColumnType::JsonArray),
        _ => return None,
    };
    Some(if is_list { list } else { single })
}

fn unreadable(message: String) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(SqlState::FDW_ERROR, message))
}
