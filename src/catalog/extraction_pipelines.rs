//! Table `extraction_pipelines`: what brings data into CDF.
//!
//! Lengths from CDF's extraction pipelines API: external id 255 characters, name 140, description
//! 500, source and creator 255, documentation 10,000. A data set is required. CDF replaces values
//! and never takes one away.

use super::column::{Column, ColumnType, JsonForm, ValueRule};
use super::endpoints::Endpoints;
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "extraction_pipelines",
    oid: 16413,
    resource: Resource::ExtractionPipelines,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("id", ColumnType::BigInt, "id"),
        Column::required("external_id", ColumnType::Varchar(255), "externalId")
            .with_rule(ValueRule::NotEmpty),
        Column::required("name", ColumnType::Varchar(140), "name").with_rule(ValueRule::NotEmpty),
        Column::optional("description", ColumnType::Varchar(500), "description").not_clearable(),
        Column::required("data_set_id", ColumnType::BigInt, "dataSetId")
            .with_rule(ValueRule::Identifier),
        Column::optional("raw_tables", ColumnType::Json, "rawTables")
            .with_rule(ValueRule::Form(JsonForm::RawTables))
            .not_clearable(),
        Column::optional("schedule", ColumnType::Text, "schedule")
            .with_rule(ValueRule::Schedule)
            .not_clearable(),
        Column::optional("contacts", ColumnType::Json, "contacts")
            .with_rule(ValueRule::Form(JsonForm::Contacts))
            .not_clearable(),
        Column::metadata(10_240, 10_240).not_clearable(),
        Column::optional("source", ColumnType::Varchar(255), "source").not_clearable(),
        Column::optional("documentation", ColumnType::Varchar(10000), "documentation")
            .not_clearable(),
        Column::optional("created_by", ColumnType::Varchar(255), "createdBy").create_only(),
        Column::read_only("last_success", ColumnType::TimestampTz, "lastSuccess"),
        Column::read_only("last_failure", ColumnType::TimestampTz, "lastFailure"),
        Column::read_only("last_seen", ColumnType::TimestampTz, "lastSeen"),
        Column::read_only("last_message", ColumnType::Text, "lastMessage"),
        Column::optional(
            "notification_config",
            ColumnType::Json,
            "notificationConfig",
        )
        .with_rule(ValueRule::Form(JsonForm::NotificationConfig))
        .not_clearable(),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[1],
    id: Some(0),
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::None,
    is_writable: true,
    comment: "Extraction pipelines; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints::usual(
    "/extpipes",
    "/extpipes/update",
    "/extpipes/delete",
    "/extpipes/byids",
);
