//! Table `assets`: the tree of equipment.
//!
//! Lengths and rules from CDF's assets API: external id 255 characters, name 140, description
//! 500, source 128, metadata 256 pairs in 10,240 bytes, 10 labels. A parent may come in the same
//! load, in any order. Once set, a parent can be changed and not taken away.

use super::column::{Column, ColumnType, ValueRule};
use super::endpoints::Endpoints;
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "assets",
    oid: 16406,
    resource: Resource::Assets,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("id", ColumnType::BigInt, "id"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::required("name", ColumnType::Varchar(140), "name").with_rule(ValueRule::NotEmpty),
        Column::optional("parent_id", ColumnType::BigInt, "parentId")
            .with_rule(ValueRule::Identifier)
            .not_clearable(),
        Column::optional(
            "parent_external_id",
            ColumnType::Varchar(255),
            "parentExternalId",
        )
        .not_clearable(),
        Column::optional("description", ColumnType::Varchar(500), "description"),
        Column::data_set_id(),
        Column::metadata(10_240, 10_240),
        Column::optional("source", ColumnType::Varchar(128), "source"),
        Column::labels(),
        Column::geo_location(),
        Column::read_only("root_id", ColumnType::BigInt, "rootId"),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[1],
    id: Some(0),
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::OneAtMost(3, 4),
    is_writable: true,
    comment: "Assets; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints::usual(
    "/assets",
    "/assets/update",
    "/assets/delete",
    "/assets/byids",
);
