//! Table `raw_rows`: rows of every RAW table, addressed by database, table and key.
//!
//! A row with an existing key is replaced whole, as RAW does. Databases and tables that do
//! not exist are made with the first row.

use super::column::{Column, ColumnType};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "raw_rows",
    oid: 16402,
    resource: Resource::RawRows,
    shape: RowShape::RawRows,
    on_existing: OnExisting::Overwrite,
    columns: &[
        Column::required("_raw_database", ColumnType::Varchar(32), "dbName"),
        Column::required("_raw_table", ColumnType::Varchar(64), "tableName"),
        Column::required("_raw_key", ColumnType::Text, "key"),
        Column::required("_raw_columns", ColumnType::Json, "columns"),
        Column::read_only(
            "_raw_last_updated_time",
            ColumnType::TimestampTz,
            "lastUpdatedTime",
        ),
    ],
    key: &[0, 1, 2],
    id: None,
    endpoints: None,
    row_rule: RowRule::None,
    is_writable: true,
    comment: "Rows of RAW tables; a row with an existing key is replaced",
};
