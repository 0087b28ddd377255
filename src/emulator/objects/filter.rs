//! What a list is narrowed down by.
//!
//! Owns the reading of `filter` into conditions. A key that the resource does not have is
//! refused by name: a filter that is silently ignored would show too much.

use super::assets::named_subtrees;
use super::filter_rule::{Filter, FilterRule};
use super::kind::ObjectKind;
use super::schema::Schema;
use super::store::Object;
use crate::emulator::answer::Refusal;
use crate::emulator::project::Project;
use crate::emulator::reference::Reference;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// One condition on an object.
pub type Condition = Box<dyn Fn(&Object) -> bool>;

/// Reads a filter; every condition has to hold.
pub fn read(
    schema: &Schema,
    project: &Project,
    filter: Map<String, Value>,
) -> Result<Vec<Condition>, Refusal> {
    let given = filter.into_iter().filter(|(_, value)| !value.is_null());
    given
        .map(|(name, value)| {
            let mut known = schema.filters.iter();
            let filter = known.find(|filter| filter.name == name).ok_or_else(|| {
                Refusal::invalid(format!(
                    "filter.{name}: {} have no such filter",
                    schema.plural
                ))
            })?;
            condition(filter, project, value)
        })
        .collect()
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Range {
    min: Option<f64>,
    max: Option<f64>,
    is_null: Option<bool>,
}

impl Range {
    fn holds(&self, value: Option<&Value>) -> bool {
        match (self.is_null, value.and_then(Value::as_f64)) {
            (Some(is_null), value) => is_null == value.is_none(),
            (None, None) => false,
            (None, Some(value)) => {
                self.min.is_none_or(|min| min <= value) && self.max.is_none_or(|max| value <= max)
            }
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LabelFilter {
    contains_any: Option<Vec<Value>>,
    contains_all: Option<Vec<Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamedObject {
    id: Option<i64>,
    external_id: Option<String>,
}

/// Reads a list of `{"id": …}` or `{"externalId": …}`; some filters take bare ids.
pub fn references(name: &str, list: &Value) -> Result<Vec<Reference>, Refusal> {
    let list: Vec<Value> = read_as(name, list.clone())?;
    list.into_iter()
        .map(|element| match element.as_i64() {
            Some(id) => Reference::from_fields(Some(id), None, None),
            None => {
                let object: NamedObject = read_as(name, element)?;
                Reference::from_fields(object.id, object.external_id, None)
            }
        })
        .collect()
}

fn read_as<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value)
        .map_err(|error| Refusal::invalid(format!("filter.{name}: {error}")))
}

fn condition(filter: &Filter, project: &Project, value: Value) -> Result<Condition, Refusal> {
    let (name, on) = (filter.name, filter.on);
    Ok(match filter.rule {
        FilterRule::Equal => Box::new(move |object| object.value(on).as_ref() == Some(&value)),
        FilterRule::Prefix => {
            let prefix: String = read_as(name, value)?;
            Box::new(move |object| {
                let text = object.fields.get(on).and_then(Value::as_str);
                text.is_some_and(|text| text.starts_with(&prefix))
            })
        }
        FilterRule::Range => {
            let range: Range = read_as(name, value)?;
            Box::new(move |object| range.holds(object.value(on).as_ref()))
        }
        FilterRule::Metadata => {
            let pairs: Map<String, Value> = read_as(name, value)?;
            Box::new(move |object| {
                let held = object.fields.get(on);
                pairs
                    .iter()
                    .all(|(key, value)| held.and_then(|held| held.get(key)) == Some(value))
            })
        }
        FilterRule::OneOf => {
            let values: Vec<Value> = read_as(name, value)?;
            Box::new(move |object| {
                object
                    .value(on)
                    .is_some_and(|value| values.contains(&value))
            })
        }
        FilterRule::AnyOf => {
            let values: Vec<Value> = read_as(name, value)?;
            Box::new(move |object| elements(object, on).any(|element| values.contains(element)))
        }
        FilterRule::Labels => {
            let wanted: LabelFilter = read_as(name, value)?;
            Box::new(move |object| {
                let has = |label: &Value| elements(object, on).any(|held| held == label);
                let any = wanted.contains_any.as_ref();
                let all = wanted.contains_all.as_ref();
                any.is_none_or(|any| any.iter().any(has))
                    && all.is_none_or(|all| all.iter().all(has))
            })
        }
        FilterRule::DataSets => {
            let data_sets = project.objects.of(ObjectKind::DataSets).read();
            let ids = references(name, &value)?
                .iter()
                .filter_map(|reference| data_sets.find(reference).map(|set| set.id))
                .collect();
            one_of(on, ids)
        }
        FilterRule::Subtree => {
            let assets = project.objects.of(ObjectKind::Assets).read();
            one_of(on, named_subtrees(&assets, name, &value)?)
        }
        FilterRule::AssetExternalIds => {
            let assets = project.objects.of(ObjectKind::Assets).read();
            let names: Vec<String> = read_as(name, value)?;
            let ids = names
                .iter()
                .filter_map(|name| assets.find_named(name).map(|asset| asset.id))
                .collect();
            one_of(on, ids)
        }
        FilterRule::IsRoot => {
            let is_root: bool = read_as(name, value)?;
            // As documented, false does not narrow anything down.
            Box::new(move |object| !is_root || object.parent_id().is_none())
        }
        FilterRule::ActiveAt => {
            let range: Range = read_as(name, value)?;
            Box::new(move |object| {
                let time = |field| object.fields.get(field).and_then(Value::as_f64);
                time("startTime").is_some_and(|start| range.max.is_none_or(|max| start <= max))
                    && time("endTime").is_none_or(|end| range.min.is_none_or(|min| min <= end))
            })
        }
        FilterRule::SourcesOrTargets => {
            let ends: Vec<End> = read_as(name, value)?;
            Box::new(move |object| ends.iter().any(|end| end.is_of(object)))
        }
    })
}

/// An end of a relationship.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct End {
    r#type: Option<String>,
    external_id: Option<String>,
}

impl End {
    fn is_of(&self, object: &Object) -> bool {
        let same = |wanted: &Option<String>, field: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| object.fields.get(field).is_some_and(|held| held == wanted))
        };
        same(&self.r#type, "sourceType") && same(&self.external_id, "sourceExternalId")
            || same(&self.r#type, "targetType") && same(&self.external_id, "targetExternalId")
    }
}

/// The id in a field, or one of those in its list, is among `ids`.
fn one_of(on: &'static str, ids: HashSet<i64>) -> Condition {
    let holds = move |value: &Value| value.as_i64().is_some_and(|id| ids.contains(&id));
    Box::new(move |object| match object.value(on) {
        Some(Value::Array(list)) => list.iter().any(&holds),
        Some(value) => holds(&value),
        None => false,
    })
}

fn elements<'a>(object: &'a Object, field: &str) -> impl Iterator<Item = &'a Value> {
    let list = object.fields.get(field).and_then(Value::as_array);
    list.into_iter().flatten()
}
