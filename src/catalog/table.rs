//! A table: its columns, the CDF resource behind it, and how its rows are shaped.
//!
//! Owns the description of a table as data, one static value per table. Promises that
//! OIDs of tables are stable between starts. Never does I/O.

use super::column::Column;
use super::custom::RawColumns;
use super::endpoints::Endpoints;
use super::gateway_state::GatewayState;
use super::renamed;
use super::resource::Resource;
use crate::diagnostic::{Diagnostic, SqlState};
use std::sync::LazyLock;

/// How the rows of a table are held and encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowShape {
    /// (series, timestamp, double).
    DoubleDatapoints,
    /// (series, timestamp, string).
    StringDatapoints,
    /// (database, table, key, JSON object).
    RawRows,
    /// Declared columns, which become the JSON object of a row in one RAW table.
    RawColumns(&'static RawColumns),
    /// Typed columns, one JSON object a row.
    Objects,
    /// Nothing of CDF: the gateway's own state, made when it is asked for.
    GatewayState(GatewayState),
}

/// What CDF does when the key of an INSERT exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExisting {
    /// The new row takes the old one's place: sending twice is harmless.
    Overwrite,
    /// CDF refuses with 409: 23505.
    Refuse,
    /// There is no key: each row is one more.
    Append,
}

/// What a row must keep beyond the rules of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowRule {
    None,
    /// The first column, a time, is not after the second.
    Ordered(usize, usize),
    /// The first column, a time, is before the second.
    Later(usize, usize),
    /// Where the first column, a flag, is true the second has no value.
    OnlyUnless(usize, usize),
    /// Only one of the two columns has a value.
    OneAtMost(usize, usize),
    /// One of the two columns, and only one, has a value.
    ExactlyOne(usize, usize),
    /// A datapoint with a status: a value unless that is Bad, one name of its series.
    PointOfSeries,
    /// Cells of a sequence: as many values as columns, or an object that names them.
    Cells,
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
    /// What names a row beside its key: the id that CDF made. A WHERE may go by it.
    pub id: Option<usize>,
    /// Where objects are made, changed and deleted; `None` for datapoints, RAW and what is only
    /// read.
    pub endpoints: Option<&'static Endpoints>,
    /// What a row must keep beyond the rules of its columns.
    pub row_rule: RowRule,
    /// `false`: CDF has no call that writes it, or it is not this gateway's to write.
    pub is_writable: bool,
    /// One line for the documentation and for `\d+`.
    pub comment: &'static str,
}

/// A table is made once: it is the same where it is the same value.
impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Table {}

/// The built-in tables of other schemas than public, each with its full name, made once.
static FULL_NAMES: LazyLock<Vec<(&'static Table, &'static str)>> = LazyLock::new(|| {
    super::TABLES
        .iter()
        .chain(&super::STATE_TABLES)
        .filter(|table| table.schema != super::PUBLIC)
        .map(|table| (*table, &*format!("{}.{}", table.schema, table.name).leak()))
        .collect()
});

impl Table {
    /// Columns of the key that rows need not have, by index: CDF has objects without external ids.
    pub fn optional_key(&self) -> impl Iterator<Item = usize> + '_ {
        let key = self.key.iter().copied();
        key.filter(|index| !self.columns[*index].required)
    }

    /// The name with its schema, where that is not public: what configuration, metrics and dead
    /// letters call it.
    pub fn full_name(&self) -> &'static str {
        FULL_NAMES
            .iter()
            .find(|(table, _)| table.oid == self.oid)
            .map_or(self.name, |(_, name)| name)
    }

    /// Cognite's guides for Azure Data Factory write `externalId` for this one table.
    fn position_of_other_spelling(&self, name: &str) -> Option<usize> {
        if self.resource == Resource::ExtractionPipelineRuns && name == "externalId" {
            self.columns
                .iter()
                .position(|column| column.name == "external_id")
        } else {
            None
        }
    }

    /// `pg_namespace.oid` of its schema.
    pub fn schema_oid(&self) -> u32 {
        match self.schema {
            super::CDF => super::CDF_OID,
            super::PENSTOCK => super::PENSTOCK_OID,
            _ => super::PUBLIC_OID,
        }
    }

    /// Columns that may name a row in a WHERE, each alone: the key where it is one column, and
    /// the id that CDF made.
    pub fn references(&self) -> impl Iterator<Item = usize> {
        let key = match self.key {
            [single] => Some(*single),
            _ => None,
        };
        key.into_iter().chain(self.id)
    }

    /// The keys of a table whose rows have one of two names: a series or a sequence by its external
    /// id, in its space where the table knows spaces, or by its id, and a position in it. None for
    /// other tables.
    pub fn keys_by_name(&self) -> Vec<Vec<usize>> {
        let named = |name: &str| self.columns.iter().position(|column| column.name == name);
        let Some(position) = named("timestamp").or_else(|| named("row_number")) else {
            return Vec::new();
        };
        if !self.key.is_empty() {
            return Vec::new();
        }
        ["external_id", "id"]
            .into_iter()
            .filter_map(|name| {
                let space = match name {
                    "external_id" => named("instance_space"),
                    _ => None,
                };
                let mut key = vec![named(name)?];
                key.extend(space);
                key.push(position);
                key.sort_unstable();
                Some(key)
            })
            .collect()
    }

    /// Index of the column of that name.
    ///
    /// # Errors
    /// 42703 naming the column and the table.
    pub fn column_index(&self, name: &str) -> Result<usize, Box<Diagnostic>> {
        self.columns
            .iter()
            .position(|column| column.name == name)
            .or_else(|| self.position_of_other_spelling(name))
            .ok_or_else(|| {
                let undefined = Diagnostic::error(
                    SqlState::UNDEFINED_COLUMN,
                    format!(
                        "column \"{name}\" of relation \"{}\" does not exist",
                        self.name
                    ),
                )
                .with_table(self.name)
                .with_column(name);
                Box::new(match renamed::column_hint(self.name, name) {
                    Some(hint) => undefined.with_hint(hint),
                    None => undefined,
                })
            })
    }
}
