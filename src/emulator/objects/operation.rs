//! `set`, `setNull`, `add` and `remove` on the fields of an object.
//!
//! Owns how an operation changes a field; whether the result is allowed is checked after.
//! Never looks anything up.

use super::field::{Field, Fields, Rule, Updating};
use crate::emulator::answer::Refusal;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The operation on one field, as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Operation {
    pub set: Option<Value>,
    pub set_null: Option<bool>,
    pub add: Option<Value>,
    pub remove: Option<Value>,
    /// Only for the columns of sequences.
    pub modify: Option<Value>,
}

impl Operation {
    /// Reads the operation of a field.
    pub fn read(name: &str, operation: Value) -> Result<Self, Refusal> {
        // An array would be taken for the fields in their order.
        let given = operation.is_object().then_some(operation);
        given
            .and_then(|operation| serde_json::from_value(operation).ok())
            .ok_or_else(|| malformed(name, "set, setNull, add or remove"))
    }

    /// The values that come to the object.
    pub fn given(&self) -> impl Iterator<Item = &Value> {
        self.set.iter().chain(&self.add)
    }

    /// Applies it to the fields of an object.
    pub fn apply(self, field: &Field, fields: &mut Fields) -> Result<(), Refusal> {
        let name = field.name;
        let expected = || malformed(name, expectation(field));
        match self {
            Self {
                set: Some(value),
                set_null: None,
                add: None,
                remove: None,
                modify: None,
            } => {
                fields.insert(name.to_owned(), value);
            }
            Self {
                set: None,
                set_null: Some(true),
                add: None,
                remove: None,
                modify: None,
            } if field.updating == Updating::Nullable => {
                fields.shift_remove(name);
            }
            Self {
                set: None,
                set_null: None,
                add,
                remove,
                modify: None,
            } if add.is_some() || remove.is_some() => match field.rule {
                Rule::Metadata(_) => {
                    let pairs = fields
                        .entry(name)
                        .or_insert_with(|| Map::new().into())
                        .as_object_mut()
                        .ok_or_else(expected)?;
                    change_pairs(pairs, add, remove).ok_or_else(expected)?;
                }
                Rule::Labels { .. } | Rule::Ids { .. } | Rule::Structure(_) => {
                    let list = fields
                        .entry(name)
                        .or_insert_with(|| Vec::<Value>::new().into())
                        .as_array_mut()
                        .ok_or_else(expected)?;
                    change_list(list, add, remove).ok_or_else(expected)?;
                }
                _ => return Err(expected()),
            },
            _ => return Err(expected()),
        }
        Ok(())
    }
}

/// Takes keys away and puts pairs in; `None` when either is of another form.
fn change_pairs(
    pairs: &mut Map<String, Value>,
    add: Option<Value>,
    remove: Option<Value>,
) -> Option<()> {
    for key in list_of(remove)? {
        pairs.shift_remove(key.as_str()?);
    }
    match add {
        None => {}
        Some(Value::Object(added)) => pairs.extend(added),
        Some(_) => return None,
    }
    Some(())
}

/// Takes elements away and puts new ones in. What is there already is not doubled, what is
/// not there need not be removed.
fn change_list(list: &mut Vec<Value>, add: Option<Value>, remove: Option<Value>) -> Option<()> {
    let remove = list_of(remove)?;
    list.retain(|element| !remove.contains(element));
    for element in list_of(add)? {
        if !list.contains(&element) {
            list.push(element);
        }
    }
    Some(())
}

fn list_of(value: Option<Value>) -> Option<Vec<Value>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::Array(list)) => Some(list),
        Some(_) => None,
    }
}

fn expectation(field: &Field) -> &'static str {
    match (&field.rule, field.updating) {
        (Rule::Metadata(_) | Rule::Labels { .. } | Rule::Ids { .. }, _) => "set, or add and remove",
        (_, Updating::Nullable) => "set or setNull",
        (_, Updating::Set | Updating::Never) => "set",
    }
}

/// The 400 for an operation that the field does not have.
pub fn malformed(name: &str, expected: &str) -> Refusal {
    Refusal::invalid(format!("update.{name}: expected {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::metadata::MetadataLimits;
    use serde_json::json;

    const LABELS: Field = Field::new("labels", Rule::Labels { most: 10 });
    const METADATA: Field = Field::new(
        "metadata",
        Rule::Metadata(MetadataLimits {
            value_bytes_max: 100,
            total_bytes_max: 100,
        }),
    );

    fn applied(field: &Field, before: Value, operation: Value) -> Option<Value> {
        let mut fields = Fields::new();
        fields.insert(field.name.to_owned(), before);
        let operation = Operation::read(field.name, operation).ok()?;
        operation.apply(field, &mut fields).ok()?;
        Some(fields.get(field.name).cloned().unwrap_or(Value::Null))
    }

    #[test]
    fn a_label_that_is_there_is_not_added_twice_and_one_that_is_not_can_be_removed() {
        let operation = json!({"add": [{"externalId": "a"}, {"externalId": "b"}], "remove": [{"externalId": "x"}]});
        assert_eq!(
            applied(&LABELS, json!([{"externalId": "a"}]), operation),
            Some(json!([{"externalId": "a"}, {"externalId": "b"}]))
        );
    }

    #[test]
    fn metadata_is_added_to_and_removed_from() {
        let operation = json!({"add": {"c": "3"}, "remove": ["a"]});
        assert_eq!(
            applied(&METADATA, json!({"a": "1", "b": "2"}), operation),
            Some(json!({"b": "2", "c": "3"}))
        );
    }

    #[test]
    fn set_excludes_add_and_a_list_is_not_set_to_null() {
        assert_eq!(
            applied(&METADATA, json!({}), json!({"set": {}, "add": {}})),
            None
        );
        assert_eq!(applied(&LABELS, json!([]), json!({"setNull": true})), None);
        assert_eq!(applied(&LABELS, json!([]), json!([])), None);
    }

    #[test]
    fn a_required_field_is_set_and_never_cleared() {
        const NAME: Field = Field::text("name", 10).required();
        assert_eq!(applied(&NAME, json!("a"), json!({"setNull": true})), None);
        assert_eq!(
            applied(&NAME, json!("a"), json!({"set": "b"})),
            Some(json!("b"))
        );
    }
}
