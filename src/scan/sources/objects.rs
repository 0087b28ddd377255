//! Objects: assets, events and the like, from CDF's lists.
//!
//! Owns the pages of filtered lists, in parts where CDF has parts. Promises each object once:
//! parts do not overlap, and a cursor goes on where its page ended. Never reads single objects:
//! `by_ids` does.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::filters;
use super::super::plan::Reading;
use super::super::source::{AfterRefusal, Page, Source, Turn, bytes_max};
use super::{PARTITIONS, by_ids, nothing};
use crate::catalog::{Resource, Table};
use crate::cdf::{AttemptFailure, Operation, PageCall, PageFormat};
use crate::sql::cell_of_field;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Objects of a page, CDF's own bound.
pub(super) const PAGE_MAX: usize = 1000;

/// How a table of objects is read.
pub(super) fn reading(table: &'static Table, conditions: &[Condition]) -> Reading {
    if let Some(reading) = by_ids::reading(table, conditions) {
        return reading;
    }
    let mut filter = Map::new();
    let Some(taken) = filters::push(table, conditions, &mut filter) else {
        return nothing(conditions);
    };
    let path = list_of(table.resource);
    let parts = if has_partitions(table.resource) {
        PARTITIONS
    } else {
        1
    };
    let sources = (1..=parts)
        .map(|part| {
            let mut list = ObjectList::new(table, path, filter.clone());
            list.partition = (parts > 1).then(|| format!("{part}/{parts}"));
            Box::new(list) as Box<dyn Source>
        })
        .collect();
    Reading {
        sources,
        operation: format!("POST {path}"),
        filter: (!filter.is_empty()).then(|| filter.into()),
        taken,
    }
}

/// The list of a resource.
fn list_of(resource: Resource) -> &'static str {
    match resource {
        Resource::Assets => "/assets/list",
        Resource::Events => "/events/list",
        Resource::TimeSeries => "/timeseries/list",
        Resource::Files => "/files/list",
        Resource::Sequences | Resource::SequenceRows => "/sequences/list",
        Resource::Relationships => "/relationships/list",
        Resource::Labels => "/labels/list",
        Resource::ExtractionPipelines => "/extpipes/list",
        Resource::ExtractionPipelineRuns => "/extpipes/runs/list",
        Resource::DataSets => "/datasets/list",
        Resource::Datapoints => "/timeseries/data/list",
        Resource::RawRows | Resource::RawTables => "/raw/dbs",
        Resource::Instances => "/models/instances/list",
    }
}

/// CDF reads these lists in parts that do not overlap.
fn has_partitions(resource: Resource) -> bool {
    matches!(
        resource,
        Resource::Assets
            | Resource::Events
            | Resource::TimeSeries
            | Resource::Files
            | Resource::Sequences
            | Resource::Relationships
    )
}

/// A list, page by page.
pub(super) struct ObjectList {
    table: &'static Table,
    path: &'static str,
    filter: Map<String, Value>,
    partition: Option<String>,
    cursor: Option<String>,
}

impl ObjectList {
    fn new(table: &'static Table, path: &'static str, filter: Map<String, Value>) -> Self {
        ObjectList {
            table,
            path,
            filter,
            partition: None,
            cursor: None,
        }
    }
}

/// `{"limit": …, "filter": …, "partition": …, "cursor": …}`.
pub(super) fn list_call(
    resource: Resource,
    path: &str,
    items: usize,
    filter: &Map<String, Value>,
    partition: Option<&str>,
    cursor: Option<&str>,
) -> PageCall {
    let mut body = json!({"limit": items});
    if !filter.is_empty() {
        body["filter"] = filter.clone().into();
    }
    if let Some(partition) = partition {
        body["partition"] = partition.into();
    }
    if let Some(cursor) = cursor {
        body["cursor"] = cursor.into();
    }
    PageCall {
        operation: Operation::List(resource),
        path: path.to_owned(),
        body: Some(body.to_string().into()),
        format: PageFormat::Json,
        bytes_max: bytes_max(items),
        may_be_absent: false,
    }
}

/// A page of objects.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Items<'a> {
    #[serde(borrow)]
    pub items: Vec<&'a RawValue>,
    pub next_cursor: Option<String>,
}

/// Appends an object as a row.
///
/// # Errors
/// It is no object, or holds what the table cannot.
pub(super) fn push_object(
    table: &'static Table,
    page: Page<'_>,
    object: &RawValue,
    rows: &mut RowWriter,
) -> Result<(), ScanFault> {
    let fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(object.get()).map_err(|error| page.unreadable(&error))?;
    let field = |name: &str| fields.get(name).map(|value| value.get());
    rows.row(
        || name_of(table, &field),
        |_, column| cell_of_field(column, field(column.field), &TimeZone::UTC),
    )
}

/// `assets with id 7`, for faults.
fn name_of<'a>(table: &Table, field: &impl Fn(&str) -> Option<&'a str>) -> String {
    let name = ["id", "externalId", "name"]
        .into_iter()
        .find_map(|name| Some(format!("{name} {}", field(name)?)));
    match name {
        Some(name) => format!("the row of {} with {name}", table.full_name()),
        None => format!("a row of {}", table.full_name()),
    }
}

impl Source for ObjectList {
    fn page_max(&self) -> usize {
        PAGE_MAX
    }

    fn call(&mut self, items: usize) -> PageCall {
        list_call(
            self.table.resource,
            self.path,
            items,
            &self.filter,
            self.partition.as_deref(),
            self.cursor.as_deref(),
        )
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: Items<'_> = page.json()?;
        for object in list.items {
            push_object(self.table, page, object, rows)?;
        }
        self.cursor = list.next_cursor;
        Ok(Turn::more_if(self.cursor.is_some()))
    }

    fn refused(&mut self, failure: &AttemptFailure) -> AfterRefusal {
        widen(&mut self.filter, self.cursor.as_deref(), failure)
    }
}

/// A filter that CDF does not take, say because what it names does not exist, is left out: more
/// rows come than are needed, and none is lost. Once there is a cursor it belongs to the filter.
pub(super) fn widen(
    filter: &mut Map<String, Value>,
    cursor: Option<&str>,
    failure: &AttemptFailure,
) -> AfterRefusal {
    match failure {
        AttemptFailure::Split { .. } if !filter.is_empty() && cursor.is_none() => {
            filter.clear();
            AfterRefusal::Widened
        }
        _ => AfterRefusal::Fail,
    }
}
