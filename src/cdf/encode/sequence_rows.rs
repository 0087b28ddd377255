//! Rows of sequences: `POST /sequences/data` and its delete.
//!
//! Owns the grouping of rows by sequence and columns. Promises one item for each sequence, with its
//! rows in their order, where all of them have the same columns. Never checks cells: the builder did.

use super::json;
use super::objects::{of_resource, range_bytes, request};
use crate::catalog::Resource;
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat};
use crate::rows::{ObjectBatch, ObjectValues, RowRange, SEQUENCE_ROW_COLUMNS};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};

/// What names the sequence of a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum SequenceName<'a> {
    ExternalId(&'a [u8]),
    Id(i64),
}

/// One row as the batch holds it.
struct Row<'a> {
    name: SequenceName<'a>,
    number: i64,
    /// A JSON array of names; `None` where `values` names them.
    columns: Option<&'a [u8]>,
    values: &'a [u8],
}

/// The rows of one sequence, which have the same columns.
struct Item<'a> {
    name: SequenceName<'a>,
    columns: Vec<u8>,
    /// The inside of a JSON array.
    rows: Vec<u8>,
}

/// Encodes the writing of rows. CDF takes a sequence once in a request: rows of one that have several
/// lists of columns come in several requests.
pub fn encode(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let mut items: Vec<Item<'_>> = Vec::new();
    let mut place_of: HashMap<SequenceName<'_>, usize> = HashMap::new();
    let mut rows = 0;
    for range in ranges {
        let batch = of_resource(Resource::SequenceRows, range)?;
        for row in range.rows.clone() {
            let row = row_of(batch, row).ok_or(EncodeError::Unnamed)?;
            let (columns, values) = cells(&row)?;
            let place = *place_of.entry(row.name).or_insert(items.len());
            if place == items.len() {
                items.push(Item {
                    name: row.name,
                    columns,
                    rows: Vec::new(),
                });
            } else if items[place].columns != columns {
                return Err(EncodeError::SeveralDestinations);
            }
            let body = &mut items[place].rows;
            if !body.is_empty() {
                body.push(b',');
            }
            body.extend_from_slice(b"{\"rowNumber\":");
            json::push_integer(body, row.number);
            body.extend_from_slice(b",\"values\":");
            body.extend_from_slice(&values);
            body.push(b'}');
            rows += 1;
        }
    }
    let mut body = Vec::with_capacity(32 + ranges.iter().map(range_bytes).sum::<usize>());
    body.extend_from_slice(b"{\"items\":[");
    for (index, item) in items.iter().enumerate() {
        body.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        push_name(&mut body, item.name);
        body.extend_from_slice(b",\"columns\":");
        body.extend_from_slice(&item.columns);
        body.extend_from_slice(b",\"rows\":[");
        body.extend_from_slice(&item.rows);
        body.extend_from_slice(b"]}");
    }
    body.extend_from_slice(b"]}");
    Ok(request(
        Operation::Create(Resource::SequenceRows),
        Repeat::Harmless,
        "/sequences/data".to_owned(),
        body,
        rows,
    ))
}

/// Encodes the deleting of rows.
pub fn encode_delete(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let mut numbers: Vec<(SequenceName<'_>, Vec<i64>)> = Vec::new();
    let mut place_of: HashMap<SequenceName<'_>, usize> = HashMap::new();
    let mut rows = 0;
    for range in ranges {
        let batch = of_resource(Resource::SequenceRows, range)?;
        for row in range.rows.clone() {
            let (name, number) = key_of(batch, row).ok_or(EncodeError::Unnamed)?;
            let place = *place_of.entry(name).or_insert(numbers.len());
            if place == numbers.len() {
                numbers.push((name, Vec::new()));
            }
            numbers[place].1.push(number);
            rows += 1;
        }
    }
    let mut body = b"{\"items\":[".to_vec();
    for (index, (name, numbers)) in numbers.iter().enumerate() {
        body.extend_from_slice(if index == 0 { b"{" } else { b",{" });
        push_name(&mut body, *name);
        body.extend_from_slice(b",\"rows\":[");
        for (index, number) in numbers.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            json::push_integer(&mut body, *number);
        }
        body.extend_from_slice(b"]}");
    }
    body.extend_from_slice(b"]}");
    Ok(request(
        Operation::Delete(Resource::SequenceRows),
        Repeat::Harmless,
        "/sequences/data/delete".to_owned(),
        body,
        rows,
    ))
}

fn key_of(batch: &ObjectBatch, row: usize) -> Option<(SequenceName<'_>, i64)> {
    let [_, external_id, id, row_number, _] = SEQUENCE_ROW_COLUMNS;
    let values = |index: usize| {
        batch
            .column(index)
            .filter(|column| column.present[row])
            .map(|column| &column.values)
    };
    let name = match (values(external_id), values(id)) {
        (Some(ObjectValues::Text(names)), _) => SequenceName::ExternalId(names.bytes(row)),
        (_, Some(ObjectValues::BigInt(ids))) => SequenceName::Id(ids[row]),
        _ => return None,
    };
    match values(row_number) {
        Some(ObjectValues::BigInt(numbers)) => Some((name, numbers[row])),
        _ => None,
    }
}

fn row_of(batch: &ObjectBatch, row: usize) -> Option<Row<'_>> {
    let (name, number) = key_of(batch, row)?;
    let [values, _, _, _, columns] = SEQUENCE_ROW_COLUMNS;
    let text = |index: usize| {
        let column = batch.column(index).filter(|column| column.present[row])?;
        match &column.values {
            ObjectValues::Json(texts) | ObjectValues::TextArray(texts) => Some(texts.bytes(row)),
            _ => None,
        }
    };
    Some(Row {
        name,
        number,
        columns: text(columns),
        values: text(values)?,
    })
}

/// The columns of a row as a JSON array of names, and its values as one in the same order.
fn cells(row: &Row<'_>) -> Result<(Vec<u8>, Vec<u8>), EncodeError> {
    if let Some(columns) = row.columns {
        return Ok((columns.to_vec(), row.values.to_vec()));
    }
    let cells: BTreeMap<String, Box<RawValue>> =
        serde_json::from_slice(row.values).map_err(|_| EncodeError::WrongShape)?;
    let (mut columns, mut values) = (vec![b'['], vec![b'[']);
    for (index, (name, value)) in cells.iter().enumerate() {
        if index > 0 {
            columns.push(b',');
            values.push(b',');
        }
        json::push_string(&mut columns, name.as_bytes());
        values.extend_from_slice(value.get().as_bytes());
    }
    columns.push(b']');
    values.push(b']');
    Ok((columns, values))
}

fn push_name(body: &mut Vec<u8>, name: SequenceName<'_>) {
    match name {
        SequenceName::ExternalId(name) => {
            body.extend_from_slice(b"\"externalId\":");
            json::push_string(body, name);
        }
        SequenceName::Id(id) => {
            body.extend_from_slice(b"\"id\":");
            json::push_integer(body, id);
        }
    }
}
