//! The way that rows take from a connection: into the pipeline, or into the journal before it.
//!
//! Owns the choice for rows that are acknowledged when CDF has them: they go straight into the
//! pipeline unless rows of the journal must go before them. Promises one order for both kinds.
//! Without a journal it is the pipeline and nothing else.

use super::Journal;
use crate::catalog::Resource;
use crate::cdf::Identity;
use crate::pipeline::{Intake, Submission};
use std::sync::Arc;

/// Pipeline and journal as one.
pub struct WritePath {
    intake: Intake,
    journal: Option<Journal>,
}

impl WritePath {
    pub fn new(intake: Intake, journal: Option<Journal>) -> Self {
        WritePath { intake, journal }
    }

    /// The way into the pipeline.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Takes rows whose statement waits for CDF.
    pub fn submit(&self, resource: Resource, submission: Submission) {
        match &self.journal {
            Some(journal) => journal.submit(resource, submission),
            None => self.intake.submit(resource, submission),
        }
    }

    /// A statement of this identity waits for what it has in `resource`.
    pub fn ticket_waits(&self, identity: &Arc<Identity>, resource: Resource, connection: u64) {
        self.intake.ticket_waits(identity, resource, connection);
    }

    /// A statement of this identity was broken off.
    pub fn cancelled(&self, identity: &Identity, resource: Resource) {
        if let Some(journal) = &self.journal {
            journal.drop_cancelled(identity, resource);
        }
        self.intake.cancelled(identity, resource);
    }
}
