//! CDF's rules for the cells of one sequence row.
//!
//! Owns the checks of `values` and `columns` of table `sequence_rows`. Promises the column at fault,
//! and in it the cell. Never knows the types of a sequence's columns: CDF does.

use super::cdf_rules::SEQUENCE_NUMBER_MAGNITUDE_MAX;
use super::objects::SEQUENCE_ROW_COLUMNS;
use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;

/// Columns of one row.
const COLUMNS_MAX: usize = 200;

/// Characters of a string in a cell.
const STRING_CHARACTERS_MAX: usize = 256;

/// Cells of a sequence: a list as long as that of the columns, or an object without one.
///
/// # Errors
/// 22023 for cells that do not fit their columns, 22001 for strings that are too long, 22003 for
/// numbers out of range, 23514 for a column that is named twice.
pub fn check_cells(
    table: &'static Table,
    cells: &[u8],
    columns: Option<&[u8]>,
) -> Result<(), Box<Diagnostic>> {
    let [values, _, _, _, columns_index] = SEQUENCE_ROW_COLUMNS;
    let wrong = |column: usize, message: String, hint: &str| {
        refusal(
            table,
            column,
            SqlState::INVALID_PARAMETER_VALUE,
            message,
            hint,
        )
    };
    let malformed = || {
        wrong(
            values,
            "the values of a sequence row must be a JSON array or object".to_owned(),
            "Write [1, \"a\"] with columns {c1,c2}, or {\"c1\": 1, \"c2\": \"a\"} without.",
        )
    };
    let is_object = cells.trim_ascii_start().first() == Some(&b'{');
    if is_object {
        let cells: BTreeMap<String, &RawValue> =
            serde_json::from_slice(cells).map_err(|_| malformed())?;
        if columns.is_some() {
            return Err(wrong(
                columns_index,
                "the values are an object that names its columns, and columns has a value too"
                    .to_owned(),
                "Leave columns null.",
            ));
        }
        if !(1..=COLUMNS_MAX).contains(&cells.len()) {
            return Err(wrong(
                values,
                format!("a sequence row has {} cells", cells.len()),
                "CDF takes 1 to 200 columns a row.",
            ));
        }
        return cells
            .iter()
            .try_for_each(|(name, cell)| check_cell(table, &format!("\"{name}\""), cell.get()));
    }
    let cells: Vec<&RawValue> = serde_json::from_slice(cells).map_err(|_| malformed())?;
    let Some(columns) = columns else {
        return Err(wrong(
            columns_index,
            "the values are a list, and columns has no value".to_owned(),
            "Name the columns in the order of the values.",
        ));
    };
    // The builder wrote the list, so equal names have equal bytes.
    let columns: Vec<&RawValue> = serde_json::from_slice(columns).unwrap_or_default();
    if columns.len() != cells.len() || columns.is_empty() {
        return Err(wrong(
            values,
            format!(
                "a sequence row has {} values for {} columns",
                cells.len(),
                columns.len()
            ),
            "Give each column one value; null where there is none.",
        ));
    }
    let mut seen = HashSet::with_capacity(columns.len());
    if let Some(twice) = columns.iter().find(|name| !seen.insert(name.get())) {
        return Err(refusal(
            table,
            columns_index,
            SqlState::CHECK_VIOLATION,
            format!("a sequence row names column {twice} twice"),
            "Name each column once.",
        ));
    }
    cells
        .iter()
        .enumerate()
        .try_for_each(|(index, cell)| check_cell(table, &(index + 1), cell.get()))
}

/// One cell as JSON: a string, a number or null.
fn check_cell(
    table: &'static Table,
    name: &dyn Display,
    cell: &str,
) -> Result<(), Box<Diagnostic>> {
    let [values, ..] = SEQUENCE_ROW_COLUMNS;
    let refused = |sqlstate, what: String, hint: &str| {
        let message = format!("value {name} of a sequence row {what}");
        Err(refusal(table, values, sqlstate, message, hint))
    };
    match cell.as_bytes().first() {
        Some(b'n') => Ok(()),
        // Quotes and all: its characters are fewer still.
        Some(b'"') if cell.len() <= STRING_CHARACTERS_MAX => Ok(()),
        Some(b'"') => {
            let text: String = serde_json::from_str(cell).unwrap_or_default();
            let characters = text.chars().count();
            if characters <= STRING_CHARACTERS_MAX {
                return Ok(());
            }
            refused(
                SqlState::STRING_DATA_RIGHT_TRUNCATION,
                format!("has {characters} characters"),
                "CDF takes up to 256 characters in a cell.",
            )
        }
        Some(b'-' | b'0'..=b'9') => {
            let number: f64 = cell.parse().unwrap_or(f64::INFINITY);
            if number.abs() <= SEQUENCE_NUMBER_MAGNITUDE_MAX {
                return Ok(());
            }
            refused(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "is out of range".to_owned(),
                "CDF takes numbers from -1e100 to 1e100.",
            )
        }
        _ => refused(
            SqlState::INVALID_PARAMETER_VALUE,
            "must be a number, a string or null".to_owned(),
            "Sequences have no booleans, lists and objects: write those as strings.",
        ),
    }
}

fn refusal(
    table: &'static Table,
    column: usize,
    sqlstate: SqlState,
    message: String,
    hint: &str,
) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(sqlstate, message)
            .with_hint(hint)
            .with_table(table.name)
            .with_column(table.columns[column].name),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(cells: &str, columns: Option<&str>) -> String {
        let table = crate::catalog::table(None, "sequence_rows").expect("built in");
        match check_cells(table, cells.as_bytes(), columns.map(str::as_bytes)) {
            Ok(()) => "taken".to_owned(),
            Err(refusal) => format!(
                "{} {}: {}",
                refusal.sqlstate.code(),
                refusal.column.unwrap_or_default(),
                refusal.message
            ),
        }
    }

    #[test]
    fn cells_are_numbers_strings_and_nulls_within_their_bounds() {
        let long = |count: usize| format!("[\"{}\"]", "é".repeat(count));
        let columns = Some("[\"c\"]");
        for (cells, expected) in [
            ("[1.5]".to_owned(), "taken"),
            ("[null]".to_owned(), "taken"),
            ("[-1e100]".to_owned(), "taken"),
            (long(256), "taken"),
            (
                long(257),
                "22001 values: value 1 of a sequence row has 257 characters",
            ),
            (
                "[1e101]".to_owned(),
                "22003 values: value 1 of a sequence row is out of range",
            ),
            (
                "[1e400]".to_owned(),
                "22003 values: value 1 of a sequence row is out of range",
            ),
            (
                "[true]".to_owned(),
                "22023 values: value 1 of a sequence row must be a number, a string or null",
            ),
            (
                "[[1]]".to_owned(),
                "22023 values: value 1 of a sequence row must be a number, a string or null",
            ),
        ] {
            assert_eq!(said(&cells, columns), expected);
        }
        assert_eq!(
            said("{\"a\": {}}", None),
            "22023 values: value \"a\" of a sequence row must be a number, a string or null"
        );
    }

    #[test]
    fn a_column_is_named_once() {
        assert_eq!(
            said("[1, 2]", Some("[\"c\",\"c\"]")),
            "23514 columns: a sequence row names column \"c\" twice"
        );
    }
}
