//! Building batches of RAW rows.
//!
//! Owns the open row and one batch in the making per destination (database and table).
//! Promises CDF's rules for names, keys and columns. The number of destinations at once is
//! bounded: the one that reaches it fills the builder.

use super::cdf_rules::{check_not_empty, check_raw_columns, check_raw_key};
use super::refusal::{check_nullable, column_at, in_column, null_value, read_only};
use super::row_numbers::RowNumberLog;
use super::value::{ValueReader, ValueSettings, check_text, check_varchar};
use super::{
    BatchBounds, RawBatch, RawDestination, RowBatch, RowBuilder, TextColumn, WireFormat, hash_key,
    pool,
};
use crate::catalog::{Access, Column, ColumnType, Table};
use crate::diagnostic::Diagnostic;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Destinations that have rows in the builder at once.
const DESTINATIONS_MAX: usize = 256;

/// The parts of a RAW row, in the order of the open row's ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Database,
    Table,
    Key,
    Columns,
}

const PARTS: [Part; 4] = [Part::Database, Part::Table, Part::Key, Part::Columns];

/// The row between `field` and `finish_row`: its parts end to end, in the order given.
#[derive(Debug, Default)]
struct OpenRow {
    bytes: Vec<u8>,
    parts: [Option<(usize, usize)>; PARTS.len()],
}

impl OpenRow {
    fn clear(&mut self) {
        self.bytes.clear();
        self.parts = [None; PARTS.len()];
    }

    #[inline]
    fn set(&mut self, part: Part, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.parts[part as usize] = Some((start, self.bytes.len()));
    }

    #[inline]
    fn range(&self, part: Part) -> Option<Range<usize>> {
        self.parts[part as usize].map(|(start, end)| start..end)
    }
}

/// Rows of one destination.
#[derive(Debug)]
struct Destination {
    address: Arc<RawDestination>,
    keys: TextColumn,
    key_hashes: Vec<u64>,
    columns: TextColumn,
    row_numbers: RowNumberLog,
}

impl Destination {
    #[inline]
    fn is(&self, database: &[u8], table: &[u8]) -> bool {
        self.address.database.as_bytes() == database && self.address.table.as_bytes() == table
    }
}

/// Builds batches for `raw_rows`.
#[derive(Debug)]
pub struct RawBuilder {
    table: &'static Table,
    /// Per column of the table, the part it is; `None` for read-only columns.
    parts: Vec<Option<Part>>,
    reader: ValueReader,
    open: OpenRow,
    bounds: BatchBounds,
    destinations: Vec<Destination>,
    /// By database, NUL and table, the index in `destinations`.
    by_name: HashMap<Box<[u8]>, usize>,
    /// The name under look-up.
    name: Vec<u8>,
    /// Where the last row went: often where the next one goes.
    last: usize,
    rows: usize,
    bytes: usize,
}

impl RawBuilder {
    /// A builder for `table`, which must be the table of RAW rows.
    pub fn new(table: &'static Table, settings: ValueSettings, bounds: BatchBounds) -> Self {
        let parts = table
            .columns
            .iter()
            .map(|column| match column.field {
                _ if column.access == Access::ReadOnly => None,
                "dbName" => Some(Part::Database),
                "tableName" => Some(Part::Table),
                "key" => Some(Part::Key),
                "columns" => Some(Part::Columns),
                _ => None,
            })
            .collect();
        RawBuilder {
            table,
            parts,
            reader: ValueReader::new(settings),
            open: OpenRow::default(),
            bounds,
            destinations: Vec::new(),
            by_name: HashMap::new(),
            name: Vec::new(),
            last: 0,
            rows: 0,
            bytes: 0,
        }
    }

    #[inline]
    fn read_field(
        &mut self,
        part: Part,
        column: &'static Column,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        match part {
            Part::Columns => {
                let (json, kind) = self.reader.json(column, format, value)?;
                check_raw_columns(json, kind)?;
                self.open.set(part, json);
            }
            Part::Key => {
                let key = self.reader.text(format, value)?;
                check_text(&key)?;
                check_raw_key(&key)?;
                self.open.set(part, &key);
            }
            Part::Database | Part::Table => {
                let name = self.reader.text(format, value)?;
                // A name that the last row had has been checked.
                let known = self.destinations.get(self.last).is_some_and(|last| {
                    let known = match part {
                        Part::Database => &last.address.database,
                        _ => &last.address.table,
                    };
                    known.as_bytes() == &*name
                });
                if known {
                    self.open.set(part, &name);
                } else {
                    let name = match column.column_type {
                        ColumnType::Varchar(length) => check_varchar(&name, length)?,
                        _ => {
                            check_text(&name)?;
                            &name
                        }
                    };
                    check_not_empty(name)?;
                    self.open.set(part, name);
                }
            }
        }
        Ok(())
    }

    /// The destination of the open row, as an index.
    #[inline]
    fn destination(&mut self, database: Range<usize>, table: Range<usize>) -> usize {
        let database = &self.open.bytes[database];
        let table = &self.open.bytes[table];
        let is_last = self
            .destinations
            .get(self.last)
            .is_some_and(|last| last.is(database, table));
        if is_last {
            return self.last;
        }
        self.name.clear();
        self.name.extend_from_slice(database);
        self.name.push(0);
        self.name.extend_from_slice(table);
        if let Some(index) = self.by_name.get(self.name.as_slice()) {
            return *index;
        }
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned().into_boxed_str();
        let address = Arc::new(RawDestination {
            database: text(database),
            table: text(table),
        });
        let index = self.destinations.len();
        self.destinations.push(Destination {
            address,
            keys: pool::TEXTS.take(0),
            key_hashes: pool::HASHES.take(0),
            columns: pool::TEXTS.take(0),
            row_numbers: RowNumberLog::default(),
        });
        self.by_name.insert(self.name.as_slice().into(), index);
        index
    }

    #[cold]
    fn missing_column(&self) -> Box<Diagnostic> {
        let missing = PARTS
            .into_iter()
            .find(|part| self.open.range(*part).is_none());
        let index = self.parts.iter().position(|part| *part == missing);
        null_value(self.table, &self.table.columns[index.unwrap_or(0)])
    }
}

impl RowBuilder for RawBuilder {
    #[inline]
    fn field(
        &mut self,
        column: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let described = column_at(self.table, column)?;
        let Some(part) = self.parts[column] else {
            return Err(read_only(self.table, described));
        };
        match self.read_field(part, described, format, value) {
            Ok(()) => Ok(()),
            Err(diagnostic) => Err(in_column(self.table, described, diagnostic)),
        }
    }

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        check_nullable(self.table, column_at(self.table, column)?)
    }

    #[inline]
    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>> {
        let (Some(database), Some(table), Some(key), Some(columns)) = (
            self.open.range(Part::Database),
            self.open.range(Part::Table),
            self.open.range(Part::Key),
            self.open.range(Part::Columns),
        ) else {
            return Err(self.missing_column());
        };
        let index = self.destination(database, table);
        let destination = &mut self.destinations[index];
        let key = &self.open.bytes[key];
        let columns = &self.open.bytes[columns];
        destination.keys.push(key);
        destination.key_hashes.push(hash_key(key));
        destination.columns.push(columns);
        destination.row_numbers.push(row_number);
        self.bytes += key.len() + columns.len();
        self.rows += 1;
        self.last = index;
        self.open.clear();
        Ok(())
    }

    fn abandon_row(&mut self) {
        self.open.clear();
    }

    #[inline]
    fn rows(&self) -> usize {
        self.rows
    }

    #[inline]
    fn is_full(&self) -> bool {
        self.rows >= self.bounds.rows.max(1)
            || (self.bytes >= self.bounds.bytes && self.rows > 0)
            || self.destinations.len() >= DESTINATIONS_MAX
    }

    fn take(&mut self) -> Vec<RowBatch> {
        self.open.clear();
        self.by_name.clear();
        (self.last, self.rows, self.bytes) = (0, 0, 0);
        self.destinations
            .drain(..)
            .map(|mut destination| {
                RowBatch::RawRows(RawBatch {
                    destination: destination.address,
                    keys: destination.keys,
                    key_hashes: destination.key_hashes,
                    columns: destination.columns,
                    row_numbers: destination.row_numbers.take(),
                })
            })
            .collect()
    }
}
