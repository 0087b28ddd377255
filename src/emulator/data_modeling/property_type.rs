//! The types that a property can have.
//!
//! Owns their JSON, their limits and their defaults. `value` checks values against them.

use super::identifier::{Source, check_enum_value};
use crate::emulator::answer::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most values of a list property, unless it says otherwise.
const LIST_SIZE: usize = 1_000;
/// Most targets of a list of direct relations, unless it says otherwise.
const DIRECT_LIST_SIZE: usize = 100;
/// The most that a property may ask for.
const LIST_SIZE_MAX: usize = 2_000;
/// Longest text, in UTF-8 bytes.
pub const TEXT_BYTES_MAX: usize = 128_000;
const ENUM_VALUES_MAX: usize = 32;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Text,
    Boolean,
    Float32,
    Float64,
    Int32,
    Int64,
    Timestamp,
    Date,
    Json,
    TimeSeries,
    File,
    Sequence,
    Direct,
    Enum,
}

impl Kind {
    /// As requests and messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Json => "json",
            Self::TimeSeries => "timeseries",
            Self::File => "file",
            Self::Sequence => "sequence",
            Self::Direct => "direct",
            Self::Enum => "enum",
        }
    }
}

/// The type of a container's property, with what belongs to its kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PropertyType {
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Absent for enums, which have no lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    list: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_list_size: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_text_size: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collation: Option<String>,
    /// A unit of the catalog, for floats; carried, not looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Value>,
    /// The container that the target of a direct relation has to have data in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unknown_value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    values: Option<BTreeMap<String, Value>>,
}

impl PropertyType {
    /// Checks it and fills in what CDF fills in.
    pub fn complete(mut self) -> Result<Self, Refusal> {
        let kind = self.kind;
        let only = |given: bool, field: &str, fits: bool| {
            if given && !fits {
                return Err(Refusal::invalid(format!(
                    "type.{field}: not allowed for {}",
                    kind.name()
                )));
            }
            Ok(())
        };
        only(self.list == Some(true), "list", kind != Kind::Enum)?;
        only(
            self.max_list_size.is_some(),
            "maxListSize",
            self.list == Some(true),
        )?;
        only(
            self.max_text_size.is_some(),
            "maxTextSize",
            kind == Kind::Text,
        )?;
        only(self.collation.is_some(), "collation", kind == Kind::Text)?;
        only(
            self.unit.is_some(),
            "unit",
            matches!(kind, Kind::Float32 | Kind::Float64),
        )?;
        only(self.container.is_some(), "container", kind == Kind::Direct)?;
        only(self.values.is_some(), "values", kind == Kind::Enum)?;
        only(
            self.unknown_value.is_some(),
            "unknownValue",
            kind == Kind::Enum,
        )?;
        for (field, size, most) in [
            ("maxListSize", self.max_list_size, LIST_SIZE_MAX),
            ("maxTextSize", self.max_text_size, TEXT_BYTES_MAX),
        ] {
            if size.is_some_and(|size| !(1..=most).contains(&size)) {
                return Err(Refusal::invalid(format!(
                    "type.{field}: has to be from 1 to {most}"
                )));
            }
        }
        if let Some(container) = &self.container {
            container.container("type.container")?;
        }
        if kind == Kind::Enum {
            self.check_enum()?;
        } else {
            self.list.get_or_insert(false);
        }
        if kind == Kind::Text {
            self.collation.get_or_insert_with(|| "ucs_basic".to_owned());
        }
        Ok(self)
    }

    fn check_enum(&self) -> Result<(), Refusal> {
        let values = self.values.as_ref().ok_or_else(|| {
            Refusal::invalid("type.values: an enum has to say which values it has")
        })?;
        if !(1..=ENUM_VALUES_MAX).contains(&values.len()) {
            return Err(Refusal::invalid(format!(
                "type.values: has to be from 1 to {ENUM_VALUES_MAX} values, got {}",
                values.len()
            )));
        }
        values.keys().try_for_each(|name| check_enum_value(name))?;
        match &self.unknown_value {
            Some(unknown) if !values.contains_key(unknown) => Err(Refusal::invalid(format!(
                "type.unknownValue: '{unknown}' is not one of the values"
            ))),
            _ => Ok(()),
        }
    }

    /// Whether a property holds a list of values.
    pub fn is_list(&self) -> bool {
        self.list == Some(true)
    }

    /// Most values of a list.
    pub fn list_size_max(&self) -> usize {
        self.max_list_size.unwrap_or(match self.kind {
            Kind::Direct => DIRECT_LIST_SIZE,
            _ => LIST_SIZE,
        })
    }

    /// Most bytes of a text.
    pub fn text_bytes_max(&self) -> usize {
        self.max_text_size.unwrap_or(TEXT_BYTES_MAX)
    }

    /// Whether an enum has this value; the one for unknown values cannot be written.
    pub fn has_value(&self, value: &str) -> bool {
        self.values
            .as_ref()
            .is_some_and(|values| values.contains_key(value))
            && self.unknown_value.as_deref() != Some(value)
    }

    /// The container that targets have to have data in.
    pub fn target_container(&self) -> Option<&Source> {
        self.container.as_ref()
    }

    /// Whether a container may change a property of this type into `other`: only limits
    /// and what enums know may change.
    pub fn may_become(&self, other: &Self) -> bool {
        self.kind == other.kind && self.list == other.list
    }

    /// As messages name it.
    pub fn describe(&self) -> String {
        if self.is_list() {
            format!("a list of {}", self.kind.name())
        } else {
            self.kind.name().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(text: &str) -> Result<PropertyType, Refusal> {
        serde_json::from_str::<PropertyType>(text)
            .map_err(|error| Refusal::invalid(error.to_string()))?
            .complete()
    }

    #[test]
    fn a_text_gets_its_defaults() -> Result<(), Refusal> {
        let text = complete(r#"{"type":"text"}"#)?;
        assert_eq!(
            serde_json::to_value(&text).ok(),
            Some(serde_json::json!({"type": "text", "list": false, "collation": "ucs_basic"}))
        );
        Ok(())
    }

    #[test]
    fn what_belongs_to_another_kind_is_refused() {
        for text in [
            r#"{"type":"int32","collation":"ucs_basic"}"#,
            r#"{"type":"text","maxListSize":5}"#,
            r#"{"type":"text","unit":{"externalId":"a"}}"#,
            r#"{"type":"enum"}"#,
            r#"{"type":"enum","values":{"a b":{}}}"#,
            r#"{"type":"enum","values":{"a":{}},"unknownValue":"b"}"#,
            r#"{"type":"int32","list":true,"maxListSize":2001}"#,
            r#"{"type":"decimal"}"#,
        ] {
            assert!(complete(text).is_err(), "{text}");
        }
    }
}
