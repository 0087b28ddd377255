//! The file of the store: where it is, who may read it, and its shape.
//!
//! Owns the name of the file and the steps of its schema. Promises what every file of SQLite has
//! here: mode 0600, and commits that are on the disk. Never changes a letter.

use super::StoreError;
use crate::sqlite::{self, OpenFault};
use rusqlite::Connection;
use std::path::Path;

/// The file in the directory of the store.
const FILE: &str = "dead-letters.sqlite";

/// What brings the schema from version i to i + 1. Steps that were released never change.
const STEPS: [&str; 2] = [
    "
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
",
    "
    ALTER TABLE letters ADD COLUMN action TEXT NOT NULL DEFAULT 'insert';
",
];

/// Opens the store in `directory`, makes what is missing, and brings it up to date.
///
/// # Errors
/// The directory or the file cannot be made or read, is damaged, or is of a newer version.
pub fn open(directory: &Path) -> Result<Connection, StoreError> {
    let path = directory.join(FILE);
    sqlite::open(&path, &STEPS).map_err(|fault| {
        let in_file = |fault: String| format!("{}: {fault}", path.display());
        match fault {
            OpenFault::Unusable(fault) => StoreError::Failed(in_file(fault)),
            OpenFault::Sqlite(error) => match StoreError::from(error) {
                StoreError::Failed(fault) => StoreError::Failed(in_file(fault)),
                other => other,
            },
        }
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
