//! Parsing of UPDATE, DELETE and TRUNCATE.
//!
//! Owns which of them name their rows by key, or empty a table. Promises PostgreSQL's errors for names that do not
//! exist; every other form is left to the cold road, and what would empty a table that others
//! share is refused. Never reads a value.

use super::condition::{self, Condition};
use super::{ChangeKind, ChangeStatement, Keys, refusal};
use crate::catalog::{Namespace, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::assignments::{self, SetItem, SetList, Unread, fixed_at_creation};
use crate::sql::classify::{cold, cold_or};
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Token;
use crate::sql::ranged;
use crate::sql::returning;
use crate::sql::statement::Statement;
use crate::sql::target::{NamedTable, Write, check_allows, named_table};
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
        let names_row = named.table.references().any(|column| column == item.column)
            || named.table.key.contains(&item.column);
        if names_row {
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
        if !may_be_emptied(named.table) {
            return Err(refusal::empties(named.table, "DELETE"));
        }
        if cursor.at_word("returning") {
            let otherwise = refusal::returns_all(named.table);
            return Ok(cold_or("DELETE", text, otherwise));
        }
        return Ok(all(text, ChangeKind::Delete, named));
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
    let mut first: Option<NamedTable> = None;
    let mut tables = 0;
    loop {
        cursor.accept_word("only")?;
        let named = named_table(cursor, namespace)?;
        cursor.accept_symbol("*")?;
        check_allows(named.table, Write::Truncate)?;
        tables += 1;
        // What is refused is told first.
        if first
            .as_ref()
            .is_none_or(|first| may_be_emptied(first.table))
        {
            first = Some(named);
        }
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
        Some(named) if !may_be_emptied(named.table) => {
            Err(refusal::empties(named.table, "TRUNCATE"))
        }
        Some(named) if tables > 1 => Err(refusal::several(named.table)),
        Some(named) => Ok(all(text, ChangeKind::Truncate, named)),
        None => Err(cursor.unexpected()),
    }
}

/// Whether the rows of a table are its user's own.
fn may_be_emptied(table: &Table) -> bool {
    matches!(table.shape, RowShape::RawColumns(_))
}

/// A change of every row.
fn all(text: &str, kind: ChangeKind, named: NamedTable) -> Statement {
    Statement::Change(ChangeStatement {
        kind,
        table: named.table,
        database: named.database,
        text: text.into(),
        columns: Vec::new(),
        items: Vec::new(),
        parts_of_key: 0,
        read_only: None,
        keys: Keys::All,
        returning: None,
        plan: OnceLock::new(),
    })
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
        ChangeKind::Delete | ChangeKind::Truncate => "DELETE",
    };
    if !cursor.accept_word("where")? {
        // FROM, USING, or no condition at all.
        return Ok(cold(word, text));
    }
    if let Some(diagnostic) = refusal::of_shape(table, kind) {
        return Err(diagnostic);
    }
    let name = alias.as_deref().unwrap_or(table.name);
    let Some(Condition { key, keys, parts }) = condition::parse(cursor, table, name)? else {
        return Ok(cold(word, text));
    };
    let returning = match cursor.accept_word("returning")? {
        true => match returning::parse(cursor, table, alias.as_deref()) {
            Ok(returning) => Some(returning),
            Err(otherwise) if otherwise.sqlstate == SqlState::FEATURE_NOT_SUPPORTED => {
                return Ok(cold_or(word, text, otherwise));
            }
            Err(wrong) => return Err(wrong),
        },
        false => None,
    };
    cursor.expect_end()?;
    let nothing_left = kind == ChangeKind::Update && list.items.is_empty();
    if nothing_left && list.read_only.is_none() {
        return Ok(cold(word, text));
    }
    let parts_of_key = parts.len();
    let items: Vec<SetItem> = parts.into_iter().chain(list.items).collect();
    let columns = std::iter::once(key)
        .chain(items.iter().map(|item| item.column))
        .collect();
    Ok(Statement::Change(ChangeStatement {
        kind,
        table,
        database,
        text: text.into(),
        columns,
        items,
        parts_of_key,
        read_only: list.read_only,
        keys,
        returning,
        plan: OnceLock::new(),
    }))
}
