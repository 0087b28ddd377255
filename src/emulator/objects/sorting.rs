//! The order of a sorted list.
//!
//! Owns `sort` in its two forms and where a page of a sorted list ends. Objects with the
//! same values follow their ids.

use super::schema::Schema;
use super::store::Object;
use crate::emulator::answer::Refusal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::cmp::Ordering;
use std::sync::Arc;

const PROPERTIES_MAX: usize = 2;

/// Where a page ended.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Position {
    pub id: i64,
    values: Vec<Value>,
}

impl Position {
    /// After an object of a list without an order of its own.
    pub fn after(object: &Object) -> Self {
        Self {
            id: object.id,
            values: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    property: Vec<String>,
    #[serde(default)]
    order: Direction,
    #[serde(default)]
    nulls: Nulls,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    #[default]
    Asc,
    Desc,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Nulls {
    First,
    Last,
    /// Last when ascending, first when descending.
    #[default]
    Auto,
}

/// An order of objects.
#[derive(Debug)]
pub struct Sorting {
    keys: Vec<Key>,
}

impl Sorting {
    /// Reads `sort`: objects, or texts like `startTime:desc`.
    pub fn read(schema: &Schema, sort: Option<Value>) -> Result<Option<Self>, Refusal> {
        let Some(sort) = sort else {
            return Ok(None);
        };
        if !schema.sorts {
            return Err(Refusal::invalid(format!(
                "sort: lists of {} are not sorted here",
                schema.plural
            )));
        }
        let refused = |error: &dyn std::fmt::Display| Refusal::invalid(format!("sort: {error}"));
        let keys = match serde_json::from_value::<Vec<String>>(sort.clone()) {
            Ok(texts) => texts.iter().map(|text| Key::from_text(text)).collect(),
            Err(_) => serde_json::from_value::<Vec<Key>>(sort).map_err(|error| refused(&error))?,
        };
        if keys.len() > PROPERTIES_MAX {
            return Err(refused(&format!(
                "at most {PROPERTIES_MAX} properties are allowed"
            )));
        }
        Ok(Some(Self { keys }).filter(|sorting| !sorting.keys.is_empty()))
    }

    /// The first `count` objects after `start`.
    pub fn page<'a>(
        &self,
        objects: impl Iterator<Item = &'a Arc<Object>>,
        start: &Position,
        count: usize,
    ) -> Vec<&'a Arc<Object>> {
        let mut sorted: Vec<(Position, &Arc<Object>)> = objects
            .map(|object| (self.position(object), object))
            .filter(|(position, _)| {
                start.values.is_empty() || self.compare(start, position) == Ordering::Less
            })
            .collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| self.compare(a, b));
        sorted.truncate(count);
        sorted.into_iter().map(|(_, object)| object).collect()
    }

    /// Where an object stands.
    pub fn position(&self, object: &Object) -> Position {
        let values = self.keys.iter().map(|key| key.value(object)).collect();
        Position {
            id: object.id,
            values,
        }
    }

    fn compare(&self, a: &Position, b: &Position) -> Ordering {
        let pairs = a.values.iter().zip(&b.values);
        self.keys
            .iter()
            .zip(pairs)
            .map(|(key, (a, b))| key.compare(a, b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.id.cmp(&b.id))
    }
}

impl Key {
    fn from_text(text: &str) -> Self {
        let (property, order) = match text.split_once(':') {
            Some((property, "desc")) => (property, Direction::Desc),
            Some((property, _)) => (property, Direction::Asc),
            None => (text, Direction::Asc),
        };
        Self {
            property: vec![property.to_owned()],
            order,
            nulls: Nulls::Auto,
        }
    }

    /// The value of the property; null where there is none.
    fn value(&self, object: &Object) -> Value {
        let (first, rest) = match self.property.as_slice() {
            [] => return Value::Null,
            [first, rest @ ..] => (first, rest),
        };
        let value = object.value(first).unwrap_or(Value::Null);
        rest.iter().fold(value, |value, name| {
            value.get(name).cloned().unwrap_or(Value::Null)
        })
    }

    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        let descends = self.order == Direction::Desc;
        let nulls_first = match self.nulls {
            Nulls::First => true,
            Nulls::Last => false,
            Nulls::Auto => descends,
        };
        match (a, b) {
            (Value::Null, Value::Null) => Ordering::Equal,
            (Value::Null, _) if nulls_first => Ordering::Less,
            (Value::Null, _) => Ordering::Greater,
            (_, Value::Null) if nulls_first => Ordering::Greater,
            (_, Value::Null) => Ordering::Less,
            _ if descends => compare_values(b, a),
            _ => compare_values(a, b),
        }
    }
}

fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        },
    }
}
