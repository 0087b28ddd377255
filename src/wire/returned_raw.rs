//! Values of RETURNING from rows of custom RAW tables.
//!
//! Owns the way from the cells of a RAW row to those of a result. Promises the value that the
//! client sent, as its column's type. Never knows what CDF has.

use super::returned_cells::{of_json, time};
use crate::catalog::{ColumnType, RawColumns, Table};
use crate::rows::{CellChanges, Cells, RawBatch};
use crate::sql::Cell;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The value of column `column` (by index in `table`) of row `row`; `None` is NULL.
pub(super) fn of_raw_row(
    table: &Table,
    raw: &RawColumns,
    batch: &RawBatch,
    column: usize,
    row: usize,
    zone: &TimeZone,
) -> Option<Cell> {
    let described = table.columns.get(column)?;
    if column == raw.key {
        let key = batch.keys.text(row);
        return match described.column_type {
            ColumnType::Text | ColumnType::Varchar(_) => Some(Cell::Text(key.to_owned())),
            ColumnType::TimestampTz => of_time(key, zone),
            other => of_json(key, other, zone),
        };
    }
    let columns = batch.columns.text(row);
    let value = match batch.action {
        action if action.changes_cells() => {
            CellChanges::read(columns).ok()?.value(described.name)?
        }
        _ => Cells::read(columns).ok()?.value(described.name)?,
    };
    match described.column_type {
        ColumnType::TimestampTz => {
            let text: String = serde_json::from_str(value).ok()?;
            of_time(&text, zone)
        }
        other => of_json(value, other, zone),
    }
}

/// A time as RAW rows hold it.
fn of_time(text: &str, zone: &TimeZone) -> Option<Cell> {
    let at: Timestamp = text.parse().ok()?;
    time(at.as_millisecond(), zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Definition, RowShape, custom_table};
    use crate::rows::value::ValueSettings;
    use crate::rows::{Action, AnyBuilder, BatchBounds, RowBatch, RowBuilder, WireFormat};
    use serde_json::json;

    #[test]
    fn what_was_sent_comes_back_as_the_types_of_the_columns() {
        let definition = json!({
            "type": "raw_rows", "tablename": "returned_raw",
            "options": {"database": "d", "table": "t", "primaryKey": "at"},
            "columns": {"at": {"type": "TIMESTAMPTZ"}, "n": {"type": "BIGINT"},
                        "b": {"type": "BYTEA"}, "l": {"type": "REAL[]"}, "j": {"type": "JSON"}}
        });
        let definition = Definition::from_json(&definition).expect("sound");
        let table = custom_table(&definition).expect("made");
        let RowShape::RawColumns(raw) = table.shape else {
            panic!("a table of RAW rows");
        };
        let texts = ["2026-01-02 03:04:05+00", "7", "\\x0aff", "{0.5}", "null"];
        for action in [Action::Create, Action::Update] {
            let bounds = BatchBounds {
                rows: 1,
                bytes: 1 << 20,
            };
            let columns = [0, 1, 2, 3, 4];
            let settings = ValueSettings::default();
            let mut builder = AnyBuilder::doing(table, action, &columns, settings, bounds);
            for (column, text) in texts.iter().enumerate() {
                builder
                    .field(column, WireFormat::Text, text.as_bytes())
                    .expect("taken");
            }
            builder.finish_row(1).expect("whole");
            let batches = builder.take();
            let [RowBatch::RawRows(batch)] = batches.as_slice() else {
                panic!("one batch");
            };
            let cell = |column| of_raw_row(table, raw, batch, column, 0, &TimeZone::UTC);
            assert!(matches!(cell(0), Some(Cell::TimestampTz { text, .. })
                if text == "2026-01-02 03:04:05+00"));
            assert_eq!(cell(1), Some(Cell::Int8(7)));
            assert_eq!(cell(2), Some(Cell::Bytes(vec![0x0a, 0xff])));
            assert_eq!(
                cell(3),
                Some(Cell::Array {
                    element_oid: 700,
                    elements: vec![Cell::Float4(0.5)]
                })
            );
            assert_eq!(cell(4), Some(Cell::Text("null".to_owned())));
        }
    }
}
