//! Table `extraction_pipeline_runs`: how runs of extraction pipelines went.
//!
//! A status of success, failure or seen, and a message of up to 1000 characters. Each row is one
//! more run, and CDF takes one per request. Azure Data Factory's guides write `externalId` for
//! `external_id`: both are taken.

use super::column::{Column, ColumnType, ValueRule};
use super::endpoints::{CreateBody, Endpoints};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "extraction_pipeline_runs",
    oid: 16414,
    resource: Resource::ExtractionPipelineRuns,
    shape: RowShape::Objects,
    on_existing: OnExisting::Append,
    columns: &[
        Column::read_only("id", ColumnType::BigInt, "id"),
        Column::required("external_id", ColumnType::Varchar(255), "externalId")
            .with_rule(ValueRule::NotEmpty),
        Column::required("status", ColumnType::Text, "status")
            .with_rule(ValueRule::OneOf(STATUSES)),
        Column::optional("message", ColumnType::Varchar(1000), "message"),
        Column::optional("created_time", ColumnType::TimestampTz, "createdTime"),
    ],
    key: &[],
    id: None,
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::None,
    is_writable: true,
    comment: "Runs of extraction pipelines; each row is one more",
};

static ENDPOINTS: Endpoints = Endpoints {
    create: "/extpipes/runs",
    update: None,
    delete: None,
    by_ids: None,
    creates_max: 1,
    body: CreateBody::Items,
};

/// How a run may have gone.
const STATUSES: &[&str] = &["success", "failure", "seen"];
