//! Building batches of metadata rows by the catalog's description alone.
//!
//! Owns the typed columns under construction. Promises that every column has one entry per
//! finished row and that values keep the rules that the catalog gives for their column.
//! Never knows a table by name.

use super::cdf_rules::{
    check_absolute_path, check_distinct, check_elements, check_identifier, check_json_object,
    check_not_empty, check_not_negative, check_one_of, check_schedule, check_time,
    check_unit_interval,
};
use super::json_forms::check_form;
use super::metadata::check_metadata;
use super::objects::row_key_hash;
use super::refusal::{
    check_bytes, check_nullable, column_at, in_column, never_cleared, null_value, read_only,
};
use super::row_numbers::RowNumberLog;
use super::row_rules::check_row;
use super::value::{ValueReader, ValueSettings, check_text, check_varchar, not_finite};
use super::{
    Action, ActionKind, Assigned, Assignment, BatchBounds, ConflictUpdate, ObjectBatch,
    ObjectColumn, ObjectValues, RowBatch, RowBuilder, TextColumn, WireFormat,
};
use crate::catalog::{self, Access, Column, ColumnType, Table, ValueRule};
use crate::diagnostic::{Diagnostic, SqlState};
use std::sync::Arc;

/// Builds batches for tables of objects.
#[derive(Debug)]
pub struct ObjectBuilder {
    table: &'static Table,
    action: Action,
    reader: ValueReader,
    bounds: BatchBounds,
    /// Per column of the table, its index in `columns`.
    places: Vec<Option<usize>>,
    columns: Vec<ObjectColumn>,
    /// The list or the bytes that are being read, in their text form.
    text: Vec<u8>,
    rows: usize,
    /// Bytes of strings and arrays in the finished rows and the open one.
    bytes: usize,
    key_hashes: Vec<u64>,
    row_numbers: RowNumberLog,
    ignores_read_only: bool,
}

impl ObjectBuilder {
    /// A builder for the columns of `table` that a statement names, by index. Changes and deletes
    /// name their objects by the key or by CDF's id, and may hold that id.
    pub fn new(
        table: &'static Table,
        action: Action,
        columns: &[usize],
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        let by_id = matches!(action.kind(), ActionKind::Update | ActionKind::Delete);
        let mut builder = ObjectBuilder {
            table,
            action,
            reader: ValueReader::new(settings),
            bounds,
            places: vec![None; table.columns.len()],
            columns: Vec::new(),
            text: Vec::new(),
            rows: 0,
            bytes: 0,
            key_hashes: Vec::new(),
            row_numbers: RowNumberLog::default(),
            ignores_read_only: false,
        };
        for (index, column) in table.columns.iter().enumerate() {
            let is_held = column.is_writable() || (by_id && table.id == Some(index));
            if columns.contains(&index) && is_held {
                builder.places[index] = Some(builder.columns.len());
                builder.columns.push(ObjectColumn {
                    column: index,
                    values: empty_values(column.column_type),
                    present: Vec::new(),
                });
            }
        }
        builder
    }

    /// Drops values for columns that CDF fills instead of refusing them.
    pub fn ignore_read_only(&mut self) {
        self.ignores_read_only = true;
    }

    /// Per finished row that was not taken, the hash of its key; 0 for a row without one.
    pub fn key_hashes(&self) -> &[u64] {
        &self.key_hashes
    }

    fn read_field(
        &mut self,
        place: usize,
        column: &'static Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let reader = &mut self.reader;
        let target = &mut self.columns[place];
        truncate(target, self.rows);
        match &mut target.values {
            ObjectValues::Bool(values) => values.push(reader.boolean(column, format, value)?),
            ObjectValues::BigInt(values) => {
                let number = reader.bigint(column, format, value)?;
                match column.rule {
                    ValueRule::Identifier => check_identifier(number)?,
                    ValueRule::NotNegative => check_not_negative(number)?,
                    _ => {}
                }
                values.push(number);
            }
            ObjectValues::Double(values) => {
                let number = match column.column_type {
                    ColumnType::Real => reader.real(column, format, value)?,
                    _ => reader.double(column, format, value)?,
                };
                if !number.is_finite() {
                    return Err(not_finite(number));
                }
                if column.rule == ValueRule::UnitInterval {
                    check_unit_interval(number)?;
                }
                values.push(number);
            }
            ObjectValues::TimestampMs(values) => {
                let timestamp_ms = reader.timestamp_ms(column, format, value)?;
                check_time(timestamp_ms)?;
                values.push(timestamp_ms);
            }
            ObjectValues::Text(values) if column.column_type == ColumnType::Bytea => {
                self.text.clear();
                reader.bytea(column, format, value, &mut self.text)?;
                check_bytes(column, self.text.len())?;
                values.push(&self.text);
                self.bytes += self.text.len();
            }
            ObjectValues::Text(values) => {
                let text = reader.text(format, value)?;
                let text = match column.column_type {
                    ColumnType::Varchar(length) if length > 0 => check_varchar(&text, length)?,
                    _ => {
                        check_text(&text)?;
                        &text
                    }
                };
                match column.rule {
                    ValueRule::NotEmpty => check_not_empty(text)?,
                    ValueRule::OneOf(words) => check_one_of(text, words)?,
                    ValueRule::AbsolutePath => check_absolute_path(text)?,
                    ValueRule::Schedule => check_schedule(text)?,
                    _ => {}
                }
                check_bytes(column, text.len())?;
                values.push(text);
                self.bytes += text.len();
            }
            ObjectValues::Json(values) => {
                let (json, kind) = reader.json(column, format, value)?;
                match column.rule {
                    ValueRule::Metadata { value_bytes_max } => {
                        check_metadata(json, value_bytes_max, column.bytes_max)?;
                    }
                    ValueRule::Form(form) => check_form(form, json)?,
                    ValueRule::JsonObject => check_json_object(kind)?,
                    _ => check_bytes(column, json.len())?,
                }
                values.push(json);
                self.bytes += json.len();
            }
            ObjectValues::BigIntArray(values) => {
                let numbers = reader.bigint_array(column, format, value)?;
                if numbers.is_empty() && column.empty_is_none && self.action.kind().makes() {
                    return Ok(());
                }
                check_elements(numbers.len(), column.elements_max)?;
                if column.is_distinct {
                    check_distinct(&numbers)?;
                }
                if column.rule == ValueRule::Identifier {
                    for number in &numbers {
                        check_identifier(*number)?;
                    }
                }
                self.bytes += numbers.len() * size_of::<i64>();
                values.push(numbers);
            }
            ObjectValues::TextArray(values) => {
                self.text.clear();
                reader.list(column, format, value, &mut self.text)?;
                if column.elements_max > 0 {
                    let elements: Vec<&serde_json::value::RawValue> =
                        serde_json::from_slice(&self.text).unwrap_or_default();
                    check_elements(elements.len(), column.elements_max)?;
                    if column.is_distinct {
                        // The builder wrote the list: equal elements have equal bytes.
                        let written: Vec<&str> =
                            elements.iter().map(|element| element.get()).collect();
                        check_distinct(&written)?;
                    }
                }
                self.bytes += self.text.len();
                values.push(&self.text);
            }
        }
        target.present.push(true);
        Ok(())
    }

    /// The hash of the open row's key; 0 when a part of it is missing.
    fn key_hash(&self) -> u64 {
        row_key_hash(self.table, self.rows, |column| {
            self.places[column].map(|place| &self.columns[place])
        })
    }
}

/// The action with the columns of today's table.
fn action_today(action: &Action, today: impl Fn(usize) -> usize) -> Action {
    let Action::Upsert(update) = action else {
        return action.clone();
    };
    let is_today = update.assignments.iter().all(|assignment| {
        today(assignment.column) == assignment.column
            && !matches!(assignment.value, Assigned::Excluded(column) if today(column) != column)
    });
    if is_today {
        return action.clone();
    }
    let assignments = update
        .assignments
        .iter()
        .map(|assignment| Assignment {
            column: today(assignment.column),
            value: match assignment.value {
                Assigned::Excluded(column) => Assigned::Excluded(today(column)),
                Assigned::Constant => Assigned::Constant,
            },
        })
        .collect();
    Action::Upsert(Arc::new(ConflictUpdate {
        assignments,
        constants: update.constants.clone(),
    }))
}

fn empty_values(column_type: ColumnType) -> ObjectValues {
    match column_type {
        ColumnType::Bool => ObjectValues::Bool(Vec::new()),
        ColumnType::BigInt => ObjectValues::BigInt(Vec::new()),
        ColumnType::DoublePrecision | ColumnType::Real => ObjectValues::Double(Vec::new()),
        ColumnType::Text | ColumnType::Varchar(_) | ColumnType::Bytea => {
            ObjectValues::Text(TextColumn::default())
        }
        ColumnType::TimestampTz => ObjectValues::TimestampMs(Vec::new()),
        ColumnType::Json => ObjectValues::Json(TextColumn::default()),
        ColumnType::BigIntArray => ObjectValues::BigIntArray(Vec::new()),
        ColumnType::BoolArray
        | ColumnType::DoublePrecisionArray
        | ColumnType::RealArray
        | ColumnType::TextArray
        | ColumnType::VarcharArray
        | ColumnType::JsonArray => ObjectValues::TextArray(TextColumn::default()),
    }
}

/// Appends the placeholder of a null.
fn push_null(column: &mut ObjectColumn) {
    match &mut column.values {
        ObjectValues::Bool(values) => values.push(false),
        ObjectValues::BigInt(values) | ObjectValues::TimestampMs(values) => values.push(0),
        ObjectValues::Double(values) => values.push(0.0),
        ObjectValues::Text(values)
        | ObjectValues::Json(values)
        | ObjectValues::TextArray(values) => values.push(b""),
        ObjectValues::BigIntArray(values) => values.push(Vec::new()),
    }
    column.present.push(false);
}

/// Takes back what the open row has put into the column.
fn truncate(column: &mut ObjectColumn, rows: usize) {
    match &mut column.values {
        ObjectValues::Bool(values) => values.truncate(rows),
        ObjectValues::BigInt(values) | ObjectValues::TimestampMs(values) => values.truncate(rows),
        ObjectValues::Double(values) => values.truncate(rows),
        ObjectValues::Text(values)
        | ObjectValues::Json(values)
        | ObjectValues::TextArray(values) => values.truncate(rows),
        ObjectValues::BigIntArray(values) => values.truncate(rows),
    }
    column.present.truncate(rows);
}

impl RowBuilder for ObjectBuilder {
    fn field(
        &mut self,
        column: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let described = column_at(self.table, column)?;
        let Some(place) = self.places[column] else {
            if described.access == Access::ReadOnly {
                // CDF takes no such field any more, or the table drops what CDF fills.
                if self.ignores_read_only || described.field.is_empty() {
                    return Ok(());
                }
                return Err(read_only(self.table, described));
            }
            return Err(Box::new(Diagnostic::error(
                SqlState::INTERNAL_ERROR,
                format!("the statement does not name column \"{}\"", described.name),
            )));
        };
        self.read_field(place, described, format, value)
            .map_err(|diagnostic| in_column(self.table, described, diagnostic))
    }

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        let described = column_at(self.table, column)?;
        if self.action.kind() == ActionKind::Update && !described.clearable {
            return Err(never_cleared(self.table, described));
        }
        check_nullable(self.table, described)
    }

    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>> {
        let makes = self.action.kind().makes();
        for (index, column) in self.table.columns.iter().enumerate() {
            let given = self.places[index]
                .is_some_and(|place| self.columns[place].present.len() > self.rows);
            if makes && column.required && column.is_writable() && !given {
                return Err(null_value(self.table, column));
            }
        }
        for column in &mut self.columns {
            if column.present.len() == self.rows {
                push_null(column);
            }
        }
        if self.action.kind() != ActionKind::Delete {
            check_row(self.table, self.rows, |column| {
                self.places[column].map(|place| &self.columns[place])
            })?;
        }
        let key_hash = self.key_hash();
        self.key_hashes.push(key_hash);
        self.row_numbers.push(row_number);
        self.rows += 1;
        self.bytes += self.columns.len() * size_of::<i64>();
        Ok(())
    }

    fn abandon_row(&mut self) {
        for column in &mut self.columns {
            truncate(column, self.rows);
        }
    }

    fn rows(&self) -> usize {
        self.rows
    }

    fn is_full(&self) -> bool {
        self.rows >= self.bounds.rows.max(1) || (self.bytes >= self.bounds.bytes && self.rows > 0)
    }

    fn take(&mut self) -> Vec<RowBatch> {
        self.abandon_row();
        self.bytes = 0;
        let rows = std::mem::take(&mut self.rows);
        if rows == 0 {
            return Vec::new();
        }
        // Rows on their way know tables of today only.
        let first = catalog::first_table(self.table);
        let today = |column: usize| {
            first
                .and_then(|first| first.column_today(column))
                .unwrap_or(column)
        };
        let columns = self
            .columns
            .iter_mut()
            .map(|column| {
                let empty = empty_values(self.table.columns[column.column].column_type);
                ObjectColumn {
                    column: today(column.column),
                    values: std::mem::replace(&mut column.values, empty),
                    present: std::mem::take(&mut column.present),
                }
            })
            .collect();
        vec![RowBatch::Objects(ObjectBatch {
            table: catalog::today(self.table),
            action: action_today(&self.action, today),
            rows,
            columns,
            key_hashes: std::mem::take(&mut self.key_hashes),
            row_numbers: self.row_numbers.take(),
        })]
    }
}
