//! Rows that CDF refused and that their statement goes on without.
//!
//! Owns such a row until its connection takes it, and which refusals are of the row alone.
//! Promises that a fault of the identity or of the connection to CDF never passes for one of a
//! row. Never keeps a row of a statement that does not ask for it.

use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{RowBatch, RowText};
use std::ops::Range;
use std::sync::Arc;

/// A refused row, rendered: its batch is gone when the connection looks at it.
#[derive(Clone, Debug)]
pub struct RefusedRow {
    pub table: &'static Table,
    pub row: RowText,
    /// Number of the row in its statement, from 1.
    pub row_number: u64,
    pub reason: Arc<Diagnostic>,
}

impl RefusedRow {
    /// Some rows of a batch that were refused for one reason.
    pub(super) fn of(
        batch: &RowBatch,
        rows: Range<usize>,
        reason: &Diagnostic,
    ) -> impl Iterator<Item = RefusedRow> {
        let reason = Arc::new(reason.clone());
        let table = batch.table();
        rows.map(move |row| RefusedRow {
            table,
            row: batch.row_text(row),
            row_number: batch.row_number(row),
            reason: reason.clone(),
        })
    }
}

/// Whether a refusal is of the row: another row of the same statement may well succeed.
pub(super) fn is_of_the_row(reason: &Diagnostic) -> bool {
    // Classes 22 and 23: data, and what it violates.
    let class = reason.sqlstate.code().get(..2);
    matches!(class, Some("22" | "23"))
        || reason.sqlstate == SqlState::DATATYPE_MISMATCH
        || reason.sqlstate == SqlState::PROGRAM_LIMIT_EXCEEDED
}
