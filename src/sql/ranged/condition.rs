//! The condition of a change by position: which series or sequences, and where in them.
//!
//! Owns the reading of `key = …`, `key IN (…)`, `key = ANY (…)` and of comparisons of the
//! position, with AND between them, and times that spans are added to. Promises that a condition which it takes names its series or
//! sequences and nothing but positions in them; any other is left to the cold road. Never reads a
//! value.

use super::positions::Comparison;
use super::shift::{self, Shift};
use super::{Roles, refusal};
use crate::catalog::{ColumnType, Table};
use crate::diagnostic::Diagnostic;
use crate::sql::assignments::{ends_value, is_too_much};
use crate::sql::change::{ChangeKind, missing_from};
use crate::sql::cursor::Cursor;
use crate::sql::insert::expression::{self, Node};
use crate::sql::key_values::{Place, begins_expression, step_array, step_list, step_value};
use crate::sql::lexer::Token;
use crate::sql::returning;

/// A condition that was read.
#[derive(Debug)]
pub(super) struct Condition {
    /// The column that names series or sequences, and its values.
    pub key: KeyTerm,
    /// The column that names the space of the nodes that the series are.
    pub space: Option<KeyTerm>,
    pub terms: Vec<Term>,
}

/// A column of the key, by index in the table, and its values.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeyTerm {
    pub column: usize,
    pub place: Place,
}

/// One comparison of the position; with several values it is one of them.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub comparison: Comparison,
    pub place: Place,
    /// What is added to the value.
    pub shifts: Vec<Shift>,
}

/// Reads what follows WHERE; `None`: any other condition. `name`: what the statement calls its
/// table.
///
/// # Errors
/// 42601, 42703, 42P01; 42501 without a key.
pub(super) fn parse(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    roles: &Roles,
    kind: ChangeKind,
    name: &str,
) -> Result<Option<Condition>, Box<Diagnostic>> {
    let mut keys: Vec<KeyTerm> = Vec::new();
    let mut spaces: Vec<KeyTerm> = Vec::new();
    let mut terms: Vec<Term> = Vec::new();
    let mut open = 0;
    loop {
        while cursor.accept_symbol("(")? {
            open += 1;
        }
        let Some(column) = column(cursor, table, name)? else {
            return Ok(None);
        };
        if column == roles.position {
            let is_time = table.columns[column].column_type == ColumnType::TimestampTz;
            if comparison(cursor, is_time, &mut terms)?.is_none() {
                return Ok(None);
            }
        } else {
            let named = match roles.keys.contains(&column) {
                true => &mut keys,
                false if roles.space == Some(column) => &mut spaces,
                false => return Ok(None),
            };
            let Some(place) = equal(cursor)? else {
                return Ok(None);
            };
            named.push(KeyTerm { column, place });
        }
        while open > 0 && cursor.accept_symbol(")")? {
            open -= 1;
        }
        if !cursor.accept_word("and")? {
            break;
        }
    }
    if open > 0 || !(cursor.at_end() || cursor.at_word("returning")) {
        return Ok(None);
    }
    let space = spaces.pop();
    // A node is named by its space and its external id.
    let is_node = |key: &KeyTerm| roles.keys.first() == Some(&key.column);
    match keys.as_slice() {
        [key] if spaces.is_empty() && (space.is_none() || is_node(key)) => Ok(Some(Condition {
            key: *key,
            space,
            terms,
        })),
        [] => Err(refusal::no_key(table, kind)),
        _ => Ok(None),
    }
}

/// The column that a term begins with, if it begins with one.
fn column(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
    name: &str,
) -> Result<Option<usize>, Box<Diagnostic>> {
    if !matches!(cursor.peek().token, Token::Word(_) | Token::QuotedName(_))
        || begins_expression(cursor)
    {
        return Ok(None);
    }
    let mut offset = cursor.offset();
    let mut column = cursor.name()?;
    if cursor.accept_symbol(".")? {
        if column != name {
            return Err(missing_from(cursor, offset, &column));
        }
        offset = cursor.offset();
        column = cursor.name()?;
    }
    if cursor.at_symbol("(") {
        return Ok(None);
    }
    returning::column(cursor, table, &column, offset).map(Some)
}

/// `= x`, `= ANY (…)`, `IN (…)`.
fn equal(cursor: &mut Cursor<'_>) -> Result<Option<Place>, Box<Diagnostic>> {
    if cursor.accept_symbol("=")? {
        if cursor.accept_one_of(&["any", "some"])?.is_some() {
            return step_array(cursor);
        }
        single(cursor)
    } else if cursor.accept_word("in")? {
        step_list(cursor)
    } else {
        Ok(None)
    }
}

fn single(cursor: &mut Cursor<'_>) -> Result<Option<Place>, Box<Diagnostic>> {
    let start = cursor.offset();
    Ok(step_value(cursor)?.then_some(Place::Listed(start)))
}

/// A value that stands for a time, and what is added to it.
fn moment(cursor: &mut Cursor<'_>) -> Result<Option<(Place, Vec<Shift>)>, Box<Diagnostic>> {
    if cursor.at_symbol("(") {
        let mut ahead = cursor.clone();
        ahead.advance()?;
        if let Some(inner) = moment(&mut ahead)?
            && ahead.accept_symbol(")")?
            && is_whole(&ahead)
        {
            *cursor = ahead;
            return Ok(Some(inner));
        }
    }
    let start = cursor.offset();
    let value = match expression::value(cursor) {
        Ok(value) => value,
        Err(error) if is_too_much(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(shifts) = shift::parse(cursor)? else {
        return Ok(None);
    };
    // PostgreSQL takes a constant without a type for another interval.
    let is_time = !matches!(value.node, Node::Text(_)) || !value.casts.is_empty();
    let is_taken = is_whole(cursor) && (shifts.is_empty() || is_time);
    Ok(is_taken.then_some((Place::Listed(start), shifts)))
}

fn is_whole(cursor: &Cursor<'_>) -> bool {
    ends_value(cursor) || cursor.at_word("and")
}

/// Any comparison of the position; BETWEEN is two. `is_time`: the position is one.
fn comparison(
    cursor: &mut Cursor<'_>,
    is_time: bool,
    terms: &mut Vec<Term>,
) -> Result<Option<()>, Box<Diagnostic>> {
    let one = |cursor: &mut Cursor<'_>| match is_time {
        true => moment(cursor),
        false => Ok(single(cursor)?.map(|place| (place, Vec::new()))),
    };
    let mut term = |comparison, value: Option<(Place, Vec<Shift>)>| {
        value.map(|(place, shifts)| {
            terms.push(Term {
                comparison,
                place,
                shifts,
            });
        })
    };
    for (symbol, comparison) in [
        ("<", Comparison::Less),
        ("<=", Comparison::AtMost),
        (">", Comparison::Greater),
        (">=", Comparison::AtLeast),
    ] {
        if cursor.accept_symbol(symbol)? {
            return Ok(term(comparison, one(cursor)?));
        }
    }
    if cursor.accept_word("between")? {
        cursor.accept_word("asymmetric")?;
        let first = one(cursor)?;
        if first.is_none() || !cursor.accept_word("and")? {
            return Ok(None);
        }
        let last = one(cursor)?;
        return Ok(term(Comparison::AtLeast, first).and(term(Comparison::AtMost, last)));
    }
    let mut ahead = cursor.clone();
    if ahead.accept_symbol("=")? && !(ahead.at_word("any") || ahead.at_word("some")) {
        *cursor = ahead;
        return Ok(term(Comparison::Equal, one(cursor)?));
    }
    let values = equal(cursor)?.map(|place| (place, Vec::new()));
    Ok(term(Comparison::Equal, values))
}
