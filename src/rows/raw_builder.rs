//! Building batches of RAW rows.
//!
//! Owns the open row and the columns under construction. Promises CDF's rules for names,
//! keys and columns, and that rows of one destination (database and table) are handed over
//! as they were filled, without a copy; rows of several are sorted into their batches when
//! they are taken. The number of destinations at once is bounded: the one that reaches it
//! fills the builder.

use super::cdf_rules::{
    RAW_COLUMNS_BYTES_MAX, check_not_empty, check_raw_columns, check_raw_key, is_plain_raw_key,
};
use super::refusal::{check_nullable, column_at, in_column, null_value, read_only};
use super::row_numbers::RowNumberLog;
use super::value::{ValueReader, ValueSettings, check_text, check_varchar};
use super::{
    BatchBounds, CellChanges, RawAction, RawBatch, RawDestination, RowBatch, RowBuilder,
    RowNumbers, TextColumn, WireFormat, hash_key, pool,
};
use crate::catalog::{Access, Column, ColumnType, Table};
use crate::diagnostic::Diagnostic;
use std::collections::HashMap;
use std::sync::Arc;

/// Columns of the table of RAW rows, at most.
const COLUMNS_MAX: usize = 8;

/// Destinations that have rows in the builder at once.
const DESTINATIONS_MAX: usize = 256;

/// The parts of a RAW row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Database,
    Table,
    Key,
    Columns,
}

/// How a database or table of the open row was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Given {
    #[default]
    Not,
    /// As in the row before, whose names have been checked.
    AsBefore,
    /// Otherwise: the name is in the buffer.
    Anew,
}

/// A database or table of the open row; its buffer is used for every row.
#[derive(Debug, Default)]
struct Name {
    given: Given,
    bytes: Vec<u8>,
}

impl Name {
    fn set(&mut self, name: &[u8]) {
        self.given = Given::Anew;
        self.bytes.clear();
        self.bytes.extend_from_slice(name);
    }

    /// The name, which is that of `before` unless it was given anew.
    fn or<'a>(&'a self, before: &'a str) -> &'a [u8] {
        match self.given {
            Given::Anew => &self.bytes,
            _ => before.as_bytes(),
        }
    }
}

/// The row between `field` and `finish_row`; key and columns wait at the end of theirs.
#[derive(Debug, Default)]
struct OpenRow {
    database: Name,
    table: Name,
    has_key: bool,
    has_columns: bool,
}

/// Builds batches for `raw_rows`.
#[derive(Debug)]
pub struct RawBuilder {
    table: &'static Table,
    action: RawAction,
    ignores_read_only: bool,
    /// Per column of the table, the part it is; `None` for read-only columns.
    parts: [Option<Part>; COLUMNS_MAX],
    reader: ValueReader,
    open: OpenRow,
    bounds: BatchBounds,
    destinations: Vec<Arc<RawDestination>>,
    /// By database, NUL and table, the index in `destinations`.
    by_name: HashMap<Box<[u8]>, u32>,
    /// The name under look-up.
    name: Vec<u8>,
    /// Where the last row went: often where the next one goes.
    last: u32,
    /// Per row, the index of its destination.
    row_destinations: Vec<u32>,
    keys: TextColumn,
    key_hashes: Vec<u64>,
    columns: TextColumn,
    row_numbers: RowNumberLog,
}

impl RawBuilder {
    /// A builder for `table`, which must be the table of RAW rows, of rows that do `action`.
    pub fn new(
        table: &'static Table,
        action: RawAction,
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        let mut parts = [None; COLUMNS_MAX];
        for (part, column) in parts.iter_mut().zip(table.columns) {
            *part = match column.field {
                _ if column.access == Access::ReadOnly => None,
                "dbName" => Some(Part::Database),
                "tableName" => Some(Part::Table),
                "key" => Some(Part::Key),
                "columns" => Some(Part::Columns),
                _ => None,
            };
        }
        RawBuilder {
            table,
            action,
            ignores_read_only: false,
            parts,
            reader: ValueReader::new(settings),
            open: OpenRow::default(),
            bounds,
            destinations: Vec::new(),
            by_name: HashMap::new(),
            name: Vec::new(),
            last: 0,
            row_destinations: pool::INDEXES.take(0),
            keys: pool::TEXTS.take(0),
            key_hashes: pool::HASHES.take(0),
            columns: pool::TEXTS.take(0),
            row_numbers: RowNumberLog::default(),
        }
    }

    /// Drops values for columns that CDF fills instead of refusing them.
    pub fn ignore_read_only(&mut self) {
        self.ignores_read_only = true;
    }

    /// Takes a field in one of the common forms and within CDF's rules; tells whether it did.
    #[inline(always)]
    fn take_common(&mut self, column: usize, format: WireFormat, value: &[u8]) -> bool {
        let Some(Some(part)) = self.parts.get(column) else {
            return false;
        };
        let rows = self.row_destinations.len();
        match part {
            Part::Database | Part::Table => {
                let taken = ValueReader::is_verbatim(format) && self.is_as_before(*part, value);
                if taken {
                    let name = match part {
                        Part::Database => &mut self.open.database,
                        _ => &mut self.open.table,
                    };
                    name.given = Given::AsBefore;
                }
                taken
            }
            Part::Key => {
                let taken = ValueReader::is_verbatim(format)
                    && is_plain_raw_key(value)
                    && self.keys.len() == rows;
                if taken {
                    self.keys.push(value);
                    self.open.has_key = true;
                }
                taken
            }
            Part::Columns => {
                let taken = self.columns.len() == rows
                    && !self.action.changes_cells()
                    && ValueReader::is_common_json_object(format, value)
                    && value.len() <= RAW_COLUMNS_BYTES_MAX;
                if taken {
                    self.columns.push(value);
                    self.open.has_columns = true;
                }
                taken
            }
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
        let Some(Some(part)) = self.parts.get(column_index).copied() else {
            if self.ignores_read_only && column.access == Access::ReadOnly {
                return Ok(());
            }
            return Err(read_only(self.table, column));
        };
        self.read_field(part, column, format, value)
            .map_err(|diagnostic| in_column(self.table, column, diagnostic))
    }

    fn read_field(
        &mut self,
        part: Part,
        column: &'static Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let rows = self.row_destinations.len();
        match part {
            Part::Columns => {
                let (json, kind) = self.reader.json(column, format, value)?;
                check_raw_columns(json, kind)?;
                if self.action.changes_cells() {
                    CellChanges::check(json)?;
                }
                self.columns.truncate(rows);
                self.columns.push(json);
                self.open.has_columns = true;
            }
            Part::Key => {
                let key = self.reader.text(format, value)?;
                check_text(&key)?;
                check_raw_key(&key)?;
                self.keys.truncate(rows);
                self.keys.push(&key);
                self.open.has_key = true;
            }
            Part::Database | Part::Table => {
                let as_before = ValueReader::is_verbatim(format) && self.is_as_before(part, value);
                let target = match part {
                    Part::Database => &mut self.open.database,
                    _ => &mut self.open.table,
                };
                if as_before {
                    target.given = Given::AsBefore;
                } else {
                    let name = self.reader.text(format, value)?;
                    target.set(checked_name(column, &name)?);
                }
            }
        }
        Ok(())
    }

    /// Whether the row before had this name for its database or table.
    #[inline]
    fn is_as_before(&self, part: Part, name: &[u8]) -> bool {
        let Some(last) = self.destinations.get(self.last as usize) else {
            return false;
        };
        let known = match part {
            Part::Database => &last.database,
            _ => &last.table,
        };
        known.as_bytes() == name
    }

    /// The destination of the open row, whose names are given, as an index.
    #[inline]
    fn destination(&mut self) -> u32 {
        let open = &self.open;
        if open.database.given == Given::AsBefore && open.table.given == Given::AsBefore {
            self.last
        } else {
            self.search_destination()
        }
    }

    #[inline(never)]
    fn search_destination(&mut self) -> u32 {
        let (database_before, table_before) = match self.destinations.get(self.last as usize) {
            Some(before) => (&*before.database, &*before.table),
            None => ("", ""),
        };
        let database = self.open.database.or(database_before);
        let table = self.open.table.or(table_before);
        self.name.clear();
        self.name.extend_from_slice(database);
        self.name.push(0);
        self.name.extend_from_slice(table);
        if let Some(index) = self.by_name.get(self.name.as_slice()) {
            return *index;
        }
        let text = |name| String::from_utf8_lossy(name).into_owned().into_boxed_str();
        let address = Arc::new(RawDestination {
            database: text(database),
            table: text(table),
        });
        let index = self.destinations.len() as u32;
        self.destinations.push(address);
        self.by_name.insert(self.name.as_slice().into(), index);
        index
    }

    fn close_row(&mut self) {
        self.open.database.given = Given::Not;
        self.open.table.given = Given::Not;
        self.open.has_key = false;
        self.open.has_columns = false;
    }

    /// Gives the open row what its action lets it go without.
    #[cold]
    fn fill_in(&mut self, has_names: bool) -> Result<(), Box<Diagnostic>> {
        let rows = self.row_destinations.len();
        let (needs_key, needs_columns) = match self.action {
            RawAction::Empty => (false, false),
            RawAction::Delete | RawAction::DeleteFound => (true, false),
            _ => (true, true),
        };
        let is_short =
            (needs_key && !self.open.has_key) || (needs_columns && !self.open.has_columns);
        if !has_names || is_short {
            return Err(self.missing_column());
        }
        if self.keys.len() == rows {
            self.keys.push(b"");
        }
        if self.columns.len() == rows {
            self.columns.push(b"");
        }
        Ok(())
    }

    #[cold]
    fn missing_column(&self) -> Box<Diagnostic> {
        let missing = if self.open.database.given == Given::Not {
            Part::Database
        } else if self.open.table.given == Given::Not {
            Part::Table
        } else if !self.open.has_key {
            Part::Key
        } else {
            Part::Columns
        };
        let index = self.parts.iter().position(|part| *part == Some(missing));
        null_value(self.table, &self.table.columns[index.unwrap_or(0)])
    }
}

/// A database's or a table's name as it is to be sent.
fn checked_name<'a>(column: &Column, name: &'a [u8]) -> Result<&'a [u8], Box<Diagnostic>> {
    let name = match column.column_type {
        ColumnType::Varchar(length) => check_varchar(name, length)?,
        _ => check_text(name).map(|()| name)?,
    };
    check_not_empty(name)?;
    Ok(name)
}

impl RowBuilder for RawBuilder {
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

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        check_nullable(self.table, column_at(self.table, column)?)
    }

    #[inline]
    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>> {
        let open = &self.open;
        let has_names = open.database.given != Given::Not && open.table.given != Given::Not;
        if !(has_names && open.has_key && open.has_columns) {
            self.fill_in(has_names)?;
        }
        let row = self.row_destinations.len();
        self.last = self.destination();
        self.row_destinations.push(self.last);
        self.key_hashes.push(hash_key(self.keys.bytes(row)));
        self.row_numbers.push(row_number);
        self.close_row();
        Ok(())
    }

    fn abandon_row(&mut self) {
        self.close_row();
        let rows = self.row_destinations.len();
        self.keys.truncate(rows);
        self.columns.truncate(rows);
    }

    #[inline]
    fn rows(&self) -> usize {
        self.row_destinations.len()
    }

    #[inline]
    fn is_full(&self) -> bool {
        let rows = self.row_destinations.len();
        let bytes = self.keys.total_bytes() + self.columns.total_bytes();
        rows >= self.bounds.rows.max(1)
            || (bytes >= self.bounds.bytes && rows > 0)
            || self.destinations.len() >= DESTINATIONS_MAX
    }

    fn take(&mut self) -> Vec<RowBatch> {
        self.abandon_row();
        let rows = self.rows();
        let destinations = std::mem::take(&mut self.destinations);
        self.by_name.clear();
        self.last = 0;
        let row_destinations =
            std::mem::replace(&mut self.row_destinations, pool::INDEXES.take(rows));
        let all = Rows {
            keys: std::mem::replace(&mut self.keys, pool::TEXTS.take(rows)),
            key_hashes: std::mem::replace(&mut self.key_hashes, pool::HASHES.take(rows)),
            columns: std::mem::replace(&mut self.columns, pool::TEXTS.take(rows)),
        };
        let row_numbers = self.row_numbers.take();
        let batches = match destinations.as_slice() {
            [] => Vec::new(),
            [only] => vec![all.into_batch(only.clone(), self.action, row_numbers)],
            several => all.sorted(several, self.action, &row_destinations, &row_numbers),
        };
        pool::INDEXES.give(row_destinations);
        batches
    }
}

/// The rows of a batch, or of several that are still one.
#[derive(Default)]
struct Rows {
    keys: TextColumn,
    key_hashes: Vec<u64>,
    columns: TextColumn,
}

impl Rows {
    fn into_batch(
        self,
        destination: Arc<RawDestination>,
        action: RawAction,
        row_numbers: RowNumbers,
    ) -> RowBatch {
        RowBatch::RawRows(RawBatch {
            destination,
            action,
            keys: self.keys,
            key_hashes: self.key_hashes,
            columns: self.columns,
            row_numbers,
        })
    }

    /// A batch per destination, each with its rows in their order.
    fn sorted(
        self,
        destinations: &[Arc<RawDestination>],
        action: RawAction,
        row_destinations: &[u32],
        row_numbers: &RowNumbers,
    ) -> Vec<RowBatch> {
        let mut parts: Vec<(Rows, RowNumberLog)> = Vec::new();
        parts.resize_with(destinations.len(), Default::default);
        for (row, destination) in row_destinations.iter().enumerate() {
            let (rows, numbers) = &mut parts[*destination as usize];
            rows.keys.push(self.keys.bytes(row));
            rows.key_hashes.push(self.key_hashes[row]);
            rows.columns.push(self.columns.bytes(row));
            numbers.push(row_numbers.get(row));
        }
        pool::TEXTS.give(self.keys);
        pool::HASHES.give(self.key_hashes);
        pool::TEXTS.give(self.columns);
        parts
            .into_iter()
            .zip(destinations)
            .map(|((rows, mut numbers), to)| rows.into_batch(to.clone(), action, numbers.take()))
            .collect()
    }
}
