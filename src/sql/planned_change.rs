//! What a change that was planned by a PostgreSQL may do to a table.
//!
//! Owns the rules that a statement with a plan cannot show in its text: whether CDF has a call for the
//! change, and whether it changes a column. Promises the words that the same change by key is
//! refused with. Never sees a row.

use super::assignments::fixed_at_creation;
use super::change::{ChangeKind, empties, names_itself, of_shape};
use super::ranged::{is_ranged, moves};
use super::target::{Write, check_allows};
use crate::catalog::{Access, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};

/// What becomes of rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowChange {
    Insert,
    Update,
    Delete,
}

impl RowChange {
    /// Whether CDF has a call for it.
    ///
    /// # Errors
    /// 55000, 0A000.
    pub fn check_table(self, table: &'static Table) -> Result<(), Box<Diagnostic>> {
        let (write, kind) = match self {
            RowChange::Insert => return check_allows(table, Write::Insert),
            RowChange::Update => (Write::Update, ChangeKind::Update),
            RowChange::Delete => (Write::Delete, ChangeKind::Delete),
        };
        check_allows(table, write)?;
        match of_shape(table, kind) {
            Some(refusal) if !is_ranged(table) => Err(refusal),
            _ => Ok(()),
        }
    }
}

/// Whether a DELETE without a condition may be.
///
/// # Errors
/// 42501 for tables that others write to, too.
pub fn check_delete_of_all(table: &'static Table) -> Result<(), Box<Diagnostic>> {
    match table.shape {
        RowShape::RawColumns(_) => Ok(()),
        _ => Err(empties(table, "DELETE")),
    }
}

/// The columns that tell which row of CDF a row is; of several names one suffices.
pub fn naming_columns(table: &'static Table) -> Vec<usize> {
    if is_ranged(table) {
        return super::ranged::naming_columns(table);
    }
    match table.references().next() {
        Some(_) => table.references().collect(),
        None => table.key.to_vec(),
    }
}

/// Whether an UPDATE may give the column another value; `false`: CDF fills it, and that is to be
/// ignored.
///
/// # Errors
/// 428C9 for what CDF fills, 0A000 for what names the row and for what CDF never changes.
pub fn check_set(
    table: &'static Table,
    column: usize,
    ignores_read_only: bool,
) -> Result<bool, Box<Diagnostic>> {
    let described = &table.columns[column];
    if is_ranged(table) && naming_columns(table).contains(&column) {
        return Err(moves(table, column));
    }
    if described.access == Access::ReadOnly && !described.field.is_empty() {
        if ignores_read_only {
            return Ok(false);
        }
        return Err(Box::new(
            Diagnostic::error(
                SqlState::GENERATED_ALWAYS,
                format!(
                    "column \"{}\" can only be updated to DEFAULT",
                    described.name
                ),
            )
            .with_detail(format!("Column \"{}\" is filled by CDF.", described.name))
            .with_table(table.name)
            .with_column(described.name),
        ));
    }
    if let Some(fixed) = fixed_at_creation(table, column) {
        return Err(fixed);
    }
    if naming_columns(table).contains(&column) {
        return Err(names_itself(table, column));
    }
    Ok(true)
}
