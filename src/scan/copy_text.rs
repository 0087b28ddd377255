//! Rows as lines of `COPY … FROM STDIN` in text format.
//!
//! Owns the escapes and the check that a value fits into its column. Promises lines that
//! PostgreSQL reads back as the same values, and a fault that names row and column for a value
//! that it would refuse. Never holds more than a page may have.

use super::fault::ScanFault;
use crate::catalog::{Column, ColumnType, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::{Cell, Misfit, push_cell_text};

/// Rows of one table, as text.
#[derive(Debug)]
pub(super) struct RowWriter {
    table: &'static Table,
    text: String,
    rows: u64,
    /// The text of the value at hand.
    value: String,
    /// What the text may have.
    bytes_max: usize,
    is_over: bool,
}

impl RowWriter {
    /// At most `bytes_max` of text, and what the last row has beyond.
    pub fn new(table: &'static Table, bytes_max: usize) -> Self {
        RowWriter {
            table,
            text: String::new(),
            rows: 0,
            value: String::new(),
            bytes_max,
            is_over: false,
        }
    }

    /// Appends a row. `cell` gives the value of each column; `row_name` is for faults.
    ///
    /// # Errors
    /// A value that is none of its column's type, or that no such column holds; more text than
    /// there may be, see [`Self::is_over`].
    pub fn row(
        &mut self,
        row_name: impl Fn() -> String,
        mut cell: impl FnMut(usize, &'static Column) -> Result<Option<Cell>, Misfit>,
    ) -> Result<(), ScanFault> {
        for (index, column) in self.table.columns.iter().enumerate() {
            if index > 0 {
                self.text.push('\t');
            }
            let value = cell(index, column).map_err(|misfit| {
                let fault = Diagnostic::error(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    format!("column \"{}\" of {}: {misfit}", column.name, row_name()),
                );
                let hint = "Correct the value in CDF, or declare the column as TEXT or JSON.";
                self.unfit(fault.with_hint(hint), column)
            })?;
            let Some(value) = value else {
                self.text.push_str("\\N");
                continue;
            };
            self.value.clear();
            push_cell_text(&mut self.value, &value);
            if let Some(fault) = misfit_of(&self.value, column, &row_name) {
                return Err(self.unfit(fault, column));
            }
            push_escaped(&mut self.text, &self.value);
        }
        self.text.push('\n');
        self.rows += 1;
        if self.text.len() > self.bytes_max {
            self.is_over = true;
            return Err(ScanFault::too_long(self.table, self.bytes_max));
        }
        Ok(())
    }

    fn unfit(&self, fault: Diagnostic, column: &Column) -> ScanFault {
        let fault = fault.with_table(self.table.name).with_column(column.name);
        ScanFault::Unfit(Box::new(fault))
    }

    /// Whether the rows of the page have more text than they may: it is to be asked for in
    /// smaller parts.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The lines, and how many they are.
    pub fn finish(self) -> (String, u64) {
        (self.text, self.rows)
    }
}

/// Why PostgreSQL would refuse the value.
fn misfit_of(value: &str, column: &Column, row_name: &impl Fn() -> String) -> Option<Diagnostic> {
    if value.contains('\0') {
        return Some(
            Diagnostic::error(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                format!(
                    "column \"{}\" of {} has a zero byte, which PostgreSQL has no text with",
                    column.name,
                    row_name()
                ),
            )
            .with_hint("Correct the value in CDF."),
        );
    }
    let ColumnType::Varchar(length) = column.column_type else {
        return None;
    };
    // Bytes are never fewer than characters.
    let length = usize::from(length);
    if length == 0 || value.len() <= length || value.chars().count() <= length {
        return None;
    }
    let hint = match column.name {
        "value" => "Read cdf.string_datapoints, which holds longer strings.",
        _ => "Leave the row out by a condition that CDF takes.",
    };
    Some(
        Diagnostic::error(
            SqlState::STRING_DATA_RIGHT_TRUNCATION,
            format!(
                "column \"{}\" of {} is longer in CDF than character varying({length})",
                column.name,
                row_name()
            ),
        )
        .with_hint(hint),
    )
}

/// Appends a value as a line of COPY in text format has it.
pub fn push_escaped(text: &mut String, value: &str) {
    let mut rest = value;
    while let Some(place) = rest.find(['\\', '\t', '\n', '\r']) {
        text.push_str(&rest[..place]);
        text.push_str(match rest.as_bytes()[place] {
            b'\\' => "\\\\",
            b'\t' => "\\t",
            b'\n' => "\\n",
            _ => "\\r",
        });
        rest = &rest[place + 1..];
    }
    text.push_str(rest);
}
