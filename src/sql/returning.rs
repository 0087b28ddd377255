//! `RETURNING` of columns.
//!
//! Owns the list: columns of the statement's table, each by a name that it may give. Promises
//! the columns of the result, as tables describe theirs. Never knows a value.

use super::answer::ResultColumn;
use super::cursor::{Cursor, fold};
use super::lexer::Token;
use super::syntax::error_at;
use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};

/// What a statement returns of its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returning {
    /// Indexes in the table's columns.
    columns: Vec<usize>,
    described: Vec<ResultColumn>,
}

impl Returning {
    /// Indexes in the table's columns, in the order of the result.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The columns of the result.
    pub fn described(&self) -> &[ResultColumn] {
        &self.described
    }

    /// The same, whose columns are of no table that has a number.
    pub fn without_numbers(mut self) -> Self {
        for column in &mut self.described {
            column.forget_table();
        }
        self
    }

    fn push(&mut self, table: &Table, column: usize, name: String) {
        let described = &table.columns[column];
        self.columns.push(column);
        self.described.push(ResultColumn {
            name,
            type_oid: described.column_type.oid(),
            type_modifier: described.column_type.type_modifier(),
            type_size: described.column_type.type_size(),
            table_oid: table.oid,
            attribute_number: i16::try_from(column + 1).unwrap_or(0),
        });
    }
}

/// Reads the list behind RETURNING, up to the end of the statement. `alias`: what the statement
/// calls its table, if not by its name.
///
/// # Errors
/// 42601, 42703, 42P01; 0A000 for anything but columns.
pub(crate) fn parse(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    alias: Option<&str>,
) -> Result<Returning, Box<Diagnostic>> {
    let mut returning = Returning {
        columns: Vec::new(),
        described: Vec::new(),
    };
    loop {
        item(cursor, table, alias, &mut returning)?;
        if !cursor.accept_symbol(",")? {
            break;
        }
    }
    cursor.expect_end()?;
    Ok(returning)
}

fn item(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    alias: Option<&str>,
    returning: &mut Returning,
) -> Result<(), Box<Diagnostic>> {
    if cursor.accept_symbol("*")? {
        all(table, returning);
        return Ok(());
    }
    let (Token::Word(_) | Token::QuotedName(_)) = cursor.peek().token else {
        return Err(expressions(cursor));
    };
    let mut offset = cursor.offset();
    let mut name = cursor.name()?;
    if cursor.at_symbol("(")
        || cursor.at_symbol("::")
        || matches!(cursor.peek().token, Token::Text(_))
    {
        return Err(expressions(cursor));
    }
    if cursor.accept_symbol(".")? {
        if name != alias.unwrap_or(table.name) {
            return Err(error_at(
                cursor.text(),
                offset,
                SqlState::UNDEFINED_TABLE,
                format!("missing FROM-clause entry for table \"{name}\""),
            ));
        }
        if cursor.accept_symbol("*")? {
            all(table, returning);
            return Ok(());
        }
        offset = cursor.offset();
        name = cursor.name()?;
    }
    let column = column(cursor, table, &name, offset)?;
    let label = label(cursor)?;
    let shown = label.unwrap_or_else(|| table.columns[column].name.to_owned());
    returning.push(table, column, shown);
    Ok(())
}

fn all(table: &'static Table, returning: &mut Returning) {
    for (index, described) in table.columns.iter().enumerate() {
        returning.push(table, index, described.name.to_owned());
    }
}

/// The column of that name, which stands at byte `offset`.
///
/// # Errors
/// 42703, in the words that PostgreSQL has for expressions.
pub(crate) fn column(
    cursor: &Cursor<'_>,
    table: &'static Table,
    name: &str,
    offset: usize,
) -> Result<usize, Box<Diagnostic>> {
    table.column_index(name).map_err(|mut diagnostic| {
        let mut placed = error_at(
            cursor.text(),
            offset,
            SqlState::UNDEFINED_COLUMN,
            format!("column \"{name}\" does not exist"),
        );
        placed.hint = diagnostic.hint.take();
        placed
    })
}

/// `AS name`, or the name alone.
fn label(cursor: &mut Cursor<'_>) -> Result<Option<String>, Box<Diagnostic>> {
    if cursor.accept_word("as")? {
        return cursor.name().map(|name| Some(name.into_owned()));
    }
    match &cursor.peek().token {
        Token::QuotedName(_) => cursor.name().map(|name| Some(name.into_owned())),
        Token::Word(word) => {
            let name = fold(word).into_owned();
            cursor.advance()?;
            Ok(Some(name))
        }
        Token::Symbol(",") | Token::End => Ok(None),
        _ => Err(expressions(cursor)),
    }
}

fn expressions(cursor: &Cursor<'_>) -> Box<Diagnostic> {
    if matches!(cursor.peek().token, Token::End | Token::Symbol("," | ")")) {
        return cursor.unexpected();
    }
    let mut diagnostic = cursor.error(
        SqlState::FEATURE_NOT_SUPPORTED,
        "expressions are not supported in RETURNING",
    );
    diagnostic.hint = Some("RETURNING takes columns of the table.".to_owned());
    diagnostic
}
