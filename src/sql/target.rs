//! The table and the columns that COPY and INSERT name.
//!
//! Owns reading `[database.][schema.]table` and a column list, and finding them in the
//! catalog. Promises PostgreSQL's errors with the position of the name. Never reads values.

use super::cursor::Cursor;
use super::syntax::{error_at, position};
use crate::catalog::{Namespace, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};

/// A table that a statement names.
#[derive(Clone, Debug)]
pub(crate) struct NamedTable {
    pub table: &'static Table,
    /// The first of three name parts: the session's database, or an error.
    pub database: Option<String>,
}

/// Reads a table's name.
///
/// # Errors
/// 42601, 42P01 with the position of the name.
pub(crate) fn named_table(
    cursor: &mut Cursor<'_>,
    namespace: &Namespace,
) -> Result<NamedTable, Box<Diagnostic>> {
    let offset = cursor.offset();
    let mut parts = vec![cursor.name()?];
    while parts.len() < 3 && cursor.accept_symbol(".")? {
        parts.push(cursor.name()?);
    }
    let (database, schema, name) = match parts.as_slice() {
        [database, schema, name] => (Some(database.to_string()), Some(schema.as_ref()), name),
        [schema, name] => (None, Some(schema.as_ref()), name),
        [name] => (None, None, name),
        _ => return Err(cursor.unexpected()),
    };
    let table = namespace.table(schema, name).map_err(|diagnostic| {
        Box::new(diagnostic.with_position(position(cursor.text(), offset)))
    })?;
    Ok(NamedTable { table, database })
}

/// Reads an optional column list: indexes in the table's columns. Without a list: all columns,
/// in the table's order.
///
/// # Errors
/// 42601, 42703, 42701 with the position of the name.
pub(crate) fn column_list(
    cursor: &mut Cursor<'_>,
    table: &'static Table,
) -> Result<Vec<usize>, Box<Diagnostic>> {
    if !cursor.accept_symbol("(")? {
        return Ok((0..table.columns.len()).collect());
    }
    let mut columns = Vec::with_capacity(table.columns.len());
    loop {
        let offset = cursor.offset();
        let name = cursor.name()?;
        let index = table.column_index(&name).map_err(|diagnostic| {
            Box::new(diagnostic.with_position(position(cursor.text(), offset)))
        })?;
        if columns.contains(&index) {
            return Err(error_at(
                cursor.text(),
                offset,
                SqlState::DUPLICATE_COLUMN,
                format!("column \"{name}\" specified more than once"),
            ));
        }
        columns.push(index);
        if !cursor.accept_symbol(",")? {
            break;
        }
    }
    cursor.expect_symbol(")")?;
    Ok(columns)
}

/// What a statement does with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    Insert,
    Update,
    Delete,
    Truncate,
}

/// Whether CDF has a call for it.
///
/// # Errors
/// 55000, as PostgreSQL says it of foreign tables; 42501 for the gateway's own state.
pub(crate) fn check_allows(table: &'static Table, write: Write) -> Result<(), Box<Diagnostic>> {
    if let RowShape::GatewayState(_) = table.shape {
        return Err(Box::new(
            Diagnostic::error(
                SqlState::INSUFFICIENT_PRIVILEGE,
                format!("permission denied for table {}", table.name),
            )
            .with_hint(format!(
                "\"{}\" shows the gateway's own state, and is only read.",
                table.full_name()
            )),
        ));
    }
    let by_name = table.references().next().is_some();
    let (allowed, what) = match (write, table.endpoints) {
        (Write::Insert, _) => (true, "inserts"),
        (Write::Update, Some(endpoints)) if by_name => (endpoints.update.is_some(), "updates"),
        (Write::Update, _) => (true, "updates"),
        (Write::Delete, Some(endpoints)) if by_name => (endpoints.delete.is_some(), "deletes"),
        (Write::Delete, _) => (true, "deletes"),
        (Write::Truncate, _) => (true, "truncates"),
    };
    if table.is_writable && allowed {
        return Ok(());
    }
    let hint = if table.is_writable {
        format!(
            "CDF has no call for it: \"{}\" takes other changes.",
            table.name
        )
    } else {
        "The table shows what CDF has, and is only read.".to_owned()
    };
    Err(Box::new(
        Diagnostic::error(
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            format!("foreign table \"{}\" does not allow {what}", table.name),
        )
        .with_hint(hint)
        .with_table(table.name),
    ))
}

/// # Errors
/// 0A000 when a statement names another database than the session's.
pub(crate) fn check_database(
    named: Option<&str>,
    database: &str,
    table: &Table,
) -> Result<(), Box<Diagnostic>> {
    match named {
        Some(named) if named != database => Err(Box::new(Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "cross-database references are not implemented: \"{named}.{}.{}\"",
                table.schema, table.name
            ),
        ))),
        _ => Ok(()),
    }
}
