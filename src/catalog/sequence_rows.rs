//! Table `sequence_rows`: rows of sequences.
//!
//! `values` holds the cells in the order of `columns`, or an object of cells by column; then
//! `columns` is left out. A cell that exists is overwritten, the others of its row stay. CDF takes
//! 10,000 rows, 100,000 values and 200 columns a request.

use super::column::{Column, ColumnType, ValueRule};
use super::endpoints::{CreateBody, Deletion, Endpoints};
use super::resource::Resource;
use super::table::{OnExisting, RowRule, RowShape, Table};

pub static TABLE: Table = Table {
    schema: super::PUBLIC,
    name: "sequence_rows",
    oid: 16412,
    resource: Resource::SequenceRows,
    shape: RowShape::Objects,
    on_existing: OnExisting::Overwrite,
    columns: &[
        Column::required("values", ColumnType::Json, "values"),
        Column::optional("external_id", ColumnType::Varchar(255), "externalId"),
        Column::optional("id", ColumnType::BigInt, "id").with_rule(ValueRule::Identifier),
        Column::required("row_number", ColumnType::BigInt, "rowNumber")
            .with_rule(ValueRule::NotNegative),
        Column::optional("columns", ColumnType::TextArray, "columns").with_elements_max(200),
    ],
    key: &[],
    id: None,
    endpoints: Some(&ENDPOINTS),
    row_rule: RowRule::Cells,
    is_writable: true,
    comment: "Rows of sequences; cells of an existing row are overwritten",
};

static ENDPOINTS: Endpoints = Endpoints {
    create: "/sequences/data",
    update: None,
    delete: Some(Deletion {
        path: "/sequences/data/delete",
        ignores_unknown: false,
    }),
    by_ids: None,
    creates_max: 10_000,
    body: CreateBody::SequenceRows,
};
