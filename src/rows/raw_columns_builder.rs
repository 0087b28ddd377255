//! Building batches for custom RAW tables: declared columns in, RAW rows out.
//!
//! Owns the open row, as JSON text, and the columns under construction. Promises that a row's
//! columns stand in the order of the table, that a null is left out, and that the key is the text
//! of the key's column. Nothing is allocated per row once buffers are warm, and no row is ever a
//! tree. Never knows more of a table than its description.

use super::cdf_rules::{check_raw_columns, check_raw_key};
use super::refusal::{check_nullable, column_at, in_column, null_value};
use super::row_numbers::RowNumberLog;
use super::value::json_text::{
    push_bool, push_double, push_integer, push_json, push_string, push_time,
};
use super::value::{JsonKind, ValueReader, ValueSettings, check_text, check_varchar};
use super::{
    Assigned, BatchBounds, CellChanges, ConflictUpdate, RawAction, RawBatch, RawDestination,
    RowBatch, RowBuilder, TextColumn, WireFormat, hash_key, pool,
};
use crate::catalog::{Column, ColumnType, RawColumns, Table};
use crate::diagnostic::Diagnostic;
use std::ops::Range;
use std::sync::Arc;

/// One column of the table.
#[derive(Debug)]
struct Place {
    /// `"name":`, or nothing for a key that is no column of the RAW row.
    head: Box<[u8]>,
    /// Where the open row's value stands in `values`; `None`: it has none.
    value: Option<Range<usize>>,
    /// The open row takes the cell away.
    is_removed: bool,
}

/// Builds batches for one custom RAW table.
#[derive(Debug)]
pub struct RawColumnsBuilder {
    table: &'static Table,
    raw: &'static RawColumns,
    action: RawAction,
    /// What an upsert changes of a row that exists.
    update: Option<Arc<ConflictUpdate>>,
    reader: ValueReader,
    bounds: BatchBounds,
    destination: Arc<RawDestination>,
    places: Vec<Place>,
    /// The open row's values as JSON, in the order in which they came.
    values: Vec<u8>,
    /// The open row's columns as one JSON object.
    object: Vec<u8>,
    keys: TextColumn,
    key_hashes: Vec<u64>,
    columns: TextColumn,
    row_numbers: RowNumberLog,
}

impl RawColumnsBuilder {
    /// A builder for `table`, whose rows go where `raw` says and do `action`.
    pub fn new(
        table: &'static Table,
        raw: &'static RawColumns,
        action: RawAction,
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        let head = |index: usize, column: &Column| {
            let mut head = Vec::new();
            if index != raw.key || raw.key_is_declared {
                // A column's name came as JSON: it is UTF-8.
                let written = push_string(&mut head, column.name.as_bytes());
                debug_assert!(written.is_ok(), "a name is text");
                head.push(b':');
            }
            head.into_boxed_slice()
        };
        RawColumnsBuilder {
            table,
            raw,
            action,
            update: None,
            reader: ValueReader::new(settings),
            bounds,
            destination: Arc::new(RawDestination {
                database: raw.database.as_str().into(),
                table: raw.table.as_str().into(),
            }),
            places: table
                .columns
                .iter()
                .enumerate()
                .map(|(index, column)| Place {
                    head: head(index, column),
                    value: None,
                    is_removed: false,
                })
                .collect(),
            values: Vec::new(),
            object: Vec::new(),
            keys: pool::TEXTS.take(0),
            key_hashes: pool::HASHES.take(0),
            columns: pool::TEXTS.take(0),
            row_numbers: RowNumberLog::default(),
        }
    }

    /// From now on a row that exists is changed so.
    pub fn change_existing(&mut self, update: Arc<ConflictUpdate>) {
        self.update = Some(update);
    }

    /// Per finished row that was not taken, the hash of its key.
    pub fn key_hashes(&self) -> &[u64] {
        &self.key_hashes
    }

    /// Appends the value as JSON.
    fn push_value(
        &mut self,
        column: &'static Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let (reader, json) = (&mut self.reader, &mut self.values);
        match column.column_type {
            ColumnType::Bool => push_bool(json, reader.boolean(column, format, value)?),
            ColumnType::BigInt => push_integer(json, reader.bigint(column, format, value)?),
            ColumnType::DoublePrecision => {
                push_double(json, reader.double(column, format, value)?)?;
            }
            ColumnType::Real => push_double(json, reader.real(column, format, value)?)?,
            ColumnType::TimestampTz => {
                push_time(json, reader.timestamp_ms(column, format, value)?)?;
            }
            ColumnType::Text | ColumnType::Varchar(0) => {
                push_string(json, &reader.text(format, value)?)?;
            }
            ColumnType::Varchar(length) => {
                let text = reader.text(format, value)?;
                push_string(json, check_varchar(&text, length)?)?;
            }
            ColumnType::Json => push_json(json, reader.json(column, format, value)?.0)?,
            ColumnType::Bytea => {
                // A backslash, an x and digits: only the backslash needs an escape.
                json.extend_from_slice(b"\"\\");
                reader.bytea(column, format, value, json)?;
                json.push(b'"');
            }
            ColumnType::BoolArray
            | ColumnType::BigIntArray
            | ColumnType::DoublePrecisionArray
            | ColumnType::RealArray
            | ColumnType::TextArray
            | ColumnType::VarcharArray
            | ColumnType::JsonArray => reader.list(column, format, value, json)?,
        }
        Ok(())
    }

    /// The key of the open row: the column's text. It waits at the end of the keys.
    fn push_key(
        &mut self,
        column: &Column,
        format: WireFormat,
        value: &[u8],
        written: Range<usize>,
    ) -> Result<(), Box<Diagnostic>> {
        self.keys.truncate(self.key_hashes.len());
        match column.column_type {
            ColumnType::Text | ColumnType::Varchar(_) => {
                let key = self.reader.text(format, value)?;
                check_text(&key)?;
                check_raw_key(&key)?;
                self.keys.push(&key);
            }
            // The others have no character that JSON escapes.
            _ => match &self.values[written] {
                [b'"', key @ .., b'"'] | key => self.keys.push(key),
            },
        }
        Ok(())
    }

    fn take_field(
        &mut self,
        index: usize,
        column: &'static Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let start = self.values.len();
        if let Err(refusal) = self.push_value(column, format, value) {
            self.values.truncate(start);
            return Err(refusal);
        }
        let written = start..self.values.len();
        if index == self.raw.key {
            self.push_key(column, format, value, written.clone())?;
        }
        self.places[index].value = Some(written);
        Ok(())
    }

    fn close_row(&mut self) {
        self.values.clear();
        for place in &mut self.places {
            place.value = None;
            place.is_removed = false;
        }
    }

    /// The open row's columns as its action wants them, in `object`.
    fn write_columns(&mut self) {
        self.object.clear();
        match self.action {
            RawAction::Delete | RawAction::DeleteFound | RawAction::Empty => {}
            RawAction::Upsert => self.write_upsert(),
            RawAction::Merge => {
                let (mut set, mut removed) = (Vec::new(), Vec::new());
                self.push_cells(&mut set, |index| index != self.raw.key);
                for place in self.places.iter().filter(|place| place.is_removed) {
                    push_name(&mut removed, place);
                }
                CellChanges::write(&mut self.object, &set, &removed, None);
            }
            RawAction::Insert | RawAction::InsertMissing | RawAction::Replace => {
                let mut object = std::mem::take(&mut self.object);
                object.push(b'{');
                self.push_cells(&mut object, |_| true);
                object.push(b'}');
                self.object = object;
            }
        }
    }

    /// What changes of a row that exists, and the row that is made where there is none.
    fn write_upsert(&mut self) {
        let (mut set, mut removed, mut made) = (Vec::new(), Vec::new(), Vec::new());
        self.push_cells(&mut made, |_| true);
        let assignments = self
            .update
            .iter()
            .flat_map(|update| update.assignments.iter());
        for assignment in assignments {
            let target = &self.places[assignment.column];
            let value = match assignment.value {
                Assigned::Excluded(column) => self.places[column].value.clone(),
                Assigned::Constant => None,
            };
            match value {
                Some(value) => {
                    if !set.is_empty() {
                        set.push(b',');
                    }
                    set.extend_from_slice(&target.head);
                    set.extend_from_slice(&self.values[value]);
                }
                None => push_name(&mut removed, target),
            }
        }
        CellChanges::write(&mut self.object, &set, &removed, Some(&made));
    }

    /// Appends the values of the open row that `wanted` picks, by column.
    fn push_cells(&self, object: &mut Vec<u8>, wanted: impl Fn(usize) -> bool) {
        let mut is_first = true;
        for (index, place) in self.places.iter().enumerate() {
            let Some(value) = place.value.clone() else {
                continue;
            };
            if place.head.is_empty() || !wanted(index) {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                object.push(b',');
            }
            object.extend_from_slice(&place.head);
            object.extend_from_slice(&self.values[value]);
        }
    }
}

/// Appends a column's name to a list of them.
fn push_name(names: &mut Vec<u8>, place: &Place) {
    if !names.is_empty() {
        names.push(b',');
    }
    // The name without its colon.
    let name = place.head.split_last().map_or(&[][..], |(_, name)| name);
    names.extend_from_slice(name);
}

impl RowBuilder for RawColumnsBuilder {
    fn field(
        &mut self,
        column: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let described = column_at(self.table, column)?;
        self.take_field(column, described, format, value)
            .map_err(|diagnostic| in_column(self.table, described, diagnostic))
    }

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        check_nullable(self.table, column_at(self.table, column)?)?;
        self.places[column].is_removed = true;
        Ok(())
    }

    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>> {
        if self.action == RawAction::Empty {
            self.keys.push(b"");
        } else if self.places[self.raw.key].value.is_none() {
            return Err(null_value(self.table, &self.table.columns[self.raw.key]));
        }
        self.write_columns();
        if !self.object.is_empty() {
            check_raw_columns(&self.object, JsonKind::Object).map_err(|mut refusal| {
                refusal.table = Some(self.table.name.to_owned());
                refusal
            })?;
        }
        self.columns.push(&self.object);
        let row = self.key_hashes.len();
        self.key_hashes.push(hash_key(self.keys.bytes(row)));
        self.row_numbers.push(row_number);
        self.close_row();
        Ok(())
    }

    fn abandon_row(&mut self) {
        self.close_row();
        self.keys.truncate(self.key_hashes.len());
    }

    fn rows(&self) -> usize {
        self.key_hashes.len()
    }

    fn is_full(&self) -> bool {
        let rows = self.rows();
        let bytes = self.keys.total_bytes() + self.columns.total_bytes();
        rows >= self.bounds.rows.max(1) || (bytes >= self.bounds.bytes && rows > 0)
    }

    fn take(&mut self) -> Vec<RowBatch> {
        self.abandon_row();
        let rows = self.rows();
        if rows == 0 {
            return Vec::new();
        }
        vec![RowBatch::RawRows(RawBatch {
            destination: self.destination.clone(),
            action: self.action,
            keys: std::mem::replace(&mut self.keys, pool::TEXTS.take(rows)),
            key_hashes: std::mem::replace(&mut self.key_hashes, pool::HASHES.take(rows)),
            columns: std::mem::replace(&mut self.columns, pool::TEXTS.take(rows)),
            row_numbers: self.row_numbers.take(),
        })]
    }
}
