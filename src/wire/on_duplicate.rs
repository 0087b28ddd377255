//! What a plain INSERT or a COPY does with rows whose key exists.
//!
//! Owns the choice between CDF's refusal, an update and leaving them out: the session's, or the
//! table's. Promises to change nothing for tables that CDF overwrites. Never reads a row.

use super::session::Session;
use crate::catalog::{self, Access, OnExisting, Table};
use crate::config::{OnDuplicate, TableSettings};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{Action, Assigned, Assignment, ConflictUpdate};
use std::sync::Arc;

impl Session {
    /// What rows of a statement without ON CONFLICT do, which names `columns` of `table`.
    ///
    /// # Errors
    /// 0A000 where existing rows are to be updated and CDF has no call for it.
    pub(super) fn plain_action(
        &self,
        table: &'static Table,
        columns: &[usize],
    ) -> Result<Action, Box<Diagnostic>> {
        let on_duplicate = self.on_duplicate.unwrap_or_else(|| {
            self.table_settings(table)
                .map_or(OnDuplicate::Error, |settings| settings.on_duplicate)
        });
        if table.on_existing != OnExisting::Refuse {
            return Ok(Action::Create);
        }
        match on_duplicate {
            OnDuplicate::Error => Ok(Action::Create),
            OnDuplicate::Ignore => Ok(Action::CreateMissing),
            OnDuplicate::Update => update(table, columns),
        }
    }

    /// Whether values for columns that CDF fills are dropped instead of refused.
    pub(super) fn ignores_read_only(&self, table: &'static Table) -> bool {
        self.table_settings(table)
            .is_some_and(|settings| settings.ignore_read_only_columns)
    }

    fn table_settings(&self, table: &'static Table) -> Option<&TableSettings> {
        self.gateway
            .settings
            .tables
            .get(catalog::today(table).full_name())
    }
}

/// Every column that the statement names takes its new value, where CDF changes it at all.
fn update(table: &'static Table, columns: &[usize]) -> Result<Action, Box<Diagnostic>> {
    let assignments: Vec<Assignment> = columns
        .iter()
        .copied()
        .filter(|column| table.columns[*column].access == Access::Writable)
        .filter(|column| !table.key.contains(column))
        .map(|column| Assignment {
            column,
            value: Assigned::Excluded(column),
        })
        .collect();
    if assignments.is_empty() {
        // What has nothing but its key is as it should be.
        return Ok(Action::CreateMissing);
    }
    let is_changeable = table
        .endpoints
        .is_some_and(|endpoints| endpoints.update.is_some());
    if !is_changeable {
        return Err(Box::new(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("existing rows of \"{}\" cannot be updated", table.name),
            )
            .with_hint(
                "CDF has no call that changes one: SET penstock.on_duplicate = 'ignore', or \
                 'error'.",
            )
            .with_table(table.name),
        ));
    }
    Ok(Action::Upsert(Arc::new(ConflictUpdate {
        assignments,
        constants: None,
    })))
}
