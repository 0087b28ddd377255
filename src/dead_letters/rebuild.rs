//! From the text of a letter back to a row.
//!
//! Owns reading a letter by the rules of its table and by the settings that it was written
//! under. Promises the same checks that a COPY makes. Never sends anything.

use super::letter::Letter;
use crate::catalog::{Dialect, Namespace, PUBLIC, Resource, RowShape, Table, table_of_full_name};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::value::{ValueReader, ValueSettings};
use crate::rows::{
    Action, AnyBuilder, BatchBounds, LAST_TIMESTAMP, RawAction, RowBatch, RowBuilder, WireFormat,
};

/// A row at a time, whatever it weighs: the table's own rules bound it.
const BOUNDS: BatchBounds = BatchBounds {
    rows: 1,
    bytes: usize::MAX,
};

/// The row of `letter` as a batch of one.
///
/// # Errors
/// As COPY: 42P01, 42703, 22P02 …
pub fn rebuild(letter: &Letter) -> Result<(&'static Table, RowBatch), Box<Diagnostic>> {
    let table = table_of(letter)?;
    let settings = letter.value_settings();
    let batch = row_of(table, letter, settings)?;
    Ok((table, batch))
}

/// The table that the row was written to; a custom one, if its user still has it.
///
/// # Errors
/// 42P01.
pub(super) fn table_of(letter: &Letter) -> Result<&'static Table, Box<Diagnostic>> {
    // Names with a schema are those of built-in tables alone.
    if let Some(table) = table_of_full_name(&letter.table).filter(|table| table.schema != PUBLIC) {
        return Ok(table);
    }
    // Letters have the names of today, whichever the user wrote.
    Namespace::of_user(&letter.user, Dialect::Second).table(None, &letter.table)
}

/// A builder of rows that do what the letter's does.
fn builder(
    table: &'static Table,
    letter: &Letter,
    columns: &[usize],
    settings: ValueSettings,
) -> Result<AnyBuilder, Box<Diagnostic>> {
    let name = letter.action.as_str();
    let unknown = || {
        Box::new(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("this gateway does not know what a row does that is to \"{name}\""),
            )
            .with_hint("Replay the letter with the version that wrote it."),
        )
    };
    Ok(match table.shape {
        RowShape::RawRows => {
            let action = RawAction::named(name).ok_or_else(unknown)?;
            AnyBuilder::of_raw(table, action, settings, BOUNDS)
        }
        _ => {
            let action = Action::named(name).ok_or_else(unknown)?;
            AnyBuilder::doing(table, action, columns, settings, BOUNDS)
        }
    })
}

fn row_of(
    table: &'static Table,
    letter: &Letter,
    settings: ValueSettings,
) -> Result<RowBatch, Box<Diagnostic>> {
    let Letter {
        columns, values, ..
    } = letter;
    if columns.len() != values.len() {
        return Err(Box::new(Diagnostic::error(
            SqlState::INVALID_PARAMETER_VALUE,
            format!(
                "there are {} columns and {} values",
                columns.len(),
                values.len()
            ),
        )));
    }
    let mut indexes = Vec::with_capacity(columns.len());
    for name in columns {
        if name == LAST_TIMESTAMP && deletes_points(table, letter) {
            continue;
        }
        let index = table.column_index(name)?;
        if indexes.contains(&index) {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::DUPLICATE_COLUMN,
                    format!("column \"{name}\" specified more than once"),
                )
                .with_table(table.name)
                .with_column(name.clone()),
            ));
        }
        indexes.push(index);
    }
    if deletes_points(table, letter) {
        return deleted_points(table, letter, &indexes, settings);
    }
    let mut builder = builder(table, letter, &indexes, settings)?;
    for (index, value) in indexes.iter().zip(values) {
        match value {
            Some(text) => builder.field(*index, WireFormat::Text, text.as_bytes())?,
            None => builder.null(*index)?,
        }
    }
    builder.finish_row(1)?;
    builder.take().pop().ok_or_else(|| {
        Box::new(Diagnostic::error(
            SqlState::INTERNAL_ERROR,
            "a finished row made no batch",
        ))
    })
}

fn deletes_points(table: &Table, letter: &Letter) -> bool {
    table.resource == Resource::Datapoints && letter.action == Action::Delete.name()
}

/// A delete of points: its times stand for a range, of which the end has a name of its own.
fn deleted_points(
    table: &'static Table,
    letter: &Letter,
    indexes: &[usize],
    settings: ValueSettings,
) -> Result<RowBatch, Box<Diagnostic>> {
    let mut reader = ValueReader::new(settings.clone());
    let mut builder = builder(table, letter, indexes, settings)?;
    let (mut first_ms, mut last_ms) = (None, None);
    for (name, value) in letter.columns.iter().zip(&letter.values) {
        let Some(text) = value.as_deref() else {
            continue;
        };
        let is_last = name == LAST_TIMESTAMP;
        let index = table.column_index(if is_last { "timestamp" } else { name })?;
        if name != "timestamp" && !is_last {
            builder.field(index, WireFormat::Text, text.as_bytes())?;
            continue;
        }
        let column = &table.columns[index];
        let time_ms = reader.timestamp_ms(column, WireFormat::Text, text.as_bytes())?;
        *(if is_last { &mut last_ms } else { &mut first_ms }) = Some(time_ms);
    }
    let first_ms = first_ms.ok_or_else(|| no_times(table))?;
    let last_ms = last_ms.unwrap_or(first_ms);
    if last_ms < first_ms {
        return Err(no_times(table));
    }
    builder.delete_between(first_ms, last_ms + 1)?;
    builder.finish_row(1)?;
    builder.take().pop().ok_or_else(|| no_times(table))
}

/// 22023: what is left of the times after an edit is no range.
fn no_times(table: &Table) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::INVALID_PARAMETER_VALUE,
            "a delete of points needs a timestamp, and a last_timestamp that is not before it",
        )
        .with_table(table.name)
        .with_column("timestamp"),
    )
}
