//! Table `units`: the catalogue of units, to be read.

use super::column::{Column, ColumnType};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "units",
    oid: 16419,
    resource: Resource::Instances,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("external_id", ColumnType::Text, "externalId"),
        Column::read_only("name", ColumnType::Text, "name"),
        Column::read_only("long_name", ColumnType::Text, "longName"),
        Column::read_only("symbol", ColumnType::Text, "symbol"),
        Column::read_only("alias_names", ColumnType::TextArray, "aliasNames"),
        Column::read_only("quantity", ColumnType::Text, "quantity"),
        Column::read_only("conversion", ColumnType::Json, "conversion"),
        Column::read_only("source", ColumnType::Text, "source"),
        Column::read_only("source_reference", ColumnType::Text, "sourceReference"),
    ],
    key: &[0],
    id: None,
    endpoints: None,
    row_rule: RowRule::None,
    is_writable: false,
    comment: "Units; read only",
};
