//! `SET column = value, …`, of UPDATE and of ON CONFLICT DO UPDATE.
//!
//! Owns both forms of an assignment, single and `(a, b) = (x, y)`. Promises columns that exist,
//! each set once. Values stay in the statement's text, by their place: what they become depends
//! on the parameters' types. Never reads a row.

use super::cursor::Cursor;
use super::insert::expression;
use super::syntax::{error_at, position};
use crate::catalog::{Access, Table};
use crate::diagnostic::{Diagnostic, SqlState};

/// What a column is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `excluded.column`, by index in the table.
    Excluded(usize),
    /// A constant or a parameter, at that byte of the statement.
    Value(usize),
    /// What the column has where nobody gives it a value: nothing.
    Default,
}

/// One assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SetItem {
    /// By index in the table.
    pub column: usize,
    pub source: Source,
}

/// Assignments that are no business of the fast road, or no SQL.
#[derive(Debug)]
pub(crate) enum Unread {
    Wrong(Box<Diagnostic>),
    /// An expression, at that byte.
    TooMuch(usize),
}

impl From<Box<Diagnostic>> for Unread {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Unread::Wrong(diagnostic)
    }
}

/// What SET sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct SetList {
    pub items: Vec<SetItem>,
    /// The first assignment of a column that CDF fills; left out of `items`.
    pub read_only: Option<Box<Diagnostic>>,
}

/// Reads assignments up to what follows them. `excluded`: whether the row that could not be
/// inserted may be named.
pub(crate) fn parse(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    excluded: bool,
) -> Result<SetList, Unread> {
    let mut list = SetList::default();
    let mut named: Vec<usize> = Vec::new();
    loop {
        if cursor.accept_symbol("(")? {
            let mut columns = Vec::new();
            loop {
                columns.push(target(cursor, table, &mut named)?);
                if !cursor.accept_symbol(",")? {
                    break;
                }
            }
            cursor.expect_symbol(")")?;
            cursor.expect_symbol("=")?;
            cursor.accept_word("row")?;
            let offset = cursor.offset();
            if !cursor.accept_symbol("(")? {
                return Err(Unread::TooMuch(offset));
            }
            for (index, (column, at)) in columns.iter().enumerate() {
                if index > 0 && !cursor.accept_symbol(",")? {
                    return Err(uneven(cursor, offset).into());
                }
                let source = source(cursor, table, excluded)?;
                keep(&mut list, cursor, table, *column, *at, source);
            }
            if cursor.at_symbol(",") {
                return Err(uneven(cursor, offset).into());
            }
            cursor.expect_symbol(")")?;
        } else {
            let (column, at) = target(cursor, table, &mut named)?;
            cursor.expect_symbol("=")?;
            let source = source(cursor, table, excluded)?;
            keep(&mut list, cursor, table, column, at, source);
        }
        if !cursor.accept_symbol(",")? {
            return Ok(list);
        }
    }
}

/// The column that is set, and where its name stands.
fn target(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    named: &mut Vec<usize>,
) -> Result<(usize, usize), Box<Diagnostic>> {
    let offset = cursor.offset();
    let name = cursor.name()?;
    let column = table.column_index(&name).map_err(|diagnostic| {
        Box::new(diagnostic.with_position(position(cursor.text(), offset)))
    })?;
    if named.contains(&column) {
        return Err(error_at(
            cursor.text(),
            offset,
            SqlState::SYNTAX_ERROR,
            format!("multiple assignments to same column \"{name}\""),
        ));
    }
    named.push(column);
    Ok((column, offset))
}

fn source(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    excluded: bool,
) -> Result<Source, Unread> {
    let offset = cursor.offset();
    let source = if cursor.accept_word("default")? {
        Source::Default
    } else if excluded && cursor.at_word("excluded") {
        cursor.advance()?;
        cursor.expect_symbol(".")?;
        let at = cursor.offset();
        let name = cursor.name()?;
        Source::Excluded(table.column_index(&name).map_err(|_| {
            error_at(
                cursor.text(),
                at,
                SqlState::UNDEFINED_COLUMN,
                format!("column excluded.{name} does not exist"),
            )
        })?)
    } else {
        match expression::value(cursor) {
            Ok(_) => Source::Value(offset),
            Err(error) if is_too_much(&error) => return Err(Unread::TooMuch(offset)),
            Err(error) => return Err(error.into()),
        }
    };
    if ends_value(cursor) {
        Ok(source)
    } else {
        Err(Unread::TooMuch(offset))
    }
}

/// Whether an error only says that a value is none of ours: a function, a column, an operator.
pub(crate) fn is_too_much(error: &Diagnostic) -> bool {
    matches!(
        error.sqlstate,
        SqlState::FEATURE_NOT_SUPPORTED | SqlState::UNDEFINED_COLUMN
    )
}

/// Whether the value before the cursor is whole.
pub(crate) fn ends_value(cursor: &Cursor<'_>) -> bool {
    cursor.at_end()
        || cursor.at_symbol(",")
        || cursor.at_symbol(")")
        || cursor.at_word("where")
        || cursor.at_word("returning")
}

/// Notes an assignment. Of a column that CDF fills only DEFAULT may be assigned, which does
/// nothing.
fn keep(
    list: &mut SetList,
    cursor: &Cursor<'_>,
    table: &'static Table,
    column: usize,
    at: usize,
    source: Source,
) {
    let described = &table.columns[column];
    // What CDF takes no more is dropped later, with a notice.
    if described.access != Access::ReadOnly || described.field.is_empty() {
        list.items.push(SetItem { column, source });
    } else if source != Source::Default {
        list.read_only.get_or_insert_with(|| {
            let mut diagnostic = error_at(
                cursor.text(),
                at,
                SqlState::GENERATED_ALWAYS,
                format!(
                    "column \"{}\" can only be updated to DEFAULT",
                    described.name
                ),
            );
            diagnostic.detail = Some(format!("Column \"{}\" is filled by CDF.", described.name));
            Box::new(
                diagnostic
                    .with_table(table.name)
                    .with_column(described.name),
            )
        });
    }
}

/// 0A000 for a column that CDF takes only when it makes the object.
pub(crate) fn fixed_at_creation(table: &'static Table, column: usize) -> Option<Box<Diagnostic>> {
    let described = &table.columns[column];
    (described.access == Access::CreateOnly).then(|| {
        Box::new(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("column \"{}\" cannot be updated", described.name),
            )
            .with_detail("CDF takes its value when the object is made, and never changes it.")
            .with_table(table.name)
            .with_column(described.name),
        )
    })
}

fn uneven(cursor: &Cursor<'_>, offset: usize) -> Box<Diagnostic> {
    error_at(
        cursor.text(),
        offset,
        SqlState::SYNTAX_ERROR,
        "number of columns does not match number of values",
    )
}
