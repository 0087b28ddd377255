//! The databases, tables and rows of a project.
//!
//! Owns their locks: one over the names, one per table. Rows stay in the order of their
//! keys, so that a page can go on from the last key whatever is written in between.

use super::super::answer::Refusal;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A row without its key.
#[derive(Debug)]
pub struct Row {
    /// The JSON object as it was sent.
    pub columns: Box<RawValue>,
    pub last_updated_ms: i64,
}

/// The rows of one table.
#[derive(Debug, Default)]
pub struct Table {
    rows: RwLock<BTreeMap<String, Row>>,
}

impl Table {
    /// The rows in the order of their keys.
    pub fn rows(&self) -> RwLockReadGuard<'_, BTreeMap<String, Row>> {
        // Rows are replaced as a whole: a panic leaves none half written.
        self.rows.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Row>> {
        self.rows.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores rows; the columns of a known key are replaced as a whole. Identical columns
    /// leave the time of the last update alone.
    pub fn upsert(&self, rows: impl Iterator<Item = (String, Box<RawValue>)>, now_ms: i64) {
        let mut stored = self.rows_mut();
        for (key, columns) in rows {
            let unchanged = stored
                .get(&key)
                .is_some_and(|row| same_json(row.columns.get(), columns.get()));
            if !unchanged {
                stored.insert(
                    key,
                    Row {
                        columns,
                        last_updated_ms: now_ms,
                    },
                );
            }
        }
    }

    /// Removes rows; unknown keys are ignored.
    pub fn remove(&self, keys: impl Iterator<Item = String>) {
        let mut stored = self.rows_mut();
        for key in keys {
            stored.remove(&key);
        }
    }
}

/// Whether two JSON texts say the same, whatever their blanks and the order of their names.
fn same_json(a: &str, b: &str) -> bool {
    a == b
        || matches!(
            (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)),
            (Ok(a), Ok(b)) if a == b
        )
}

type Tables = BTreeMap<String, Arc<Table>>;

/// The databases of one project.
#[derive(Debug, Default)]
pub struct RawStore {
    databases: RwLock<BTreeMap<String, Tables>>,
}

impl RawStore {
    /// The databases and their tables, in the order of their names.
    pub fn databases(&self) -> RwLockReadGuard<'_, BTreeMap<String, Tables>> {
        // Checks come before changes, and a change does not panic half way.
        self.databases
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn databases_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Tables>> {
        self.databases
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A table; an unknown database or table is a 404.
    pub fn table(&self, database: &str, table: &str) -> Result<Arc<Table>, Refusal> {
        let databases = self.databases();
        let tables = databases
            .get(database)
            .ok_or_else(|| not_found("databases", database))?;
        tables
            .get(table)
            .cloned()
            .ok_or_else(|| not_found("tables", table))
    }

    /// A table; database and table are made when they are not there.
    pub fn ensure_table(&self, database: &str, table: &str) -> Arc<Table> {
        if let Ok(known) = self.table(database, table) {
            return known;
        }
        let mut databases = self.databases_mut();
        let tables = databases.entry(database.to_owned()).or_default();
        Arc::clone(tables.entry(table.to_owned()).or_default())
    }
}

/// The 404 of RAW, in CDF's words.
pub fn not_found(what: &str, name: &str) -> Refusal {
    Refusal::NotFound {
        message: format!("Following {what} not found: {name}"),
        missing: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }

    #[test]
    fn the_same_columns_keep_the_time_of_their_first_write() {
        let table = Table::default();
        let write =
            |text, now_ms| table.upsert([("k".to_owned(), columns(text))].into_iter(), now_ms);
        let written_at = || table.rows().get("k").map(|row| row.last_updated_ms);
        write(r#"{"a":1,"b":2}"#, 10);
        write(r#"{ "b": 2, "a": 1 }"#, 20);
        assert_eq!(written_at(), Some(10));
        write(r#"{"a":1}"#, 30);
        assert_eq!(written_at(), Some(30));
    }
}
