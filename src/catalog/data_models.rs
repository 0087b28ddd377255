//! Table `data_models`: data models of data modeling, to be read.

use super::column::{Column, ColumnType};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "data_models",
    oid: 16416,
    resource: Resource::Instances,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("space", ColumnType::Varchar(43), "space"),
        Column::read_only("external_id", ColumnType::Varchar(255), "externalId"),
        Column::read_only("version", ColumnType::Varchar(43), "version"),
        Column::read_only("name", ColumnType::Varchar(255), "name"),
        Column::read_only("description", ColumnType::Varchar(1024), "description"),
        Column::read_only("views", ColumnType::Json, "views"),
        Column::read_only("is_global", ColumnType::Bool, "isGlobal"),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[0, 1, 2],
    id: None,
    endpoints: None,
    row_rule: RowRule::None,
    is_writable: false,
    comment: "Data models; read only",
};
