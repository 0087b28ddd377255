//! Reading the rows of an INSERT into a row builder.
//!
//! Owns where reading stands: it stops when the builder is full and goes on later.

use super::InsertStatement;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::RowBuilder;
use crate::sql::Bindings;

/// How far one call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsertProgress {
    /// Rows that this call gave to the builder.
    pub rows_read: u64,
    /// Whether the statement has no more rows.
    pub finished: bool,
}

/// Reads rows; resumable.
#[derive(Debug)]
pub struct InsertReader<'a> {
    statement: &'a InsertStatement,
    bindings: &'a Bindings,
}

impl<'a> InsertReader<'a> {
    pub(super) fn new(statement: &'a InsertStatement, bindings: &'a Bindings) -> Self {
        InsertReader {
            statement,
            bindings,
        }
    }

    /// Reads rows until the statement ends or the builder is full. The first row that this call
    /// reads gets the number `next_row_number`.
    ///
    /// A syntax error anywhere in the statement is reported before the first full batch is
    /// handed out. After an error the builder holds the rows before it, for the caller to drop,
    /// and no open row.
    ///
    /// # Errors
    /// 42601, 42804, 42P02, and those of the builder with the row added.
    pub fn read<B: RowBuilder>(
        &mut self,
        _builder: &mut B,
        _next_row_number: u64,
    ) -> Result<InsertProgress, Box<Diagnostic>> {
        Err(Box::new(Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "INSERT into {} ({} bytes, {} parameters) is not read yet",
                self.statement.table.name,
                self.statement.text.len(),
                self.bindings.len()
            ),
        )))
    }
}
