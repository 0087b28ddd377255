//! INSERT, UPDATE and DELETE: reading their rows into batches.
//!
//! Owns the way from a statement to gathered rows, with what it wants to know of them. Promises
//! that rows of the same shape gather, whatever number of statements they come by. Never answers
//! that they are written.

use super::completion::{Completion, Counted};
use super::group::{RunKind, RunShape};
use super::open_batch::OpenBatch;
use super::returned::{ResultTarget, Returned};
use super::session::{Failure, Session};
use crate::catalog::{Resource, Table};
use crate::config::AckMode;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{Action, AnyBuilder, RowBuilder};
use crate::sql::{Bindings, ChangeKind, ChangeStatement, InsertStatement, Returning, RowReader};
use crate::telemetry::StatementKind;
use std::collections::HashSet;
use std::time::Instant;

/// What a statement writes.
pub(super) struct Writing<'a> {
    pub(super) kind: RunKind,
    /// The words of the tag before the count.
    pub(super) tag: &'static str,
    pub(super) counted_as: StatementKind,
    pub(super) table: &'static Table,
    pub(super) columns: &'a [usize],
    pub(super) action: Action,
    pub(super) returning: Option<&'a Returning>,
    pub(super) target: ResultTarget,
    pub(super) counted: Counted,
    /// A key that comes twice is an error.
    pub(super) updates_once: bool,
    pub(super) received_bytes: u64,
}

impl Session {
    /// Gathers the rows of an INSERT.
    pub(super) async fn insert(
        &mut self,
        insert: &InsertStatement,
        bindings: &Bindings,
        received_bytes: u64,
        target: ResultTarget,
    ) -> Result<(), Failure> {
        self.check_writable("INSERT")?;
        let table = insert.table();
        let action = self.action_of_insert(insert, bindings)?;
        let writing = Writing {
            kind: RunKind::Insert,
            tag: "INSERT 0",
            counted_as: StatementKind::Insert,
            table,
            columns: insert.columns(),
            action,
            returning: insert.returning(),
            target,
            counted: Counted::Rows,
            updates_once: insert.updates_once(),
            received_bytes,
        };
        self.write(writing, insert.reader(bindings)).await
    }

    /// What rows of an INSERT do.
    ///
    /// # Errors
    /// Those of its ON CONFLICT, and 0A000 where that takes reading and the configuration does not
    /// let it.
    pub(super) fn action_of_insert(
        &mut self,
        insert: &InsertStatement,
        bindings: &Bindings,
    ) -> Result<Action, Box<Diagnostic>> {
        let table = insert.table();
        let action = if insert.names_conflict() {
            let ignores = self.ignores_read_only(table);
            insert.action(bindings, || self.value_settings(), ignores)?
        } else {
            self.plain_action(table, insert.columns())?
        };
        let refused = match (&action, table.resource) {
            (Action::CreateMissing, Resource::RawRows) => Some("DO NOTHING"),
            (Action::Upsert(_), Resource::RawRows) => Some("DO UPDATE of some columns"),
            _ => None,
        };
        match refused {
            Some(what) if !self.gateway.settings.statements.on_conflict_reads => {
                Err(does_not_read(table, what))
            }
            _ => Ok(action),
        }
    }

    /// Gathers the rows of an UPDATE or a DELETE.
    pub(super) async fn change(
        &mut self,
        change: &ChangeStatement,
        bindings: &Bindings,
        received_bytes: u64,
        target: ResultTarget,
    ) -> Result<(), Failure> {
        let (kind, tag, counted_as, action) = match change.kind() {
            ChangeKind::Update => (
                RunKind::Update,
                "UPDATE",
                StatementKind::Update,
                Action::Update,
            ),
            ChangeKind::Delete => (
                RunKind::Delete,
                "DELETE",
                StatementKind::Delete,
                Action::Delete,
            ),
            ChangeKind::Truncate => (
                RunKind::Delete,
                "TRUNCATE TABLE",
                StatementKind::Delete,
                Action::Empty,
            ),
        };
        let is_raw = change.table().resource == Resource::RawRows;
        let (action, counted) = match (change.kind(), change.is_of_all()) {
            (ChangeKind::Truncate, _) => (action, Counted::Nothing),
            (_, true) => (Action::Empty, Counted::ByCdf),
            (ChangeKind::Delete, false) if is_raw && self.counts_exactly(change.table()) => {
                (Action::DeleteFound, Counted::Rows)
            }
            (_, false) => (action, Counted::Rows),
        };
        self.check_writable(tag)?;
        if !self.ignores_read_only(change.table()) {
            change.check_read_only()?;
        }
        let reader = change.reader(bindings)?;
        let delete_rows_max = self.gateway.settings.statements.delete_rows_max;
        if kind == RunKind::Delete && reader.keys() as u64 > delete_rows_max {
            return Err(too_many(reader.keys() as u64, delete_rows_max).into());
        }
        let writing = Writing {
            kind,
            tag,
            counted_as,
            table: change.table(),
            columns: change.columns(),
            action,
            returning: change.returning(),
            target,
            counted,
            updates_once: false,
            received_bytes,
        };
        self.write(writing, reader).await
    }

    /// Whether a DELETE reads what is there, to count it. A count that nobody waits for is not
    /// asked for.
    pub(super) fn counts_exactly(&self, table: &'static Table) -> bool {
        let is_told = self.ack_of(table) == AckMode::Delivered && !self.transaction.stages();
        let is_wanted = self
            .exact_row_counts
            .unwrap_or(self.gateway.settings.statements.exact_row_counts);
        is_told && is_wanted
    }

    /// Gathers the rows of a statement.
    pub(super) async fn write<R: RowReader>(
        &mut self,
        writing: Writing<'_>,
        mut reader: R,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let Writing { table, columns, .. } = writing;
        self.check_ack(table)?;
        let mut returned = self.returned(&writing)?;
        let ack = self.ack_of(table);
        // The count of a verdict that nobody waits for is not asked for.
        let counts_by_cdf = writing.counted == Counted::ByCdf
            && ack == AckMode::Delivered
            && !self.transaction.stages();
        if returned.is_some() {
            // Its rows are looked at before they leave: they have a batch of their own.
            self.stage_open_batch();
        }
        let mut batch = self.begin_rows(RunShape {
            kind: writing.kind,
            table,
            columns,
            ack,
            action: &writing.action,
            wants_objects: returned
                .as_ref()
                .is_some_and(|returned| returned.made_by_cdf().is_some())
                || counts_by_cdf,
        });
        if let Some(returned) = &mut returned {
            returned.begin(self.group().last_rows() + 1);
        }
        let mut keys = HashSet::new();
        let mut rows = 0;
        loop {
            let next = self.group().last_rows() + 1;
            let progress = reader.read(&mut batch.builder, next)?;
            if writing.updates_once {
                check_once(&batch, progress.rows_read, &mut keys)?;
            }
            self.group().add_rows(progress.rows_read);
            rows += progress.rows_read;
            let is_full = batch.builder.is_full();
            if let Some(returned) = &mut returned {
                let batches = batch.builder.take();
                returned.keep(&batches)?;
                self.group().stage(batches);
            }
            if is_full {
                self.batch_is_full(&mut batch).await?;
            }
            if progress.finished {
                break;
            }
        }
        self.count_received(table, rows, writing.received_bytes);
        let completion = Completion {
            tag: writing.tag,
            rows,
            counted: writing.counted,
            returned,
            relayed: None,
            parts: 1,
        };
        self.rows_are_gathered(batch, writing.counted_as, started, completion)
            .await?;
        Ok(())
    }

    /// What the statement returns, if it asks for something.
    ///
    /// # Errors
    /// 0A000 for columns that only CDF's answer would tell, where the reply does not wait for it.
    pub(super) fn returned(
        &self,
        writing: &Writing<'_>,
    ) -> Result<Option<Box<Returned>>, Box<Diagnostic>> {
        let Some(returning) = writing.returning else {
            return Ok(None);
        };
        let returned = Returned::new(
            writing.table,
            self.numbered_returning(returning),
            writing.columns,
            &writing.action,
            writing.target.clone(),
            self.settings.time_zone().clone(),
        )?;
        if let Some(column) = returned.made_by_cdf() {
            self.check_answer_waits(writing.table, column)?;
        }
        Ok(Some(Box::new(returned)))
    }

    /// Whether the reply to a statement waits for CDF, which alone tells `column`.
    ///
    /// # Errors
    /// 0A000.
    pub(super) fn check_answer_waits(
        &self,
        table: &'static Table,
        column: &'static str,
    ) -> Result<(), Box<Diagnostic>> {
        let (why, hint) = if self.must_wait() {
            (
                "in a transaction block: its rows are sent at COMMIT",
                "Return columns that the statement gives values, write outside of BEGIN … COMMIT, or SET penstock.transaction = 'streaming'.",
            )
        } else if self.ack_of(table) == AckMode::Journaled {
            (
                "of rows that are journaled: they are answered before CDF has them",
                "SET penstock.ack = 'delivered', or return columns that the statement gives values.",
            )
        } else {
            return Ok(());
        };
        Err(Box::new(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("column \"{column}\" cannot be returned {why}"),
            )
            .with_hint(hint)
            .with_table(table.name)
            .with_column(column),
        ))
    }
}

/// 0A000: RAW overwrites what exists, unless somebody looks first.
fn does_not_read(table: &Table, what: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "ON CONFLICT {what} is not supported for \"{}\" as the gateway is configured",
                table.name
            ),
        )
        .with_detail(
            "RAW overwrites what exists, and tells nobody: each row would have to be read first.",
        )
        .with_hint(
            "Set statements.on_conflict_reads, leave ON CONFLICT out, or use DO UPDATE of all \
             columns of the table.",
        )
        .with_table(table.name),
    )
}

/// 54000 for a DELETE of more keys than the configuration allows.
pub(super) fn too_many(keys: u64, keys_max: u64) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("a DELETE of {keys} rows is more than {keys_max}"),
        )
        .with_hint("Delete in several statements, or raise statements.delete_rows_max."),
    )
}

/// Looks at the keys of the last `rows` rows. Keys are told apart by hashes of 64 bits: of a
/// million different ones two have the same in one of forty million statements.
fn check_once(
    batch: &OpenBatch,
    rows: u64,
    keys: &mut HashSet<u64>,
) -> Result<(), Box<Diagnostic>> {
    let hashes = match &batch.builder {
        AnyBuilder::Objects(builder) => builder.key_hashes(),
        AnyBuilder::RawColumns(builder) => builder.key_hashes(),
        AnyBuilder::Datapoints(_) | AnyBuilder::RawRows(_) => return Ok(()),
    };
    let first = hashes
        .len()
        .saturating_sub(usize::try_from(rows).unwrap_or(usize::MAX));
    for hash in &hashes[first..] {
        if *hash != 0 && !keys.insert(*hash) {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::CARDINALITY_VIOLATION,
                    "ON CONFLICT DO UPDATE command cannot affect row a second time",
                )
                .with_hint(
                    "Ensure that no rows proposed for insertion within the same command have \
                     duplicate constrained values.",
                ),
            ));
        }
    }
    Ok(())
}
