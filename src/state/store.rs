//! The state store: one file of SQLite.
//!
//! Owns the file and its statements. Promises that a user's tables have different names and a
//! bounded number, and that what is listed is ordered by name. Blocks: only commands and the
//! watch call it.

use super::StateError;
use crate::catalog::Definition;
use crate::sqlite;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};

/// Custom tables of one user, at most.
pub const TABLES_MAX_PER_USER: i64 = 1000;

/// What brings the schema from version i to i + 1. Steps that were released never change.
const STEPS: [&str; 1] = ["
    CREATE TABLE custom_tables (
        user_name TEXT NOT NULL,
        name TEXT NOT NULL,
        definition TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        PRIMARY KEY (user_name, name)
    ) STRICT;
"];

/// A table as it is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTable {
    pub user: String,
    pub definition: Definition,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: i64,
}

/// The open store.
#[derive(Debug)]
pub struct StateStore {
    connection: Connection,
    path: PathBuf,
}

impl StateStore {
    /// Opens the store at `path`, or makes it.
    ///
    /// # Errors
    /// It cannot be opened or made.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        match sqlite::open(path, &STEPS) {
            Ok(connection) => Ok(StateStore {
                connection,
                path: path.to_owned(),
            }),
            Err(fault) => Err(StateError::Failed {
                path: path.display().to_string(),
                fault: fault.to_string(),
            }),
        }
    }

    fn failed(&self, fault: impl ToString) -> StateError {
        StateError::Failed {
            path: self.path.display().to_string(),
            fault: fault.to_string(),
        }
    }

    /// Changes when another connection has changed the store.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn version(&self) -> Result<i64, StateError> {
        self.connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| self.failed(error))
    }

    /// Every table of every user, or of one.
    ///
    /// # Errors
    /// The file cannot be read, or a definition is not as it was written.
    pub fn tables(&self, user: Option<&str>) -> Result<Vec<StoredTable>, StateError> {
        let mut statement = self
            .connection
            .prepare(
                "SELECT user_name, definition, created_ms FROM custom_tables \
                 WHERE ?1 IS NULL OR user_name = ?1 ORDER BY user_name, name",
            )
            .map_err(|error| self.failed(error))?;
        let rows = statement
            .query_map(params![user], columns)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| self.failed(error))?;
        rows.into_iter().map(|row| self.stored(row)).collect()
    }

    /// One table of a user.
    ///
    /// # Errors
    /// As [`Self::tables`].
    pub fn table(&self, user: &str, name: &str) -> Result<Option<StoredTable>, StateError> {
        let row = self
            .connection
            .query_row(
                "SELECT user_name, definition, created_ms FROM custom_tables \
                 WHERE user_name = ?1 AND name = ?2",
                params![user, name],
                columns,
            )
            .optional()
            .map_err(|error| self.failed(error))?;
        row.map(|row| self.stored(row)).transpose()
    }

    fn stored(&self, row: (String, String, i64)) -> Result<StoredTable, StateError> {
        let (user, definition, created_ms) = row;
        let json = serde_json::from_str(&definition).map_err(|error| self.failed(error))?;
        Ok(StoredTable {
            user,
            definition: Definition::from_json(&json).map_err(|fault| self.failed(fault))?,
            created_ms,
        })
    }

    /// Adds tables of a user, all or none.
    ///
    /// # Errors
    /// Refused when a name is taken or the user would have too many; as [`Self::tables`].
    pub fn create(
        &mut self,
        user: &str,
        definitions: &[Definition],
        now: Timestamp,
    ) -> Result<(), StateError> {
        let path = self.path.display().to_string();
        let failed = |error: rusqlite::Error| StateError::Failed {
            path: path.clone(),
            fault: error.to_string(),
        };
        let transaction = self.connection.transaction().map_err(failed)?;
        for definition in definitions {
            let added = transaction
                .execute(
                    "INSERT INTO custom_tables (user_name, name, definition, created_ms) \
                     VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    params![
                        user,
                        definition.name,
                        definition.to_json().to_string(),
                        now.as_millisecond()
                    ],
                )
                .map_err(failed)?;
            if added == 0 {
                return Err(StateError::Refused(format!(
                    "the user \"{user}\" has a table \"{}\" already",
                    definition.name
                )));
            }
        }
        let count: i64 = transaction
            .query_row(
                "SELECT count(*) FROM custom_tables WHERE user_name = ?1",
                params![user],
                |row| row.get(0),
            )
            .map_err(failed)?;
        if count > TABLES_MAX_PER_USER {
            return Err(StateError::Refused(format!(
                "the user \"{user}\" would have {count} custom tables: there are up to {TABLES_MAX_PER_USER}"
            )));
        }
        transaction.commit().map_err(failed)
    }

    /// Takes a table away; `false`: there was none of that name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn delete(&self, user: &str, name: &str) -> Result<bool, StateError> {
        self.connection
            .execute(
                "DELETE FROM custom_tables WHERE user_name = ?1 AND name = ?2",
                params![user, name],
            )
            .map(|deleted| deleted > 0)
            .map_err(|error| self.failed(error))
    }
}

fn columns(row: &Row<'_>) -> rusqlite::Result<(String, String, i64)> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(name: &str) -> Definition {
        Definition::from_json(&json!({
            "type": "raw_rows", "tablename": name,
            "options": {"database": "d", "table": "t", "primaryKey": "k"},
            "columns": {"k": {"type": "TEXT"}}
        }))
        .expect("sound")
    }

    fn path(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("penstock-state-{}", std::process::id()));
        directory.join(name).join("state.sqlite")
    }

    #[test]
    fn what_was_made_is_there_after_opening_again_and_another_connection_sees_it() {
        let path = path("again");
        let reader = StateStore::open(&path).expect("opens");
        let before = reader.version().expect("readable");
        let mut writer = StateStore::open(&path).expect("opens twice");
        let now = Timestamp::from_millisecond(1_767_323_045_060).expect("in range");
        writer
            .create("u", &[definition("a"), definition("b")], now)
            .expect("made");
        assert_ne!(reader.version().expect("readable"), before);
        drop(writer);
        let names = |tables: Vec<StoredTable>| {
            let names = tables.into_iter().map(|table| table.definition.name);
            names.collect::<Vec<String>>()
        };
        assert_eq!(
            names(reader.tables(Some("u")).expect("readable")),
            ["a", "b"]
        );
        assert!(reader.tables(Some("v")).expect("readable").is_empty());
        let one = reader.table("u", "a").expect("readable").expect("there");
        assert_eq!(one.created_ms, 1_767_323_045_060);
        assert!(reader.delete("u", "a").expect("deletes"));
        assert!(!reader.delete("u", "a").expect("deletes"));
        assert_eq!(names(reader.tables(None).expect("readable")), ["b"]);
        std::fs::remove_dir_all(path.parent().expect("a directory")).expect("removable");
    }

    #[test]
    fn of_tables_that_are_made_together_all_or_none_are() {
        let path = path("together");
        let mut store = StateStore::open(&path).expect("opens");
        let now = Timestamp::UNIX_EPOCH;
        store.create("u", &[definition("a")], now).expect("made");
        let refused = store.create("u", &[definition("b"), definition("a")], now);
        let refused = refused.expect_err("a is there").to_string();
        assert_eq!(refused, "the user \"u\" has a table \"a\" already");
        assert_eq!(store.tables(None).expect("readable").len(), 1);
        store
            .create("v", &[definition("a")], now)
            .expect("another user's");
        std::fs::remove_dir_all(path.parent().expect("a directory")).expect("removable");
    }
}
