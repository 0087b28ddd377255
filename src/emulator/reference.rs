//! How requests name an object: by id, by external id or by instance id.
//!
//! Owns the three forms, their JSON, and the rules for the identifiers themselves. Never
//! looks anything up.

use super::answer::Refusal;
use super::checksum;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Largest id that CDF makes: what a double holds exactly.
pub const ID_MAX: i64 = (1 << 53) - 1;

/// Longest external id, in characters.
pub const EXTERNAL_ID_CHARS_MAX: usize = 255;

/// Longest space of an instance id, in characters.
pub const SPACE_CHARS_MAX: usize = 43;

/// An instance in a data model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceId {
    pub space: String,
    pub external_id: String,
}

/// Names one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Reference {
    Id(i64),
    ExternalId(String),
    InstanceId(InstanceId),
}

impl Reference {
    /// Takes the one of three fields that is given; none or several are a 400.
    pub fn from_fields(
        id: Option<i64>,
        external_id: Option<String>,
        instance_id: Option<InstanceId>,
    ) -> Result<Self, Refusal> {
        let reference = match (id, external_id, instance_id) {
            (Some(id), None, None) => Self::Id(id),
            (None, Some(external_id), None) => Self::ExternalId(external_id),
            (None, None, Some(instance_id)) => Self::InstanceId(instance_id),
            _ => {
                return Err(Refusal::invalid(
                    "Each item has to have exactly one of id, externalId and instanceId",
                ));
            }
        };
        reference.check()?;
        Ok(reference)
    }

    fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Id(id) if !(1..=ID_MAX).contains(id) => Err(Refusal::invalid(format!(
                "id has to be from 1 to {ID_MAX}, got {id}"
            ))),
            Self::Id(_) => Ok(()),
            Self::ExternalId(external_id) => check_external_id(external_id),
            Self::InstanceId(instance) => check_instance_id(&instance.space, &instance.external_id),
        }
    }

    /// As the lists `missing` and `duplicated` show it.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Id(id) => json!({"id": id}),
            Self::ExternalId(external_id) => json!({"externalId": external_id}),
            Self::InstanceId(instance) => json!({"instanceId": instance}),
        }
    }

    /// As the request log shows it.
    pub fn label(&self) -> String {
        match self {
            Self::Id(id) => format!("id:{id}"),
            Self::ExternalId(external_id) => external_id.clone(),
            Self::InstanceId(instance) => {
                format!("instance:{}/{}", instance.space, instance.external_id)
            }
        }
    }

    /// Its factor in the checksum of datapoints.
    pub fn checksum_factor(&self) -> u64 {
        match self {
            Self::Id(id) => checksum::series_by_id(*id),
            Self::ExternalId(external_id) => {
                checksum::series_by_external_id(external_id.as_bytes())
            }
            Self::InstanceId(instance) => checksum::series_by_instance_id(
                instance.space.as_bytes(),
                instance.external_id.as_bytes(),
            ),
        }
    }
}

/// Checks an external id: at most 255 characters.
pub fn check_external_id(external_id: &str) -> Result<(), Refusal> {
    check_chars("externalId", external_id, EXTERNAL_ID_CHARS_MAX)
}

/// Checks the two parts of an instance id.
pub fn check_instance_id(space: &str, external_id: &str) -> Result<(), Refusal> {
    if space.is_empty() || external_id.is_empty() {
        return Err(Refusal::invalid(
            "instanceId: space and externalId must not be empty",
        ));
    }
    check_chars("instanceId.space", space, SPACE_CHARS_MAX)?;
    check_chars("instanceId.externalId", external_id, EXTERNAL_ID_CHARS_MAX)
}

/// Checks the length of a text, in characters.
pub fn check_chars(field: &str, text: &str, most: usize) -> Result<(), Refusal> {
    // A text of few bytes cannot have many characters: the count is rarely needed.
    if text.len() > most && text.chars().count() > most {
        return Err(Refusal::invalid(format!(
            "{field}: size must be at most {most} characters, got {}",
            text.chars().count()
        )));
    }
    Ok(())
}

/// Refuses references that stand twice in one request with CDF's 422.
pub fn check_distinct<'a>(
    references: impl IntoIterator<Item = &'a Reference>,
) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    let doubled: HashSet<&Reference> = references
        .into_iter()
        .filter(|reference| !seen.insert(*reference))
        .collect();
    refuse_doubled(doubled.into_iter().map(Reference::to_json).collect())
}

/// The 422 for `duplicated`, unless there are none.
pub fn refuse_doubled(duplicated: Vec<Value>) -> Result<(), Refusal> {
    if duplicated.is_empty() {
        return Ok(());
    }
    Err(Refusal::Doubled {
        message: "Duplicated ids in the request".to_owned(),
        duplicated,
    })
}

/// The body of `byids` and `delete` calls.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReferenceList {
    items: Vec<ReferenceFields>,
    #[serde(default)]
    ignore_unknown_ids: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReferenceFields {
    id: Option<i64>,
    external_id: Option<String>,
    instance_id: Option<InstanceId>,
}

impl ReferenceList {
    /// The references, checked and distinct, and whether unknown ones are to be ignored.
    pub fn check(self, what: &str, most: usize) -> Result<(Vec<Reference>, bool), Refusal> {
        super::json::check_items(what, self.items.len(), most)?;
        let references = self
            .items
            .into_iter()
            .map(|item| Reference::from_fields(item.id, item.external_id, item.instance_id))
            .collect::<Result<Vec<_>, _>>()?;
        check_distinct(&references)?;
        Ok((references, self.ignore_unknown_ids.unwrap_or(false)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_is_measured_in_characters() {
        assert!(check_external_id(&"ü".repeat(255)).is_ok());
        assert!(check_external_id(&"ü".repeat(256)).is_err());
    }

    #[test]
    fn an_item_with_two_references_is_refused() {
        assert!(Reference::from_fields(Some(1), Some("a".into()), None).is_err());
        assert!(Reference::from_fields(None, None, None).is_err());
    }

    #[test]
    fn a_doubled_reference_is_a_422_that_lists_it_once() {
        let a = Reference::ExternalId("a".into());
        let refusal = check_distinct([&a, &a, &a]).err();
        assert_eq!(
            refusal,
            Some(Refusal::Doubled {
                message: "Duplicated ids in the request".into(),
                duplicated: vec![json!({"externalId": "a"})],
            })
        );
    }
}
