//! The update grammar: `set`, `setNull`, `add` and `remove`.
//!
//! Owns how one field's operation is read and applied. Which fields a resource has, and
//! which of them may be cleared, is the resource's part.

use super::answer::Refusal;
use super::metadata::Metadata;
use super::reference::{InstanceId, Reference, check_distinct};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The body of an update call.
#[derive(Debug, Deserialize)]
pub struct UpdateList {
    items: Vec<UpdateItem>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdateItem {
    id: Option<i64>,
    external_id: Option<String>,
    instance_id: Option<InstanceId>,
    update: Map<String, Value>,
}

/// The changes of one object: field to operation.
#[derive(Debug)]
pub struct Change {
    pub reference: Reference,
    pub fields: Map<String, Value>,
}

impl UpdateList {
    /// The changes, with distinct references.
    pub fn check(self, what: &str, most: usize) -> Result<Vec<Change>, Refusal> {
        super::json::check_items(what, self.items.len(), most)?;
        let changes = self
            .items
            .into_iter()
            .map(|item| {
                Ok(Change {
                    reference: Reference::from_fields(item.id, item.external_id, item.instance_id)?,
                    fields: item.update,
                })
            })
            .collect::<Result<Vec<_>, Refusal>>()?;
        check_distinct(changes.iter().map(|change| &change.reference))?;
        Ok(changes)
    }
}

/// Applies `{"set": v}` or `{"setNull": true}`.
pub fn nullable<T: DeserializeOwned>(
    field: &str,
    operation: Value,
    target: &mut Option<T>,
) -> Result<(), Refusal> {
    *target = match parts(field, operation)? {
        Parts {
            set: Some(value),
            set_null: None,
            add: None,
            remove: None,
        } => Some(value_of(field, value)?),
        Parts {
            set: None,
            set_null: Some(true),
            add: None,
            remove: None,
        } => None,
        _ => return Err(malformed(field, "set or setNull")),
    };
    Ok(())
}

/// Applies `{"set": v}`, the only operation of a required field.
pub fn required<T: DeserializeOwned>(
    field: &str,
    operation: Value,
    target: &mut T,
) -> Result<(), Refusal> {
    let mut changed = None;
    nullable(field, operation, &mut changed)?;
    *target = changed.ok_or_else(|| malformed(field, "set"))?;
    Ok(())
}

/// Applies `{"set": {…}}`, or `{"add": {…}, "remove": […]}`, or `setNull`.
pub fn metadata(operation: Value, target: &mut Option<Metadata>) -> Result<(), Refusal> {
    let field = "metadata";
    match parts(field, operation)? {
        Parts {
            set: Some(value),
            set_null: None,
            add: None,
            remove: None,
        } => {
            *target = Some(value_of(field, value)?);
        }
        Parts {
            set: None,
            set_null: Some(true),
            add: None,
            remove: None,
        } => *target = None,
        Parts {
            set: None,
            set_null: None,
            add,
            remove,
        } if add.is_some() || remove.is_some() => {
            let pairs = target.get_or_insert_default();
            for key in value_of::<Option<Vec<String>>>(field, remove.into())?.unwrap_or_default() {
                pairs.remove(&key);
            }
            pairs.extend(value_of::<Option<Metadata>>(field, add.into())?.unwrap_or_default());
        }
        _ => return Err(malformed(field, "set, or add and remove")),
    }
    Ok(())
}

/// Applies `{"set": […]}`, or `{"add": […], "remove": […]}`, or `setNull` to a list of ids.
pub fn ids(field: &str, operation: Value, target: &mut Option<Vec<i64>>) -> Result<(), Refusal> {
    match parts(field, operation)? {
        Parts {
            set: Some(value),
            set_null: None,
            add: None,
            remove: None,
        } => {
            *target = Some(value_of(field, value)?);
        }
        Parts {
            set: None,
            set_null: Some(true),
            add: None,
            remove: None,
        } => *target = None,
        Parts {
            set: None,
            set_null: None,
            add,
            remove,
        } if add.is_some() || remove.is_some() => {
            let list = target.get_or_insert_default();
            let remove: Vec<i64> = value_of::<Option<_>>(field, remove.into())?.unwrap_or_default();
            list.retain(|id| !remove.contains(id));
            for id in value_of::<Option<Vec<i64>>>(field, add.into())?.unwrap_or_default() {
                if !list.contains(&id) {
                    list.push(id);
                }
            }
        }
        _ => return Err(malformed(field, "set, or add and remove")),
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parts {
    set: Option<Value>,
    set_null: Option<bool>,
    add: Option<Value>,
    remove: Option<Value>,
}

fn parts(field: &str, operation: Value) -> Result<Parts, Refusal> {
    serde_json::from_value(operation).map_err(|_| malformed(field, "set, setNull, add or remove"))
}

fn value_of<T: DeserializeOwned>(field: &str, value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value)
        .map_err(|error| Refusal::invalid(format!("update.{field}: {error}")))
}

fn malformed(field: &str, expected: &str) -> Refusal {
    Refusal::invalid(format!("update.{field}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn set_replaces_and_set_null_clears() -> Result<(), Refusal> {
        let mut name = Some("old".to_owned());
        nullable("name", json!({"set": "new"}), &mut name)?;
        assert_eq!(name.as_deref(), Some("new"));
        nullable("name", json!({"setNull": true}), &mut name)?;
        assert_eq!(name, None);
        Ok(())
    }

    #[test]
    fn a_required_field_cannot_be_cleared() {
        let mut step = true;
        assert!(required("isStep", json!({"setNull": true}), &mut step).is_err());
        assert!(step);
    }

    #[test]
    fn metadata_is_added_to_and_removed_from() -> Result<(), Refusal> {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        let mut target = Some(Metadata::from([pair("a", "1"), pair("b", "2")]));
        metadata(json!({"add": {"c": "3"}, "remove": ["a"]}), &mut target)?;
        assert_eq!(
            target,
            Some(Metadata::from([pair("b", "2"), pair("c", "3")]))
        );
        Ok(())
    }

    #[test]
    fn set_and_add_exclude_each_other() {
        let mut target = None;
        assert!(metadata(json!({"set": {}, "add": {}}), &mut target).is_err());
        assert!(
            ids(
                "securityCategories",
                json!({"set": [], "remove": []}),
                &mut None
            )
            .is_err()
        );
    }
}
