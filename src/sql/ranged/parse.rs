//! Parsing of changes by position.
//!
//! Owns which tables have positions, and what such statements may say. Promises PostgreSQL's
//! errors for names that do not exist; every other form is left to the cold road. Never reads a
//! value.

use super::condition::{self, Condition};
use super::positions::Comparison;
use super::{RangedChange, Roles, refusal};
use crate::catalog::{Resource, Table};
use crate::diagnostic::Diagnostic;
use crate::sql::assignments::{self, SetList, Unread};
use crate::sql::change::ChangeKind;
use crate::sql::classify::cold_or;
use crate::sql::cursor::Cursor;
use crate::sql::returning;
use crate::sql::statement::Statement;
use crate::sql::target::NamedTable;
use std::sync::OnceLock;

/// Whether rows of the table have a position in a series or a sequence.
pub(crate) fn is_ranged(table: &Table) -> bool {
    matches!(
        table.resource,
        Resource::Datapoints | Resource::SequenceRows
    ) && table.is_writable
}

/// The columns that say where a row is: those that name its series or sequence, its space and its
/// position.
pub(in crate::sql) fn naming_columns(table: &Table) -> Vec<usize> {
    let roles = Roles::of(table);
    let mut columns = roles.keys;
    columns.extend(roles.space);
    columns.push(roles.position);
    columns
}

impl Roles {
    /// Of a table for which [`is_ranged`] holds.
    fn of(table: &Table) -> Self {
        let named = |field: &str| {
            let mut columns = table.columns.iter();
            columns.position(|column| column.field == field)
        };
        let position = named("timestamp").or_else(|| named("rowNumber"));
        Roles {
            keys: ["externalId", "id"].into_iter().filter_map(named).collect(),
            space: named("instanceId.space"),
            // Both kinds of tables have one.
            position: position.unwrap_or(0),
        }
    }
}

/// Parses an UPDATE from its SET on. `alias`: what it calls its table, if not by its name.
///
/// # Errors
/// 42601, 42703, 42P01; 0A000 for what cannot be changed so.
pub(crate) fn update(
    cursor: &mut Cursor<'_>,
    named: NamedTable,
    alias: Option<&str>,
) -> Result<Statement, Box<Diagnostic>> {
    let table = named.table;
    cursor.expect_word("set")?;
    let list = match assignments::parse(cursor, table, false) {
        Ok(list) => list,
        Err(Unread::Wrong(diagnostic)) => return Err(diagnostic),
        Err(Unread::TooMuch(_)) => {
            let otherwise = refusal::other_condition(table, ChangeKind::Update);
            return Ok(cold_or("UPDATE", cursor.text(), otherwise));
        }
    };
    let roles = Roles::of(table);
    for item in &list.items {
        let names_row = item.column == roles.position
            || roles.keys.contains(&item.column)
            || roles.space == Some(item.column);
        if names_row {
            return Err(refusal::moves(table, item.column));
        }
    }
    let sets = |field: &str| {
        let mut items = list.items.iter();
        items.any(|item| table.columns[item.column].field == field)
    };
    if table.resource == Resource::SequenceRows && !sets("values") {
        return Err(refusal::no_cells(table));
    }
    let has_statuses = table
        .columns
        .iter()
        .any(|column| column.field == "status.code");
    let sets_status = sets("status.code") || sets("status.symbol");
    if has_statuses && !(sets("value") && sets_status) {
        let otherwise = refusal::no_status(table);
        return Ok(cold_or("UPDATE", cursor.text(), otherwise));
    }
    rest(cursor, ChangeKind::Update, named, alias, roles, list)
}

/// Parses a DELETE from behind its table's name on.
///
/// # Errors
/// 42601, 42703, 42P01; 42501 without a condition on series or sequences.
pub(crate) fn delete(
    cursor: &mut Cursor<'_>,
    named: NamedTable,
    alias: Option<&str>,
) -> Result<Statement, Box<Diagnostic>> {
    let roles = Roles::of(named.table);
    let nothing = SetList::default();
    rest(cursor, ChangeKind::Delete, named, alias, roles, nothing)
}

/// `WHERE … [RETURNING …]`.
fn rest(
    cursor: &mut Cursor<'_>,
    kind: ChangeKind,
    named: NamedTable,
    alias: Option<&str>,
    roles: Roles,
    list: SetList,
) -> Result<Statement, Box<Diagnostic>> {
    let NamedTable { table, database } = named;
    let text = cursor.text();
    let word = match kind {
        ChangeKind::Update => "UPDATE",
        ChangeKind::Delete | ChangeKind::Truncate => "DELETE",
    };
    let needs_plan = |otherwise| Ok(cold_or(word, text, otherwise));
    if !cursor.accept_word("where")? {
        // FROM, USING, or no condition at all.
        return match cursor.at_end() || cursor.at_word("returning") {
            true => Err(refusal::no_key(table, kind)),
            false => needs_plan(refusal::other_condition(table, kind)),
        };
    }
    let name = alias.unwrap_or(table.name);
    let condition = condition::parse(cursor, table, &roles, kind, name)?;
    let Some(Condition { key, space, terms }) = condition else {
        return needs_plan(refusal::other_condition(table, kind));
    };
    if table.resource == Resource::SequenceRows && terms.is_empty() {
        return needs_plan(refusal::too_wide(table, super::reader::ROWS_MAX));
    }
    let is_of_range = terms
        .iter()
        .all(|term| term.comparison != Comparison::Equal);
    if table.resource == Resource::Datapoints && kind == ChangeKind::Update && is_of_range {
        return needs_plan(refusal::update_of_range(table));
    }
    let returning = match cursor.accept_word("returning")? {
        true if kind == ChangeKind::Delete => {
            return needs_plan(refusal::returns_deleted(table));
        }
        true => Some(returning::parse(cursor, table, alias)?),
        false => None,
    };
    cursor.expect_end()?;
    let columns = [key.column, roles.position]
        .into_iter()
        .chain(space.map(|space| space.column))
        .chain(list.items.iter().map(|item| item.column))
        .collect();
    Ok(Statement::Ranged(RangedChange {
        kind,
        table,
        database,
        text: cursor.text().into(),
        columns,
        key,
        space,
        terms,
        items: list.items,
        returning,
        plan: OnceLock::new(),
    }))
}
