//! Rows of RAW tables: by key, or page by page in parts.
//!
//! Owns the reads of rows. Promises each row once, whichever
//! way it is read: the parts that CDF cuts a table into do not overlap. Never finds tables:
//! `raw_names` does.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::plan::{Reading, Taken};
use super::super::source::{Page, Source, Turn, bytes_max};
use super::super::typed;
use super::raw_cells::{key_text, raw_cell};
use super::raw_names::shown;
use super::{PARTITIONS, nothing};
use crate::catalog::{RawColumns, Resource, RowShape, Table};
use crate::cdf::{Operation, PageCall, PageFormat, with_query_value, with_segment};
use crate::sql::{Cell, cell_of_field};
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of a page, RAW's own bound.
const ROWS_MAX: usize = 10_000;

/// Keys that are read one by one; of more, all rows are read.
const KEYS_MAX: usize = 200;

/// Characters of a key.
const KEY_MAX: usize = 1024;

/// Which rows of a table are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct WantedRows {
    /// `None`: any.
    keys: Option<Vec<String>>,
    /// When they were written, in ms.
    times: typed::Span,
}

impl WantedRows {
    /// Takes a condition on the key.
    pub fn take_key(&mut self, condition: &Condition) -> Taken {
        match condition {
            Condition::OneOf { values, .. } => match typed::texts(values, KEY_MAX) {
                Some(keys) => self.take_keys(keys),
                None => Taken::No,
            },
            Condition::IsNotNull { .. } => Taken::Exactly,
            _ => Taken::No,
        }
    }

    fn take_keys(&mut self, keys: Vec<String>) -> Taken {
        let can_be_read = |key: &String| with_segment(String::new(), key).is_some();
        if self.keys.is_some() || keys.len() > KEYS_MAX || !keys.iter().all(can_be_read) {
            return Taken::No;
        }
        self.keys = Some(keys);
        Taken::Exactly
    }

    /// Takes a condition on the time of the last write.
    pub fn take_time(&mut self, condition: &Condition) -> Taken {
        match typed::times_ms(condition) {
            Some(span) => {
                self.times = self.times.and(span);
                Taken::Exactly
            }
            None => Taken::No,
        }
    }

    /// No row can be meant.
    pub fn are_none(&self) -> bool {
        self.keys.as_ref().is_some_and(Vec::is_empty)
            || self.times.is_empty()
            || self.times.to.is_some_and(|to| to < 0)
    }

    /// What narrows the reading, for EXPLAIN.
    pub fn show(&self, filter: &mut Map<String, Value>) {
        if let Some(keys) = &self.keys {
            filter.insert("keys".to_owned(), keys.clone().into());
            return;
        }
        if let Some(from) = self.times.from {
            filter.insert("minLastUpdatedTime".to_owned(), (from - 1).into());
        }
        if let Some(to) = self.times.to {
            filter.insert("maxLastUpdatedTime".to_owned(), to.into());
        }
    }

    /// What EXPLAIN calls the reading.
    pub fn operation(&self) -> &'static str {
        match self.keys {
            Some(_) => "GET /raw/dbs/{dbName}/tables/{tableName}/rows/{key}",
            None => "GET /raw/dbs/{dbName}/tables/{tableName}/rows",
        }
    }

    /// The reads of one RAW table. One that no URL can name has no rows.
    pub fn sources(
        &self,
        table: &'static Table,
        database: &str,
        raw_table: &str,
    ) -> Vec<Box<dyn Source>> {
        let Some(place) = Place::of(table, database, raw_table) else {
            return Vec::new();
        };
        let place = Arc::new(place);
        match &self.keys {
            Some(keys) => keys
                .iter()
                .map(|key| {
                    Box::new(OneRow {
                        place: place.clone(),
                        key: key.clone(),
                        times: self.times,
                    }) as Box<dyn Source>
                })
                .collect(),
            None => vec![Box::new(Cursors {
                place,
                times: self.times,
            })],
        }
    }
}

/// How a custom RAW table is read.
pub(super) fn reading(
    table: &'static Table,
    raw: &'static RawColumns,
    conditions: &[Condition],
) -> Reading {
    let mut rows = WantedRows::default();
    let column_type = table.columns[raw.key].column_type;
    let taken: Vec<Taken> = conditions
        .iter()
        .map(|condition| match condition {
            Condition::OneOf { column, values } if *column == raw.key => {
                let keys: Option<Vec<String>> = values
                    .iter()
                    .map(|value| key_text(value, column_type))
                    .collect();
                match keys.and_then(|keys| typed::texts(&keys, KEY_MAX)) {
                    Some(keys) => rows.take_keys(keys),
                    None => Taken::No,
                }
            }
            Condition::IsNotNull { column } if *column == raw.key => Taken::Exactly,
            _ => Taken::No,
        })
        .collect();
    if rows.are_none() {
        return nothing(conditions);
    }
    let mut filter = Map::new();
    rows.show(&mut filter);
    Reading {
        sources: rows.sources(table, &raw.database, &raw.table),
        operation: rows.operation().to_owned(),
        filter: shown(filter),
        taken,
    }
}

/// One RAW table.
struct Place {
    table: &'static Table,
    database: String,
    raw_table: String,
    /// `/raw/dbs/{database}/tables/{table}`
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    key: String,
    #[serde(borrow)]
    columns: &'a RawValue,
    #[serde(borrow, default)]
    last_updated_time: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowList<'a> {
    #[serde(borrow)]
    items: Vec<Row<'a>>,
    next_cursor: Option<String>,
}

impl Place {
    fn of(table: &'static Table, database: &str, raw_table: &str) -> Option<Self> {
        let mut path = with_segment("/raw/dbs/".to_owned(), database)?;
        path.push_str("/tables/");
        let path = with_segment(path, raw_table)?;
        Some(Place {
            table,
            database: database.to_owned(),
            raw_table: raw_table.to_owned(),
            path,
        })
    }

    fn call(&self, path: String, items: usize) -> PageCall {
        PageCall {
            operation: Operation::List(Resource::RawRows),
            path,
            body: None,
            format: PageFormat::Json,
            bytes_max: bytes_max(items),
            may_be_absent: true,
        }
    }

    fn push(&self, page: Page<'_>, row: &Row<'_>, rows: &mut RowWriter) -> Result<(), ScanFault> {
        let named = || {
            format!(
                "the row with key \"{}\" in RAW table {}.{}",
                row.key, self.database, self.raw_table
            )
        };
        let text = |text: &str| Ok(Some(Cell::Text(text.to_owned())));
        if let RowShape::RawColumns(raw) = self.table.shape {
            let cells: BTreeMap<String, &RawValue> =
                serde_json::from_str(row.columns.get()).map_err(|error| page.unreadable(&error))?;
            return rows.row(named, |index, column| {
                let value = cells.get(column.name).map(|value| value.get());
                raw_cell(raw, (index, column), &row.key, value)
            });
        }
        rows.row(named, |_, column| match column.field {
            "dbName" => text(&self.database),
            "tableName" => text(&self.raw_table),
            "key" => text(&row.key),
            "columns" => text(row.columns.get()),
            _ => {
                let time = row.last_updated_time.map(RawValue::get);
                cell_of_field(column, time, &TimeZone::UTC)
            }
        })
    }
}

/// Where the parts of a table begin.
struct Cursors {
    place: Arc<Place>,
    times: typed::Span,
}

#[derive(Deserialize)]
struct CursorList {
    items: Vec<String>,
}

impl Source for Cursors {
    fn page_max(&self) -> usize {
        1
    }

    fn call(&mut self, items: usize) -> PageCall {
        let mut path = format!("{}/cursors", self.place.path);
        path = with_query_value(path, "numberOfCursors", &PARTITIONS.to_string());
        if let Some(from) = self.times.from {
            // The bound itself is not included.
            let after = (from - 1).max(0);
            if from > 0 {
                path = with_query_value(path, "minLastUpdatedTime", &after.to_string());
            }
        }
        if let Some(to) = self.times.to {
            path = with_query_value(path, "maxLastUpdatedTime", &to.to_string());
        }
        self.place.call(path, items)
    }

    fn take(&mut self, page: Option<Page<'_>>, _rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: CursorList = page.json()?;
        let part = |cursor| {
            Box::new(Rows {
                place: self.place.clone(),
                cursor,
            }) as Box<dyn Source>
        };
        Ok(Turn {
            sources: list.items.into_iter().map(part).collect(),
            ..Turn::default()
        })
    }
}

/// A part of a table, page by page.
struct Rows {
    place: Arc<Place>,
    cursor: String,
}

impl Source for Rows {
    fn page_max(&self) -> usize {
        ROWS_MAX
    }

    fn call(&mut self, items: usize) -> PageCall {
        let path = format!("{}/rows", self.place.path);
        let path = with_query_value(path, "limit", &items.to_string());
        let path = with_query_value(path, "cursor", &self.cursor);
        self.place.call(path, items)
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: RowList<'_> = page.json()?;
        for row in &list.items {
            self.place.push(page, row, rows)?;
        }
        match list.next_cursor {
            Some(cursor) => {
                self.cursor = cursor;
                Ok(Turn::more_if(true))
            }
            None => Ok(Turn::done()),
        }
    }
}

/// One row by its key.
struct OneRow {
    place: Arc<Place>,
    key: String,
    /// It is no row for us if it was written at another time.
    times: typed::Span,
}

impl Source for OneRow {
    fn page_max(&self) -> usize {
        1
    }

    fn call(&mut self, items: usize) -> PageCall {
        let path = format!("{}/rows/", self.place.path);
        // It can be named: that was looked at before.
        let path = with_segment(path.clone(), &self.key).unwrap_or(path);
        self.place.call(path, items)
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        if let Some(page) = page {
            let row: Row<'_> = page.json()?;
            let written = row
                .last_updated_time
                .and_then(|ms| typed::integer(ms.get()));
            if written.is_none_or(|ms| self.times.has(ms)) {
                self.place.push(page, &row, rows)?;
            }
        }
        Ok(Turn::done())
    }
}
