//! A table: its columns, the CDF resource behind it, and how its rows are shaped.
//!
//! Owns the description of a table as data, one static value per table. Promises that
//! OIDs of tables are stable between starts. Never does I/O.

use super::column::Column;
use crate::diagnostic::{Diagnostic, SqlState};

/// A CDF resource: what has a budget, a batcher and a section `[batch.<name>]` of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Datapoints of both kinds: one endpoint takes them.
    Datapoints,
    RawRows,
    RawTables,
    TimeSeries,
}

impl Resource {
    /// Every resource, in the order of the documentation.
    pub const ALL: [Resource; 4] = [
        Resource::Datapoints,
        Resource::RawRows,
        Resource::RawTables,
        Resource::TimeSeries,
    ];

    /// The name in configuration, metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Datapoints => "datapoints",
            Resource::RawRows => "raw_rows",
            Resource::RawTables => "raw_tables",
            Resource::TimeSeries => "time_series",
        }
    }
}

/// How the rows of a table are held and encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowShape {
    /// (series, timestamp, double).
    DoubleDatapoints,
    /// (series, timestamp, string).
    StringDatapoints,
    /// (database, table, key, JSON object).
    RawRows,
    /// Typed columns, one JSON object a row.
    Objects,
}

/// What CDF does when the key of an INSERT exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// The new row takes the old one's place: sending twice is harmless.
    Overwrite,
    /// CDF refuses with 409: 23505.
    Refuse,
}

/// One table of the gateway.
#[derive(Debug)]
pub struct Table {
    pub schema: &'static str,
    pub name: &'static str,
    /// `pg_class.oid`; above 16384 as for user tables.
    pub oid: u32,
    pub resource: Resource,
    pub shape: RowShape,
    pub on_existing: OnExisting,
    /// In the order of `attnum`, from 1.
    pub columns: &'static [Column],
    /// Columns of the primary key, by index; empty when the key is one of two columns.
    pub key: &'static [usize],
    /// One line for the documentation and for `\d+`.
    pub comment: &'static str,
}

impl Table {
    /// Index of the column of that name.
    ///
    /// # Errors
    /// 42703 naming the column and the table.
    pub fn column_index(&self, name: &str) -> Result<usize, Box<Diagnostic>> {
        self.columns
            .iter()
            .position(|column| column.name == name)
            .ok_or_else(|| {
                Box::new(
                    Diagnostic::error(
                        SqlState::UNDEFINED_COLUMN,
                        format!(
                            "column \"{name}\" of relation \"{}\" does not exist",
                            self.name
                        ),
                    )
                    .with_table(self.name)
                    .with_column(name),
                )
            })
    }
}
