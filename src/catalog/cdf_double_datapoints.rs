//! Table `cdf.double_datapoints`: numeric points of time series, with all that CDF keeps of a point.
//!
//! Not among the tables of Cognite's gateway. With `instance_space` the series is the node
//! (instance_space, external_id) of data modeling, without it the one that the classic
//! `external_id` or `id` names. Values within ±1e100, and any double where the status is
//! Bad; a point with a Bad
//! status may be without a value. Timestamps 1900 to 2099, as CDF documents.

use super::column::{Column, ColumnType};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::CDF,
    name: "double_datapoints",
    oid: 16421,
    resource: Resource::Datapoints,
    shape: RowShape::DoubleDatapoints,
    on_existing: OnExisting::Overwrite,
    columns: &[
        Column::optional("value", ColumnType::DoublePrecision, "value"),
        Column::required("timestamp", ColumnType::TimestampTz, "timestamp"),
        Column::optional(
            "instance_space",
            ColumnType::Varchar(43),
            "instanceId.space",
        ),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::optional("id", ColumnType::BigInt, "id"),
        Column::optional("status_code", ColumnType::BigInt, "status.code"),
        Column::optional("status_symbol", ColumnType::Varchar(0), "status.symbol"),
    ],
    key: &[],
    id: None,
    endpoints: None,
    row_rule: RowRule::PointOfSeries,
    is_writable: true,
    comment: "Numeric datapoints with statuses, of time series by external id, id or instance id; a point at an existing timestamp is overwritten",
};
