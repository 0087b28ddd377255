//! Filters: which instances a list, or a view, lets through.
//!
//! Owns a filter that has been read and its verdict on an instance. `filter_reading` reads
//! them.

use super::super::identifier::ContainerId;
use super::instance::Instance;
use super::order::{compare, same};
use super::property::Property;
use super::store::Instances;
use crate::emulator::reference::InstanceId;
use serde_json::Value;
use std::collections::HashSet;

/// The bounds of a range; an absent one is open.
#[derive(Debug, Default)]
pub struct Range {
    pub gte: Option<Value>,
    pub gt: Option<Value>,
    pub lte: Option<Value>,
    pub lt: Option<Value>,
}

impl Range {
    fn holds(&self, value: &Value) -> bool {
        let fits = |bound: &Option<Value>, fits: fn(std::cmp::Ordering) -> bool| {
            bound
                .as_ref()
                .is_none_or(|bound| compare(value, bound).is_some_and(fits))
        };
        fits(&self.gte, std::cmp::Ordering::is_ge)
            && fits(&self.gt, std::cmp::Ordering::is_gt)
            && fits(&self.lte, std::cmp::Ordering::is_le)
            && fits(&self.lt, std::cmp::Ordering::is_lt)
    }
}

/// A filter.
#[derive(Debug)]
pub enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    All,
    Equals(Property, Value),
    In(Property, Vec<Value>),
    Range(Property, Box<Range>),
    Prefix(Property, Value),
    Exists(Property),
    ContainsAny(Property, Vec<Value>),
    ContainsAll(Property, Vec<Value>),
    /// Data in all of these.
    HasData(Vec<ContainerId>),
    References(HashSet<InstanceId>),
    /// The node that a direct relation points to.
    Nested(Property, Box<Filter>),
}

impl Filter {
    /// Whether an instance gets through.
    pub fn holds(&self, instances: &Instances, instance: &Instance) -> bool {
        let value = |property: &Property| property.value(instance);
        match self {
            Self::And(all) => all.iter().all(|one| one.holds(instances, instance)),
            Self::Or(any) => any.iter().any(|one| one.holds(instances, instance)),
            Self::Not(other) => !other.holds(instances, instance),
            Self::All => true,
            Self::Equals(property, wanted) => match value(property) {
                Some(found) => same(&found, wanted),
                None => wanted.is_null(),
            },
            Self::In(property, wanted) => value(property)
                .is_some_and(|found| wanted.iter().any(|wanted| same(&found, wanted))),
            Self::Range(property, range) => {
                value(property).is_some_and(|found| range.holds(&found))
            }
            Self::Prefix(property, prefix) => {
                value(property).is_some_and(|found| starts_with(&found, prefix))
            }
            Self::Exists(property) => value(property).is_some(),
            Self::ContainsAny(property, wanted) => value(property)
                .is_some_and(|found| wanted.iter().any(|wanted| contains(&found, wanted))),
            Self::ContainsAll(property, wanted) => value(property)
                .is_some_and(|found| wanted.iter().all(|wanted| contains(&found, wanted))),
            Self::HasData(containers) => containers
                .iter()
                .all(|container| instance.data.contains_key(container)),
            Self::References(ids) => ids.contains(&instance.id),
            Self::Nested(property, filter) => value(property)
                .and_then(|target| serde_json::from_value::<InstanceId>(target.into_owned()).ok())
                .and_then(|target| instances.get(&target))
                .is_some_and(|target| filter.holds(instances, target)),
        }
    }
}

fn starts_with(value: &Value, prefix: &Value) -> bool {
    match (value, prefix) {
        (Value::String(value), Value::String(prefix)) => value.starts_with(prefix.as_str()),
        (Value::Array(values), Value::Array(prefix)) => {
            values.len() >= prefix.len() && values.iter().zip(prefix).all(|(a, b)| same(a, b))
        }
        _ => false,
    }
}

fn contains(values: &Value, wanted: &Value) -> bool {
    values
        .as_array()
        .is_some_and(|values| values.iter().any(|value| same(value, wanted)))
}
