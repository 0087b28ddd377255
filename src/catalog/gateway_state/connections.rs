//! Relation `penstock.connections`: clients of the user that are connected.

use super::GatewayState;
use crate::catalog::{Column, ColumnType, Table};

pub static TABLE: Table = super::relation(
    "connections",
    16431,
    GatewayState::Connections,
    &[
        Column::state(
            "process_id",
            ColumnType::BigInt,
            "number of the connection, by which drivers and pg_cancel_backend() know it",
        ),
        Column::state(
            "is_own",
            ColumnType::Bool,
            "whether it is the connection that asks",
        ),
        Column::state("user_name", ColumnType::Text, "the gateway's user"),
        Column::state(
            "application_name",
            ColumnType::Text,
            "what the client calls itself",
        ),
        Column::state("client_address", ColumnType::Text, "where it connects from"),
        Column::state("client_port", ColumnType::BigInt, "the port there"),
        Column::state(
            "is_encrypted",
            ColumnType::Bool,
            "whether it is connected by TLS",
        ),
        Column::state(
            "connected_time",
            ColumnType::TimestampTz,
            "when it had signed in",
        ),
        Column::state(
            "state",
            ColumnType::Text,
            "idle, active, copy (reads the client's data), idle in transaction, or idle in transaction (aborted)",
        ),
        Column::state(
            "state_time",
            ColumnType::TimestampTz,
            "since when it is in that state",
        ),
        Column::state(
            "transaction_time",
            ColumnType::TimestampTz,
            "when the open transaction block began; null: there is none",
        ),
        Column::state(
            "table_name",
            ColumnType::Text,
            "the table that it wrote to last",
        ),
        Column::state(
            "resource",
            ColumnType::Text,
            "the resource of CDF behind that table",
        ),
        Column::state(
            "requests",
            ColumnType::BigInt,
            "times that it was idle and asked for something: Queries, or pipelines up to their Sync",
        ),
        Column::state(
            "received_rows",
            ColumnType::BigInt,
            "rows that it has sent, those of a running COPY included",
        ),
        Column::state(
            "received_bytes",
            ColumnType::BigInt,
            "bytes of these rows, as they came; counted at the end of each statement",
        ),
    ],
    "Connections of the user, with what each is doing",
);
