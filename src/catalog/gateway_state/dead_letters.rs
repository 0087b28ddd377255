//! Relation `penstock.dead_letters`: rows of the user that will never be in CDF as they are.

use super::GatewayState;
use crate::catalog::{Column, ColumnType, Table};

pub static TABLE: Table = super::relation(
    "dead_letters",
    16432,
    GatewayState::DeadLetters,
    &[
        Column::state(
            "id",
            ColumnType::BigInt,
            "number of the letter, by which penstock dead-letters names it; grows with time",
        ),
        Column::state(
            "refused_time",
            ColumnType::TimestampTz,
            "when the row was refused",
        ),
        Column::state(
            "state",
            ColumnType::Text,
            "open, edited (has new values) or replayed (CDF took it)",
        ),
        Column::state(
            "source",
            ColumnType::Text,
            "journaled, copy_ignored (ON_ERROR ignore) or unknown_outcome",
        ),
        Column::state("project", ColumnType::Text, "the CDF project"),
        Column::state(
            "table_name",
            ColumnType::Text,
            "the table that the row is of",
        ),
        Column::state(
            "action",
            ColumnType::Text,
            "what the row does: insert, update, delete, …",
        ),
        Column::state(
            "key",
            ColumnType::Json,
            "the row's key, an array of texts; null: it has none",
        ),
        Column::state(
            "sqlstate",
            ColumnType::Text,
            "why it was refused, as PostgreSQL's code",
        ),
        Column::state("message", ColumnType::Text, "why it was refused, in words"),
        Column::state("detail", ColumnType::Text, "more of that"),
        Column::state(
            "column_name",
            ColumnType::Text,
            "the column whose value is to blame, if that is known",
        ),
        Column::state(
            "cdf_code",
            ColumnType::BigInt,
            "CDF's error code; null: the gateway refused it",
        ),
        Column::state(
            "request_id",
            ColumnType::Text,
            "CDF's name of the request, for its support",
        ),
        Column::state("line", ColumnType::BigInt, "line of the COPY data, from 1"),
        Column::state(
            "row_number",
            ColumnType::BigInt,
            "number of the row in its statement, from 1",
        ),
        Column::state(
            "row_values",
            ColumnType::Json,
            "the row: by column its text as COPY would carry it, or null",
        ),
        Column::state(
            "acknowledged_time",
            ColumnType::TimestampTz,
            "when the client was told that the row is safe; null: it never was",
        ),
        Column::state("replays", ColumnType::BigInt, "how often it was sent again"),
        Column::state("replayed_time", ColumnType::TimestampTz, "when CDF took it"),
    ],
    "Rows of the user that CDF refused for good, each with its reason",
);
