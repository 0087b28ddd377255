//! `INSERT INTO table (columns) VALUES …`.
//!
//! Owns the statement's head and, through its reader, its rows. Promises that a prebuilt
//! statement of thousands of literals is read once, without an allocation per row. Never
//! decodes a value: the row builder does.

mod coercion;
mod decimal;
mod expression;
mod reader;
#[cfg(test)]
mod recorder;
mod refusal;
mod scanner;
mod template;
#[cfg(test)]
mod tests;

pub use reader::{InsertProgress, InsertReader};

use super::bindings::Bindings;
use super::classify::cold;
use super::cursor::Cursor;
use super::statement::Statement;
use super::target::{column_list, named_table};
use crate::catalog::Table;
use crate::diagnostic::Diagnostic;
use scanner::{Behind, Scanner};
use std::sync::OnceLock;
use template::{Template, TemplateMaker};

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
    /// Where the column list starts, if there is one.
    list_start: Option<usize>,
    /// Made at Parse, or at the first Bind.
    template: OnceLock<Template>,
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
        if self.rows_start.is_none() {
            return Ok(declared.to_vec());
        }
        self.template(declared)?.parameter_types()
    }

    /// Reads the rows, with these parameters. Without any, and unless the statement was
    /// prepared by [`Self::parameter_types`], they are read straight from the text.
    pub fn reader<'a>(&'a self, bindings: &'a Bindings) -> InsertReader<'a> {
        InsertReader::new(self, bindings)
    }

    /// The rows taken apart, with the parameter types of the first call.
    fn template(&self, declared: &[u32]) -> Result<&Template, Box<Diagnostic>> {
        if let Some(template) = self.template.get() {
            return Ok(template);
        }
        let mut maker = TemplateMaker::new(self.table, &self.columns, declared);
        let mut scanner = self.scanner();
        loop {
            scanner.row(&mut maker)?;
            if scanner.behind()? == Behind::End {
                break;
            }
        }
        Ok(self.template.get_or_init(|| maker.finish()))
    }

    fn scanner(&self) -> Scanner<'_> {
        Scanner::new(
            &self.text,
            self.table,
            &self.columns,
            self.list_start,
            self.rows_start.unwrap_or(self.text.len()),
        )
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
    let list_start = cursor.at_symbol("(").then(|| cursor.offset());
    if list_start.is_some() && is_query(cursor)? {
        return Ok(cold("INSERT", text));
    }
    let columns = column_list(cursor, named.table)?;
    let rows_start = if list_start.is_none() && cursor.accept_word("default")? {
        cursor.expect_word("values")?;
        if !cursor.at_end() {
            return Err(scanner::clause_error(text, cursor.offset()));
        }
        None
    } else if cursor.at_word("values") {
        Some(cursor.peek().range.end)
    } else if ["select", "with", "table", "overriding"]
        .iter()
        .any(|word| cursor.at_word(word))
        || cursor.at_symbol("(")
    {
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
        list_start,
        template: OnceLock::new(),
    }))
}

/// Whether the parenthesis that comes next opens a query instead of a column list.
fn is_query(cursor: &Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    let mut ahead = cursor.clone();
    while ahead.accept_symbol("(")? {}
    Ok(ahead.at_word("select") || ahead.at_word("with") || ahead.at_word("values"))
}
