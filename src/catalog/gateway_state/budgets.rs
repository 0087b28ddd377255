//! Relation `penstock.budgets`: what CDF lets pass, what is used of it, and what it refused.

use super::GatewayState;
use crate::catalog::{Column, ColumnType, Table};

pub static TABLE: Table = super::relation(
    "budgets",
    16430,
    GatewayState::Budgets,
    &[
        Column::state("project", ColumnType::Text, "the CDF project"),
        Column::state(
            "scope",
            ColumnType::Text,
            "whose budget: project (everybody's), identity (the user's principal in CDF) or operation (what is known of one call of that principal)",
        ),
        Column::state(
            "budget",
            ColumnType::Text,
            "the section of [limits], or the operation",
        ),
        Column::state(
            "state",
            ColumnType::Text,
            "free, spent, full (all slots taken), paused (CDF asked for it), broken or probing (calls only fail)",
        ),
        Column::state(
            "until_time",
            ColumnType::TimestampTz,
            "until when nothing more is sent; null: something may be sent, or a slot is waited for",
        ),
        Column::state(
            "requests_per_s",
            ColumnType::DoublePrecision,
            "rate that is kept, budget_share included; of an operation the one learned from answers 429; null: none",
        ),
        Column::state(
            "accepted_last_s",
            ColumnType::BigInt,
            "requests that CDF took within the last second; of operations",
        ),
        Column::state(
            "items_per_s",
            ColumnType::BigInt,
            "rate of items that is kept; null: none",
        ),
        Column::state(
            "window_bytes",
            ColumnType::BigInt,
            "bytes that may be sent within window_s; null: no bound",
        ),
        Column::state(
            "window_s",
            ColumnType::BigInt,
            "seconds of the window of bytes",
        ),
        Column::state(
            "spent_bytes",
            ColumnType::BigInt,
            "bytes spent within the window",
        ),
        Column::state(
            "available_bytes",
            ColumnType::BigInt,
            "bytes that may be sent now",
        ),
        Column::state(
            "slots",
            ColumnType::BigInt,
            "requests that may be in flight; of an operation as learned from CDF's answers; null: no bound",
        ),
        Column::state(
            "slots_taken",
            ColumnType::BigInt,
            "requests that hold a slot, those that wait to be repeated included",
        ),
        Column::state(
            "waiting",
            ColumnType::BigInt,
            "who was turned away for want of a slot and waits for one",
        ),
        Column::state(
            "throttled",
            ColumnType::BigInt,
            "answers 429 since the start; of operations",
        ),
        Column::state(
            "throttled_time",
            ColumnType::TimestampTz,
            "when the last of them came",
        ),
        Column::state(
            "reason",
            ColumnType::Text,
            "what CDF said when it last failed or asked for a pause; of operations",
        ),
    ],
    "Budgets of CDF that the user's rows are paid from: what is kept, spent and free, and what CDF refused",
);
