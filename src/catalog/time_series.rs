//! Table `time_series`: metadata of time series.
//!
//! Lengths and rules from CDF's time series API: external id and name 255 characters,
//! description 1000, unit 32, unit external id 64 (of numbers only), metadata 256 pairs in 10,000
//! bytes.

use super::column::{Column, ColumnType, ValueRule};
use super::endpoints::Endpoints;
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

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
        Column::optional("is_string", ColumnType::Bool, "isString").create_only(),
        Column::optional("is_step", ColumnType::Bool, "isStep").not_clearable(),
        Column::metadata(10_000, 10_000),
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
        Column::data_set_id(),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[1],
    id: Some(0),
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::OnlyUnless(3, 7),
    is_writable: true,
    comment: "Time series; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints::usual(
    "/timeseries",
    "/timeseries/update",
    "/timeseries/delete",
    "/timeseries/byids",
);
