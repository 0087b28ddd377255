//! Table `data_sets`: what resources belong to, for governance.
//!
//! Not among the tables of Cognite's gateway. Lengths from CDF's data sets API: external id 255
//! characters, name 50, description 500, metadata 256 pairs in 10,240 bytes. CDF makes 10 per
//! request and deletes none.

use super::column::{Column, ColumnType, ValueRule};
use super::endpoints::Endpoints;
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::CDF,
    name: "data_sets",
    oid: 16415,
    resource: Resource::DataSets,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("id", ColumnType::BigInt, "id"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::optional("name", ColumnType::Varchar(50), "name").with_rule(ValueRule::NotEmpty),
        Column::optional("description", ColumnType::Varchar(500), "description")
            .with_rule(ValueRule::NotEmpty),
        Column::metadata(10_240, 10_240),
        Column::optional("write_protected", ColumnType::Bool, "writeProtected").not_clearable(),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[1],
    id: Some(0),
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::None,
    is_writable: true,
    comment: "Data sets; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints {
    delete: None,
    creates_max: 10,
    ..Endpoints::usual("/datasets", "/datasets/update", "", "/datasets/byids")
};
