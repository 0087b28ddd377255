//! The database behind the state store: an embedded SQLite, or a PostgreSQL.
//!
//! Owns the connection and the bringing of the schema up to date. Promises one way of asking for
//! both: the same statements, with `$1` and so on in the order in which they first appear, and that
//! what was changed in [`Database::change`] is there as a whole or not at all. Blocks.

use super::postgresql::PostgreSql;
use super::schema::STEPS;
use crate::sqlite;
use rusqlite::types::{ToSqlOutput, Value as SqliteValue, ValueRef};
use rusqlite::{Connection, ToSql, TransactionBehavior, params_from_iter};
use std::path::Path;

/// A value of a parameter or of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Null,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Integer(number) => ToSqlOutput::Owned(SqliteValue::Integer(*number)),
            Value::Null => ToSqlOutput::Owned(SqliteValue::Null),
        })
    }
}

/// One row of an answer.
#[derive(Clone, Debug)]
pub(super) struct Row(pub Vec<Value>);

impl Row {
    /// The text in a column, from 0.
    pub fn text(&self, column: usize) -> Result<String, String> {
        match self.0.get(column) {
            Some(Value::Text(text)) => Ok(text.clone()),
            other => Err(format!("column {column} holds no text: {other:?}")),
        }
    }

    /// The number in a column, from 0.
    pub fn integer(&self, column: usize) -> Result<i64, String> {
        match self.0.get(column) {
            Some(Value::Integer(number)) => Ok(*number),
            other => Err(format!("column {column} holds no number: {other:?}")),
        }
    }
}

/// Why a statement did not do; a sentence of the database's own.
pub(super) type Fault = String;

/// What can be asked inside and outside of a change.
pub(super) trait Ask {
    /// Runs a statement and tells how many rows it touched.
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault>;

    /// Runs a query and reads all of its rows.
    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault>;
}

/// The open database.
#[derive(Debug)]
pub(super) enum Database {
    Sqlite(Connection),
    PostgreSql(Box<PostgreSql>),
}

impl Database {
    /// Opens or makes the file at `path`.
    ///
    /// # Errors
    /// As [`sqlite::open`].
    pub fn open_file(path: &Path) -> Result<Self, Fault> {
        let steps: Vec<String> = STEPS
            .iter()
            .map(|step| {
                step.replace("{INTEGER}", "INTEGER")
                    .replace("{STRICT}", "STRICT")
            })
            .collect();
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        sqlite::open(path, &steps)
            .map(Database::Sqlite)
            .map_err(|fault| fault.to_string())
    }

    /// Connects to the PostgreSQL at `url`.
    ///
    /// # Errors
    /// It cannot be reached, refuses, or has a schema of a newer version.
    pub fn connect(url: &str) -> Result<Self, Fault> {
        PostgreSql::connect(url)
            .map(Box::new)
            .map(Database::PostgreSql)
    }

    /// Does `change` as a whole, or nothing of it. Changes of one database come one after the
    /// other.
    ///
    /// # Errors
    /// Those of `change`, and the database's own.
    pub fn change<T, E: From<Fault>>(
        &mut self,
        change: impl FnOnce(&mut dyn Ask) -> Result<T, E>,
    ) -> Result<T, E> {
        match self {
            Database::Sqlite(connection) => {
                let transaction = connection
                    .transaction_with_behavior(TransactionBehavior::Immediate)
                    .map_err(|error| E::from(error.to_string()))?;
                let mut asked = &*transaction;
                let done = change(&mut asked)?;
                transaction
                    .commit()
                    .map_err(|error| E::from(error.to_string()))?;
                Ok(done)
            }
            Database::PostgreSql(postgresql) => postgresql.change(change),
        }
    }

    /// Milliseconds since 1970-01-01 UTC by the clock that everybody who uses the database sees.
    ///
    /// # Errors
    /// The database's own.
    pub fn now_ms(&mut self) -> Result<i64, Fault> {
        match self {
            // The file is on this machine, and so are all who use it.
            Database::Sqlite(_) => Ok(jiff::Timestamp::now().as_millisecond()),
            Database::PostgreSql(postgresql) => postgresql.now_ms(),
        }
    }
}

impl Ask for Database {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault> {
        match self {
            Database::Sqlite(connection) => Ask::execute(&mut &*connection, sql, values),
            Database::PostgreSql(postgresql) => postgresql.execute(sql, values),
        }
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        match self {
            Database::Sqlite(connection) => Ask::query(&mut &*connection, sql, values),
            Database::PostgreSql(postgresql) => postgresql.query(sql, values),
        }
    }
}

/// A transaction is a connection, too.
impl Ask for &Connection {
    fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, Fault> {
        Connection::execute(self, sql, params_from_iter(values))
            .map(|rows| rows as u64)
            .map_err(|error| error.to_string())
    }

    fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        let mut statement = self.prepare(sql).map_err(|error| error.to_string())?;
        let columns = statement.column_count();
        let read = |row: &rusqlite::Row<'_>| {
            let values = (0..columns).map(|column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Integer(number) => Value::Integer(number),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    // The schema has no other types.
                    ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => Value::Null,
                })
            });
            values.collect::<rusqlite::Result<Vec<Value>>>().map(Row)
        };
        statement
            .query_map(params_from_iter(values), read)
            .and_then(Iterator::collect)
            .map_err(|error| error.to_string())
    }
}
