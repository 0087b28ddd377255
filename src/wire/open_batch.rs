//! The builder that rows go into now, and how its batches leave.
//!
//! Owns the way of finished rows from a builder into their group: outside a transaction block
//! they are sent as soon as a batch is full, inside they are staged until COMMIT. Never mixes
//! rows of two runs.

use super::group::{Group, RunShape};
use super::reply::put_diagnostic;
use super::session::{Failure, Session};
use super::transaction::Transaction;
use crate::catalog::{self, Table};
use crate::config::AckMode;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::value::ValueSettings;
use crate::rows::{AnyBuilder, BatchBounds, RowBuilder};
use jiff::Timestamp;

/// A builder with the run that its rows belong to.
#[derive(Debug)]
pub(super) struct OpenBatch {
    pub(super) builder: AnyBuilder,
    /// Number of the statement in its group.
    pub(super) statement: usize,
    /// The settings that its rows are read by.
    settings: ValueSettings,
}

impl Session {
    /// The group that rows belong to now.
    pub(super) fn group(&mut self) -> &mut Group {
        match &mut self.transaction {
            Transaction::Open(block) if !block.is_streaming => &mut block.group,
            _ => &mut self.implicit,
        }
    }

    /// Starts a statement that writes rows. The batch is put back when the statement has ended
    /// well; a statement that fails takes the rows in it along.
    pub(super) fn begin_rows(&mut self, shape: RunShape<'_>) -> OpenBatch {
        if !self.group().continues(shape) {
            self.stage_open_batch();
            self.notice_of_gone_columns(shape);
        }
        let statement = self.group().begin_statement(shape);
        match self.open_batch.take() {
            Some(mut batch) => {
                batch.statement = statement;
                batch
            }
            None => {
                let settings = self.value_settings();
                let bounds = BatchBounds {
                    rows: self.gateway.settings.copy.batch_rows,
                    bytes: self.gateway.settings.copy.batch_bytes,
                };
                let RunShape {
                    table,
                    columns,
                    action,
                    ..
                } = shape;
                let mut builder =
                    AnyBuilder::doing(table, action.clone(), columns, settings.clone(), bounds);
                if self.ignores_read_only(table) {
                    builder.ignore_read_only();
                }
                OpenBatch {
                    builder,
                    statement,
                    settings,
                }
            }
        }
    }

    /// Tells once a run that values for columns that CDF takes no more are dropped.
    fn notice_of_gone_columns(&mut self, shape: RunShape<'_>) {
        let columns = shape
            .columns
            .iter()
            .map(|index| &shape.table.columns[*index]);
        for column in columns.filter(|column| column.field.is_empty()) {
            let notice = Diagnostic::notice(
                SqlState::SUCCESSFUL_COMPLETION,
                format!(
                    "values for column \"{}\" are ignored: CDF takes none",
                    column.name
                ),
            );
            put_diagnostic(&mut self.replies, self.encoding, &notice);
        }
    }

    /// When rows of `table` are acknowledged now.
    pub(super) fn ack_of(&self, table: &'static Table) -> AckMode {
        self.ack.unwrap_or_else(|| {
            self.delivery
                .destination
                .journal()
                .map_or(AckMode::Delivered, |journal| {
                    journal.settings().ack_of(catalog::today(table))
                })
        })
    }

    /// Whether rows of `table` can be acknowledged as they are to be.
    ///
    /// # Errors
    /// 55000 without a journal, 0A000 for a user whose credentials are not kept.
    pub(super) fn check_ack(&self, table: &'static Table) -> Result<(), Box<Diagnostic>> {
        if self.ack_of(table) == AckMode::Delivered {
            return Ok(());
        }
        if self.delivery.destination.journal().is_none() {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    "penstock.ack is journaled, and this gateway has no journal",
                )
                .with_hint("Set [journal] directory, or SET penstock.ack = 'delivered'."),
            ));
        }
        if !self.user.identity.credentials.outlive_the_session() {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "rows of a user whose credentials the gateway does not keep cannot be journaled",
                )
                .with_hint("SET penstock.ack = 'delivered'."),
            ));
        }
        Ok(())
    }

    pub(super) fn value_settings(&mut self) -> ValueSettings {
        ValueSettings {
            time_zone: self.settings.time_zone().clone(),
            date_order: self.settings.date_order(),
            started: self.transaction_started(),
        }
    }

    /// Rows after a SET are read by other settings than those before it.
    pub(super) fn end_batch_of_other_settings(&mut self) {
        let Some(batch) = &self.open_batch else {
            return;
        };
        let (time_zone, date_order) = (batch.settings.time_zone.clone(), batch.settings.date_order);
        let now = self.value_settings();
        if now.time_zone != time_zone || now.date_order != date_order {
            self.stage_open_batch();
        }
    }

    /// When the transaction began, implicit or not: what `now` means in it.
    pub(super) fn transaction_started(&mut self) -> Timestamp {
        *self.started.get_or_insert_with(Timestamp::now)
    }

    /// Moves finished rows from the open batch into the group. The run goes on with a new one.
    pub(super) fn stage_open_batch(&mut self) {
        if let Some(mut batch) = self.open_batch.take()
            && batch.builder.rows() > 0
        {
            let batches = batch.builder.take();
            self.group().stage(batches);
        }
    }

    /// The open batch is full: sends it, or keeps it for COMMIT.
    ///
    /// # Errors
    /// Rows that were sent before have failed; the client cancelled; 53400 past the bounds of
    /// a transaction.
    pub(super) async fn batch_is_full(&mut self, batch: &mut OpenBatch) -> Result<(), Failure> {
        let batches = batch.builder.take();
        self.group().stage(batches);
        if self.must_wait() {
            return self.hold().await.map_err(Failure::from);
        }
        if self.may_gather().await {
            return Ok(());
        }
        self.send_gathered().await
    }
}
