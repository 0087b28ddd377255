//! `POST /sequences/data/list`, `/latest` and `/delete`.
//!
//! Owns the pages of rows. A page names one sequence, has no `items`, and goes on at a row
//! number, whatever is written in between.

use super::super::changes::{ItemTexts, count};
use super::super::kind::ObjectKind;
use super::super::store::Object;
use super::store::{Cells, Rows};
use super::{ROWS_MAX, SEQUENCES_MAX, columns_of, find, named_columns};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::cursor;
use crate::emulator::json::{self, check_items};
use crate::emulator::reference::{Reference, check_distinct};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

const PAGE_DEFAULT: usize = 100;
const CURSOR: &str = "sequence_rows";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListRequest {
    id: Option<i64>,
    external_id: Option<String>,
    start: Option<i64>,
    end: Option<i64>,
    limit: Option<usize>,
    cursor: Option<String>,
    columns: Option<Vec<String>>,
}

/// A page of rows.
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = call.json::<ListRequest>()?;
    let reference = Reference::from_fields(request.id, request.external_id, None)?;
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=ROWS_MAX).contains(&limit) {
        return Err(Refusal::invalid(format!(
            "limit: must be from 1 to {ROWS_MAX}, got {limit}"
        )));
    }
    let mut start = request.start.unwrap_or(0);
    if let Some(text) = &request.cursor {
        start = start.max(cursor::decode(CURSOR, text)?);
    }
    if call.sink() {
        return Ok(nothing());
    }
    let end = request.end.unwrap_or(i64::MAX);
    let objects = &call.project.objects;
    let sequences = objects.of(ObjectKind::Sequences).read();
    let sequence = find(&sequences, &reference)?;
    let stored = objects.sequence_rows.read();
    let none = Rows::new();
    let rows = stored.get(&sequence.id).unwrap_or(&none);
    // A range that ends before it starts is empty, not a fault.
    let mut found = rows.range(start..end.max(start));
    let page: Vec<(&i64, &Cells)> = found.by_ref().take(limit).collect();
    let next = found.next().map(|(number, _)| *number);
    call.tally.items = page.len() as u64;
    call.tally.rows = call.tally.items;
    show(sequence, request.columns.as_deref(), &page, next)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LatestRequest {
    id: Option<i64>,
    external_id: Option<String>,
    before: Option<i64>,
    columns: Option<Vec<String>>,
}

/// The row with the highest number.
pub fn latest(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = call.json::<LatestRequest>()?;
    let reference = Reference::from_fields(request.id, request.external_id, None)?;
    if call.sink() {
        return Ok(nothing());
    }
    let before = request.before.unwrap_or(i64::MAX);
    let objects = &call.project.objects;
    let sequences = objects.of(ObjectKind::Sequences).read();
    let sequence = find(&sequences, &reference)?;
    let stored = objects.sequence_rows.read();
    let rows = stored.get(&sequence.id);
    let row = rows.and_then(|rows| rows.range(..before).next_back());
    call.tally.items = u64::from(row.is_some());
    call.tally.rows = call.tally.items;
    let page: Vec<_> = row.into_iter().collect();
    show(sequence, request.columns.as_deref(), &page, None)
}

/// What a sink has of any sequence.
fn nothing() -> Answer {
    Answer::json(200, &json!({"id": 1, "columns": [], "rows": []}))
}

fn show(
    sequence: &Object,
    names: Option<&[String]>,
    page: &[(&i64, &Cells)],
    next: Option<i64>,
) -> Result<Answer, Refusal> {
    let columns = match names {
        Some(names) => named_columns(sequence, names)?,
        None => columns_of(sequence).iter().collect(),
    };
    let names: Vec<&str> = columns
        .iter()
        .filter_map(|column| column["externalId"].as_str())
        .collect();
    let rows = page
        .iter()
        .map(|(row_number, cells)| Row {
            row_number: **row_number,
            values: names
                .iter()
                .map(|name| cells.get(*name).map_or(RawValue::NULL, |value| value))
                .collect(),
        })
        .collect();
    let page = Page {
        id: sequence.id,
        external_id: sequence.external_id(),
        columns,
        rows,
        next_cursor: next.map(|next| cursor::encode(CURSOR, &next)),
    };
    Ok(Answer::json(200, &page))
}

/// One sequence and some of its rows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    columns: Vec<&'a Value>,
    rows: Vec<Row<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    row_number: i64,
    values: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct DeleteRequest {
    items: Vec<DeletedRows>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeletedRows {
    id: Option<i64>,
    external_id: Option<String>,
    rows: Vec<i64>,
}

/// Deletes rows with all their cells; those that are not there are ignored.
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let body = call.bytes();
    let items = json::read_object::<DeleteRequest>(&body)?.items;
    check_items("sequences", items.len(), SEQUENCES_MAX)?;
    count(call, &json::read_object::<ItemTexts<'_>>(&body)?.items)?;
    let mut references = Vec::with_capacity(items.len());
    for item in &items {
        check_items("rows", item.rows.len(), ROWS_MAX)?;
        let external_id = item.external_id.clone();
        references.push(Reference::from_fields(item.id, external_id, None)?);
        call.tally.rows += item.rows.len() as u64;
    }
    check_distinct(&references)?;
    call.tally.keys = references.iter().take(16).map(Reference::label).collect();
    if call.sink() {
        return Ok(Answer::empty());
    }
    let objects = &call.project.objects;
    let sequences = objects.of(ObjectKind::Sequences).read();
    let ids = references
        .iter()
        .map(|reference| find(&sequences, reference).map(|sequence| sequence.id))
        .collect::<Result<Vec<_>, _>>()?;
    let mut stored = objects.sequence_rows.write();
    for (id, item) in ids.iter().zip(&items) {
        if let Some(rows) = stored.get_mut(id) {
            for number in &item.rows {
                rows.remove(number);
            }
        }
    }
    Ok(Answer::empty())
}
