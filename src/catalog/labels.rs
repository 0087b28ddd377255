//! Table `labels`: words that other resources are marked with.
//!
//! Lengths from CDF's labels API: external id 255 characters, name 140, description 500. CDF has
//! no call that changes a label. Cognite's gateway shows `data_set_id` as a list; CDF knows one.

use super::column::{Column, ColumnType, JsonShape, ValueRule};
use super::endpoints::{Deletion, Endpoints};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "labels",
    oid: 16409,
    resource: Resource::Labels,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::required("external_id", ColumnType::Varchar(255), "externalId")
            .with_rule(ValueRule::NotEmpty),
        Column::required("name", ColumnType::Varchar(140), "name").with_rule(ValueRule::NotEmpty),
        Column::optional("description", ColumnType::Varchar(500), "description"),
        Column {
            shape: JsonShape::Single,
            ..Column::optional("data_set_id", ColumnType::BigIntArray, "dataSetId")
                .with_rule(ValueRule::Identifier)
                .with_elements_max(1)
        },
        Column::created_time(),
    ],
    key: &[0],
    id: None,
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::None,
    is_writable: true,
    comment: "Labels; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints {
    update: None,
    delete: Some(Deletion {
        path: "/labels/delete",
        ignores_unknown: false,
    }),
    ..Endpoints::usual("/labels", "", "", "/labels/byids")
};
