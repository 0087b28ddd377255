//! The file of the store: where it is, who may read it, and its shape.
//!
//! Owns opening the file and bringing its schema up to date, step by step. Promises mode 0600,
//! that a commit is on the disk when it returns, and that a file of a newer version is left
//! alone. Never changes a letter.

use super::StoreError;
use rusqlite::Connection;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// The file in the directory of the store.
const FILE: &str = "dead-letters.sqlite";

/// How long a process waits for another one that writes, such as a purge by hand.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// What brings the schema from version i to i + 1. Steps that were released never change.
const STEPS: [&str; 1] = ["
    CREATE TABLE letters (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        time_ms INTEGER NOT NULL,
        state TEXT NOT NULL,
        source TEXT NOT NULL,
        base_url TEXT NOT NULL,
        project TEXT NOT NULL,
        user_name TEXT NOT NULL,
        identity TEXT NOT NULL,
        table_name TEXT NOT NULL,
        resource TEXT NOT NULL,
        row_key TEXT,
        column_names TEXT NOT NULL,
        column_values TEXT NOT NULL,
        sqlstate TEXT NOT NULL,
        message TEXT NOT NULL,
        detail TEXT,
        column_name TEXT,
        cdf_code INTEGER,
        request_id TEXT,
        line INTEGER,
        row_number INTEGER,
        time_zone TEXT NOT NULL,
        date_order TEXT NOT NULL,
        replays INTEGER NOT NULL DEFAULT 0,
        replayed_ms INTEGER,
        acknowledged_ms INTEGER,
        journal_row TEXT UNIQUE,
        bytes INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX letters_by_state ON letters (state, id);
    CREATE INDEX letters_by_time ON letters (time_ms);
"];

/// Opens the store in `directory`, makes what is missing, and brings it up to date.
///
/// # Errors
/// The directory or the file cannot be made or read, is damaged, or is of a newer version.
pub fn open(directory: &Path) -> Result<Connection, StoreError> {
    let path = directory.join(FILE);
    let failed = |error: io::Error| StoreError::Failed(format!("{}: {error}", path.display()));
    if !directory.is_dir() {
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
        .open(&path)
        .map_err(failed)?;
    prepare(&path).map_err(|error| match error {
        StoreError::Failed(fault) => StoreError::Failed(format!("{}: {fault}", path.display())),
        other => other,
    })
}

/// Opens a store that is there already.
///
/// # Errors
/// As [`open`]; refused when there is none.
pub fn open_existing(directory: &Path) -> Result<Connection, StoreError> {
    let path = directory.join(FILE);
    if !path.is_file() {
        return Err(StoreError::Refused(format!(
            "there are no dead letters in {}",
            directory.display()
        )));
    }
    open(directory)
}

fn prepare(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    // Before the first table: so that room is given back to the disk after a purge.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if !mode.eq_ignore_ascii_case("wal") {
        return Err(StoreError::Failed(format!(
            "the file system does not allow SQLite's write-ahead log, journal_mode is {mode}"
        )));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let version: usize = connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?
        .try_into()
        .unwrap_or(usize::MAX);
    if version > STEPS.len() {
        return Err(StoreError::Failed(format!(
            "the file is of version {version}, and this version of Penstock knows {}",
            STEPS.len()
        )));
    }
    for (index, step) in STEPS.iter().enumerate().skip(version) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
