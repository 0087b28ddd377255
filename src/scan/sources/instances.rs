//! Nodes and edges through a view, for custom tables of views.
//!
//! Owns the filter that conditions become in the language of data modeling, and the values of
//! instances. Promises the instances that have data in the view, each once. Never reads a view's
//! definition: the table says what its columns are.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::plan::{Reading, Taken};
use super::super::source::{AfterRefusal, Page, Source, Turn, bytes_max};
use super::super::typed;
use super::nothing;
use super::objects::PAGE_MAX;
use crate::catalog::{Column, ColumnType, InstanceType, Resource, Table, View};
use crate::cdf::{AttemptFailure, Operation, PageCall, PageFormat};
use crate::sql::cell_of_field;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Values that one filter compares with.
const VALUES_MAX: usize = 1000;

/// Times that the filter has texts for: the years 1 to 9999.
const TIMES_MS: std::ops::Range<i64> = -62_135_596_800_000..253_402_300_800_000;

/// How a table of a view is read.
pub(super) fn reading(
    table: &'static Table,
    view: &'static View,
    conditions: &[Condition],
) -> Reading {
    let (names, others) = match many_names(table, conditions) {
        Some((place, names)) => (Some((place, names)), without(conditions, place)),
        None => (None, conditions.to_vec()),
    };
    let mut clauses = Vec::new();
    let mut taken = Vec::with_capacity(conditions.len());
    for condition in &others {
        match clause(table, view, condition) {
            Clause::Exact(clause) => {
                clauses.push(clause);
                taken.push(Taken::Exactly);
            }
            Clause::Never => return nothing(conditions),
            Clause::None => taken.push(Taken::No),
        }
    }
    let operation = "POST /models/instances/list".to_owned();
    if let Some((place, names)) = names {
        taken.insert(place, Taken::Exactly);
        let property = own_property(view, &table.columns[conditions[place].column()]);
        let shown = json!({"property": property, "of": names.len()});
        return Reading {
            sources: in_parts(view, &property, &names, &clauses),
            operation,
            filter: Some(shown),
            taken,
        };
    }
    let filter = (!clauses.is_empty()).then(|| json!({"and": clauses}));
    Reading {
        sources: vec![Box::new(Instances {
            view,
            filter: filter.clone(),
            least: None,
            cursor: None,
        })],
        operation,
        filter,
        taken,
    }
}

/// The names that a condition gives, each once, where they are more than one filter has. Properties may
/// be of a type that does not take them, and then no part could be read without the others.
fn many_names(table: &'static Table, conditions: &[Condition]) -> Option<(usize, Vec<String>)> {
    let mut places = conditions.iter().enumerate();
    places.find_map(|(place, condition)| match condition {
        Condition::OneOf { column, values } if *column < 2 && values.len() > VALUES_MAX => {
            let ColumnType::Varchar(length) = table.columns[*column].column_type else {
                return None;
            };
            Some((place, typed::texts(values, usize::from(length))?))
        }
        _ => None,
    })
}

fn without(conditions: &[Condition], place: usize) -> Vec<Condition> {
    let mut others = conditions.to_vec();
    others.remove(place);
    others
}

/// Instances with some of the names each.
fn in_parts(
    view: &'static View,
    property: &Value,
    names: &[String],
    clauses: &[Value],
) -> Vec<Box<dyn Source>> {
    let part = |names: &[String]| {
        let own = json!({"in": {"property": property, "values": names}});
        let mut all = clauses.to_vec();
        all.push(own.clone());
        Box::new(Instances {
            view,
            filter: Some(json!({"and": all})),
            least: Some(own),
            cursor: None,
        }) as Box<dyn Source>
    };
    names.chunks(VALUES_MAX).map(part).collect()
}

/// What an instance itself has, as filters name it.
fn own_property(view: &View, column: &Column) -> Value {
    json!([view.instance_type.name(), column.field])
}

/// Columns that name an instance and what it connects, before the properties.
fn identity_columns(instance_type: InstanceType) -> usize {
    match instance_type {
        InstanceType::Node => 2,
        InstanceType::Edge => 5,
    }
}

/// A condition in the language of data modeling.
enum Clause {
    Exact(Value),
    /// No instance meets it.
    Never,
    /// It is not for CDF.
    None,
}

fn clause(table: &'static Table, view: &View, condition: &Condition) -> Clause {
    let place = condition.column();
    let column = &table.columns[place];
    let own = identity_columns(view.instance_type);
    let property = match place {
        _ if place >= own => {
            let source = format!("{}/{}", view.external_id, view.version);
            json!([view.space, source, column.field])
        }
        0 | 1 => own_property(view, column),
        _ => return Clause::None,
    };
    read_clause(column, &property, condition).unwrap_or(Clause::None)
}

fn read_clause(column: &Column, property: &Value, condition: &Condition) -> Option<Clause> {
    let exists = json!({"exists": {"property": property}});
    let clause = match condition {
        Condition::IsNotNull { .. } => exists,
        Condition::IsNull { .. } => json!({"not": exists}),
        Condition::Prefix { text, .. } => match column.column_type {
            ColumnType::Text | ColumnType::Varchar(_) if !text.is_empty() => {
                json!({"prefix": {"property": property, "value": text}})
            }
            _ => return None,
        },
        Condition::OneOf { values, .. } => {
            if let ColumnType::TimestampTz = column.column_type {
                return range_clause(property, typed::times_ms(condition)?);
            }
            let values: Vec<Value> = match column.column_type {
                ColumnType::Varchar(length) if length > 0 => {
                    let texts = typed::texts(values, usize::from(length))?;
                    texts.into_iter().map(Value::from).collect()
                }
                ColumnType::Text => values.iter().map(|value| json!(value)).collect(),
                ColumnType::BigInt => values
                    .iter()
                    .map(|value| typed::integer(value).map(Value::from))
                    .collect::<Option<_>>()?,
                ColumnType::Bool => values
                    .iter()
                    .map(|value| typed::boolean(value).map(Value::from))
                    .collect::<Option<_>>()?,
                // Numbers with a fraction are kept shorter than they are compared.
                _ => return None,
            };
            match values.as_slice() {
                [] => return Some(Clause::Never),
                [one] => json!({"equals": {"property": property, "value": one}}),
                many if many.len() > VALUES_MAX => return None,
                many => json!({"in": {"property": property, "values": many}}),
            }
        }
        Condition::Range { .. } => match column.column_type {
            ColumnType::TimestampTz => {
                return range_clause(property, typed::times_ms(condition)?);
            }
            ColumnType::BigInt => {
                let span = typed::integers(condition)?;
                if span.is_empty() {
                    return Some(Clause::Never);
                }
                range(
                    property,
                    span.from.map(Value::from),
                    span.to.map(Value::from),
                )?
            }
            _ => return None,
        },
    };
    Some(Clause::Exact(clause))
}

/// Times as texts.
fn range_clause(property: &Value, span: typed::Span) -> Option<Clause> {
    if span.is_empty() {
        return Some(Clause::Never);
    }
    let text = |end: Option<i64>| match end {
        None => Some(None),
        Some(ms) if TIMES_MS.contains(&ms) => {
            let at = jiff::Timestamp::from_millisecond(ms).ok()?;
            Some(Some(Value::from(format!("{at:.3}"))))
        }
        Some(_) => None,
    };
    let clause = range(property, text(span.from)?, text(span.to)?)?;
    Some(Clause::Exact(clause))
}

fn range(property: &Value, from: Option<Value>, to: Option<Value>) -> Option<Value> {
    if from.is_none() && to.is_none() {
        return None;
    }
    let mut range = json!({"property": property});
    if let Some(from) = from {
        range["gte"] = from;
    }
    if let Some(to) = to {
        range["lte"] = to;
    }
    Some(json!({"range": range}))
}

/// The instances of a view, page by page.
struct Instances {
    view: &'static View,
    filter: Option<Value>,
    /// What of the filter stays where CDF does not take all of it.
    least: Option<Value>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InstanceList<'a> {
    #[serde(borrow)]
    items: Vec<BTreeMap<String, &'a RawValue>>,
    next_cursor: Option<String>,
}

/// Properties by space, and there by `externalId/version` of the view.
type Properties<'a> = BTreeMap<String, BTreeMap<String, BTreeMap<String, &'a RawValue>>>;

impl Source for Instances {
    fn page_max(&self) -> usize {
        PAGE_MAX
    }

    fn call(&mut self, items: usize) -> PageCall {
        let view = json!({
            "type": "view",
            "space": self.view.space,
            "externalId": self.view.external_id,
            "version": self.view.version,
        });
        let mut body = json!({
            "instanceType": self.view.instance_type.name(),
            "sources": [{"source": view}],
            "includeTyping": false,
            "limit": items,
        });
        if let Some(filter) = &self.filter {
            body["filter"] = filter.clone();
        }
        if let Some(cursor) = &self.cursor {
            body["cursor"] = cursor.as_str().into();
        }
        PageCall {
            operation: Operation::List(Resource::Instances),
            path: "/models/instances/list".to_owned(),
            body: Some(body.to_string().into()),
            format: PageFormat::Json,
            bytes_max: bytes_max(items),
            may_be_absent: false,
        }
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: InstanceList<'_> = page.json()?;
        let own = identity_columns(self.view.instance_type);
        let source = format!("{}/{}", self.view.external_id, self.view.version);
        for instance in &list.items {
            let properties: Properties<'_> = match instance.get("properties") {
                Some(properties) => serde_json::from_str(properties.get())
                    .map_err(|error| page.unreadable(&error))?,
                None => Properties::new(),
            };
            let of_view = properties
                .get(&self.view.space)
                .and_then(|views| views.get(&source));
            let named = || {
                let part = |field: &str| instance.get(field).map_or("?", |value| value.get());
                format!("the instance {}, {}", part("space"), part("externalId"))
            };
            rows.row(named, |place, column| {
                let value = if place < own {
                    instance.get(column.field)
                } else {
                    of_view.and_then(|properties| properties.get(column.field))
                };
                cell_of_field(column, value.map(|value| value.get()), &TimeZone::UTC)
            })?;
        }
        self.cursor = list.next_cursor;
        Ok(Turn::more_if(self.cursor.is_some()))
    }

    /// A value that the property's own type does not have, say a date: all instances are read.
    fn refused(&mut self, failure: &AttemptFailure) -> AfterRefusal {
        match failure {
            AttemptFailure::Split { .. } if self.filter != self.least && self.cursor.is_none() => {
                self.filter = self.least.clone();
                AfterRefusal::Widened
            }
            _ => AfterRefusal::Fail,
        }
    }
}
