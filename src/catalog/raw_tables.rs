//! Table `raw_tables`: the RAW tables of the project, by database.
//!
//! INSERT makes the table, and its database if that does not exist yet.

use super::column::{Column, ColumnType, ValueRule};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "raw_tables",
    oid: 16403,
    resource: Resource::RawTables,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::required("_raw_database", ColumnType::Varchar(32), "dbName")
            .with_rule(ValueRule::NotEmpty),
        Column::required("_raw_table", ColumnType::Varchar(64), "name")
            .with_rule(ValueRule::NotEmpty),
    ],
    key: &[0, 1],
    id: None,
    endpoints: None,
    row_rule: RowRule::None,
    is_writable: true,
    comment: "RAW tables; inserting one creates it and its database",
};
