//! Staged rows of custom RAW tables as rows of the table's own columns.
//!
//! Owns the way from a key and JSON to the columns that a statement gives. Promises each value as
//! it is read once the row is in CDF. Never says what becomes of other rows.

use crate::catalog::{Column, RawColumns, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{CellChanges, Cells, RawAction, RawBatch, RowText};
use crate::scan::raw_cell;
use crate::sql::push_cell_text;

/// What a row says of the columns beside its key.
enum Given<'a> {
    /// All of them: those without a cell are NULL.
    Whole(Cells<'a>),
    /// Some of them.
    Some(CellChanges<'a>),
    Nothing,
}

impl<'a> Given<'a> {
    fn of(action: RawAction, columns: &'a str) -> Result<Self, serde_json::Error> {
        Ok(match action {
            RawAction::Insert | RawAction::InsertMissing | RawAction::Replace => {
                Given::Whole(Cells::read(columns)?)
            }
            RawAction::Merge => Given::Some(CellChanges::read(columns)?),
            // What a row that exists is changed to is in the row that is made: the statement's
            // assignments say which of it.
            RawAction::Upsert => {
                let made = CellChanges::read(columns)?.made();
                Given::Whole(made.unwrap_or_default())
            }
            RawAction::Delete | RawAction::DeleteFound | RawAction::Empty => Given::Nothing,
        })
    }

    /// What the row says of a column, if it does: its cell, or that it has none.
    fn cell(&self, name: &str) -> Option<Option<&'a str>> {
        match self {
            Given::Whole(cells) => Some(cells.value(name)),
            Given::Some(changes) if changes.removes(name) => Some(None),
            Given::Some(changes) => changes.value(name).map(Some),
            Given::Nothing => None,
        }
    }
}

/// Row `row` of the batch in the columns of its table, which are as many as the row says something
/// of; values are PostgreSQL's text of the columns' types.
///
/// # Errors
/// XX000 for a row that is not what its action wants, 22P02 for a value that is none of its
/// column's type: neither can have been staged.
pub(super) fn raw_row_text(
    table: &Table,
    raw: &RawColumns,
    batch: &RawBatch,
    row: usize,
) -> Result<RowText, Box<Diagnostic>> {
    let mut text = RowText {
        columns: Vec::new(),
        values: Vec::new(),
        action: batch.action.name(),
    };
    if batch.action == RawAction::Empty {
        // It stands for all rows, and has no key.
        text.columns.push(table.columns[raw.key].name);
        text.values.push(None);
        return Ok(text);
    }
    let key = batch.keys.text(row);
    let given = Given::of(batch.action, batch.columns.text(row)).map_err(|fault| {
        let message = format!("the staged row with key \"{key}\" cannot be read: {fault}");
        Box::new(Diagnostic::error(SqlState::INTERNAL_ERROR, message).with_table(table.name))
    })?;
    for (index, column) in table.columns.iter().enumerate() {
        let cell = match given.cell(column.name) {
            _ if index == raw.key => None,
            Some(cell) => cell,
            None => continue,
        };
        text.columns.push(column.name);
        text.values
            .push(value(table, raw, (index, column), key, cell)?);
    }
    Ok(text)
}

fn value(
    table: &Table,
    raw: &RawColumns,
    (index, column): (usize, &Column),
    key: &str,
    cell: Option<&str>,
) -> Result<Option<String>, Box<Diagnostic>> {
    let cell = raw_cell(raw, (index, column), key, cell).map_err(|misfit| {
        let name = column.name;
        let message = format!("column \"{name}\" of the staged row with key \"{key}\": {misfit}");
        Box::new(
            Diagnostic::error(SqlState::INVALID_TEXT_REPRESENTATION, message)
                .with_table(table.name)
                .with_column(name),
        )
    })?;
    Ok(cell.map(|cell| {
        let mut text = String::new();
        push_cell_text(&mut text, &cell);
        text
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Definition, RowShape, custom_table};
    use crate::rows::value::ValueSettings;
    use crate::rows::{
        Action, AnyBuilder, Assigned, Assignment, BatchBounds, ConflictUpdate, RowBatch,
        RowBuilder, WireFormat,
    };
    use serde_json::json;
    use std::sync::Arc;

    /// The columns that a row is laid on with, and their values.
    fn laid(name: &str, action: Action, given: &[(usize, Option<&str>)]) -> Vec<(String, String)> {
        let definition = json!({
            "type": "raw_rows", "tablename": name,
            "options": {"database": "d", "table": "t", "primaryKey": "at"},
            "columns": [{"propertyName": "n", "type": "BIGINT"},
                        {"propertyName": "at", "type": "TIMESTAMPTZ"},
                        {"propertyName": "l", "type": "TEXT[]"},
                        {"propertyName": "j", "type": "JSON"}]
        });
        let definition = Definition::from_json(&definition).expect("sound");
        let table = custom_table(&definition).expect("made");
        let RowShape::RawColumns(raw) = table.shape else {
            panic!("a table of RAW rows");
        };
        let bounds = BatchBounds {
            rows: 1,
            bytes: 1 << 20,
        };
        let columns: Vec<usize> = given.iter().map(|(column, _)| *column).collect();
        let settings = ValueSettings::default();
        let mut builder = AnyBuilder::doing(table, action, &columns, settings, bounds);
        for (column, value) in given {
            match value {
                Some(value) => builder.field(*column, WireFormat::Text, value.as_bytes()),
                None => builder.null(*column),
            }
            .expect("taken");
        }
        builder.finish_row(1).expect("whole");
        let batches = builder.take();
        let [RowBatch::RawRows(batch)] = batches.as_slice() else {
            panic!("one batch");
        };
        let row = raw_row_text(table, raw, batch, 0).expect("a row");
        let values = row.values.into_iter();
        let values = values.map(|value| value.unwrap_or_else(|| "NULL".to_owned()));
        let columns = row.columns.into_iter().map(str::to_owned);
        columns.zip(values).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        let pairs = expected.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    const AT: (usize, Option<&str>) = (1, Some("2026-01-02 03:04:05+00"));
    const KEY: (&str, &str) = ("at", "2026-01-02 03:04:05+00");

    #[test]
    fn a_new_row_has_every_column() {
        let made = laid(
            "laid_new",
            Action::Create,
            &[AT, (2, Some("{a,\"b, c\"}")), (3, Some("null"))],
        );
        let expected = [("n", "NULL"), KEY, ("l", "{a,\"b, c\"}"), ("j", "null")];
        assert_eq!(made, pairs(&expected));
    }

    #[test]
    fn a_change_has_the_columns_that_it_names() {
        let changed = laid(
            "laid_changed",
            Action::Update,
            &[AT, (0, Some("7")), (3, None)],
        );
        assert_eq!(changed, pairs(&[("n", "7"), KEY, ("j", "NULL")]));
    }

    #[test]
    fn an_upsert_is_laid_on_as_the_row_that_it_makes() {
        let update = ConflictUpdate {
            assignments: vec![Assignment {
                column: 3,
                value: Assigned::Excluded(3),
            }],
            constants: None,
        };
        let action = Action::Upsert(Arc::new(update));
        let upserted = laid("laid_upserted", action, &[AT, (0, Some("7"))]);
        let expected = [("n", "7"), KEY, ("l", "NULL"), ("j", "NULL")];
        assert_eq!(upserted, pairs(&expected));
    }

    #[test]
    fn a_row_that_goes_has_its_key_alone() {
        assert_eq!(laid("laid_gone", Action::Delete, &[AT]), pairs(&[KEY]));
    }
}
