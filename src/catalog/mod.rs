//! The tables that clients see: names, columns, types, keys, and the CDF resources behind.
//!
//! Owns the list of tables; one file says everything about one table, and adding a table
//! is that file and one line here. Promises stable OIDs. Never does I/O.

mod assets;
mod cdf_double_datapoints;
mod cdf_string_datapoints;
mod column;
mod containers;
mod custom;
mod data_models;
mod data_sets;
mod definition;
mod double_datapoints;
mod endpoints;
mod events;
mod extraction_pipeline_runs;
mod extraction_pipelines;
mod files;
mod first_version;
mod gateway_state;
mod labels;
mod namespace;
mod raw_rows;
mod raw_tables;
mod relationships;
mod renamed;
mod resource;
mod rules_in_words;
mod sequence_rows;
mod sequences;
mod string_datapoints;
mod table;
mod time_series;
mod type_names;
mod unit_systems;
mod units;
mod views;

pub use column::{Access, Column, ColumnType, JsonForm, JsonShape, ValueRule};
pub use custom::{
    CustomTables, RawColumns, View, by_durable_name, custom_table, custom_tables_of, durable_name,
    publish_custom_tables, publish_custom_tables_of,
};
pub use definition::{Definition, DefinitionFault, InstanceType, Source, table_name};
pub use endpoints::{CreateBody, Deletion, Endpoints};
pub use first_version::{Dialect, FirstTable, first_table, today};
pub use gateway_state::{GatewayState, STATE_TABLES};
pub use namespace::Namespace;
pub use resource::{Resource, ResourceKind};
pub use table::{OnExisting, RowRule, RowShape, Table};
pub use type_names::{custom_type, custom_type_name};

use crate::diagnostic::{Diagnostic, SqlState};

/// The schema that holds every table of the gateway.
pub const PUBLIC: &str = "public";

/// The schema of wider tables, which Cognite's gateway does not have.
pub const CDF: &str = "cdf";

/// The schema of relations that show the gateway's own state.
pub const PENSTOCK: &str = "penstock";

/// `pg_namespace.oid` of schema public, as in PostgreSQL.
pub const PUBLIC_OID: u32 = 2200;

/// `pg_namespace.oid` of schema cdf.
pub const CDF_OID: u32 = 16390;

/// `pg_namespace.oid` of schema penstock.
pub const PENSTOCK_OID: u32 = 16391;

/// The table of numeric datapoints.
pub static DOUBLE_DATAPOINTS: &Table = &double_datapoints::TABLE;

/// The table of string datapoints.
pub static STRING_DATAPOINTS: &Table = &string_datapoints::TABLE;

/// The tables of datapoints with statuses and instance ids.
pub static CDF_DOUBLE_DATAPOINTS: &Table = &cdf_double_datapoints::TABLE;
pub static CDF_STRING_DATAPOINTS: &Table = &cdf_string_datapoints::TABLE;

/// The table of RAW rows.
pub static RAW_ROWS: &Table = &raw_rows::TABLE;

/// Every table of CDF, those of schema public first, ordered by name.
pub static TABLES: [&Table; 22] = [
    &assets::TABLE,
    &containers::TABLE,
    &data_models::TABLE,
    &double_datapoints::TABLE,
    &events::TABLE,
    &extraction_pipeline_runs::TABLE,
    &extraction_pipelines::TABLE,
    &files::TABLE,
    &labels::TABLE,
    &raw_rows::TABLE,
    &raw_tables::TABLE,
    &relationships::TABLE,
    &sequence_rows::TABLE,
    &sequences::TABLE,
    &string_datapoints::TABLE,
    &time_series::TABLE,
    &unit_systems::TABLE,
    &units::TABLE,
    &views::TABLE,
    &data_sets::TABLE,
    &cdf_double_datapoints::TABLE,
    &cdf_string_datapoints::TABLE,
];

/// The table of that name. `schema` is `None` where the statement names none, which means
/// schema public; a third, leading part (the database) is the caller's to check.
///
/// # Errors
/// 42P01 with the names that exist.
pub fn table(schema: Option<&str>, name: &str) -> Result<&'static Table, Box<Diagnostic>> {
    TABLES
        .iter()
        .chain(&STATE_TABLES)
        .copied()
        .find(|table| table.name == name && table.schema == schema.unwrap_or(PUBLIC))
        .ok_or_else(|| {
            let relation = match schema {
                Some(schema) => format!("{schema}.{name}"),
                None => name.to_owned(),
            };
            Box::new(
                Diagnostic::error(
                    SqlState::UNDEFINED_TABLE,
                    format!("relation \"{relation}\" does not exist"),
                )
                .with_hint(match schema {
                    Some(PENSTOCK) => gateway_state::known_relations(),
                    _ => renamed::table_hint(name).unwrap_or_else(known_tables),
                }),
            )
        })
}

/// The table of that full name ([`Table::full_name`]).
pub fn table_of_full_name(name: &str) -> Option<&'static Table> {
    TABLES
        .iter()
        .copied()
        .find(|table| table.full_name() == name)
}

/// The full names of the tables, for messages.
pub fn full_names() -> String {
    let names: Vec<_> = TABLES.iter().map(|table| table.full_name()).collect();
    names.join(", ")
}

/// Where the objects of a resource are made, changed, deleted and read.
pub fn endpoints_of(resource: Resource) -> Option<&'static Endpoints> {
    TABLES
        .iter()
        .filter(|table| table.resource == resource)
        .find_map(|table| table.endpoints)
}

/// The names that exist, for a HINT.
fn known_tables() -> String {
    let names: Vec<&str> = TABLES
        .iter()
        .filter(|table| table.schema == PUBLIC)
        .map(|table| table.name)
        .collect();
    format!("The tables are {}.", names.join(", "))
}
