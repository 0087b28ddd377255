//! Table `unit_systems`: systems of units, to be read.

use super::column::{Column, ColumnType};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "unit_systems",
    oid: 16420,
    resource: Resource::Instances,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("name", ColumnType::Text, "name"),
        Column::read_only("quantities", ColumnType::Json, "quantities"),
    ],
    key: &[0],
    id: None,
    endpoints: None,
    row_rule: RowRule::None,
    is_writable: false,
    comment: "Systems of units; read only",
};
