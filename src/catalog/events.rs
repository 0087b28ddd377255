//! Table `events`: what happened, and when.
//!
//! Lengths and rules from CDF's events API: external id 255 characters, type and subtype 64,
//! description 500, source 128, metadata 256 pairs in 200,000 bytes with values of 128,000, up to
//! 10,000 assets, an end that is not before the start.

use super::column::{Column, ColumnType, ValueRule};
use super::endpoints::Endpoints;
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "events",
    oid: 16407,
    resource: Resource::Events,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("id", ColumnType::BigInt, "id"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::optional("start_time", ColumnType::TimestampTz, "startTime"),
        Column::optional("end_time", ColumnType::TimestampTz, "endTime"),
        Column::optional("type", ColumnType::Varchar(64), "type"),
        Column::optional("subtype", ColumnType::Varchar(64), "subtype"),
        Column::optional("description", ColumnType::Varchar(500), "description"),
        Column::metadata(128_000, 200_000),
        Column::optional("asset_ids", ColumnType::BigIntArray, "assetIds")
            .with_rule(ValueRule::Identifier)
            .with_elements_max(10000)
            .distinct(),
        Column::optional("source", ColumnType::Varchar(128), "source"),
        Column::data_set_id(),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[1],
    id: Some(0),
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::Ordered(2, 3),
    is_writable: true,
    comment: "Events; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints::usual(
    "/events",
    "/events/update",
    "/events/delete",
    "/events/byids",
);
