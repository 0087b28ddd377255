//! The gateway's own state as rows, for statements that read schema `penstock`.
//!
//! Owns the way from what the gateway knows of itself to lines of a COPY: `connections`, `budgets`,
//! `queues` and `dead_letters` each know one relation, `rows` the lines. Promises a look made for the
//! statement that asks, and that a user sees what is theirs: no row, text or name of another's. Never
//! keeps what it has shown, and takes no lock that a row on its way would wait for.

mod budgets;
mod connections;
mod dead_letters;
mod queues;
mod rows;

use super::session::Session;
use crate::catalog::{GatewayState, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::Intake;
use crate::scan::Condition;
use bytes::Bytes;
use dead_letters::LetterPages;
use rows::StateWriter;

/// Rows of one relation, as they are fetched.
pub(super) struct StateRows {
    writer: StateWriter,
    /// `None`: all that there is was written.
    pages: Option<LetterPages>,
}

impl Session {
    /// What `table` shows now to the session's user. Rows that do not meet the conditions may be left
    /// out; more than `rows_max` are a fault.
    ///
    /// # Errors
    /// 53400 for too many rows, 55000 where nothing of the kind is kept, 58000 where a part of the
    /// gateway does not answer.
    pub(super) async fn state_rows(
        &self,
        (table, state): (&'static Table, GatewayState),
        conditions: &[Condition],
        rows_max: u64,
    ) -> Result<StateRows, Box<Diagnostic>> {
        let mut writer = StateWriter::new(table, rows_max);
        let mut pages = None;
        let identity = &self.delivery.identity;
        match state {
            GatewayState::Connections => {
                let activities = &self.gateway.activities;
                let asking = (self.user.name.as_str(), self.process_id);
                connections::write(&mut writer, activities, asking, &self.namespace)?;
            }
            GatewayState::Budgets => {
                budgets::write(&mut writer, &self.intake()?.pacing(), identity)?;
            }
            GatewayState::Queues => {
                let journal = self.delivery.destination.journal();
                queues::write(&mut writer, self.intake()?, journal, identity).await?;
            }
            GatewayState::DeadLetters => {
                let store = self.gateway.settings.dead_letters.as_ref();
                let whose = (self.user.name.as_str(), &identity.project);
                pages = Some(LetterPages::new(store, whose, table, conditions)?);
            }
        }
        Ok(StateRows { writer, pages })
    }

    /// The way to CDF, which is looked at.
    fn intake(&self) -> Result<&Intake, Box<Diagnostic>> {
        let intake = self.delivery.destination.intake();
        intake.ok_or_else(|| {
            Box::new(Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                "the way of rows to CDF cannot be looked at here",
            ))
        })
    }
}

impl StateRows {
    /// The next lines; `None`: there are no more.
    ///
    /// # Errors
    /// 53400 for too many rows, 58030 where they cannot be read.
    pub(super) async fn next_chunk(&mut self) -> Result<Option<Bytes>, Box<Diagnostic>> {
        if let Some(pages) = &mut self.pages
            && !pages.write_next(&mut self.writer).await?
        {
            self.pages = None;
        }
        let text = self.writer.take();
        Ok((!text.is_empty()).then(|| text.into()))
    }
}
