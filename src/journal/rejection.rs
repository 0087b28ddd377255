//! Rejected rows on their way to whoever keeps them.
//!
//! Owns the hand-over. Promises that the rows stay in memory and in the journal until they are
//! kept. Never decides what is rejected.

use super::record_in_flight::RecordName;
use crate::diagnostic::Diagnostic;
use crate::pipeline::{RejectedFate, RejectedRows, Rejection, Submission};
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Rows of one record that share a reason.
#[derive(Debug)]
pub struct PendingRejection {
    pub record: Arc<RecordName>,
    pub submission: Arc<Submission>,
    /// Rows of the submission's batch.
    pub rows: Vec<Range<usize>>,
    pub fate: RejectedFate,
    pub reason: Box<Diagnostic>,
}

impl PendingRejection {
    /// Hands the rows over; returns how many there were.
    ///
    /// # Errors
    /// They are not kept.
    pub fn keep(&self, keeper: &dyn RejectedRows) -> io::Result<u64> {
        let identity = &self.submission.identity;
        keeper.keep(&Rejection {
            record: self.record.record,
            user: &self.record.user,
            identity: &identity.name,
            project: &identity.project,
            table: self.record.table,
            batch: &self.submission.batch,
            rows: &self.rows,
            fate: self.fate,
            reason: &self.reason,
            acknowledged_at: time(self.record.appended_ms),
        })?;
        Ok(self.rows.iter().map(|rows| rows.len() as u64).sum())
    }
}

/// The time of a record.
pub fn time(appended_ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(appended_ms).unwrap_or(0))
}
