//! The tables that clients see: names, columns, types, keys, and the CDF resources behind.
//!
//! Owns the list of tables; one file says everything about one table, and adding a table
//! is that file and one line here. Promises stable OIDs. Never does I/O.

mod column;
mod double_datapoints;
mod raw_rows;
mod raw_tables;
mod string_datapoints;
mod table;
mod time_series;

pub use column::{Access, Column, ColumnType, ValueRule};
pub use table::{OnExisting, Resource, RowShape, Table};

use crate::diagnostic::{Diagnostic, SqlState};

/// The schema that holds every table of the gateway.
pub const PUBLIC: &str = "public";

/// `pg_namespace.oid` of schema public, as in PostgreSQL.
pub const PUBLIC_OID: u32 = 2200;

/// The table of numeric datapoints.
pub static DOUBLE_DATAPOINTS: &Table = &double_datapoints::TABLE;

/// The table of string datapoints.
pub static STRING_DATAPOINTS: &Table = &string_datapoints::TABLE;

/// The table of RAW rows.
pub static RAW_ROWS: &Table = &raw_rows::TABLE;

/// Every table, ordered by name.
pub static TABLES: [&Table; 5] = [
    &double_datapoints::TABLE,
    &raw_rows::TABLE,
    &raw_tables::TABLE,
    &string_datapoints::TABLE,
    &time_series::TABLE,
];

/// The table of that name. `schema` is `None` where the statement names none; a third,
/// leading part (the database) is the caller's to check.
///
/// # Errors
/// 42P01 with the names that exist.
pub fn table(schema: Option<&str>, name: &str) -> Result<&'static Table, Box<Diagnostic>> {
    TABLES
        .iter()
        .copied()
        .find(|table| table.name == name && schema.is_none_or(|schema| schema == table.schema))
        .ok_or_else(|| {
            let relation = match schema {
                Some(schema) => format!("{schema}.{name}"),
                None => name.to_owned(),
            };
            let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
            Box::new(
                Diagnostic::error(
                    SqlState::UNDEFINED_TABLE,
                    format!("relation \"{relation}\" does not exist"),
                )
                .with_hint(format!("The tables are {}.", names.join(", "))),
            )
        })
}
