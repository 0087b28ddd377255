//! `POST /sequences/data`: writing cells.
//!
//! Owns the limits of a request and the check of every value against the type of its
//! column. Everything is checked before anything is written, and
//! a value is kept as it was written: a double comes back with all its digits. CDF does not say whether null
//! erases a cell: here it does.

use super::super::changes::{ItemTexts, sum_up};
use super::super::kind::ObjectKind;
use super::super::store::Object;
use super::{ROWS_MAX, SEQUENCES_MAX, find, label, named_columns};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::datapoints::VALUE_LIMIT;
use crate::emulator::json::{self, check_items};
use crate::emulator::reference::{Reference, check_chars, check_distinct};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashSet;

const COLUMNS_MAX: usize = 200;
const VALUES_MAX: usize = 100_000;
const STRING_CHARS_MAX: usize = 256;

#[derive(Deserialize)]
struct InsertRequest {
    items: Vec<GivenRows>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenRows {
    id: Option<i64>,
    external_id: Option<String>,
    columns: Vec<String>,
    rows: Vec<GivenRow>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenRow {
    row_number: i64,
    values: Vec<Box<RawValue>>,
}

/// Writes cells.
pub fn insert(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let body = call.bytes();
    let items = json::read_object::<InsertRequest>(&body)?.items;
    check_items("sequences", items.len(), SEQUENCES_MAX)?;
    let rows: usize = items.iter().map(|item| item.rows.len()).sum();
    (call.tally.items, call.tally.rows) = (items.len() as u64, rows as u64);
    call.consume(call.tally.rows, 0)?;
    sum_up(call, &json::read_object::<ItemTexts<'_>>(&body)?.items)?;
    check_size(&items, rows)?;
    let references = items
        .iter()
        .map(|item| Reference::from_fields(item.id, item.external_id.clone(), None))
        .collect::<Result<Vec<_>, _>>()?;
    check_distinct(&references)?;
    call.tally.keys = references.iter().take(16).map(Reference::label).collect();
    if call.sink() {
        for row in items.iter().flat_map(|item| &item.rows) {
            for value in &row.values {
                Cell::read(value)?;
            }
        }
        return Ok(Answer::empty());
    }
    let objects = &call.project.objects;
    let sequences = objects.of(ObjectKind::Sequences).read();
    let mut ids = Vec::with_capacity(items.len());
    for (item, reference) in items.iter().zip(&references) {
        let sequence = find(&sequences, reference)?;
        check_values(sequence, item)?;
        ids.push(sequence.id);
    }
    let mut stored = objects.sequence_rows.write();
    for (id, item) in ids.into_iter().zip(items) {
        let rows = stored.entry(id).or_default();
        for row in item.rows {
            let cells = rows.entry(row.row_number).or_default();
            for (column, value) in item.columns.iter().zip(row.values) {
                if value.get() == "null" {
                    cells.remove(column);
                } else {
                    cells.insert(column.clone(), value);
                }
            }
        }
    }
    Ok(Answer::empty())
}

fn check_size(items: &[GivenRows], rows: usize) -> Result<(), Refusal> {
    let bound = |what: &str, most: usize, got: usize| {
        if got <= most {
            return Ok(());
        }
        Err(Refusal::invalid(format!(
            "{what}: at most {most} per request are allowed, got {got}"
        )))
    };
    bound("rows", ROWS_MAX, rows)?;
    let mut values = 0;
    for item in items {
        bound("columns", COLUMNS_MAX, item.columns.len())?;
        if item.columns.is_empty() || item.rows.is_empty() {
            return Err(Refusal::invalid("columns and rows must not be empty"));
        }
        let distinct: HashSet<&String> = item.columns.iter().collect();
        if distinct.len() < item.columns.len() {
            return Err(Refusal::invalid("columns: must be unique"));
        }
        for row in &item.rows {
            if row.row_number < 0 {
                return Err(Refusal::invalid(format!(
                    "rowNumber: must not be negative, got {}",
                    row.row_number
                )));
            }
            if row.values.len() != item.columns.len() {
                return Err(Refusal::invalid(format!(
                    "row {}: expected {} values, got {}",
                    row.row_number,
                    item.columns.len(),
                    row.values.len()
                )));
            }
            values += row.values.len();
        }
    }
    bound("values", VALUES_MAX, values)
}

fn check_values(sequence: &Object, item: &GivenRows) -> Result<(), Refusal> {
    let columns = named_columns(sequence, &item.columns)?;
    for row in &item.rows {
        for (column, value) in columns.iter().zip(&row.values) {
            let kind = column["valueType"].as_str().unwrap_or_default();
            if !Cell::read(value)?.fits(kind) {
                return Err(Refusal::invalid(format!(
                    "error in sequence {}: expected {kind} in column {} of row {}, got {value}",
                    label(sequence),
                    column["externalId"].as_str().unwrap_or_default(),
                    row.row_number
                )));
            }
        }
    }
    Ok(())
}

/// A value of any column, as far as it has to be known.
enum Cell {
    Null,
    Text,
    Whole,
    Real(f64),
}

impl Cell {
    fn read(value: &RawValue) -> Result<Self, Refusal> {
        let text = value.get();
        match text.as_bytes().first() {
            Some(b'n') => Ok(Self::Null),
            Some(b'"') => {
                let text: Cow<'_, str> = json::read(text.as_bytes())?;
                check_chars("value", &text, STRING_CHARS_MAX)?;
                Ok(Self::Text)
            }
            Some(b'-' | b'0'..=b'9') if text.parse::<i64>().is_ok() => Ok(Self::Whole),
            // Every JSON number is one for Rust; one beyond the doubles is infinite.
            Some(b'-' | b'0'..=b'9') => Ok(Self::Real(text.parse().unwrap_or(f64::INFINITY))),
            _ => Err(Refusal::invalid(format!(
                "expected a number, a string or null, got {text}"
            ))),
        }
    }

    fn fits(&self, kind: &str) -> bool {
        match self {
            Self::Null => true,
            Self::Text => kind == "STRING",
            Self::Whole => kind == "LONG" || kind == "DOUBLE",
            Self::Real(value) => kind == "DOUBLE" && value.abs() <= VALUE_LIMIT,
        }
    }
}
