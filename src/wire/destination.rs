//! Where a connection hands its batches to.
//!
//! Owns the contract between a connection and the pipeline. Promises that handing over never
//! waits: back-pressure is the memory permit, which the batch already holds. Never answers:
//! verdicts come by the ticket.

use crate::catalog::Resource;
use crate::cdf::Identity;
use crate::journal::{Journal, WritePath};
use crate::pipeline::{Intake, Submission};
use std::sync::Arc;

/// The pipeline, as connections see it.
pub trait Destination: Send + Sync + 'static {
    /// Takes a batch. Batches of one connection and resource keep their order.
    fn submit(&self, resource: Resource, submission: Submission);

    /// Somebody waits for what was submitted for `identity`: do not linger.
    fn ticket_waits(&self, identity: &Arc<Identity>, resource: Resource, connection: u64);

    /// A statement of `identity` was broken off and its tickets aborted: give up what of it
    /// still waits.
    fn cancelled(&self, identity: &Identity, resource: Resource);

    /// What is on its way to CDF, where that can be looked at.
    fn intake(&self) -> Option<&Intake> {
        None
    }

    /// Where rows are written down, if there is a journal.
    fn journal(&self) -> Option<&Journal> {
        None
    }
}

impl Destination for WritePath {
    fn submit(&self, resource: Resource, submission: Submission) {
        WritePath::submit(self, resource, submission);
    }

    fn ticket_waits(&self, identity: &Arc<Identity>, resource: Resource, connection: u64) {
        WritePath::ticket_waits(self, identity, resource, connection);
    }

    fn cancelled(&self, identity: &Identity, resource: Resource) {
        WritePath::cancelled(self, identity, resource);
    }

    fn intake(&self) -> Option<&Intake> {
        Some(WritePath::intake(self))
    }

    fn journal(&self) -> Option<&Journal> {
        WritePath::journal(self)
    }
}

impl Destination for Intake {
    fn submit(&self, resource: Resource, submission: Submission) {
        Intake::submit(self, resource, submission);
    }

    fn ticket_waits(&self, identity: &Arc<Identity>, resource: Resource, connection: u64) {
        Intake::ticket_waits(self, identity, resource, connection);
    }

    fn cancelled(&self, identity: &Identity, resource: Resource) {
        Intake::cancelled(self, identity, resource);
    }

    fn intake(&self) -> Option<&Intake> {
        Some(self)
    }
}
