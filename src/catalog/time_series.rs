//! Table `time_series`: metadata of time series.
//!
//! Lengths and rules from CDF's time series API: external id and name 255 characters,
//! description 1000, unit 32, unit external id 64, metadata 256 pairs in 10,000 bytes.

use super::column::{Column, ColumnType, ValueRule};
use super::table::{OnExisting, Resource, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "time_series",
    oid: 16405,
    resource: Resource::TimeSeries,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("id", ColumnType::BigInt, "id"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::optional("name", ColumnType::Varchar(255), "name"),
        Column::optional("is_string", ColumnType::Bool, "isString"),
        Column::optional("is_step", ColumnType::Bool, "isStep"),
        Column {
            bytes_max: 10_000,
            ..Column::optional("metadata", ColumnType::Json, "metadata")
                .with_rule(ValueRule::Metadata)
        },
        Column::optional("unit", ColumnType::Varchar(32), "unit"),
        Column::optional(
            "unit_external_id",
            ColumnType::Varchar(64),
            "unitExternalId",
        ),
        Column::optional("asset_id", ColumnType::BigInt, "assetId")
            .with_rule(ValueRule::Identifier),
        Column::optional("description", ColumnType::Varchar(1000), "description"),
        Column::optional(
            "security_categories",
            ColumnType::BigIntArray,
            "securityCategories",
        )
        .with_rule(ValueRule::Identifier),
        Column::optional("data_set_id", ColumnType::BigInt, "dataSetId")
            .with_rule(ValueRule::Identifier),
        Column::read_only("created_time", ColumnType::TimestampTz, "createdTime"),
        Column::read_only(
            "last_updated_time",
            ColumnType::TimestampTz,
            "lastUpdatedTime",
        ),
    ],
    key: &[1],
    comment: "Time series; an existing external_id is refused",
};
