//! Runs of extraction pipelines, which CDF lists by pipeline only.
//!
//! Owns the way from pipelines to their runs. Promises the runs of every pipeline that the
//! conditions mean; one that does not exist has none. Runs do not name their pipeline in CDF's
//! answer: the name is put in here.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::filters;
use super::super::plan::{Reading, Taken};
use super::super::source::{AfterRefusal, Page, Source, Turn};
use super::by_ids::names;
use super::objects::{PAGE_MAX, list_call, widen};
use super::{nothing, one_of};
use crate::catalog::{Resource, Table};
use crate::cdf::{AttemptFailure, PageCall};
use crate::sql::{Cell, cell_of_field};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How runs are read.
pub(super) fn reading(table: &'static Table, conditions: &[Condition]) -> Reading {
    let mut filter = Map::new();
    let Some(mut taken) = filters::push(table, conditions, &mut filter) else {
        return nothing(conditions);
    };
    let pipelines = one_of(table, conditions, "externalId")
        .and_then(|(place, values)| Some((place, names(values)?)));
    let (sources, operation): (Vec<Box<dyn Source>>, _) = match pipelines {
        Some((_, names)) if names.is_empty() => return nothing(conditions),
        Some((place, names)) => {
            taken[place] = Taken::Exactly;
            let sources = names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| Box::new(Runs::new(&filter, name)) as Box<dyn Source>)
                .collect();
            (sources, "POST /extpipes/runs/list")
        }
        None => (
            vec![Box::new(Pipelines {
                filter: filter.clone(),
                cursor: None,
            })],
            "POST /extpipes/list",
        ),
    };
    Reading {
        sources,
        operation: operation.to_owned(),
        filter: (!filter.is_empty()).then(|| filter.into()),
        taken,
    }
}

/// All pipelines.
struct Pipelines {
    /// Of their runs.
    filter: Map<String, Value>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PipelineList {
    items: Vec<Pipeline>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pipeline {
    external_id: String,
}

impl Source for Pipelines {
    fn page_max(&self) -> usize {
        PAGE_MAX
    }

    fn is_sized_by_rows(&self) -> bool {
        false
    }

    fn call(&mut self, items: usize) -> PageCall {
        let (path, all) = ("/extpipes/list", Map::new());
        let cursor = self.cursor.as_deref();
        list_call(
            Resource::ExtractionPipelines,
            path,
            items,
            &all,
            None,
            cursor,
        )
    }

    fn take(&mut self, page: Option<Page<'_>>, _rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: PipelineList = page.json()?;
        self.cursor = list.next_cursor;
        let runs =
            |one: &Pipeline| Box::new(Runs::new(&self.filter, &one.external_id)) as Box<dyn Source>;
        Ok(Turn {
            has_more: self.cursor.is_some(),
            named: list.items.len() as u64,
            sources: list.items.iter().map(runs).collect(),
        })
    }
}

/// The runs of one pipeline.
struct Runs {
    pipeline: String,
    filter: Map<String, Value>,
    cursor: Option<String>,
}

impl Runs {
    fn new(filter: &Map<String, Value>, pipeline: &str) -> Self {
        Runs {
            filter: filter.clone(),
            pipeline: pipeline.to_owned(),
            cursor: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunList<'a> {
    #[serde(borrow)]
    items: Vec<BTreeMap<String, &'a RawValue>>,
    next_cursor: Option<String>,
}

impl Source for Runs {
    fn page_max(&self) -> usize {
        PAGE_MAX
    }

    fn call(&mut self, items: usize) -> PageCall {
        let mut filter = self.filter.clone();
        filter.insert("externalId".to_owned(), self.pipeline.as_str().into());
        let call = list_call(
            Resource::ExtractionPipelineRuns,
            "/extpipes/runs/list",
            items,
            &filter,
            None,
            self.cursor.as_deref(),
        );
        PageCall {
            may_be_absent: true,
            ..call
        }
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: RunList<'_> = page.json()?;
        for run in &list.items {
            rows.row(
                || format!("a run of extraction pipeline \"{}\"", self.pipeline),
                |_, column| match column.field {
                    "externalId" => Ok(Some(Cell::Text(self.pipeline.clone()))),
                    field => {
                        let value = run.get(field).map(|value| value.get());
                        cell_of_field(column, value, &TimeZone::UTC)
                    }
                },
            )?;
        }
        self.cursor = list.next_cursor;
        Ok(Turn::more_if(self.cursor.is_some()))
    }

    fn refused(&mut self, failure: &AttemptFailure) -> AfterRefusal {
        widen(&mut self.filter, self.cursor.as_deref(), failure)
    }
}
