//! Files of SQLite: how they are opened, and how their schema comes up to date.
//!
//! Owns the settings that every file of the gateway has. Promises mode 0600, that a commit is on
//! the disk when it returns, that migrations only go forward, and that a file of a newer version
//! is left alone. Never knows a table.

use rusqlite::{Connection, TransactionBehavior};
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// How long a process waits for another one that writes, such as a command of an operator.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Why a file is not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenFault {
    /// SQLite says so.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The file system says so, or the file is not ours to open.
    #[error("{0}")]
    Unusable(String),
}

/// Opens the file at `path`, makes it and its directory where they are missing, and runs those
/// of `steps` that it has not seen. Step i brings the schema from version i to i + 1; a step that
/// was released never changes.
///
/// # Errors
/// The file cannot be made or read, is damaged, or is of a newer version.
pub fn open(path: &Path, steps: &[&str]) -> Result<Connection, OpenFault> {
    let failed = |error: io::Error| OpenFault::Unusable(error.to_string());
    if let Some(directory) = path.parent()
        && !directory.as_os_str().is_empty()
        && !directory.is_dir()
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
    }
    // SQLite gives its side files the mode of this one.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    // Before the first table: so that room can be given back to the disk.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(OpenFault::Unusable(format!(
            "the file system does not allow SQLite's write-ahead log, journal_mode is {mode}"
        )));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection, steps)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), OpenFault> {
    // Who is up to date does not wait for those who write.
    while version(connection, steps)? < steps.len() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been first.
        let version = version(&transaction, steps)?;
        if let Some(step) = steps.get(version) {
            transaction.execute_batch(step)?;
            transaction.pragma_update(None, "user_version", version as i64 + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

fn version(connection: &Connection, steps: &[&str]) -> Result<usize, OpenFault> {
    let version: usize = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?
        .try_into()
        .unwrap_or(usize::MAX);
    if version > steps.len() {
        return Err(OpenFault::Unusable(format!(
            "the file is of version {version}, and this version of Penstock knows {}",
            steps.len()
        )));
    }
    Ok(version)
}
