//! The state store: what a gateway remembers of its users.
//!
//! Owns the tables `custom_tables` and `changes`, and the opening of the store; `accounts` adds
//! what concerns users, and `lease` who serves. Promises that a user's tables have different names
//! and a bounded number, and that what is listed is ordered by name. Blocks: only commands and the
//! store's own thread call it.

use super::database::{Ask, Database, Fault, Row, Value};
use super::sealing::SealingKeys;
use super::{StateError, StateLocation};
use crate::catalog::Definition;
use jiff::Timestamp;
use std::sync::Arc;

/// Custom tables of one user, at most.
pub const TABLES_MAX_PER_USER: i64 = 1000;

const TABLE_COLUMNS: &str = "user_name, definition, created_ms, number";

/// A table as it is in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTable {
    pub user: String,
    pub definition: Definition,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: i64,
    /// The table's number, by which version 1.0 of the API names it: unique in the store.
    pub id: i64,
}

/// The open store.
#[derive(Debug)]
pub struct StateStore {
    pub(super) database: Database,
    /// Where it is, without secrets.
    pub(super) place: String,
    pub(super) keys: Option<Arc<SealingKeys>>,
    /// How far the store came by the last change that was made through this; `None`: by none yet.
    pub(super) own_change: Option<StoreVersion>,
}

/// How far the store has come: who sees other numbers than before has to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreVersion {
    /// Grows with each change of accounts and custom tables, whoever makes it.
    pub changes: i64,
    /// What `changes` was when a custom table changed last.
    pub tables: i64,
}

/// A fault of the database inside of a change, or a request that cannot be met.
pub(super) enum Undone {
    Database(Fault),
    State(StateError),
}

impl From<Fault> for Undone {
    fn from(fault: Fault) -> Self {
        Undone::Database(fault)
    }
}

impl From<StateError> for Undone {
    fn from(error: StateError) -> Self {
        Undone::State(error)
    }
}

impl StateStore {
    /// Opens the store, or makes it. `keys` seal the secrets of accounts.
    ///
    /// # Errors
    /// It cannot be opened or made, or its secrets are sealed with other keys.
    pub fn open(location: &StateLocation, keys: Option<SealingKeys>) -> Result<Self, StateError> {
        let place = location.shown();
        let database = match location {
            StateLocation::File(path) => Database::open_file(path),
            StateLocation::PostgreSql(url) => Database::connect(url.expose()),
        };
        let database = match database {
            Ok(database) => database,
            Err(fault) => return Err(StateError::Failed { place, fault }),
        };
        let mut store = StateStore {
            database,
            place,
            keys: keys.map(Arc::new),
            own_change: None,
        };
        store.check_keys()?;
        Ok(store)
    }

    pub(super) fn failed(&self, fault: Fault) -> StateError {
        StateError::Failed {
            place: self.place.clone(),
            fault,
        }
    }

    /// Changes the store as a whole or not at all, and counts the change.
    pub(super) fn change<T>(
        &mut self,
        change: impl FnOnce(&mut dyn Ask) -> Result<T, Undone>,
    ) -> Result<T, StateError> {
        let (done, version) = self.change_unseen(|ask| {
            let done = change(ask)?;
            let count = "UPDATE changes SET count = count + 1 RETURNING count, tables_changed";
            Ok((done, version_in(&ask.query(count, &[])?)?))
        })?;
        self.own_change = Some(version);
        Ok(done)
    }

    /// The same, for what others need not see.
    pub(super) fn change_unseen<T>(
        &mut self,
        change: impl FnOnce(&mut dyn Ask) -> Result<T, Undone>,
    ) -> Result<T, StateError> {
        let done = self.database.change(change);
        done.map_err(|undone| self.error(undone))
    }

    pub(super) fn error(&self, undone: Undone) -> StateError {
        match undone {
            Undone::Database(fault) => self.failed(fault),
            Undone::State(error) => error,
        }
    }

    pub(super) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Row>, StateError> {
        self.database
            .query(sql, values)
            .map_err(|fault| self.failed(fault))
    }

    /// How far the store has come.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn version(&mut self) -> Result<StoreVersion, StateError> {
        let rows = self.query("SELECT count, tables_changed FROM changes", &[])?;
        version_in(&rows).map_err(|fault| self.failed(fault))
    }

    /// Every table of every user, or of one.
    ///
    /// # Errors
    /// The store cannot be read, or a definition is not as it was written.
    pub fn tables(&mut self, user: Option<&str>) -> Result<Vec<StoredTable>, StateError> {
        let rows = match user {
            Some(user) => self.query(
                &format!(
                    "SELECT {TABLE_COLUMNS} FROM custom_tables WHERE user_name = $1 ORDER BY name"
                ),
                &[user.into()],
            ),
            None => self.query(
                &format!("SELECT {TABLE_COLUMNS} FROM custom_tables ORDER BY user_name, name"),
                &[],
            ),
        }?;
        rows.iter().map(|row| self.stored(row)).collect()
    }

    /// One table of a user.
    ///
    /// # Errors
    /// As [`Self::tables`].
    pub fn table(&mut self, user: &str, name: &str) -> Result<Option<StoredTable>, StateError> {
        let rows = self.query(
            &format!(
                "SELECT {TABLE_COLUMNS} FROM custom_tables WHERE user_name = $1 AND name = $2"
            ),
            &[user.into(), name.into()],
        )?;
        rows.first().map(|row| self.stored(row)).transpose()
    }

    fn stored(&self, row: &Row) -> Result<StoredTable, StateError> {
        let read = || {
            let json = serde_json::from_str(&row.text(1)?).map_err(|error| error.to_string())?;
            Ok(StoredTable {
                user: row.text(0)?,
                definition: Definition::from_json(&json).map_err(|fault| fault.0)?,
                created_ms: row.integer(2)?,
                id: row.integer(3)?,
            })
        };
        read().map_err(|fault| self.failed(fault))
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
        self.change(|ask| {
            tables_change(ask)?;
            for definition in definitions {
                ask.execute("UPDATE changes SET last_number = last_number + 1", &[])?;
                let added = ask.execute(
                    "INSERT INTO custom_tables (user_name, name, definition, created_ms, number) \
                     SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), \
                     CAST($4 AS BIGINT), last_number FROM changes \
                     WHERE one = 1 ON CONFLICT DO NOTHING",
                    &[
                        user.into(),
                        definition.name.as_str().into(),
                        definition.to_json().to_string().into(),
                        now.as_millisecond().into(),
                    ],
                )?;
                if added == 0 {
                    return Err(taken(user, &definition.name).into());
                }
            }
            let rows = ask.query(
                "SELECT count(*) FROM custom_tables WHERE user_name = $1",
                &[user.into()],
            )?;
            let count = rows.first().map_or(Ok(0), |row| row.integer(0))?;
            if count > TABLES_MAX_PER_USER {
                return Err(StateError::Refused(format!(
                    "the user \"{user}\" would have {count} custom tables: there are up to {TABLES_MAX_PER_USER}"
                ))
                .into());
            }
            Ok(())
        })
    }

    /// Gives tables of a user, by their names until now, other definitions; all or none.
    ///
    /// # Errors
    /// Refused when a table is not there, or a new name is taken; as [`Self::tables`].
    pub fn replace(
        &mut self,
        user: &str,
        changes: &[(String, Definition)],
    ) -> Result<(), StateError> {
        self.change(|ask| {
            tables_change(ask)?;
            for (name, definition) in changes {
                let is_new = *name != definition.name;
                let there = ask.query(
                    "SELECT number FROM custom_tables WHERE user_name = $1 AND name = $2",
                    &[user.into(), definition.name.as_str().into()],
                )?;
                if is_new && !there.is_empty() {
                    return Err(taken(user, &definition.name).into());
                }
                let changed = ask.execute(
                    "UPDATE custom_tables SET name = $1, definition = $2 \
                     WHERE user_name = $3 AND name = $4",
                    &[
                        definition.name.as_str().into(),
                        definition.to_json().to_string().into(),
                        user.into(),
                        name.as_str().into(),
                    ],
                )?;
                if changed == 0 {
                    return Err(StateError::Refused(format!(
                        "the user \"{user}\" has no table \"{name}\" any more"
                    ))
                    .into());
                }
            }
            Ok(())
        })
    }

    /// Takes a table away; `false`: there was none of that name.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn delete(&mut self, user: &str, name: &str) -> Result<bool, StateError> {
        self.change(|ask| {
            tables_change(ask)?;
            let deleted = ask.execute(
                "DELETE FROM custom_tables WHERE user_name = $1 AND name = $2",
                &[user.into(), name.into()],
            )?;
            Ok(deleted > 0)
        })
    }
}

/// The version that a query of the table `changes` answered.
fn version_in(rows: &[Row]) -> Result<StoreVersion, Fault> {
    let row = rows.first().ok_or("the table changes is empty")?;
    Ok(StoreVersion {
        changes: row.integer(0)?,
        tables: row.integer(1)?,
    })
}

/// Notes in a change that it is one of custom tables.
pub(super) fn tables_change(ask: &mut dyn Ask) -> Result<(), Fault> {
    ask.execute("UPDATE changes SET tables_changed = count + 1", &[])
        .map(drop)
}

fn taken(user: &str, name: &str) -> StateError {
    StateError::Refused(format!(
        "the user \"{user}\" has a table \"{name}\" already"
    ))
}
