//! Parsing of UPDATE, DELETE and TRUNCATE.
//!
//! Owns which of them name their rows by key. Promises PostgreSQL's errors for names that do not
//! exist; every other form is left to the cold road, and what would empty a table that others
//! share is refused. Never reads a value.

use super::{ChangeKind, ChangeStatement, Keys, refusal};
use crate::catalog::{Namespace, Table};
use crate::diagnostic::Diagnostic;
use crate::sql::assignments::{self, SetList, Unread, ends_value, fixed_at_creation, is_too_much};
use crate::sql::classify::cold;
use crate::sql::cursor::Cursor;
use crate::sql::insert::expression;
use crate::sql::lexer::Token;
use crate::sql::ranged;
use crate::sql::returning;
use crate::sql::statement::Statement;
use crate::sql::target::{NamedTable, Write, check_allows, named_table};
use crate::sql::type_name;
use std::sync::OnceLock;

/// Parses a statement that starts with UPDATE.
///
/// # Errors
/// 42601, 42P01, 42703, 428C9; 0A000 for columns that CDF never changes.
pub(crate) fn update(text: &str, namespace: &Namespace) -> Result<Statement, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    cursor.expect_word("update")?;
    let (named, alias) = relation(cursor, namespace, &["set"])?;
    check_allows(named.table, Write::Update)?;
    if ranged::is_ranged(named.table) {
        return ranged::update(cursor, named, alias.as_deref());
    }
    cursor.expect_word("set")?;
    let list = match assignments::parse(cursor, named.table, false) {
        Ok(list) => list,
        Err(Unread::Wrong(diagnostic)) => return Err(diagnostic),
        Err(Unread::TooMuch(_)) => return Ok(cold("UPDATE", text)),
    };
    for item in &list.items {
        if let Some(diagnostic) = fixed_at_creation(named.table, item.column) {
            return Err(diagnostic);
        }
        if named.table.references().any(|column| column == item.column) {
            return Err(refusal::names_itself(named.table, item.column));
        }
    }
    rest(cursor, ChangeKind::Update, named, alias, list)
}

/// Parses a statement that starts with DELETE.
///
/// # Errors
/// 42601, 42P01, 42703; 42501 without a condition.
pub(crate) fn delete(text: &str, namespace: &Namespace) -> Result<Statement, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    cursor.expect_word("delete")?;
    cursor.expect_word("from")?;
    let (named, alias) = relation(cursor, namespace, &["where", "using", "returning"])?;
    check_allows(named.table, Write::Delete)?;
    if ranged::is_ranged(named.table) {
        return ranged::delete(cursor, named, alias.as_deref());
    }
    if cursor.at_end() || cursor.at_word("returning") {
        return Err(refusal::empties(named.table, "DELETE"));
    }
    rest(cursor, ChangeKind::Delete, named, alias, SetList::default())
}

/// Parses a statement that starts with TRUNCATE.
///
/// # Errors
/// 42601, 42P01.
pub(crate) fn truncate(text: &str, namespace: &Namespace) -> Result<Statement, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    cursor.expect_word("truncate")?;
    cursor.accept_word("table")?;
    let mut first = None;
    loop {
        cursor.accept_word("only")?;
        let named = named_table(cursor, namespace)?;
        cursor.accept_symbol("*")?;
        check_allows(named.table, Write::Truncate)?;
        first.get_or_insert(named.table);
        if !cursor.accept_symbol(",")? {
            break;
        }
    }
    if cursor.accept_one_of(&["restart", "continue"])?.is_some() {
        cursor.expect_word("identity")?;
    }
    cursor.accept_one_of(&["cascade", "restrict"])?;
    cursor.expect_end()?;
    match first {
        Some(table) => Err(refusal::empties(table, "TRUNCATE")),
        None => Err(cursor.unexpected()),
    }
}

/// `[ONLY] table [*] [[AS] alias]`, where an alias is none of the `keywords`.
fn relation(
    cursor: &mut Cursor<'_>,
    namespace: &Namespace,
    keywords: &[&str],
) -> Result<(NamedTable, Option<String>), Box<Diagnostic>> {
    cursor.accept_word("only")?;
    let named = named_table(cursor, namespace)?;
    cursor.accept_symbol("*")?;
    let alias = if cursor.accept_word("as")?
        || (matches!(cursor.peek().token, Token::Word(_) | Token::QuotedName(_))
            && !keywords.iter().any(|keyword| cursor.at_word(keyword)))
    {
        Some(cursor.name()?.into_owned())
    } else {
        None
    };
    Ok((named, alias))
}

/// `WHERE key … [RETURNING …]`.
fn rest(
    cursor: &mut Cursor<'_>,
    kind: ChangeKind,
    named: NamedTable,
    alias: Option<String>,
    list: SetList,
) -> Result<Statement, Box<Diagnostic>> {
    let NamedTable { table, database } = named;
    let text = cursor.text();
    let word = match kind {
        ChangeKind::Update => "UPDATE",
        ChangeKind::Delete => "DELETE",
    };
    if !cursor.accept_word("where")? {
        // FROM, USING, or no condition at all.
        return Ok(cold(word, text));
    }
    if let Some(diagnostic) = refusal::of_shape(table, kind) {
        return Err(diagnostic);
    }
    let name = alias.as_deref().unwrap_or(table.name);
    let Some((key, keys)) = condition(cursor, table, name)? else {
        return Ok(cold(word, text));
    };
    let returning = match cursor.accept_word("returning")? {
        true => Some(returning::parse(cursor, table, alias.as_deref())?),
        false => None,
    };
    cursor.expect_end()?;
    let nothing_left = kind == ChangeKind::Update && list.items.is_empty();
    if nothing_left && list.read_only.is_none() {
        return Ok(cold(word, text));
    }
    let columns = std::iter::once(key)
        .chain(list.items.iter().map(|item| item.column))
        .collect();
    Ok(Statement::Change(ChangeStatement {
        kind,
        table,
        database,
        text: text.into(),
        columns,
        items: list.items,
        read_only: list.read_only,
        keys,
        returning,
        plan: OnceLock::new(),
    }))
}

/// The condition, if it is on the key alone: the key's column and its values.
fn condition(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    name: &str,
) -> Result<Option<(usize, Keys)>, Box<Diagnostic>> {
    let mut open = 0;
    while cursor.accept_symbol("(")? {
        open += 1;
    }
    if !matches!(cursor.peek().token, Token::Word(_) | Token::QuotedName(_)) {
        return Ok(None);
    }
    let mut offset = cursor.offset();
    let mut column = cursor.name()?;
    if cursor.accept_symbol(".")? {
        if column != name {
            return Err(refusal::missing_from(cursor, offset, &column));
        }
        offset = cursor.offset();
        column = cursor.name()?;
    }
    if cursor.at_symbol("(") {
        return Ok(None);
    }
    let key = returning::column(cursor, table, &column, offset)?;
    if !table.references().any(|reference| reference == key) {
        return Ok(None);
    }
    let keys = if cursor.accept_symbol("=")? {
        if cursor.accept_one_of(&["any", "some"])?.is_some() {
            any(cursor)?
        } else {
            let start = cursor.offset();
            value(cursor)?.then_some(Keys::Listed(start))
        }
    } else if cursor.accept_word("in")? {
        list(cursor)?
    } else {
        None
    };
    let Some(keys) = keys else {
        return Ok(None);
    };
    for _ in 0..open {
        if !cursor.accept_symbol(")")? {
            return Ok(None);
        }
    }
    let is_whole = cursor.at_end() || cursor.at_word("returning");
    Ok(is_whole.then_some((key, keys)))
}

/// Steps over one value; `false`: it is more than a constant or a parameter.
fn value(cursor: &mut Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    if cursor.at_word("default") {
        return Err(cursor.unexpected());
    }
    match expression::value(cursor) {
        Ok(_) => Ok(ends_value(cursor)),
        Err(error) if is_too_much(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn list(cursor: &mut Cursor<'_>) -> Result<Option<Keys>, Box<Diagnostic>> {
    cursor.expect_symbol("(")?;
    let start = cursor.offset();
    loop {
        if !value(cursor)? {
            return Ok(None);
        }
        if !cursor.accept_symbol(",")? {
            break;
        }
    }
    cursor.expect_symbol(")")?;
    Ok(Some(Keys::Listed(start)))
}

fn any(cursor: &mut Cursor<'_>) -> Result<Option<Keys>, Box<Diagnostic>> {
    cursor.expect_symbol("(")?;
    let start = cursor.offset();
    let mut ahead = cursor.clone();
    if ahead.accept_word("array")? && ahead.at_symbol("[") {
        *cursor = ahead;
        cursor.advance()?;
        while !cursor.at_symbol("]") {
            if !element(cursor)? {
                return Ok(None);
            }
            if !cursor.accept_symbol(",")? {
                break;
            }
        }
        cursor.expect_symbol("]")?;
        while cursor.accept_symbol("::")? {
            type_name::parse(cursor)?;
        }
    } else if !value(cursor)? {
        return Ok(None);
    }
    if !cursor.accept_symbol(")")? {
        return Ok(None);
    }
    Ok(Some(Keys::AnyOf(start)))
}

/// Steps over an element of `ARRAY[…]`.
fn element(cursor: &mut Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    match expression::value(cursor) {
        Ok(_) => Ok(cursor.at_symbol(",") || cursor.at_symbol("]")),
        Err(error) if is_too_much(&error) => Ok(false),
        Err(error) => Err(error),
    }
}
