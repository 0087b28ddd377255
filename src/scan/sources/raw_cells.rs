//! Keys and cells of RAW rows as values of a custom table's columns.
//!
//! Owns both ways between the key of a row and the value of the key column. Promises one reading
//! of a row, wherever it comes from, and no value for what a condition would not find. Never
//! reads CDF.

use super::super::typed;
use crate::catalog::{Column, ColumnType, RawColumns};
use crate::sql::{Cell, Misfit, cell_of_json, push_cell_text};
use jiff::tz::TimeZone;
use serde_json::json;

/// The value of a column, with its index in the table, of the row with that key; `value`: what the
/// row has under the column's name, as JSON. `None` is NULL.
///
/// # Errors
/// What the row has is no value of the column's type.
pub fn raw_cell(
    raw: &RawColumns,
    (index, column): (usize, &Column),
    key: &str,
    value: Option<&str>,
) -> Result<Option<Cell>, Misfit> {
    if index == raw.key {
        return key_cell(key, column.column_type);
    }
    match value {
        Some(value) => cell_of_json(value, column.column_type, &TimeZone::UTC),
        None => Ok(None),
    }
}

/// The key that a row with this value in its key column has; `None`: it could be another one.
pub(super) fn key_text(value: &str, column_type: ColumnType) -> Option<String> {
    match column_type {
        ColumnType::Text | ColumnType::Varchar(_) => Some(value.to_owned()),
        ColumnType::BigInt => Some(typed::integer(value)?.to_string()),
        ColumnType::Bool => Some(typed::boolean(value)?.to_string()),
        ColumnType::TimestampTz => {
            let us = typed::time_us(value)?;
            time_key(us.checked_div(1000).filter(|ms| ms * 1000 == us)?)
        }
        // Doubles and reals have many texts for what compares as one value.
        _ => None,
    }
}

/// A time as the key of a row.
fn time_key(ms: i64) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(format!("{at:.3}"))
}

/// The value of the key column. A key that the gateway would write otherwise is no value: a
/// condition on the column would not find its row.
fn key_cell(key: &str, column_type: ColumnType) -> Result<Option<Cell>, Misfit> {
    let quoted = json!(key).to_string();
    let cell = cell_of_json(&quoted, column_type, &TimeZone::UTC)?;
    let is_own = match (&cell, column_type) {
        (Some(Cell::TimestampTz { text, .. }), _) => {
            typed::time_us(text)
                .and_then(|us| time_key(us / 1000))
                .as_deref()
                == Some(key)
        }
        (Some(cell @ Cell::Int8(_)), _) => {
            let mut text = String::new();
            push_cell_text(&mut text, cell);
            text == key
        }
        _ => true,
    };
    match is_own {
        true => Ok(cell),
        false => Err(Misfit::of(column_type, &quoted)),
    }
}
