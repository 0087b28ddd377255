//! Table `sequences`: what describes tables of rows with numbered keys.
//!
//! Lengths and rules from CDF's sequences API: external id and name 255 characters, description
//! 1000, metadata 256 pairs in 10,000 bytes, 1 to 400 columns, of which 200 may hold strings. An
//! INSERT gives the columns.

use super::column::{Column, ColumnType, JsonForm, ValueRule};
use super::endpoints::Endpoints;
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "sequences",
    oid: 16411,
    resource: Resource::Sequences,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("id", ColumnType::BigInt, "id"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::optional("name", ColumnType::Varchar(255), "name"),
        Column::optional("description", ColumnType::Varchar(1000), "description"),
        Column::optional("asset_id", ColumnType::BigInt, "assetId")
            .with_rule(ValueRule::Identifier),
        Column::metadata(10_000, 10_000),
        Column::required("columns", ColumnType::Json, "columns")
            .with_rule(ValueRule::Form(JsonForm::SequenceColumns))
            .create_only(),
        Column::data_set_id(),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[1],
    id: Some(0),
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::None,
    is_writable: true,
    comment: "Sequences; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints::usual(
    "/sequences",
    "/sequences/update",
    "/sequences/delete",
    "/sequences/byids",
);
