//! The condition of a change: which rows it names.
//!
//! Owns the reading of `key = …`, `key IN (…)` and `key = ANY (…)`, and of such terms with AND
//! between them where a key has several columns. Promises that a condition which it takes names
//! rows by their whole key and nothing else; any other is left to the cold road. Never reads a
//! value.

use super::{Keys, refusal};
use crate::catalog::Table;
use crate::diagnostic::Diagnostic;
use crate::sql::assignments::{SetItem, Source, ends_value, is_too_much};
use crate::sql::cursor::Cursor;
use crate::sql::insert::expression;
use crate::sql::key_values::begins_expression;
use crate::sql::lexer::Token;
use crate::sql::returning;
use crate::sql::type_name;

/// Rows that are named by their key.
#[derive(Debug)]
pub(super) struct Condition {
    /// The column that may have several values, by index in the table.
    pub key: usize,
    pub keys: Keys,
    /// The other columns of the key, each with its one value.
    pub parts: Vec<SetItem>,
}

/// One column of the key and its values.
struct Term {
    column: usize,
    keys: Keys,
    /// The place of its value, if it has one only.
    single: Option<usize>,
}

/// Reads what follows WHERE, if it names rows by key alone.
///
/// # Errors
/// 42601, 42703, 42P01.
pub(super) fn parse(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    name: &str,
) -> Result<Option<Condition>, Box<Diagnostic>> {
    let mut terms: Vec<Term> = Vec::new();
    let mut open = 0;
    loop {
        while cursor.accept_symbol("(")? {
            open += 1;
        }
        let Some(term) = term(cursor, table, name)? else {
            return Ok(None);
        };
        if terms.iter().any(|known| known.column == term.column) {
            return Ok(None);
        }
        terms.push(term);
        while open > 0 && cursor.accept_symbol(")")? {
            open -= 1;
        }
        if !cursor.accept_word("and")? {
            break;
        }
    }
    let is_whole = open == 0 && (cursor.at_end() || cursor.at_word("returning"));
    if !is_whole {
        return Ok(None);
    }
    if table.references().next().is_some() {
        // One column is the whole key.
        return Ok(match <[Term; 1]>::try_from(terms) {
            Ok([Term { column, keys, .. }]) => Some(Condition {
                key: column,
                keys,
                parts: Vec::new(),
            }),
            Err(_) => None,
        });
    }
    let is_named = |column: &usize| terms.iter().any(|term| term.column == *column);
    if !table.key.iter().all(is_named) {
        return Ok(None);
    }
    let several = terms.iter().filter(|term| term.single.is_none()).count();
    let place = terms
        .iter()
        .position(|term| term.single.is_none())
        .or_else(|| {
            terms
                .iter()
                .position(|term| table.key.last() == Some(&term.column))
        });
    let Some(place) = place.filter(|_| several < 2) else {
        return Ok(None);
    };
    let Term { column, keys, .. } = terms.swap_remove(place);
    let mut parts: Vec<SetItem> = terms
        .into_iter()
        .filter_map(|term| {
            Some(SetItem {
                column: term.column,
                source: Source::Value(term.single?),
            })
        })
        .collect();
    parts.sort_by_key(|part| part.column);
    Ok(Some(Condition {
        key: column,
        keys,
        parts,
    }))
}

/// One term, if it is on a column of the key.
fn term(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    name: &str,
) -> Result<Option<Term>, Box<Diagnostic>> {
    if !matches!(cursor.peek().token, Token::Word(_) | Token::QuotedName(_))
        || begins_expression(cursor)
    {
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
    let column = returning::column(cursor, table, &column, offset)?;
    let is_key = match table.references().next() {
        Some(_) => table.references().any(|reference| reference == column),
        None => table.key.contains(&column),
    };
    if !is_key {
        return Ok(None);
    }
    let (keys, single) = if cursor.accept_symbol("=")? {
        if cursor.accept_one_of(&["any", "some"])?.is_some() {
            (any(cursor)?, None)
        } else {
            let start = cursor.offset();
            let keys = value(cursor)?.then_some(Keys::Listed(start));
            (keys, Some(start))
        }
    } else if cursor.accept_word("in")? {
        list(cursor)?
    } else {
        (None, None)
    };
    Ok(keys.map(|keys| Term {
        column,
        keys,
        single,
    }))
}

/// Steps over one value; `false`: it is more than a constant or a parameter.
fn value(cursor: &mut Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    if cursor.at_word("default") {
        return Err(cursor.unexpected());
    }
    match expression::value(cursor) {
        Ok(_) => Ok(ends_value(cursor) || cursor.at_word("and")),
        Err(error) if is_too_much(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The values of IN, and the place of the only one.
fn list(cursor: &mut Cursor<'_>) -> Result<(Option<Keys>, Option<usize>), Box<Diagnostic>> {
    cursor.expect_symbol("(")?;
    let start = cursor.offset();
    let mut single = Some(start);
    loop {
        if !value(cursor)? {
            return Ok((None, None));
        }
        if !cursor.accept_symbol(",")? {
            break;
        }
        single = None;
    }
    cursor.expect_symbol(")")?;
    Ok((Some(Keys::Listed(start)), single))
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
