//! Reading the rows of an INSERT into a row builder.
//!
//! Owns where reading stands: it stops when the builder is full and goes on later. Promises
//! that a syntax error anywhere in the statement comes before its first full batch is handed
//! out, so that nothing of such a statement is ever sent. Errors of values come when their
//! row is reached, as with COPY. Never holds a row.

use super::InsertStatement;
use super::scanner::{Behind, RowSink, Scanner, SyntaxOnly, Value, no_parameter};
use super::template::Template;
use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{RowBuilder, WireFormat};
use crate::sql::Bindings;

/// How far one call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsertProgress {
    /// Rows that this call gave to the builder.
    pub rows_read: u64,
    /// Whether the statement has no more rows.
    pub finished: bool,
}

/// Reads the rows of a statement into builders, batch by batch.
pub trait RowReader {
    /// Reads rows until the statement ends or the builder is full. The first row that this call
    /// reads gets the number `next_row_number`.
    ///
    /// After an error the builder holds the rows before it, for the caller to drop, and no open
    /// row. Once finished, further calls read nothing.
    ///
    /// # Errors
    /// Those of the statement's values and of the builder.
    fn read<B: RowBuilder>(
        &mut self,
        builder: &mut B,
        next_row_number: u64,
    ) -> Result<InsertProgress, Box<Diagnostic>>;
}

impl RowReader for InsertReader<'_> {
    fn read<B: RowBuilder>(
        &mut self,
        builder: &mut B,
        next_row_number: u64,
    ) -> Result<InsertProgress, Box<Diagnostic>> {
        InsertReader::read(self, builder, next_row_number)
    }
}

/// Reads rows; resumable.
#[derive(Debug)]
pub struct InsertReader<'a> {
    table: &'static Table,
    rows: Rows<'a>,
    /// Rows of the statement read so far.
    rows_done: u64,
    finished: bool,
}

#[derive(Debug)]
enum Rows<'a> {
    /// DEFAULT VALUES.
    Defaults,
    /// Straight from the text: a simple Query.
    Text {
        scanner: Scanner<'a>,
        columns: &'a [usize],
        /// Whether the rest of the statement is known to be sound.
        checked: bool,
    },
    Template {
        template: &'a Template,
        columns: &'a [usize],
        bindings: &'a Bindings,
    },
    /// The statement could not be taken apart; says so at the first read.
    Broken(Option<Box<Diagnostic>>),
}

impl<'a> InsertReader<'a> {
    pub(super) fn new(statement: &'a InsertStatement, bindings: &'a Bindings) -> Self {
        let columns = statement.columns.as_slice();
        let rows = if statement.rows_start.is_none() {
            Rows::Defaults
        } else if bindings.is_empty() && statement.template.get().is_none() {
            Rows::Text {
                scanner: statement.scanner(),
                columns,
                checked: false,
            }
        } else {
            match statement.template(bindings.types()) {
                Ok(template) => Rows::Template {
                    template,
                    columns,
                    bindings,
                },
                Err(error) => Rows::Broken(Some(error)),
            }
        };
        InsertReader {
            table: statement.table,
            rows,
            rows_done: 0,
            finished: false,
        }
    }

    /// Reads rows until the statement ends or the builder is full. The first row that this call
    /// reads gets the number `next_row_number`.
    ///
    /// After an error the builder holds the rows before it, for the caller to drop, and no open
    /// row. Once finished, further calls read nothing.
    ///
    /// # Errors
    /// 42601, 42804, 42P02, 0A000, and those of the builder, with the row in CONTEXT where the
    /// statement has several.
    pub fn read<B: RowBuilder>(
        &mut self,
        builder: &mut B,
        next_row_number: u64,
    ) -> Result<InsertProgress, Box<Diagnostic>> {
        let mut rows_read = 0;
        while !self.finished {
            if builder.is_full() {
                self.check_rest()?;
                break;
            }
            if let Err(diagnostic) = self.row(builder, next_row_number + rows_read) {
                builder.abandon_row();
                return Err(diagnostic);
            }
            rows_read += 1;
            self.rows_done += 1;
        }
        Ok(InsertProgress {
            rows_read,
            finished: self.finished,
        })
    }

    fn row<B: RowBuilder>(
        &mut self,
        builder: &mut B,
        row_number: u64,
    ) -> Result<(), Box<Diagnostic>> {
        match &mut self.rows {
            Rows::Text {
                scanner, columns, ..
            } => {
                let mut sink = BuilderSink { builder, columns };
                let before = scanner.clone();
                let mut result = scanner.row(&mut sink);
                if result.is_ok() {
                    result = sink.builder.finish_row(row_number);
                }
                if let Err(diagnostic) = result {
                    let several = self.rows_done > 0 || another_row_follows(before.clone());
                    let (rows_ahead, diagnostic) = match before.syntax_error_ahead() {
                        Some(ahead) if diagnostic.sqlstate != SqlState::SYNTAX_ERROR => ahead,
                        _ => (0, diagnostic),
                    };
                    let row_number = self.rows_done + rows_ahead + 1;
                    return Err(with_row(diagnostic, self.table, row_number, several));
                }
                self.finished = scanner.behind()? == Behind::End;
            }
            Rows::Template {
                template,
                columns,
                bindings,
            } => {
                // A statement has at least one row, so there is one left until finished.
                let row = self.rows_done as usize;
                let filled = template
                    .fill(row, columns, bindings, builder)
                    .and_then(|()| builder.finish_row(row_number));
                if let Err(diagnostic) = filled {
                    let several = template.rows() > 1;
                    return Err(with_row(
                        diagnostic,
                        self.table,
                        self.rows_done + 1,
                        several,
                    ));
                }
                self.finished = row + 1 >= template.rows();
            }
            Rows::Defaults => {
                builder.finish_row(row_number)?;
                self.finished = true;
            }
            Rows::Broken(error) => {
                self.finished = true;
                if let Some(error) = error.take() {
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Looks through the rest of the statement before its first batch is handed out.
    fn check_rest(&mut self) -> Result<(), Box<Diagnostic>> {
        if let Rows::Text {
            scanner, checked, ..
        } = &mut self.rows
            && !*checked
        {
            let mut ahead = scanner.clone();
            let mut row_number = self.rows_done;
            loop {
                row_number += 1;
                ahead
                    .row(&mut SyntaxOnly)
                    .map_err(|diagnostic| with_row(diagnostic, self.table, row_number, true))?;
                if ahead.behind()? == Behind::End {
                    break;
                }
            }
            *checked = true;
        }
        Ok(())
    }
}

/// Hands the values of a row to a builder.
struct BuilderSink<'b, B> {
    builder: &'b mut B,
    columns: &'b [usize],
}

impl<'a, B: RowBuilder> RowSink<'a> for BuilderSink<'_, B> {
    #[inline]
    fn value(&mut self, place: usize, value: Value<'a>) -> Result<(), Box<Diagnostic>> {
        let column = self.columns[place];
        match value {
            Value::Text { text, type_oid: 0 } => {
                self.builder.field(column, WireFormat::Text, &text)
            }
            Value::Text { text, type_oid } => {
                self.builder
                    .field(column, WireFormat::TextOf(type_oid), &text)
            }
            Value::Null => self.builder.null(column),
            Value::Default => Ok(()),
            Value::Parameter(expression) => Err(no_parameter(&expression)),
        }
    }
}

/// Whether the row where the scanner stands is followed by another one.
fn another_row_follows(mut scanner: Scanner<'_>) -> bool {
    scanner.row(&mut SyntaxOnly).is_ok()
        && scanner.behind().is_ok_and(|behind| behind == Behind::Row)
}

/// Names the row, where there are several, as COPY names its line.
#[cold]
fn with_row(
    mut diagnostic: Box<Diagnostic>,
    table: &Table,
    row_number: u64,
    several: bool,
) -> Box<Diagnostic> {
    if several && diagnostic.context.is_none() {
        let mut context = format!("INSERT INTO {}, row {row_number}", table.name);
        if let Some(column) = &diagnostic.column {
            context.push_str(&format!(", column {column}"));
        }
        diagnostic.context = Some(context);
    }
    diagnostic
}
