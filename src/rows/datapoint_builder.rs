//! Building batches of datapoints.
//!
//! Owns the open row and the columns under construction. Promises the rules of CDF's
//! datapoint API for every finished row, and that a row costs no allocation, no lock and no
//! reference count. Where a row names its series by both external_id and id, the external id
//! counts: it is what means the same series in every project. Rows of the wider tables that use
//! what those have more (an instance's space, a status) leave the straight way through
//! `finish_row`; all others pay nothing for them.

use super::cdf_rules::{
    check_datapoint_time, check_datapoint_value, check_identifier, check_not_empty,
    is_datapoint_time, is_datapoint_value,
};
use super::open_point::{Naming, OpenPoint, given};
use super::point_status::{PointStatus, check_status_code, read_status_symbol};
use super::refusal::{check_bytes, check_nullable, column_at, in_column};
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
    Space,
    StatusCode,
    StatusSymbol,
    /// The table has no such column.
    Absent,
}

/// Builds batches for the tables of datapoints.
#[derive(Debug)]
pub struct DatapointBuilder {
    table: &'static Table,
    action: ActionKind,
    roles: [Role; COLUMNS_MAX],
    reader: ValueReader,
    interner: SeriesInterner,
    open: OpenPoint,
    rows_max: usize,
    text_bytes_max: usize,
    series: Vec<Arc<SeriesKey>>,
    spans: Vec<TimeSpan>,
    series_index: Vec<u32>,
    timestamps_ms: Vec<i64>,
    doubles: Vec<f64>,
    texts: TextColumn,
    ends_ms: Vec<i64>,
    /// Up to the last row that is not Good, or has no value; those behind it are.
    statuses: Vec<PointStatus>,
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
                ("instanceId.space", _) => Role::Space,
                ("status.code", _) => Role::StatusCode,
                ("status.symbol", _) => Role::StatusSymbol,
                _ => Role::Absent,
            };
        }
        let mut builder = DatapointBuilder {
            table,
            action,
            roles,
            reader: ValueReader::new(settings),
            interner: SeriesInterner::default(),
            open: OpenPoint::default(),
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
            statuses: Vec::new(),
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
                self.open.given |= given::VALUE;
                if !is_datapoint_value(number) {
                    // A status may come later in the row that allows it.
                    if !self.has_statuses() {
                        return check_datapoint_value(number);
                    }
                    self.open.given |= given::UNBOUNDED_VALUE;
                }
                self.open.value = number;
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
                let text = checked_varchar(column, &text)
                    .map_err(|refusal| with_length_hint(self.table, refusal))?;
                check_bytes(column, text.len())?;
                self.texts.truncate(self.timestamps_ms.len());
                self.texts.push(text);
                self.open.given |= given::VALUE;
            }
            Role::Space => {
                let space = self.reader.text(format, value)?;
                self.open.space = match self.interner.known_space(&space) {
                    Some(entry) => entry,
                    None => {
                        check_not_empty(&space)?;
                        let space = checked_varchar(column, &space)?;
                        self.interner.space(space)
                    }
                };
                self.open.given |= given::SPACE;
            }
            Role::StatusCode => {
                let code = self.reader.bigint(column, format, value)?;
                self.open.status_code = check_status_code(code)?;
                self.open.given |= given::STATUS_CODE;
            }
            Role::StatusSymbol => {
                let symbol = self.reader.text(format, value)?;
                self.open.symbol_code = read_status_symbol(&symbol)?;
                self.open.given |= given::STATUS_SYMBOL;
            }
            Role::Absent => return Err(unknown_column(self.table, column)),
        }
        Ok(())
    }

    fn has_statuses(&self) -> bool {
        self.roles.contains(&Role::StatusCode)
    }

    /// Ends a row that is not just a value, a time and a name: looks at all of it, and notes its
    /// status. Returns the entry of its series.
    #[inline(never)]
    fn judge_row(&mut self) -> Result<u32, Box<Diagnostic>> {
        let (code, naming) = self.open.judge(self.table)?;
        let entry = match naming {
            Naming::ExternalId(external_id) => external_id,
            Naming::Instance { space, external_id } => {
                self.interner.instance_id(space, external_id)
            }
            Naming::Id(id) => self.interner.id(id),
        };
        let has_no_value = !self.open.has(given::VALUE);
        let rows = self.timestamps_ms.len();
        if has_no_value {
            self.open.value = 0.0;
            if !self.is_double() {
                self.texts.truncate(rows);
                self.texts.push(b"");
            }
        }
        if code != 0 || has_no_value {
            if self.statuses.capacity() == 0 {
                self.statuses = pool::STATUSES.take(rows + 1);
            }
            self.statuses.resize(rows, PointStatus::GOOD);
            self.statuses.push(PointStatus { code, has_no_value });
        }
        Ok(entry)
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
fn with_length_hint(table: &Table, diagnostic: Box<Diagnostic>) -> Box<Diagnostic> {
    if diagnostic.sqlstate != SqlState::STRING_DATA_RIGHT_TRUNCATION {
        return diagnostic;
    }
    Box::new((*diagnostic).with_hint(match table.schema {
        catalog::CDF => "A string datapoint has up to 1023 bytes.",
        _ => {
            "A string datapoint has up to 255 characters here; cdf.string_datapoints takes 1023 \
             bytes."
        }
    }))
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
        const BY_EXTERNAL_ID: u8 = given::VALUE | given::TIMESTAMP | given::EXTERNAL_ID;
        const BY_ID: u8 = given::VALUE | given::TIMESTAMP | given::ID;
        let entry = if self.open.given & (BY_EXTERNAL_ID | given::WIDE) == BY_EXTERNAL_ID {
            self.open.external_id
        } else if self.open.given & (BY_ID | given::WIDE) == BY_ID {
            self.interner.id(self.open.id)
        } else {
            self.judge_row()?
        };
        let open = self.open;
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
        let mut statuses = std::mem::take(&mut self.statuses);
        if !statuses.is_empty() {
            statuses.resize(rows, PointStatus::GOOD);
        }
        let batch = DatapointBatch {
            table: catalog::today(self.table),
            action: self.action,
            series: std::mem::take(&mut self.series),
            spans: std::mem::take(&mut self.spans),
            series_index: std::mem::take(&mut self.series_index),
            timestamps_ms: std::mem::take(&mut self.timestamps_ms),
            values,
            statuses,
            row_numbers: self.row_numbers.take(),
        };
        self.start_batch(rows);
        vec![RowBatch::Datapoints(batch)]
    }
}
