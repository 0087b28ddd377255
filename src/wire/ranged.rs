//! UPDATE and DELETE of points and of sequence rows: reading their rows into batches.
//!
//! Owns what such a statement wants to know of its rows. Promises that it names no more rows than
//! the configuration lets a DELETE name. Never answers that they are written.

use super::completion::Counted;
use super::group::RunKind;
use super::returned::ResultTarget;
use super::session::{Failure, Session};
use super::write::{Writing, too_many};
use crate::rows::Action;
use crate::sql::{Bindings, ChangeKind, RangedChange};
use crate::telemetry::StatementKind;

impl Session {
    /// Gathers the rows of an UPDATE or a DELETE by series and time, or by sequence and number.
    pub(super) async fn change_ranged(
        &mut self,
        change: &RangedChange,
        bindings: &Bindings,
        received_bytes: u64,
        target: ResultTarget,
    ) -> Result<(), Failure> {
        let deletes = change.kind() == ChangeKind::Delete;
        let (kind, tag, counted_as, action) = match deletes {
            false => (
                RunKind::Update,
                "UPDATE",
                StatementKind::Update,
                Action::Update,
            ),
            true => (
                RunKind::Delete,
                "DELETE",
                StatementKind::Delete,
                Action::Delete,
            ),
        };
        self.check_writable(tag)?;
        let reader = change.reader(bindings, self.value_settings())?;
        let delete_rows_max = self.gateway.settings.statements.delete_rows_max;
        let rows = reader.rows() as u64;
        if deletes && rows > delete_rows_max {
            return Err(too_many(rows, delete_rows_max).into());
        }
        let counts = deletes && self.counts_exactly(change.table());
        let writing = Writing {
            kind,
            tag,
            counted_as,
            table: change.table(),
            columns: change.columns(),
            action,
            returning: change.returning(),
            target,
            counted: match counts {
                true => Counted::ByCdf,
                false => Counted::Rows,
            },
            updates_once: false,
            received_bytes,
        };
        self.write(writing, reader).await
    }
}
