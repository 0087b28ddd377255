//! Reading filters.
//!
//! Owns the filter language of requests and views: the names of its clauses, what each of
//! them needs, and the lookup of what they name. A clause that is not served is a 400 that
//! says so.

use super::super::identifier::{ContainerId, Source};
use super::super::schema::Schema;
use super::super::view::View;
use super::filter::{Filter, Range};
use super::property::Property;
use crate::emulator::answer::Refusal;
use serde_json::{Map, Value};

impl Filter {
    /// Reads a filter.
    pub fn read(schema: &Schema, given: &Value) -> Result<Self, Refusal> {
        let clause = given.as_object().filter(|clause| clause.len() == 1);
        let Some((name, body)) = clause.and_then(|clause| clause.iter().next()) else {
            return Err(Refusal::invalid(
                "filter: has to be an object with exactly one clause",
            ));
        };
        let fields = Fields { name, body };
        match name.as_str() {
            "and" => Ok(Self::And(fields.filters(schema)?)),
            "or" => Ok(Self::Or(fields.filters(schema)?)),
            "not" => Ok(Self::Not(Box::new(Self::read(schema, body)?))),
            "matchAll" => Ok(Self::All),
            "equals" => {
                let property = fields.property(schema)?;
                let wanted = fields.get("value")?;
                let wanted = if wanted.is_null() {
                    Value::Null
                } else {
                    property.operand(wanted)?
                };
                Ok(Self::Equals(property, wanted))
            }
            "in" => {
                let property = fields.property(schema)?;
                let wanted = fields.values(&property)?;
                Ok(Self::In(property, wanted))
            }
            "containsAny" => {
                let property = fields.property(schema)?;
                let wanted = fields.values(&property)?;
                Ok(Self::ContainsAny(property, wanted))
            }
            "containsAll" => {
                let property = fields.property(schema)?;
                let wanted = fields.values(&property)?;
                Ok(Self::ContainsAll(property, wanted))
            }
            "range" => fields.range(schema),
            "prefix" => {
                let property = fields.property(schema)?;
                let prefix = fields.get("value")?;
                if !prefix.is_string() && !prefix.is_array() {
                    return Err(fields.refused("value has to be a text or a list"));
                }
                Ok(Self::Prefix(property, prefix.clone()))
            }
            "exists" => Ok(Self::Exists(fields.property(schema)?)),
            "hasData" => Ok(Self::HasData(has_data(schema, fields.parse(body)?)?)),
            "instanceReferences" => Ok(Self::References(fields.parse(body)?)),
            "nested" => {
                let scope = Property::read(schema, fields.get("scope")?)?;
                if !scope.is_direct() {
                    return Err(fields.refused("scope has to be a direct relation"));
                }
                let filter = Self::read(schema, fields.get("filter")?)?;
                Ok(Self::Nested(scope, Box::new(filter)))
            }
            _ => Err(Refusal::invalid(format!(
                "filter: '{name}' is unknown, or not served by this local CDF"
            ))),
        }
    }

    /// What a view lets through: what its filter says, or else data in all that it maps.
    pub fn of_view(schema: &Schema, view: &View) -> Result<Self, Refusal> {
        match &view.definition.filter {
            Some(filter) => Self::read(schema, filter),
            None => {
                let mapped = schema.mapped_containers(view);
                Ok(Self::HasData(mapped.into_iter().cloned().collect()))
            }
        }
    }
}

/// Refuses a view whose filter cannot be read.
pub fn check_view_filter(schema: &Schema, view: &View) -> Result<(), Refusal> {
    Filter::of_view(schema, view).map(|_| ())
}

/// The containers behind views and containers; a view stands for all that it maps.
fn has_data(schema: &Schema, sources: Vec<Source>) -> Result<Vec<ContainerId>, Refusal> {
    let mut containers = Vec::new();
    schema.check_sources(&sources)?;
    for source in &sources {
        match source {
            Source::Container(id) => containers.push(id.clone()),
            Source::View(id) => {
                let mapped = schema.mapped_containers(schema.view(id)?);
                containers.extend(mapped.into_iter().cloned());
            }
        }
    }
    Ok(containers)
}

/// What stands in a clause.
struct Fields<'a> {
    name: &'a str,
    body: &'a Value,
}

impl Fields<'_> {
    fn refused(&self, why: &str) -> Refusal {
        Refusal::invalid(format!("filter.{}: {why}", self.name))
    }

    fn get(&self, field: &str) -> Result<&Value, Refusal> {
        self.body
            .get(field)
            .ok_or_else(|| self.refused(&format!("{field} is required")))
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, value: &Value) -> Result<T, Refusal> {
        T::deserialize(value).map_err(|error| self.refused(&error.to_string()))
    }

    fn property(&self, schema: &Schema) -> Result<Property, Refusal> {
        Property::read(schema, self.get("property")?)
    }

    fn values(&self, property: &Property) -> Result<Vec<Value>, Refusal> {
        let values = self.get("values")?.as_array();
        let values = values.ok_or_else(|| self.refused("values has to be a list"))?;
        values.iter().map(|value| property.operand(value)).collect()
    }

    fn filters(&self, schema: &Schema) -> Result<Vec<Filter>, Refusal> {
        match self.body.as_array() {
            Some(filters) if !filters.is_empty() => filters
                .iter()
                .map(|filter| Filter::read(schema, filter))
                .collect(),
            _ => Err(self.refused("has to be a list of at least one filter")),
        }
    }

    fn range(&self, schema: &Schema) -> Result<Filter, Refusal> {
        let property = self.property(schema)?;
        let empty = Map::new();
        let fields = self.body.as_object().unwrap_or(&empty);
        let bound = |field: &str| {
            let given = fields.get(field).filter(|bound| !bound.is_null());
            given.map(|bound| property.operand(bound)).transpose()
        };
        let range = Range {
            gte: bound("gte")?,
            gt: bound("gt")?,
            lte: bound("lte")?,
            lt: bound("lt")?,
        };
        let (lower, upper) = (
            usize::from(range.gte.is_some()) + usize::from(range.gt.is_some()),
            usize::from(range.lte.is_some()) + usize::from(range.lt.is_some()),
        );
        if lower > 1 || upper > 1 || lower + upper == 0 {
            return Err(self.refused("needs at least one bound, and at most one on each side"));
        }
        Ok(Filter::Range(property, Box::new(range)))
    }
}
