//! Why rows cannot be put on disk, or cannot be had back.
//!
//! Owns the errors of a spool by what to do about them, and their SQLSTATEs. Promises that each
//! names its cause. Never says how many rows there are: the transaction knows.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::journal::disk::is_full;
use std::io;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// One transaction would have more on disk than it may. It has to be smaller.
    #[error("a transaction cannot have more than {bytes_max} bytes of rows on disk until COMMIT")]
    TooMuch { bytes_max: u64 },
    /// All transactions together would. Others have to end first.
    #[error(
        "all transactions together cannot have more than {bytes_max} bytes of rows on disk until \
         COMMIT"
    )]
    TooMuchTogether { bytes_max: u64 },
    /// The disk has no room: an operator has to make some.
    #[error("the disk of the spool files is full: {0}")]
    DiskFull(io::Error),
    /// The disk fails, or its directory is gone.
    #[error("a spool file cannot be written or read: {0}")]
    Disk(io::Error),
    /// What was read is not what was written.
    #[error("rows on disk are not as they were written: {0}")]
    Damaged(String),
}

impl From<io::Error> for SpoolError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) {
            SpoolError::DiskFull(error)
        } else {
            SpoolError::Disk(error)
        }
    }
}

impl From<SpoolError> for Box<Diagnostic> {
    /// What a client is told.
    fn from(error: SpoolError) -> Self {
        let (sqlstate, hint) = match error {
            SpoolError::TooMuch { .. } => (
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                "Commit more often, SET penstock.transaction = 'streaming' before the transaction, \
                 or raise transactions.spool_bytes_max.",
            ),
            SpoolError::TooMuchTogether { .. } => (
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                "Try again when other transactions have ended, commit more often, or raise \
                 transactions.spool_bytes_max_total.",
            ),
            SpoolError::DiskFull(_) => (
                SqlState::DISK_FULL,
                "Make room on the disk of transactions.spool_directory, or commit more often.",
            ),
            SpoolError::Disk(_) => (
                SqlState::IO_ERROR,
                "Look at the disk of transactions.spool_directory.",
            ),
            SpoolError::Damaged(_) => (
                SqlState::DATA_CORRUPTED,
                "Look at the disk of transactions.spool_directory.",
            ),
        };
        Box::new(Diagnostic::error(sqlstate, error.to_string()).with_hint(hint))
    }
}
