//! Table `double_datapoints`: numeric points of time series.
//!
//! Column order as in Cognite's setup guide (value first). Either `external_id` or `id`
//! names the series. Values within ±1e100, timestamps 1900 to 2099, as CDF documents.

use super::column::{Column, ColumnType};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "double_datapoints",
    oid: 16401,
    resource: Resource::Datapoints,
    shape: RowShape::DoubleDatapoints,
    on_existing: OnExisting::Overwrite,
    columns: &[
        Column::required("value", ColumnType::DoublePrecision, "value"),
        Column::required("timestamp", ColumnType::TimestampTz, "timestamp"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::optional("id", ColumnType::BigInt, "id"),
    ],
    key: &[],
    id: None,
    endpoints: None,
    row_rule: RowRule::None,
    is_writable: true,
    comment: "Numeric datapoints; a point at an existing timestamp is overwritten",
};
