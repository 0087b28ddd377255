//! Values of RETURNING: from a batch, or from what CDF answered.
//!
//! Owns the way from both to the cells of a result. Promises the same cell for the same value,
//! whichever way it came. Never encodes.

use crate::catalog::{Column, ColumnType};
use crate::rows::{DatapointValues, ObjectValues, RowBatch, SeriesReference, status_symbol};
use crate::sql::{Cell, cell_of_field, cell_of_json, string_cell, time_cell};
use jiff::Timestamp;
use jiff::tz::TimeZone;
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
                ("value", _) if batch.status(row).has_no_value => None,
                ("value", _) => match &batch.values {
                    DatapointValues::Double(values) => Some(Cell::Float8(values[row])),
                    DatapointValues::Text(values) => Some(Cell::Text(values.text(row).to_owned())),
                    DatapointValues::Deleted(_) => None,
                },
                ("timestamp", _) => time(batch.timestamps_ms[row], zone),
                ("external_id", SeriesReference::ExternalId(name)) => {
                    Some(Cell::Text(name.to_string()))
                }
                ("id", SeriesReference::Id(id)) => Some(Cell::Int8(*id)),
                ("external_id", SeriesReference::InstanceId(instance)) => {
                    Some(Cell::Text(instance.external_id.to_string()))
                }
                ("instance_space", SeriesReference::InstanceId(instance)) => {
                    Some(Cell::Text(instance.space.to_string()))
                }
                ("status_code", _) => Some(Cell::Int8(i64::from(batch.status(row).code))),
                ("status_symbol", _) => Some(Cell::Text(status_symbol(batch.status(row).code))),
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
            let column_type = batch.table.columns[column].column_type;
            let column = batch.column(column).filter(|column| column.present[row])?;
            match &column.values {
                ObjectValues::Bool(values) => Some(Cell::Bool(values[row])),
                ObjectValues::BigInt(values) => Some(Cell::Int8(values[row])),
                ObjectValues::Double(values) => Some(float(values[row], column_type)),
                ObjectValues::TimestampMs(values) => time(values[row], zone),
                ObjectValues::Text(values) => string_cell(values.text(row), column_type).ok(),
                ObjectValues::Json(values) => Some(Cell::Text(values.text(row).to_owned())),
                ObjectValues::BigIntArray(values) => Some(list(
                    ColumnType::BigInt,
                    values[row].iter().copied().map(Cell::Int8),
                )),
                ObjectValues::TextArray(values) => of_json(values.text(row), column_type, zone),
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
    let field = fields.get(column.field).map(|field| field.get());
    cell_of_field(column, field, zone).ok().flatten()
}

/// A value of that type in JSON.
pub(super) fn of_json(text: &str, column_type: ColumnType, zone: &TimeZone) -> Option<Cell> {
    cell_of_json(text, column_type, zone).ok().flatten()
}

fn list(element: ColumnType, cells: impl Iterator<Item = Cell>) -> Cell {
    Cell::Array {
        element_oid: element.oid(),
        elements: cells.map(Some).collect(),
    }
}

fn float(value: f64, column_type: ColumnType) -> Cell {
    match column_type {
        ColumnType::Real => Cell::Float4(value as f32),
        _ => Cell::Float8(value),
    }
}

pub(super) fn time(ms: i64, zone: &TimeZone) -> Option<Cell> {
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
            Some(Cell::Array {
                element_oid: 25,
                elements: ["x", "y"]
                    .map(|name| Some(Cell::Text(name.to_owned())))
                    .to_vec(),
            })
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
