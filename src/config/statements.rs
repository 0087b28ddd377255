//! What statements may do, and how tables take them.
//!
//! Owns the bound and the counts of deletes and the settings of each table. Promises that configuration and SET
//! use the same words. Never holds a session's choice.

use super::problem::Findings;
use crate::catalog::{full_names, table_of_full_name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bounds of statements.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatementSettings {
    /// Keys that one DELETE may name; past it the statement is refused with 54000.
    pub delete_rows_max: u64,
    /// Whether a DELETE of points or sequence rows reads them first, to count those that there
    /// were; otherwise it counts those that it names.
    pub exact_row_counts: bool,
    /// ON CONFLICT DO NOTHING on RAW rows, which CDF can only overwrite, reads each row first;
    /// otherwise it is refused with 0A000.
    pub on_conflict_reads: bool,
}

impl Default for StatementSettings {
    fn default() -> Self {
        StatementSettings {
            delete_rows_max: 100_000,
            exact_row_counts: false,
            on_conflict_reads: false,
        }
    }
}

/// What a plain INSERT and a COPY do with rows whose key CDF has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDuplicate {
    /// As CDF does: 23505 where it refuses them.
    #[default]
    Error,
    /// They change what exists, as by ON CONFLICT DO UPDATE.
    Update,
    /// They are left out, as by ON CONFLICT DO NOTHING.
    Ignore,
}

impl OnDuplicate {
    /// The word in configuration and settings.
    pub fn name(self) -> &'static str {
        match self {
            OnDuplicate::Error => "error",
            OnDuplicate::Update => "update",
            OnDuplicate::Ignore => "ignore",
        }
    }
}

/// How one table takes rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableSettings {
    pub on_duplicate: OnDuplicate,
    /// Values for columns that CDF fills are dropped instead of refused.
    pub ignore_read_only_columns: bool,
}

/// Notes tables that do not exist.
pub(super) fn check_tables(tables: &BTreeMap<String, TableSettings>, findings: &mut Findings) {
    for name in tables.keys() {
        if table_of_full_name(name).is_none() {
            findings.note(
                format!("tables.{name}"),
                "there is no such table",
                format!("Name one of {}", full_names()),
            );
        }
    }
}
