//! What a statement sees of rows that its own transaction has staged.
//!
//! Owns the way of staged batches over the rows that an engine has of a table. Promises that they
//! are laid on in the order of their statements, from memory or disk, or that the statement is
//! refused: no read passes over a row that the same transaction wrote. Never sends a row.

use super::group::{Group, Run};
use super::session::Session;
use super::staged::Staged;
use super::staged_cells::raw_row_text;
use super::transaction::Transaction;
use crate::catalog::{RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{EngineFault, EngineLink, OverlayStep};
use crate::rows::{Action, ActionKind, LAST_TIMESTAMP, RowBatch, RowText};
use crate::scan::conditions::Needed;
use std::collections::HashSet;

/// Rows that are laid on at once, and bytes of their values: they are in memory as texts meanwhile.
const STEP_ROWS_MAX: usize = 10_000;
const STEP_BYTES_MAX: usize = 4 << 20;

/// How the rows of a datapoint table may name their series here: the other names are not in the
/// rows that are read, or not always.
const POINT_KEYS: [&[&str]; 2] = [
    &["instance_space", "external_id", "timestamp"],
    &["external_id", "timestamp"],
];

impl Session {
    /// What has to be read of a table for a statement that needs `needed`, with rows of it staged.
    ///
    /// # Errors
    /// 0A000 for staged rows that cannot be laid over others.
    pub(super) fn needed_beside_staged(
        &self,
        table: &'static Table,
        needed: Needed,
    ) -> Result<Needed, EngineFault> {
        let Some(group) = self.staged_group() else {
            return Ok(needed);
        };
        let mut narrowed = Some((needed.conditions, needed.keys));
        let mut any = false;
        for run in runs_of(group, table) {
            any = true;
            check(run, table)?;
            let looks_at_others = matches!(
                run.action().kind(),
                ActionKind::Update | ActionKind::Upsert | ActionKind::CreateMissing
            );
            if looks_at_others && !is_of_points(table) {
                // A row that the conditions leave out may meet them once it is changed.
                narrowed = None;
            }
        }
        let (conditions, keys) = narrowed.unwrap_or_default();
        Ok(Needed {
            conditions,
            keys,
            limit: needed.limit.filter(|_| !any),
        })
    }

    /// Lays the staged rows of a table over those that the engine has of it.
    ///
    /// # Errors
    /// As [`Self::needed_beside_staged`]; the disk's; `Broken` when the engine is gone.
    pub(super) async fn lay_staged(
        &mut self,
        link: &mut EngineLink,
        table: &'static Table,
    ) -> Result<(), EngineFault> {
        let Some(group) = self.staged_group() else {
            return Ok(());
        };
        for run in runs_of(group, table) {
            check(run, table)?;
            for staged in &run.batches {
                let read;
                let batch = match staged {
                    Staged::InMemory(batch) => &**batch,
                    Staged::OnDisk(place) => {
                        let back = group.read_back(*place, run.table).await;
                        read = back.map_err(EngineFault::Refused)?;
                        &read
                    }
                };
                lay(link, table, run.action(), batch).await?;
            }
        }
        Ok(())
    }

    fn staged_group(&self) -> Option<&Group> {
        match &self.transaction {
            Transaction::Open(block) if !block.is_streaming => Some(&block.group),
            _ => None,
        }
    }
}

fn runs_of<'a>(group: &'a Group, table: &'static Table) -> impl Iterator<Item = &'a Run> {
    group
        .runs
        .iter()
        .filter(move |run| may_share_rows(run.table, table) && !run.batches.is_empty())
}

/// Whether a row of one table can be a row of the other.
fn may_share_rows(one: &Table, other: &Table) -> bool {
    let is_same_place = match (one.shape, other.shape) {
        (RowShape::RawColumns(one), RowShape::RawColumns(other)) => {
            one.database == other.database && one.table == other.table
        }
        _ => true,
    };
    one.resource == other.resource && is_same_place
}

fn is_of_points(table: &Table) -> bool {
    matches!(
        table.shape,
        RowShape::DoubleDatapoints | RowShape::StringDatapoints
    )
}

/// Whether staged rows of that run can be laid over others of `table`.
fn check(run: &Run, table: &'static Table) -> Result<(), EngineFault> {
    let is_known = match table.shape {
        RowShape::DoubleDatapoints
        | RowShape::StringDatapoints
        | RowShape::RawRows
        | RowShape::RawColumns(_) => true,
        // Objects without a key of their own are new ones, always.
        RowShape::Objects => !table.key.is_empty() || run.action().kind() == ActionKind::Create,
        RowShape::GatewayState(_) => false,
    };
    match run.table == table && is_known {
        true => Ok(()),
        false => Err(unseen(table)),
    }
}

/// Lays on a batch, step by step: rows of a step have the same columns, and no key twice.
async fn lay(
    link: &mut EngineLink,
    table: &'static Table,
    action: &Action,
    batch: &RowBatch,
) -> Result<(), EngineFault> {
    let mut rows: Vec<RowText> = Vec::new();
    let mut bytes = 0;
    let mut keys: HashSet<Vec<Option<String>>> = HashSet::new();
    for index in 0..batch.rows() {
        let row = match (table.shape, batch) {
            (RowShape::RawColumns(raw), RowBatch::RawRows(batch)) => {
                raw_row_text(table, raw, batch, index).map_err(EngineFault::Refused)?
            }
            _ => batch.row_text(index),
        };
        let key_columns = key_of(table, &row).ok_or_else(|| unseen(table))?;
        let key = values_of(&row, &key_columns);
        let joins = rows
            .first()
            .is_none_or(|first| first.columns == row.columns)
            && rows.len() < STEP_ROWS_MAX
            && bytes < STEP_BYTES_MAX
            && (key.is_empty() || !keys.contains(&key));
        if !joins {
            lay_step(link, table, action, &rows).await?;
            rows.clear();
            keys.clear();
            bytes = 0;
        }
        bytes += row.values.iter().flatten().map(String::len).sum::<usize>();
        keys.insert(key);
        rows.push(row);
    }
    lay_step(link, table, action, &rows).await
}

async fn lay_step(
    link: &mut EngineLink,
    table: &'static Table,
    action: &Action,
    rows: &[RowText],
) -> Result<(), EngineFault> {
    let Some(first) = rows.first() else {
        return Ok(());
    };
    let key = key_of(table, first).ok_or_else(|| unseen(table))?;
    let step = OverlayStep {
        table,
        action,
        columns: &first.columns,
        key: &key,
    };
    step.lay(link, rows).await
}

/// The columns that name a row; `None`: it is named in a way that rows of the table are not.
fn key_of(table: &'static Table, row: &RowText) -> Option<Vec<&'static str>> {
    let is_column = |name: &str| table.columns.iter().any(|column| column.name == name);
    let is_known = |name: &&'static str| is_column(name) || *name == LAST_TIMESTAMP;
    if !row.columns.iter().all(is_known) {
        return None;
    }
    let has_all = |names: &[&str]| names.iter().all(|name| row.columns.contains(name));
    if is_of_points(table) {
        let key = POINT_KEYS.iter().find(|names| has_all(names))?;
        let columns = table.columns.iter().map(|column| column.name);
        return Some(columns.filter(|name| key.contains(name)).collect());
    }
    if table.key.is_empty() || row.action == Action::Empty.name() {
        return Some(Vec::new());
    }
    let name_of = |index: &usize| table.columns[*index].name;
    let key: Vec<&'static str> = table.key.iter().map(name_of).collect();
    let id: Vec<&'static str> = table.id.iter().map(name_of).collect();
    [key, id]
        .into_iter()
        .find(|names| !names.is_empty() && has_all(names))
}

fn values_of(row: &RowText, columns: &[&str]) -> Vec<Option<String>> {
    let places = columns
        .iter()
        .filter_map(|name| row.columns.iter().position(|column| column == name));
    places.map(|place| row.values[place].clone()).collect()
}

/// 0A000: a read would miss rows that the transaction wrote.
fn unseen(table: &'static Table) -> EngineFault {
    EngineFault::Refused(Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "reading \"{}\" after such rows of it were written in the same transaction is not \
                 supported",
                table.name
            ),
        )
        .with_table(table.name)
        .with_hint("COMMIT first, or SET penstock.transaction = 'streaming'."),
    ))
}
