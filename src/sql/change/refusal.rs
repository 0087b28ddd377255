//! Why a change is not made.
//!
//! Owns the words of what UPDATE, DELETE and TRUNCATE refuse. Promises a hint at what to do
//! instead. Never decides.

use super::ChangeKind;
use crate::catalog::{Resource, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::cursor::Cursor;
use crate::sql::syntax::error_at;

/// 42501: the statement would delete what others have written.
pub(in crate::sql) fn empties(table: &Table, statement: &str) -> Box<Diagnostic> {
    let verb = statement.to_lowercase();
    let hint = if table.references().next().is_some() {
        "Delete by key instead: DELETE … WHERE external_id IN (…)."
    } else if table.resource == Resource::Datapoints {
        "Name the time series: DELETE … WHERE external_id IN (…) [AND timestamp …]."
    } else if table.resource == Resource::SequenceRows {
        "Name the sequence and the rows: DELETE … WHERE external_id = … AND row_number IN (…)."
    } else {
        "A loader that empties its table first must be told not to: CDF overwrites existing rows."
    };
    Box::new(
        Diagnostic::error(
            SqlState::INSUFFICIENT_PRIVILEGE,
            format!("permission denied to {verb} all of \"{}\"", table.name),
        )
        .with_detail(format!(
            "{statement} without a key would take away what others have written to the project."
        ))
        .with_hint(hint)
        .with_table(table.name),
    )
}

/// 0A000 for tables whose rows a key of one column does not name.
pub(in crate::sql) fn of_shape(table: &Table, kind: ChangeKind) -> Option<Box<Diagnostic>> {
    let is_named = match table.shape {
        RowShape::RawRows | RowShape::RawColumns(_) => true,
        RowShape::Objects => {
            table.references().next().is_some() || table.resource == Resource::Instances
        }
        RowShape::DoubleDatapoints | RowShape::StringDatapoints | RowShape::GatewayState(_) => {
            false
        }
    };
    if !table.is_writable || is_named {
        return None;
    }
    let word = match kind {
        ChangeKind::Update => "UPDATE",
        ChangeKind::Delete | ChangeKind::Truncate => "DELETE",
    };
    Some(Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("{word} is not supported for \"{}\"", table.name),
        )
        .with_hint("CDF's API and its user interface do it.")
        .with_table(table.name),
    ))
}

/// 0A000: rows that nobody has read cannot be returned.
pub(super) fn returns_all(table: &Table) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            "RETURNING is not supported for a DELETE of all rows",
        )
        .with_hint("Leave RETURNING out, or name the rows by their keys.")
        .with_table(table.name),
    )
}

/// 0A000: each table has its own place in the order of writes.
pub(super) fn several(table: &Table) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            "TRUNCATE takes one table at a time",
        )
        .with_hint("Truncate the tables one after the other.")
        .with_table(table.name),
    )
}

/// 0A000: the new value would name another object.
pub(in crate::sql) fn names_itself(table: &Table, column: usize) -> Box<Diagnostic> {
    let column = table.columns[column].name;
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("column \"{column}\" cannot be updated: it names the object"),
        )
        .with_hint("INSERT a row with the new name, and delete the old one.")
        .with_table(table.name)
        .with_column(column),
    )
}

/// 42P01 for a relation that the statement does not have.
pub(in crate::sql) fn missing_from(
    cursor: &Cursor<'_>,
    offset: usize,
    name: &str,
) -> Box<Diagnostic> {
    error_at(
        cursor.text(),
        offset,
        SqlState::UNDEFINED_TABLE,
        format!("missing FROM-clause entry for table \"{name}\""),
    )
}

/// 42P02.
pub(super) fn no_parameter(index: usize) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::UNDEFINED_PARAMETER,
        format!("there is no parameter ${}", index + 1),
    ))
}
