//! CDF's rules across the columns of a row.
//!
//! Owns the checks that a table's [`RowRule`] names. Promises the column at fault. Never looks
//! at other rows.

use super::sequence_cells::check_cells;
use super::{ObjectColumn, ObjectValues, SEQUENCE_ROW_COLUMNS};
use crate::catalog::{RowRule, Table};
use crate::diagnostic::{Diagnostic, SqlState};

/// Checks row `row`, whose columns `column` finds by their index in the table.
///
/// # Errors
/// 23514 for times out of order, values that exclude each other and two names of one thing, 23502 for none, those of
/// [`check_cells`] for cells.
pub fn check_row<'a>(
    table: &'static Table,
    row: usize,
    column: impl Fn(usize) -> Option<&'a ObjectColumn>,
) -> Result<(), Box<Diagnostic>> {
    let given = |index: usize| column(index).filter(|column| column.present[row]);
    let name = |index: usize| table.columns[index].name;
    match table.row_rule {
        RowRule::None => Ok(()),
        RowRule::Ordered(first, second) | RowRule::Later(first, second) => {
            let time = |index: usize| match given(index).map(|column| &column.values) {
                Some(ObjectValues::TimestampMs(times)) => Some(times[row]),
                _ => None,
            };
            let (Some(begins), Some(ends)) = (time(first), time(second)) else {
                return Ok(());
            };
            let (is_kept, words, hint) = match table.row_rule {
                RowRule::Later(..) => (
                    begins < ends,
                    "not after",
                    "CDF takes an end that is after its start.",
                ),
                _ => (
                    begins <= ends,
                    "before",
                    "CDF takes no end before its start.",
                ),
            };
            if is_kept {
                return Ok(());
            }
            let message = format!("{} is {words} {}", name(second), name(first));
            Err(refusal(
                table,
                second,
                SqlState::CHECK_VIOLATION,
                message,
                hint,
            ))
        }
        RowRule::OnlyUnless(first, second) => {
            let is_true = given(first).is_some_and(
                |column| matches!(&column.values, ObjectValues::Bool(flags) if flags[row]),
            );
            if !is_true || given(second).is_none() {
                return Ok(());
            }
            let message = format!("{} has a value, and {} is true", name(second), name(first));
            Err(refusal(
                table,
                second,
                SqlState::CHECK_VIOLATION,
                message,
                "Leave one of the two null.",
            ))
        }
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
