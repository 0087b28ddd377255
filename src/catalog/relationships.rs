//! Table `relationships`: links between resources, by external id.
//!
//! Lengths and rules from CDF's relationships API: external ids 255 characters, five types of
//! ends, a confidence from 0 to 1, 10 labels, an end time after the start. CDF does not check that
//! the ends exist.

use super::column::{Column, ColumnType, ValueRule};
use super::endpoints::Endpoints;
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "relationships",
    oid: 16410,
    resource: Resource::Relationships,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::required("external_id", ColumnType::Varchar(255), "externalId")
            .with_rule(ValueRule::NotEmpty),
        Column::required(
            "source_external_id",
            ColumnType::Varchar(255),
            "sourceExternalId",
        )
        .with_rule(ValueRule::NotEmpty),
        Column::required("source_type", ColumnType::Text, "sourceType")
            .with_rule(ValueRule::OneOf(ENDS)),
        Column::required(
            "target_external_id",
            ColumnType::Varchar(255),
            "targetExternalId",
        )
        .with_rule(ValueRule::NotEmpty),
        Column::required("target_type", ColumnType::Text, "targetType")
            .with_rule(ValueRule::OneOf(ENDS)),
        Column::optional("start_time", ColumnType::TimestampTz, "startTime"),
        Column::optional("end_time", ColumnType::TimestampTz, "endTime"),
        Column::optional("confidence", ColumnType::DoublePrecision, "confidence")
            .with_rule(ValueRule::UnitInterval),
        Column::data_set_id(),
        Column::labels(),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[0],
    id: None,
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::Later(5, 6),
    is_writable: true,
    comment: "Relationships; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints::usual(
    "/relationships",
    "/relationships/update",
    "/relationships/delete",
    "/relationships/byids",
);

/// What a relationship may link.
const ENDS: &[&str] = &["asset", "timeSeries", "file", "event", "sequence"];
