//! Table `containers`: containers of data modeling, to be read.

use super::column::{Column, ColumnType};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "containers",
    oid: 16418,
    resource: Resource::Instances,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("space", ColumnType::Varchar(43), "space"),
        Column::read_only("external_id", ColumnType::Varchar(255), "externalId"),
        Column::read_only("name", ColumnType::Varchar(255), "name"),
        Column::read_only("description", ColumnType::Varchar(1024), "description"),
        Column::read_only("used_for", ColumnType::Text, "usedFor"),
        Column::read_only("properties", ColumnType::Json, "properties"),
        Column::read_only("constraints", ColumnType::Json, "constraints"),
        Column::read_only("indexes", ColumnType::Json, "indexes"),
        Column::read_only("is_global", ColumnType::Bool, "isGlobal"),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[0, 1],
    id: None,
    endpoints: None,
    row_rule: RowRule::None,
    is_writable: false,
    comment: "Containers; read only",
};
