//! Relation `penstock.queues`: rows of the user on their way to CDF.

use super::GatewayState;
use crate::catalog::{Column, ColumnType, Table};

pub static TABLE: Table = super::relation(
    "queues",
    16433,
    GatewayState::Queues,
    &[
        Column::state("project", ColumnType::Text, "the CDF project"),
        Column::state(
            "resource",
            ColumnType::Text,
            "the resource of CDF, as in [batch.<resource>]",
        ),
        Column::state(
            "state",
            ColumnType::Text,
            "idle, gathering (waits for company), sending, waiting (for a budget), retrying, held (CDF fails or asked for a pause), stopped (CDF does not let the principal write: rows are parked) or guarded (an earlier write may still land)",
        ),
        Column::state(
            "reason",
            ColumnType::Text,
            "what CDF said last; while rows are retried, held or stopped",
        ),
        Column::state(
            "until_time",
            ColumnType::TimestampTz,
            "when it is looked at again, while it waits or is held",
        ),
        Column::state(
            "waiting_batches",
            ColumnType::BigInt,
            "batches in memory that are not part of a request yet",
        ),
        Column::state("waiting_rows", ColumnType::BigInt, "rows of these batches"),
        Column::state(
            "waiting_bytes",
            ColumnType::BigInt,
            "bytes of these batches",
        ),
        Column::state(
            "waiting_requests",
            ColumnType::BigInt,
            "requests that wait for their turn or to be repeated",
        ),
        Column::state(
            "in_flight_requests",
            ColumnType::BigInt,
            "requests that were sent and not answered",
        ),
        Column::state(
            "requested_rows",
            ColumnType::BigInt,
            "rows of all these requests that have no verdict yet",
        ),
        Column::state(
            "oldest_age_s",
            ColumnType::DoublePrecision,
            "age of the oldest of all these rows since it came to the queue; null: there are none",
        ),
        Column::state(
            "journal_records",
            ColumnType::BigInt,
            "records of the journal that wait on disk to be read back, of all users of the project: they have one order; null: no journal",
        ),
        Column::state(
            "journal_age_s",
            ColumnType::DoublePrecision,
            "age of the record that is next among them; null: none waits",
        ),
        Column::state(
            "parked_records",
            ColumnType::BigInt,
            "parked records of the user's principal: they wait until CDF lets it write",
        ),
    ],
    "Rows of the user on their way to CDF, by resource: what waits, what is in flight and what holds it up",
);
