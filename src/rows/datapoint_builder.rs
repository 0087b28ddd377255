//! Building batches of datapoints.
//!
//! Owns the open row and the columns under construction. Promises the rules of CDF's
//! datapoint API for every finished row, and that a row costs no allocation, no lock and no
//! reference count. Where a row names its series by both external_id and id, the external id
//! counts: it is what means the same series in every project.

use super::cdf_rules::{
    check_datapoint_time, check_datapoint_value, check_identifier, check_not_empty,
    is_datapoint_time, is_datapoint_value,
};
use super::refusal::{check_nullable, column_at, in_column, null_value};
use super::row_numbers::RowNumberLog;
use super::series_interner::SeriesInterner;
use super::value::{ValueReader, ValueSettings, check_text, check_varchar};
use super::{
    ActionKind, BatchBounds, DatapointBatch, DatapointValues, RowBatch, RowBuilder, SeriesKey,
    TextColumn, TimeSpan, WireFormat, pool,
};
use crate::catalog::{self, Column, ColumnType, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use std::sync::Arc;

/// Columns of a datapoints table, at most.
const COLUMNS_MAX: usize = 8;

/// Longest external id in characters, so in bytes of ASCII.
const EXTERNAL_ID_CHARACTERS_MAX: usize = 255;

/// Bytes of a double datapoint in a batch: timestamp, value, series index.
const DOUBLE_ROW_BYTES: usize = 20;

/// What a column of the table is to a datapoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Timestamp,
    Double,
    Text,
    ExternalId,
    Id,
    /// The table has no such column.
    Absent,
}

/// Bits of what the open row has been given.
mod given {
    pub const TIMESTAMP: u8 = 1;
    pub const VALUE: u8 = 2;
    pub const EXTERNAL_ID: u8 = 4;
    pub const ID: u8 = 8;
}

/// The row between `field` and `finish_row`; a text value waits at the end of its column.
#[derive(Clone, Copy, Debug, Default)]
struct OpenRow {
    given: u8,
    /// Its entry among the series.
    external_id: u32,
    id: i64,
    timestamp_ms: i64,
    /// Up to where it deletes, if it does.
    end_ms: i64,
    value: f64,
}

/// Builds batches for `double_datapoints` or `string_datapoints`.
#[derive(Debug)]
pub struct DatapointBuilder {
    table: &'static Table,
    action: ActionKind,
    roles: [Role; COLUMNS_MAX],
    reader: ValueReader,
    interner: SeriesInterner,
    open: OpenRow,
    rows_max: usize,
    text_bytes_max: usize,
    series: Vec<Arc<SeriesKey>>,
    spans: Vec<TimeSpan>,
    series_index: Vec<u32>,
    timestamps_ms: Vec<i64>,
    doubles: Vec<f64>,
    texts: TextColumn,
    ends_ms: Vec<i64>,
    row_numbers: RowNumberLog,
}

impl DatapointBuilder {
    /// A builder for `table`, which must be a table of datapoints.
    pub fn new(table: &'static Table, settings: ValueSettings, bounds: BatchBounds) -> Self {
        Self::doing(table, ActionKind::Create, settings, bounds)
    }

    /// A builder for points of `table` that are made, changed or deleted.
    pub fn doing(
        table: &'static Table,
        action: ActionKind,
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        let mut roles = [Role::Absent; COLUMNS_MAX];
        for (role, column) in roles.iter_mut().zip(table.columns) {
            *role = match (column.field, column.column_type) {
                ("timestamp", _) => Role::Timestamp,
                ("value", ColumnType::DoublePrecision) => Role::Double,
                ("value", _) => Role::Text,
                ("externalId", _) => Role::ExternalId,
                ("id", _) => Role::Id,
                _ => Role::Absent,
            };
        }
        let mut builder = DatapointBuilder {
            table,
            action,
            roles,
            reader: ValueReader::new(settings),
            interner: SeriesInterner::default(),
            open: OpenRow::default(),
            rows_max: bounds
                .rows
                .min(bounds.bytes / DOUBLE_ROW_BYTES)
                .clamp(1, u32::MAX as usize),
            text_bytes_max: bounds.bytes,
            series: Vec::new(),
            spans: Vec::new(),
            series_index: Vec::new(),
            timestamps_ms: Vec::new(),
            doubles: Vec::new(),
            texts: TextColumn::default(),
            ends_ms: Vec::new(),
            row_numbers: RowNumberLog::default(),
        };
        builder.start_batch(0);
        builder
    }

    fn is_double(&self) -> bool {
        self.table.shape == RowShape::DoubleDatapoints
    }

    /// Takes buffers; they grow to what the last batch needed, so that a small statement
    /// does not occupy what a large one would.
    fn start_batch(&mut self, rows: usize) {
        self.interner.start_batch();
        self.series_index = pool::INDEXES.take(rows);
        self.timestamps_ms = pool::TIMESTAMPS.take(rows);
        if self.action == ActionKind::Delete {
            self.ends_ms = pool::TIMESTAMPS.take(rows);
        } else if self.is_double() {
            self.doubles = pool::DOUBLES.take(rows);
        } else {
            self.texts = pool::TEXTS.take(rows);
        }
    }

    /// Takes a field in one of the common forms and within CDF's rules; tells whether it did.
    /// Nothing here allocates or makes an error, so that it compiles into the decoder's loop.
    #[inline(always)]
    fn take_common(&mut self, column: usize, format: WireFormat, value: &[u8]) -> bool {
        let Some(role) = self.roles.get(column) else {
            return false;
        };
        match role {
            Role::Timestamp => match self.reader.common_timestamp_ms(format, value) {
                Some(timestamp_ms) if is_datapoint_time(timestamp_ms) => {
                    self.open.timestamp_ms = timestamp_ms;
                    self.open.given |= given::TIMESTAMP;
                    true
                }
                _ => false,
            },
            Role::Double => match ValueReader::common_double(format, value) {
                Some(number) if is_datapoint_value(number) => {
                    self.open.value = number;
                    self.open.given |= given::VALUE;
                    true
                }
                _ => false,
            },
            Role::ExternalId if ValueReader::is_verbatim(format) => {
                match self.interner.known_external_id(value) {
                    Some(entry) => {
                        self.open.external_id = entry;
                        self.open.given |= given::EXTERNAL_ID;
                        true
                    }
                    None => false,
                }
            }
            _ => false,
        }
    }

    /// Takes a field in any form.
    #[inline(never)]
    fn take_any(
        &mut self,
        column_index: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let column = column_at(self.table, column_index)?;
        self.read_field(column_index, column, format, value)
            .map_err(|diagnostic| in_column(self.table, column, diagnostic))
    }

    fn read_field(
        &mut self,
        column_index: usize,
        column: &'static Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let role = self.roles.get(column_index).copied();
        match role.unwrap_or(Role::Absent) {
            Role::Timestamp => {
                let timestamp_ms = self.reader.timestamp_ms(column, format, value)?;
                check_datapoint_time(timestamp_ms)?;
                self.open.timestamp_ms = timestamp_ms;
                self.open.given |= given::TIMESTAMP;
            }
            Role::Double => {
                let number = self.reader.double(column, format, value)?;
                check_datapoint_value(number)?;
                self.open.value = number;
                self.open.given |= given::VALUE;
            }
            Role::ExternalId => {
                let name = self.reader.text(format, value)?;
                // Blanks beyond the length are cut first, so that one series has one name.
                let name = if name.len() > EXTERNAL_ID_CHARACTERS_MAX {
                    checked_varchar(column, &name)?
                } else {
                    &*name
                };
                self.open.external_id = match self.interner.known_external_id(name) {
                    Some(entry) => entry,
                    None => {
                        check_not_empty(name)?;
                        let name = checked_varchar(column, name)?;
                        self.interner.external_id(name)
                    }
                };
                self.open.given |= given::EXTERNAL_ID;
            }
            Role::Id => {
                let id = self.reader.bigint(column, format, value)?;
                check_identifier(id)?;
                self.open.id = id;
                self.open.given |= given::ID;
            }
            Role::Text => {
                let text = self.reader.text(format, value)?;
                let text = checked_varchar(column, &text).map_err(with_length_hint)?;
                self.texts.truncate(self.timestamps_ms.len());
                self.texts.push(text);
                self.open.given |= given::VALUE;
            }
            Role::Absent => return Err(unknown_column(self.table, column)),
        }
        Ok(())
    }

    /// Which column the open row lacks.
    #[cold]
    fn missing_column(&self) -> Box<Diagnostic> {
        let lacks = |bit| self.open.given & bit == 0;
        let wanted: &[Role] = if lacks(given::VALUE) {
            &[Role::Double, Role::Text]
        } else if lacks(given::TIMESTAMP) {
            &[Role::Timestamp]
        } else {
            let external_id = self.column_of(&[Role::ExternalId]);
            return Box::new(
                Diagnostic::error(
                    SqlState::NOT_NULL_VIOLATION,
                    format!(
                        "a row of \"{}\" needs an external_id or an id",
                        self.table.name
                    ),
                )
                .with_table(self.table.name)
                .with_column(external_id.name),
            );
        };
        null_value(self.table, self.column_of(wanted))
    }

    fn column_of(&self, wanted: &[Role]) -> &'static Column {
        let index = self.roles.iter().position(|role| wanted.contains(role));
        &self.table.columns[index.unwrap_or(0)]
    }
}

/// A `character varying` within the column's length.
#[inline]
fn checked_varchar<'a>(column: &Column, value: &'a [u8]) -> Result<&'a [u8], Box<Diagnostic>> {
    match column.column_type {
        ColumnType::Varchar(characters_max) => check_varchar(value, characters_max),
        _ => check_text(value).map(|()| value),
    }
}

#[cold]
fn with_length_hint(diagnostic: Box<Diagnostic>) -> Box<Diagnostic> {
    if diagnostic.sqlstate == SqlState::STRING_DATA_RIGHT_TRUNCATION {
        Box::new((*diagnostic).with_hint("A string datapoint has up to 255 characters."))
    } else {
        diagnostic
    }
}

#[cold]
fn unknown_column(table: &Table, column: &Column) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::INTERNAL_ERROR,
        format!(
            "column \"{}\" of \"{}\" is no part of a datapoint",
            column.name, table.name
        ),
    ))
}

impl RowBuilder for DatapointBuilder {
    #[inline(always)]
    fn field(
        &mut self,
        column: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        if self.take_common(column, format, value) {
            return Ok(());
        }
        self.take_any(column, format, value)
    }

    fn delete_between(&mut self, begin_ms: i64, end_ms: i64) -> Result<(), Box<Diagnostic>> {
        check_datapoint_time(begin_ms)?;
        check_datapoint_time(end_ms - 1)?;
        (self.open.timestamp_ms, self.open.end_ms) = (begin_ms, end_ms);
        self.open.given |= given::TIMESTAMP | given::VALUE;
        Ok(())
    }

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        check_nullable(self.table, column_at(self.table, column)?)
    }

    #[inline]
    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>> {
        let open = self.open;
        const BY_EXTERNAL_ID: u8 = given::VALUE | given::TIMESTAMP | given::EXTERNAL_ID;
        const BY_ID: u8 = given::VALUE | given::TIMESTAMP | given::ID;
        let entry = if open.given & BY_EXTERNAL_ID == BY_EXTERNAL_ID {
            open.external_id
        } else if open.given & BY_ID == BY_ID {
            self.interner.id(open.id)
        } else {
            return Err(self.missing_column());
        };
        let last_ms = match self.action {
            ActionKind::Delete => open.end_ms - 1,
            _ => open.timestamp_ms,
        };
        let (series, spans) = (&mut self.series, &mut self.spans);
        let slot = self.interner.slot(entry, |key| {
            series.push(key.clone());
            spans.push(TimeSpan {
                first_ms: open.timestamp_ms,
                last_ms,
            });
            (series.len() - 1) as u32
        });
        let span = &mut self.spans[slot as usize];
        span.first_ms = span.first_ms.min(open.timestamp_ms);
        span.last_ms = span.last_ms.max(last_ms);
        self.series_index.push(slot);
        self.timestamps_ms.push(open.timestamp_ms);
        if self.action == ActionKind::Delete {
            self.ends_ms.push(open.end_ms);
        } else if self.is_double() {
            self.doubles.push(open.value);
        }
        self.row_numbers.push(row_number);
        self.open.given = 0;
        Ok(())
    }

    fn abandon_row(&mut self) {
        self.open.given = 0;
        self.texts.truncate(self.timestamps_ms.len());
    }

    #[inline]
    fn rows(&self) -> usize {
        self.timestamps_ms.len()
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.timestamps_ms.len() >= self.rows_max || self.texts.total_bytes() >= self.text_bytes_max
    }

    fn take(&mut self) -> Vec<RowBatch> {
        self.abandon_row();
        let rows = self.rows();
        if rows == 0 {
            return Vec::new();
        }
        let values = if self.action == ActionKind::Delete {
            DatapointValues::Deleted(std::mem::take(&mut self.ends_ms))
        } else if self.is_double() {
            DatapointValues::Double(std::mem::take(&mut self.doubles))
        } else {
            DatapointValues::Text(std::mem::take(&mut self.texts))
        };
        let batch = DatapointBatch {
            table: catalog::today(self.table),
            action: self.action,
            series: std::mem::take(&mut self.series),
            spans: std::mem::take(&mut self.spans),
            series_index: std::mem::take(&mut self.series_index),
            timestamps_ms: std::mem::take(&mut self.timestamps_ms),
            values,
            row_numbers: self.row_numbers.take(),
        };
        self.start_batch(rows);
        vec![RowBatch::Datapoints(batch)]
    }
}
