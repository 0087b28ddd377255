//! Where rows end that were acknowledged and can never be in CDF.
//!
//! Owns the contract between the journal and whatever keeps such rows for an operator. Promises
//! that the rows come with everything that a person needs to judge and to send them again.
//! Never says how they are kept.

use crate::catalog::Table;
use crate::cdf::Project;
use crate::diagnostic::Diagnostic;
use crate::rows::RowBatch;
use std::io;
use std::ops::Range;
use std::time::SystemTime;

/// What is known of a rejected row's fate in CDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectedFate {
    /// CDF refused it: it is not there.
    Refused,
    /// It was sent and nobody knows. To send it again could make it twice.
    Unknown,
}

/// Some rows of one acknowledged batch, and why they are not in CDF.
#[derive(Clone, Debug)]
pub struct Rejection<'a> {
    /// Number of the journal's record that held the rows. With the index of a row it names the
    /// row for good: the same row may be handed over again after a crash.
    pub record: u64,
    /// The gateway's user whose statement it was.
    pub user: &'a str,
    /// Name of the CDF principal that the rows were sent as.
    pub identity: &'a str,
    pub project: &'a Project,
    pub table: &'static Table,
    pub batch: &'a RowBatch,
    /// Which rows of `batch`, ascending and disjoint. `batch.row_number(index)` is the number
    /// that a row had in its statement, from 1.
    pub rows: &'a [Range<usize>],
    pub fate: RejectedFate,
    /// SQLSTATE, message, and in DETAIL CDF's own words with its request id.
    pub reason: &'a Diagnostic,
    /// When the client was told that the rows are safe.
    pub acknowledged_at: SystemTime,
}

/// Keeps rejected rows.
pub trait RejectedRows: Send + Sync + 'static {
    /// Keeps them for good. May block: it is called from a thread of the journal, never from
    /// one that serves clients or talks to CDF.
    ///
    /// # Errors
    /// They are not kept. The journal keeps their record and tries again.
    fn keep(&self, rejection: &Rejection<'_>) -> io::Result<()>;
}
