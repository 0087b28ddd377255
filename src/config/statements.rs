//! What statements may do, and how tables take them.
//!
//! Owns the bound and the counts of deletes and the settings of each table. Promises that configuration and SET
//! use the same words. Never holds a session's choice.

use super::problem::Findings;
use crate::catalog::TABLES;
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
}

impl Default for StatementSettings {
    fn default() -> Self {
        StatementSettings {
            delete_rows_max: 100_000,
            exact_row_counts: false,
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
        if !TABLES.iter().any(|table| table.name == name) {
            let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
            findings.note(
                format!("tables.{name}"),
                "there is no such table",
                format!("Name one of {}", names.join(", ")),
            );
        }
    }
}
