//! Values of RETURNING: from a batch, or from what CDF answered.
//!
//! Owns the way from both to the cells of a result. Promises the same cell for the same value,
//! whichever way it came. Never encodes.

use crate::catalog::{Column, ColumnType, JsonShape};
use crate::rows::{DatapointValues, ObjectValues, RowBatch, SeriesReference};
use crate::sql::{Cell, time_cell};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The value of column `column` (by index in its table) of row `row`; `None` is NULL.
pub(super) fn of_batch(
    batch: &RowBatch,
    column: usize,
    row: usize,
    zone: &TimeZone,
) -> Option<Cell> {
    let name = batch.table().columns.get(column)?.name;
    match batch {
        RowBatch::Datapoints(batch) => {
            let series = batch.series[batch.series_index[row] as usize].reference();
            match (name, series) {
                ("value", _) => Some(match &batch.values {
                    DatapointValues::Double(values) => Cell::Float8(values[row]),
                    DatapointValues::Text(values) => Cell::Text(values.text(row).to_owned()),
                }),
                ("timestamp", _) => time(batch.timestamps_ms[row], zone),
                ("external_id", SeriesReference::ExternalId(name)) => {
                    Some(Cell::Text(name.to_string()))
                }
                ("id", SeriesReference::Id(id)) => Some(Cell::Int8(*id)),
                _ => None,
            }
        }
        RowBatch::RawRows(batch) => match column {
            0 => Some(Cell::Text(batch.destination.database.to_string())),
            1 => Some(Cell::Text(batch.destination.table.to_string())),
            2 => Some(Cell::Text(batch.keys.text(row).to_owned())),
            3 => Some(Cell::Text(batch.columns.text(row).to_owned())),
            _ => None,
        },
        RowBatch::Objects(batch) => {
            let column = batch.column(column).filter(|column| column.present[row])?;
            match &column.values {
                ObjectValues::Bool(values) => Some(Cell::Bool(values[row])),
                ObjectValues::BigInt(values) => Some(Cell::Int8(values[row])),
                ObjectValues::Double(values) => Some(Cell::Float8(values[row])),
                ObjectValues::TimestampMs(values) => time(values[row], zone),
                ObjectValues::Text(values) | ObjectValues::Json(values) => {
                    Some(Cell::Text(values.text(row).to_owned()))
                }
                ObjectValues::BigIntArray(values) => Some(Cell::Int8Array(values[row].clone())),
                ObjectValues::TextArray(values) => serde_json::from_str(values.text(row))
                    .ok()
                    .map(Cell::TextArray),
            }
        }
    }
}

/// The value of a column in an object of CDF's; `None` is NULL.
pub(super) fn of_object(
    column: &Column,
    fields: &BTreeMap<String, Box<RawValue>>,
    zone: &TimeZone,
) -> Option<Cell> {
    let text = fields.get(column.field)?.get();
    if text == "null" {
        return None;
    }
    match column.column_type {
        ColumnType::Bool => parsed(text).map(Cell::Bool),
        ColumnType::BigInt => parsed(text).map(Cell::Int8),
        ColumnType::DoublePrecision => parsed(text).map(Cell::Float8),
        ColumnType::Text | ColumnType::Varchar(_) => parsed(text).map(Cell::Text),
        ColumnType::TimestampTz => parsed(text).and_then(|ms| time(ms, zone)),
        ColumnType::Json => Some(Cell::Text(text.to_owned())),
        ColumnType::BigIntArray => match column.shape {
            JsonShape::Single => parsed(text).map(|one| Cell::Int8Array(vec![one])),
            _ => parsed(text).map(Cell::Int8Array),
        },
        ColumnType::TextArray => match column.shape {
            JsonShape::ExternalIds => parsed::<Vec<Named>>(text).map(|names| {
                Cell::TextArray(names.into_iter().map(|named| named.external_id).collect())
            }),
            _ => parsed(text).map(Cell::TextArray),
        },
    }
}

/// An element of a list of references.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "externalId")]
    external_id: String,
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    serde_json::from_str(text).ok()
}

fn time(ms: i64, zone: &TimeZone) -> Option<Cell> {
    let at = Timestamp::from_millisecond(ms).ok()?;
    Some(time_cell(at, zone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;

    #[test]
    fn what_cdf_answers_has_the_types_of_the_columns() {
        let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(
            r#"{"id": 7, "name": "a\"b", "createdTime": 1500, "source": null,
                "metadata": {"k": "v"}, "labels": [{"externalId": "x"}, {"externalId": "y"}]}"#,
        )
        .expect("an object");
        let table = catalog::table(None, "assets").expect("the table exists");
        let cell = |name: &str| {
            let column = table.column_index(name).expect("the column exists");
            of_object(&table.columns[column], &fields, &TimeZone::UTC)
        };
        assert_eq!(cell("id"), Some(Cell::Int8(7)));
        assert_eq!(cell("name"), Some(Cell::Text("a\"b".to_owned())));
        assert_eq!(cell("source"), None);
        assert_eq!(cell("description"), None);
        assert_eq!(
            cell("metadata"),
            Some(Cell::Text(r#"{"k": "v"}"#.to_owned()))
        );
        assert_eq!(
            cell("labels"),
            Some(Cell::TextArray(vec!["x".to_owned(), "y".to_owned()]))
        );
        assert_eq!(
            cell("created_time"),
            Some(Cell::TimestampTz {
                microseconds: 1_500_000 - 946_684_800_000_000,
                text: "1970-01-01 00:00:01.5+00".to_owned()
            })
        );
    }
}
