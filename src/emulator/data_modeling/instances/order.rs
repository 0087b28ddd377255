//! Comparing values, and the order of lists.
//!
//! Owns what is before what, and the sort keys of a list call. Instances with equal keys
//! follow their identifiers, so that every page ends at one place.

use super::super::schema::Schema;
use super::instance::Instance;
use super::property::Property;
use crate::emulator::answer::Refusal;
use serde::Deserialize;
use serde_json::Value;
use std::cmp::Ordering;

/// Most keys of a sort.
const KEYS_MAX: usize = 5;

/// Compares two values of one type; `None` when they have no order.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Whether two values are the same; `1` and `1.0` are.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => compare(a, b) == Some(Ordering::Equal),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        _ => a == b,
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    #[default]
    Ascending,
    Descending,
}

/// A key as requests give it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenKey {
    property: Value,
    direction: Option<Direction>,
    nulls_first: Option<bool>,
}

#[derive(Debug)]
struct Key {
    property: Property,
    direction: Direction,
    nulls_first: bool,
}

/// The values that place an instance in a sorted list; `null` where it has none.
pub type Place = Vec<Value>;

/// The order of a list.
#[derive(Debug, Default)]
pub struct Sort {
    keys: Vec<Key>,
}

impl Sort {
    /// Reads the keys.
    pub fn read(schema: &Schema, given: Vec<GivenKey>) -> Result<Self, Refusal> {
        if given.len() > KEYS_MAX {
            return Err(Refusal::invalid(format!(
                "sort: at most {KEYS_MAX} keys are allowed, got {}",
                given.len()
            )));
        }
        let keys = given
            .into_iter()
            .map(|key| {
                Ok(Key {
                    property: Property::read(schema, &key.property)?,
                    direction: key.direction.unwrap_or_default(),
                    nulls_first: key.nulls_first.unwrap_or(false),
                })
            })
            .collect::<Result<_, Refusal>>()?;
        Ok(Self { keys })
    }

    /// Whether it leaves the order to the identifiers.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The place of an instance.
    pub fn place(&self, instance: &Instance) -> Place {
        let values = self.keys.iter().map(|key| key.property.value(instance));
        values
            .map(|value| value.map_or(Value::Null, |value| value.into_owned()))
            .collect()
    }

    /// Compares two places.
    pub fn compare(&self, a: &Place, b: &Place) -> Ordering {
        let keys = self.keys.iter().zip(a.iter().zip(b));
        keys.map(|(key, (a, b))| key.compare(a, b))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl Key {
    fn compare(&self, a: &Value, b: &Value) -> Ordering {
        let nulls = match (a.is_null(), b.is_null()) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        };
        match nulls {
            Some(order) if self.nulls_first => order,
            Some(order) => order.reverse(),
            None => {
                // What has no order, as JSON, is ordered by its text.
                let order = compare(a, b).unwrap_or_else(|| a.to_string().cmp(&b.to_string()));
                match self.direction {
                    Direction::Ascending => order,
                    Direction::Descending => order.reverse(),
                }
            }
        }
    }
}
