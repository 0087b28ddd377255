//! Errors that every builder makes in the same words.
//!
//! Owns the refusals about columns as such: null, read-only, unknown to the table. Promises
//! that table and column are set. Never quotes a value.

use crate::catalog::{Access, Column, Table};
use crate::diagnostic::{Diagnostic, SqlState};

/// Adds where it happened to what happened.
#[cold]
pub fn in_column(
    table: &Table,
    column: &Column,
    mut diagnostic: Box<Diagnostic>,
) -> Box<Diagnostic> {
    diagnostic.table = Some(table.name.to_owned());
    diagnostic.column = Some(column.name.to_owned());
    diagnostic
}

/// Whether CDF takes a value of so many bytes for the column.
///
/// # Errors
/// 22001.
#[inline]
pub fn check_bytes(column: &Column, bytes: usize) -> Result<(), Box<Diagnostic>> {
    if column.bytes_max > 0 && bytes > column.bytes_max as usize {
        return Err(too_many_bytes(column, bytes));
    }
    Ok(())
}

#[cold]
fn too_many_bytes(column: &Column, bytes: usize) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::STRING_DATA_RIGHT_TRUNCATION,
            format!("value of {bytes} bytes is too long for CDF"),
        )
        .with_hint(format!("CDF takes up to {} bytes.", column.bytes_max)),
    )
}

/// 23502: a required column has no value.
#[cold]
pub fn null_value(table: &Table, column: &Column) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::NOT_NULL_VIOLATION,
            format!(
                "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                column.name, table.name
            ),
        )
        .with_table(table.name)
        .with_column(column.name),
    )
}

/// 0A000: CDF replaces the column's value, and never takes it away.
#[cold]
pub fn never_cleared(table: &Table, column: &Column) -> Box<Diagnostic> {
    if column.required {
        return null_value(table, column);
    }
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("column \"{}\" cannot be set to null", column.name),
        )
        .with_hint("CDF replaces its value by another, and never takes it away.")
        .with_table(table.name)
        .with_column(column.name),
    )
}

/// 428C9: CDF makes the values of the column.
#[cold]
pub fn read_only(table: &Table, column: &Column) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::GENERATED_ALWAYS,
            format!(
                "cannot insert a non-DEFAULT value into column \"{}\"",
                column.name
            ),
        )
        .with_detail(format!("Column \"{}\" is filled by CDF.", column.name))
        .with_table(table.name)
        .with_column(column.name),
    )
}

/// The table's column at `index`.
///
/// # Errors
/// XX000 for an index beyond the table's columns: the statement was planned for another table.
#[inline]
pub fn column_at(table: &'static Table, index: usize) -> Result<&'static Column, Box<Diagnostic>> {
    table.columns.get(index).ok_or_else(|| {
        Box::new(Diagnostic::error(
            SqlState::INTERNAL_ERROR,
            format!("table \"{}\" has no column number {index}", table.name),
        ))
    })
}

/// Whether NULL may be given for the column: read-only columns take it, since it is what
/// they have before CDF fills them.
///
/// # Errors
/// 23502.
pub fn check_nullable(table: &Table, column: &Column) -> Result<(), Box<Diagnostic>> {
    if column.required && column.access == Access::Writable {
        Err(null_value(table, column))
    } else {
        Ok(())
    }
}
