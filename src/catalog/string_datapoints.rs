//! Table `string_datapoints`: string points of time series.
//!
//! Column order as in Cognite's setup guide (value first). Either `external_id` or `id`
//! names the series. Values up to 255 characters, as the gateway declares them; timestamps 1900 to 2099, as CDF documents.

use super::column::{Column, ColumnType};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "string_datapoints",
    oid: 16404,
    resource: Resource::Datapoints,
    shape: RowShape::StringDatapoints,
    on_existing: OnExisting::Overwrite,
    columns: &[
        Column::required("value", ColumnType::Varchar(255), "value"),
        Column::required("timestamp", ColumnType::TimestampTz, "timestamp"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::optional("id", ColumnType::BigInt, "id"),
    ],
    key: &[],
    id: None,
    endpoints: None,
    row_rule: RowRule::None,
    is_writable: true,
    comment: "String datapoints; a point at an existing timestamp is overwritten",
};
