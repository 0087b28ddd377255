//! Lines that are no row: the error of the COPY, or a row that is left out.
//!
//! Owns the order in which PostgreSQL finds what is wrong with a line. Promises that its first
//! error is told, and that only a value that its column does not take lets a COPY go on. Never
//! sees a line that is a row.

use super::context::{Place, at};
use super::lines::{Dialect, Field, LineDecoder};
use super::skipped::{SkippedRow, is_ignorable};
use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::value::check_text;

/// Why a line is not a row.
pub struct RowFault {
    pub diagnostic: Box<Diagnostic>,
    /// Index in the column list of the value that its column did not take.
    pub value: Option<usize>,
}

impl From<Box<Diagnostic>> for RowFault {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        RowFault {
            diagnostic,
            value: None,
        }
    }
}

impl<D: Dialect> LineDecoder<D> {
    /// Leaves a line out if that may be done, or makes it the error of the COPY.
    #[cold]
    pub(super) fn refuse(&mut self, line: &[u8], found: RowFault) -> Result<(), Box<Diagnostic>> {
        if let Some(earlier) = self.fault_of_line(line) {
            return Err(earlier);
        }
        let (Some(index), true) = (
            found.value,
            self.skipped.is_some() && is_ignorable(found.diagnostic.sqlstate),
        ) else {
            return Err(found.diagnostic);
        };
        let values = self.values(line)?;
        let column = self.target.table.columns[self.target.columns[index]].name;
        let row = SkippedRow {
            line: self.lines,
            row_number: self.next_row_number,
            column,
            // The value at fault is never NULL: a column that takes none ends the COPY.
            value: values.get(index).cloned().flatten().unwrap_or_default(),
            values,
            reason: found.diagnostic,
        };
        match &mut self.skipped {
            Some(skipped) => skipped.push(row),
            None => Err(row.reason),
        }
    }

    /// All fields of a line; fewer than there are columns where the line ends early.
    fn values(&mut self, line: &[u8]) -> Result<Vec<Option<String>>, Box<Diagnostic>> {
        let table = self.target.table.name;
        let mut values = Vec::with_capacity(self.target.columns.len());
        let mut rest = Some(line);
        while let Some(fields) = rest {
            let (field, after) = self
                .dialect
                .next_field(values.len(), fields, &mut self.unescaped)
                .map_err(|syntax| at(table, self.lines, Place::LineText(line), syntax))?;
            values.push(match field {
                Field::Null | Field::Default(_) => None,
                Field::Value(value) => {
                    // Escapes can make what is no text: that is no fault of a value.
                    check_text(value)
                        .map_err(|encoding| at(table, self.lines, Place::Line, encoding))?;
                    Some(String::from_utf8_lossy(value).into_owned())
                }
            });
            rest = after;
        }
        Ok(values)
    }

    /// PostgreSQL checks encoding, syntax and number of fields of a line before any value:
    /// such an error comes before the one that was found.
    fn fault_of_line(&mut self, line: &[u8]) -> Option<Box<Diagnostic>> {
        let table = self.target.table.name;
        if let Err(encoding) = check_text(line) {
            return Some(at(table, self.lines, Place::Line, encoding));
        }
        let mut fields = 0;
        let mut rest = Some(line);
        while let Some(line_rest) = rest {
            match self
                .dialect
                .next_field(fields, line_rest, &mut self.unescaped)
            {
                Ok((field, after)) => {
                    if matches!(field, Field::Default(_))
                        && let Some(column) = self.target.columns.get(fields)
                        && let Err(unexpected) = default_of(self.target.table, *column)
                    {
                        return Some(at(table, self.lines, Place::LineText(line), unexpected));
                    }
                    rest = after;
                }
                Err(syntax) => {
                    return Some(at(table, self.lines, Place::LineText(line), syntax));
                }
            }
            fields += 1;
        }
        if fields > self.target.columns.len() {
            return Some(at(table, self.lines, Place::LineText(line), extra_data()));
        }
        match self.target.columns.get(1) {
            // An empty line has no value at all, whatever is wrong with an empty value.
            Some(column) if line.is_empty() => {
                let missing = missing_data(self.target.table.columns[*column].name);
                Some(at(table, self.lines, Place::LineText(line), missing))
            }
            _ => None,
        }
    }
}

/// Lets a column take its default, which is to have no value in its row.
///
/// # Errors
/// 22P04 for a column that every row must give a value.
#[inline]
pub fn default_of(table: &Table, column: usize) -> Result<(), Box<Diagnostic>> {
    let column = &table.columns[column];
    if column.required {
        return Err(unexpected_default(column.name));
    }
    Ok(())
}

#[cold]
fn unexpected_default(column: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::BAD_COPY_FILE_FORMAT,
            "unexpected default marker in COPY data",
        )
        .with_detail(format!("Column \"{column}\" has no default value.")),
    )
}

#[cold]
pub fn missing_data(column: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::BAD_COPY_FILE_FORMAT,
        format!("missing data for column \"{column}\""),
    ))
}

#[cold]
pub fn extra_data() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::BAD_COPY_FILE_FORMAT,
        "extra data after last expected column",
    ))
}
