//! Table `files`: metadata of files, not their contents.
//!
//! Lengths and rules from CDF's files API: external id 255 characters, name and mime type 256,
//! directory 512 (an absolute path), source 128, metadata 256 pairs in 10,240 bytes, up to 1000
//! assets, 100 security categories, 10 labels. CDF makes one file per request, takes no empty list
//! of assets then, and never renames one.

use super::column::{Column, ColumnType, ValueRule};
use super::endpoints::{CreateBody, Endpoints};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "files",
    oid: 16408,
    resource: Resource::Files,
    shape: RowShape::Objects,
    on_existing: OnExisting::Refuse,
    columns: &[
        Column::read_only("id", ColumnType::BigInt, "id"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::required("name", ColumnType::Varchar(256), "name")
            .with_rule(ValueRule::NotEmpty)
            .create_only(),
        Column::optional("directory", ColumnType::Varchar(512), "directory")
            .with_rule(ValueRule::AbsolutePath),
        Column::optional("source", ColumnType::Varchar(128), "source"),
        Column::optional("mime_type", ColumnType::Varchar(256), "mimeType"),
        Column::metadata(10_240, 10_240),
        Column::optional("asset_ids", ColumnType::BigIntArray, "assetIds")
            .with_rule(ValueRule::Identifier)
            .with_elements_max(1000)
            .distinct()
            .empty_is_none(),
        Column::data_set_id(),
        Column::optional(
            "source_created_time",
            ColumnType::TimestampTz,
            "sourceCreatedTime",
        ),
        Column::optional(
            "source_modified_time",
            ColumnType::TimestampTz,
            "sourceModifiedTime",
        ),
        Column::optional(
            "security_categories",
            ColumnType::BigIntArray,
            "securityCategories",
        )
        .with_rule(ValueRule::Identifier)
        .with_elements_max(100),
        Column::labels(),
        Column::geo_location(),
        Column::read_only("uploaded", ColumnType::Bool, "uploaded"),
        Column::read_only("uploaded_time", ColumnType::TimestampTz, "uploadedTime"),
        Column::created_time(),
        Column::last_updated_time(),
    ],
    key: &[1],
    id: Some(0),
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::None,
    is_writable: true,
    comment: "Metadata of files; an existing external_id is refused",
};

static ENDPOINTS: Endpoints = Endpoints {
    creates_max: 1,
    body: CreateBody::Bare,
    ..Endpoints::usual("/files", "/files/update", "/files/delete", "/files/byids")
};
