//! Rows of sequences, which CDF gives by sequence only.
//!
//! Owns the way from sequences to their rows. Promises the rows of every sequence that the
//! conditions mean; one that does not exist has none. A row has all columns of its sequence, and
//! NULL where there is no cell.

use super::super::condition::Condition;
use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::plan::{Reading, Taken};
use super::super::source::{Page, Source, Turn, bytes_max};
use super::super::typed;
use super::by_ids::{ids, names};
use super::objects::{PAGE_MAX, list_call};
use super::{PARTITIONS, nothing, one_of};
use crate::catalog::{ColumnType, Resource, Table};
use crate::cdf::{Operation, PageCall, PageFormat};
use crate::sql::Cell;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Rows of a page, CDF's own bound.
const ROWS_MAX: usize = 10_000;

/// Reads values of a condition as names of sequences.
type References = fn(&[String]) -> Option<Vec<Value>>;

/// How rows of sequences are read.
pub(super) fn reading(table: &'static Table, conditions: &[Condition]) -> Reading {
    let mut numbers = typed::Span::default();
    let mut taken = vec![Taken::No; conditions.len()];
    for (condition, taken) in conditions.iter().zip(&mut taken) {
        if table.columns[condition.column()].field != "rowNumber" {
            continue;
        }
        if let Some(span) = typed::integers(condition) {
            numbers = numbers.and(span);
            *taken = Taken::Exactly;
        }
    }
    // The last number that an end which is not included can be behind.
    let is_beyond = numbers.to == Some(i64::MAX);
    if numbers.is_empty() || numbers.to.is_some_and(|to| to < 0) {
        return nothing(conditions);
    }
    if is_beyond {
        numbers.to = None;
    }
    let ways: [(&'static str, References); 2] = [("id", ids), ("externalId", names)];
    let named = ways.into_iter().find_map(|(field, read)| {
        let (place, values) = one_of(table, conditions, field)?;
        Some((place, field, read(values)?))
    });
    let (sources, operation): (Vec<Box<dyn Source>>, _) = match named {
        Some((_, _, references)) if references.is_empty() => return nothing(conditions),
        Some((place, field, references)) => {
            taken[place] = Taken::Exactly;
            let sources = references
                .into_iter()
                .map(|reference| {
                    Box::new(SequenceRows::new(numbers, field, reference)) as Box<dyn Source>
                })
                .collect();
            (sources, "POST /sequences/data/list")
        }
        None => {
            let part = |part| {
                Box::new(Sequences {
                    numbers,
                    partition: format!("{part}/{PARTITIONS}"),
                    cursor: None,
                }) as Box<dyn Source>
            };
            ((1..=PARTITIONS).map(part).collect(), "POST /sequences/list")
        }
    };
    let mut filter = Map::new();
    if let Some(from) = numbers.from {
        filter.insert("start".to_owned(), from.max(0).into());
    }
    if let Some(to) = numbers.to {
        filter.insert("end".to_owned(), (to + 1).into());
    }
    Reading {
        sources,
        operation: operation.to_owned(),
        filter: (!filter.is_empty()).then(|| filter.into()),
        taken,
    }
}

/// All sequences, from a list in parts.
struct Sequences {
    numbers: typed::Span,
    partition: String,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SequenceList {
    items: Vec<Sequence>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Sequence {
    id: i64,
}

impl Source for Sequences {
    fn page_max(&self) -> usize {
        PAGE_MAX
    }

    fn is_sized_by_rows(&self) -> bool {
        false
    }

    fn call(&mut self, items: usize) -> PageCall {
        list_call(
            Resource::Sequences,
            "/sequences/list",
            items,
            &Map::new(),
            Some(&self.partition),
            self.cursor.as_deref(),
        )
    }

    fn take(&mut self, page: Option<Page<'_>>, _rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: SequenceList = page.json()?;
        self.cursor = list.next_cursor;
        let rows = |one: &Sequence| {
            Box::new(SequenceRows::new(self.numbers, "id", one.id.into())) as Box<dyn Source>
        };
        Ok(Turn {
            has_more: self.cursor.is_some(),
            named: list.items.len() as u64,
            sources: list.items.iter().map(rows).collect(),
        })
    }
}

/// The rows of one sequence.
struct SequenceRows {
    numbers: typed::Span,
    field: &'static str,
    reference: Value,
    cursor: Option<String>,
}

impl SequenceRows {
    fn new(numbers: typed::Span, field: &'static str, reference: Value) -> Self {
        SequenceRows {
            numbers,
            field,
            reference,
            cursor: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowList<'a> {
    id: i64,
    external_id: Option<String>,
    columns: Vec<Named>,
    #[serde(borrow)]
    rows: Vec<Row<'a>>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    external_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    row_number: i64,
    #[serde(borrow)]
    values: &'a RawValue,
}

impl Source for SequenceRows {
    fn page_max(&self) -> usize {
        ROWS_MAX
    }

    fn call(&mut self, items: usize) -> PageCall {
        let numbers = self.numbers;
        let mut body = json!({
            self.field: self.reference,
            "start": numbers.from.unwrap_or(0).max(0),
            "limit": items,
        });
        if let Some(to) = numbers.to {
            body["end"] = (to + 1).into();
        }
        if let Some(cursor) = &self.cursor {
            body["cursor"] = cursor.as_str().into();
        }
        PageCall {
            operation: Operation::List(Resource::SequenceRows),
            path: "/sequences/data/list".to_owned(),
            body: Some(body.to_string().into()),
            format: PageFormat::Json,
            bytes_max: bytes_max(items),
            may_be_absent: true,
        }
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list: RowList<'_> = page.json()?;
        let columns = Cell::Array {
            element_oid: ColumnType::Text.oid(),
            elements: list
                .columns
                .into_iter()
                .map(|column| column.external_id.map(Cell::Text))
                .collect(),
        };
        for row in &list.rows {
            rows.row(
                || format!("row {} of sequence {}", row.row_number, list.id),
                |_, column| {
                    Ok(match column.field {
                        "values" => Some(Cell::Text(row.values.get().to_owned())),
                        "externalId" => list.external_id.clone().map(Cell::Text),
                        "id" => Some(Cell::Int8(list.id)),
                        "rowNumber" => Some(Cell::Int8(row.row_number)),
                        "columns" => Some(columns.clone()),
                        _ => None,
                    })
                },
            )?;
        }
        self.cursor = list.next_cursor;
        Ok(Turn::more_if(self.cursor.is_some()))
    }
}
