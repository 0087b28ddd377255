//! One process, one journal.
//!
//! Owns the lock on a journal's directory. Promises that it ends with the process, however that
//! ends. Never waits for another process.

use super::disk::make_directory;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The file that is locked.
const FILE: &str = "lock";

/// Why a directory is not ours.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another process uses it")]
    InUse,
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// Held as long as the journal is open.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Makes the directory if need be, and takes it.
    ///
    /// # Errors
    /// Another process has it, or it cannot be made.
    pub fn take(directory: &Path) -> Result<Self, LockError> {
        make_directory(directory)?;
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(directory.join(FILE))?;
        match file.try_lock() {
            Ok(()) => Ok(DirectoryLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}
