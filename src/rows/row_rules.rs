//! CDF's rules across the columns of a row.
//!
//! Owns the checks that a table's [`RowRule`] names. Promises the column at fault. Never looks
//! at other rows.

use super::{ObjectColumn, ObjectValues, SEQUENCE_ROW_COLUMNS};
use crate::catalog::{RowRule, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Checks row `row`, whose columns `column` finds by their index in the table.
///
/// # Errors
/// 23514 for times out of order and two names of one thing, 23502 for none, 22023 for cells that
/// do not fit their columns.
pub fn check_row<'a>(
    table: &'static Table,
    row: usize,
    column: impl Fn(usize) -> Option<&'a ObjectColumn>,
) -> Result<(), Box<Diagnostic>> {
    let given = |index: usize| column(index).filter(|column| column.present[row]);
    let name = |index: usize| table.columns[index].name;
    match table.row_rule {
        RowRule::None => Ok(()),
        RowRule::Ordered(first, second) => match (given(first), given(second)) {
            (Some(first_column), Some(second_column)) => {
                match (&first_column.values, &second_column.values) {
                    (ObjectValues::TimestampMs(begins), ObjectValues::TimestampMs(ends))
                        if begins[row] > ends[row] =>
                    {
                        Err(refusal(
                            table,
                            second,
                            SqlState::CHECK_VIOLATION,
                            format!("{} is before {}", name(second), name(first)),
                            "CDF takes no end before its start.",
                        ))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        },
        RowRule::OneAtMost(first, second) if given(first).is_some() && given(second).is_some() => {
            Err(two_names(table, first, second))
        }
        RowRule::OneAtMost(..) => Ok(()),
        // Datapoints are no objects: their builder keeps it.
        RowRule::PointOfSeries => Ok(()),
        RowRule::ExactlyOne(first, second) => exactly_one(
            table,
            first,
            second,
            given(first).is_some(),
            given(second).is_some(),
        ),
        RowRule::Cells => {
            let [values, external_id, id, _, columns] = SEQUENCE_ROW_COLUMNS;
            exactly_one(
                table,
                external_id,
                id,
                given(external_id).is_some(),
                given(id).is_some(),
            )?;
            let text = |index: usize| match given(index).map(|column| &column.values) {
                Some(ObjectValues::Json(texts) | ObjectValues::TextArray(texts)) => {
                    Some(texts.bytes(row))
                }
                _ => None,
            };
            match text(values) {
                Some(cells) => check_cells(table, cells, text(columns)),
                None => Ok(()),
            }
        }
    }
}

fn exactly_one(
    table: &'static Table,
    first: usize,
    second: usize,
    has_first: bool,
    has_second: bool,
) -> Result<(), Box<Diagnostic>> {
    match (has_first, has_second) {
        (true, true) => Err(two_names(table, first, second)),
        (false, false) => Err(refusal(
            table,
            first,
            SqlState::NOT_NULL_VIOLATION,
            format!(
                "a row of \"{}\" needs a value for {} or {}",
                table.name, table.columns[first].name, table.columns[second].name
            ),
            "Give one of the two a value in every row.",
        )),
        _ => Ok(()),
    }
}

fn two_names(table: &'static Table, first: usize, second: usize) -> Box<Diagnostic> {
    let (first_name, second_name) = (table.columns[first].name, table.columns[second].name);
    refusal(
        table,
        second,
        SqlState::CHECK_VIOLATION,
        format!("a row has values for both {first_name} and {second_name}"),
        "Give one of the two a value and leave the other one null.",
    )
}

/// Cells of a sequence: a list as long as that of the columns, or an object without one.
fn check_cells(
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
    let count =
        |list: &[u8]| serde_json::from_slice::<Vec<IgnoredAny>>(list).map(|list| list.len());
    let is_object = cells.trim_ascii_start().first() == Some(&b'{');
    let cell_count = match is_object {
        true => serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(cells).map(|map| map.len()),
        false => count(cells),
    };
    let Ok(cell_count) = cell_count else {
        return Err(wrong(
            values,
            "the values of a sequence row must be a JSON array or object".to_owned(),
            "Write [1, \"a\"] with columns {c1,c2}, or {\"c1\": 1, \"c2\": \"a\"} without.",
        ));
    };
    match (is_object, columns) {
        (true, Some(_)) => Err(wrong(
            columns_index,
            "the values are an object that names its columns, and columns has a value too"
                .to_owned(),
            "Leave columns null.",
        )),
        (false, None) => Err(wrong(
            columns_index,
            "the values are a list, and columns has no value".to_owned(),
            "Name the columns in the order of the values.",
        )),
        (true, None) if !(1..=200).contains(&cell_count) => Err(wrong(
            values,
            format!("a sequence row has {cell_count} cells"),
            "CDF takes 1 to 200 columns a row.",
        )),
        (true, None) => Ok(()),
        (false, Some(columns)) => {
            let column_count = count(columns).unwrap_or(0);
            if column_count != cell_count || column_count == 0 {
                return Err(wrong(
                    values,
                    format!("a sequence row has {cell_count} values for {column_count} columns"),
                    "Give each column one value; null where there is none.",
                ));
            }
            Ok(())
        }
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
