//! Letters in SQLite: writing, reading, counting.
//!
//! Owns the statements that add and read letters; changes to them are in `changes`. Promises
//! that letters are added all or not at all and within the bound, and that a page of letters
//! is bounded in bytes. Blocks: only the thread of the store and commands on a stopped gateway
//! call it.

use super::changes::Purged;
use super::filter::LetterFilter;
use super::letter::{Letter, LetterReason, LetterSource, LetterState, NewLetter, date_order_name};
use super::{StoreError, schema};
use jiff::Timestamp;
use rusqlite::{Connection, Row, Statement, params, params_from_iter};
use std::path::Path;

/// Bytes of letters after which a page ends.
const PAGE_BYTES_MAX: i64 = 4 << 20;

const COLUMNS: &str = "id, time_ms, state, source, base_url, project, user_name, identity, \
     table_name, resource, row_key, column_names, column_values, sqlstate, message, detail, \
     column_name, cdf_code, request_id, line, row_number, time_zone, date_order, replays, \
     replayed_ms, acknowledged_ms, action, bytes";

const INSERT: &str = "INSERT INTO letters (time_ms, state, source, base_url, project, user_name, identity, \
         table_name, resource, row_key, column_names, column_values, sqlstate, message, detail, \
         column_name, cdf_code, request_id, line, row_number, time_zone, date_order, \
         acknowledged_ms, journal_row, action, bytes) \
         VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) \
         ON CONFLICT (journal_row) DO NOTHING";

/// What the store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Letters that were not replayed.
    pub open: u64,
    /// All letters.
    pub letters: u64,
    /// Bytes of the file that are in use.
    pub bytes: u64,
}

/// What adding letters did.
#[derive(Debug, Default)]
pub struct Added {
    /// Per letter, in the order of the groups, whether it is new.
    pub is_new: Vec<bool>,
    /// What had to go to keep the bound.
    pub purged: Purged,
}

/// The open file.
#[derive(Debug)]
pub struct Database {
    pub(super) connection: Connection,
}

impl Database {
    /// Opens the store in `directory`, or makes it.
    ///
    /// # Errors
    /// It cannot be opened or made.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let connection = schema::open(directory)?;
        Ok(Database { connection })
    }

    /// Opens the store in `directory`, which must be there.
    ///
    /// # Errors
    /// It is not there, or cannot be opened.
    pub fn open_existing(directory: &Path) -> Result<Self, StoreError> {
        let connection = schema::open_existing(directory)?;
        Ok(Database { connection })
    }

    /// Adds groups of letters in one transaction, and makes room for them by purging older ones
    /// where the store would use more than `bytes_max`.
    ///
    /// # Errors
    /// Full when the disk is, or when the letters alone exceed the bound. Nothing is added then.
    pub fn add(
        &mut self,
        groups: &[&[NewLetter]],
        now: Timestamp,
        bytes_max: u64,
    ) -> Result<Added, StoreError> {
        let transaction = self.connection.transaction()?;
        let mut added = Added::default();
        let mut first = None;
        let mut statement = transaction.prepare(INSERT)?;
        for letter in groups.iter().copied().flatten() {
            let is_new = insert(&mut statement, letter, now)?;
            added.is_new.push(is_new);
            if is_new {
                first.get_or_insert(transaction.last_insert_rowid());
            }
        }
        drop(statement);
        if let Some(first) = first {
            added.purged = super::changes::make_room(&transaction, first, bytes_max)?;
        }
        transaction.commit()?;
        Ok(added)
    }

    /// Up to `limit` letters with an id above `after`, in the order of their ids. Fewer when
    /// they are large; none only when there are no more.
    ///
    /// # Errors
    /// The file cannot be read, or a letter is not as it was written.
    pub fn page(
        &self,
        filter: &LetterFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        let condition = filter.condition(after)?;
        let sql = format!(
            "SELECT {COLUMNS} FROM letters {} ORDER BY id LIMIT {limit}",
            condition.sql
        );
        let mut statement = self.connection.prepare(&sql)?;
        let mut rows = statement.query(params_from_iter(condition.values))?;
        let mut letters = Vec::new();
        let mut bytes = 0;
        while bytes < PAGE_BYTES_MAX
            && let Some(row) = rows.next()?
        {
            bytes += row.get::<_, i64>("bytes")?;
            letters.push(letter(row)?);
        }
        Ok(letters)
    }

    /// What the store holds.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn totals(&self) -> Result<Totals, StoreError> {
        let (letters, open): (i64, i64) = self.connection.query_row(
            "SELECT count(*), count(*) FILTER (WHERE state <> 'replayed') FROM letters",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(Totals {
            open: open.unsigned_abs(),
            letters: letters.unsigned_abs(),
            bytes: used_bytes(&self.connection)?,
        })
    }
}

/// Bytes of the file that hold something.
pub(super) fn used_bytes(connection: &Connection) -> Result<u64, StoreError> {
    let pragma = |name: &str| {
        connection.pragma_query_value(None, name, |row| {
            row.get::<_, i64>(0).map(i64::unsigned_abs)
        })
    };
    let pages = pragma("page_count")?.saturating_sub(pragma("freelist_count")?);
    Ok(pages * pragma("page_size")?)
}

/// Adds one letter; `false` if it was there already.
fn insert(
    statement: &mut Statement<'_>,
    letter: &NewLetter,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let origin = &letter.origin;
    let reason = &letter.reason;
    let inserted = statement.execute(params![
        now.as_millisecond(),
        LetterState::Open.name(),
        origin.source.name(),
        origin.base_url,
        origin.project,
        origin.user,
        origin.identity,
        letter.table.full_name(),
        letter.table.resource.name(),
        letter.key(),
        serde_json::to_string(&letter.row.columns)?,
        serde_json::to_string(&letter.row.values)?,
        reason.sqlstate,
        reason.message,
        reason.detail,
        reason.column,
        reason.cdf_code,
        reason.request_id,
        letter.line.map(u64::cast_signed),
        letter.row_number.map(u64::cast_signed),
        origin.time_zone,
        date_order_name(origin.date_order),
        letter.acknowledged.map(Timestamp::as_millisecond),
        letter.journal_row,
        letter.row.action,
        letter.bytes() as i64,
    ])?;
    Ok(inserted > 0)
}

fn letter(row: &Row<'_>) -> Result<Letter, StoreError> {
    let text = |name: &str| row.get::<_, String>(name);
    let unknown = |name: &str, value: &str| StoreError::Failed(format!("{name} is \"{value}\""));
    let state = text("state")?;
    let source = text("source")?;
    let count = |name: &str| {
        row.get::<_, Option<i64>>(name)
            .map(|count| count.map(i64::unsigned_abs))
    };
    let optional_time = |name: &str| {
        row.get::<_, Option<i64>>(name)
            .map_err(StoreError::from)
            .and_then(|time_ms| time_ms.map(time).transpose())
    };
    Ok(Letter {
        id: row.get("id")?,
        time: time(row.get("time_ms")?)?,
        state: LetterState::of(&state).ok_or_else(|| unknown("state", &state))?,
        source: LetterSource::of(&source).ok_or_else(|| unknown("source", &source))?,
        base_url: text("base_url")?,
        project: text("project")?,
        user: text("user_name")?,
        identity: text("identity")?,
        table: text("table_name")?,
        resource: text("resource")?,
        action: text("action")?,
        key: row.get("row_key")?,
        columns: serde_json::from_str(&text("column_names")?)?,
        values: serde_json::from_str(&text("column_values")?)?,
        reason: LetterReason {
            sqlstate: text("sqlstate")?,
            message: text("message")?,
            detail: row.get("detail")?,
            column: row.get("column_name")?,
            cdf_code: row.get("cdf_code")?,
            request_id: row.get("request_id")?,
        },
        line: count("line")?,
        row_number: count("row_number")?,
        time_zone: text("time_zone")?,
        date_order: text("date_order")?,
        replays: count("replays")?.unwrap_or(0),
        acknowledged: optional_time("acknowledged_ms")?,
        replayed: optional_time("replayed_ms")?,
    })
}

pub(super) fn time(time_ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(time_ms)
        .map_err(|error| StoreError::Failed(format!("the time of a letter: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::dead_letters::{LetterOrigin, LetterSource};
    use crate::rows::RowText;
    use std::sync::Arc;

    fn letter(bytes: usize) -> NewLetter {
        NewLetter {
            origin: Arc::new(LetterOrigin {
                source: LetterSource::Journaled,
                base_url: String::new(),
                project: String::new(),
                user: String::new(),
                identity: String::new(),
                time_zone: String::new(),
                date_order: Default::default(),
            }),
            table: catalog::RAW_ROWS,
            row: RowText {
                columns: vec!["_raw_columns"],
                values: vec![Some("x".repeat(bytes))],
                action: "insert",
            },
            reason: Arc::default(),
            line: None,
            row_number: None,
            acknowledged: None,
            journal_row: None,
        }
    }

    #[test]
    fn a_full_disk_is_told_nothing_is_stored_and_letters_come_again_with_room() {
        let directory = std::env::temp_dir().join(format!("letters-full-{}", std::process::id()));
        let mut database = Database::open(&directory).expect("it opens");
        let limit_pages = |database: &Database, pages: u32| {
            database
                .connection
                .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
                .expect("SQLite bounds its file");
        };
        limit_pages(&database, 40);
        let now = Timestamp::UNIX_EPOCH;
        database
            .add(&[&[letter(10)]], now, u64::MAX)
            .expect("there is room");
        let refused = database.add(&[&[letter(10), letter(1 << 20)]], now, u64::MAX);
        assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
        assert_eq!(database.totals().expect("readable").letters, 1);
        limit_pages(&database, 1_000_000);
        database
            .add(&[&[letter(1 << 20)]], now, u64::MAX)
            .expect("there is room again");
        assert_eq!(database.totals().expect("readable").letters, 2);
        drop(database);
        std::fs::remove_dir_all(&directory).expect("the directory can be removed");
    }

    #[test]
    fn a_file_of_a_newer_version_is_left_alone() {
        let directory = std::env::temp_dir().join(format!("letters-newer-{}", std::process::id()));
        let database = Database::open(&directory).expect("it opens");
        database
            .connection
            .pragma_update(None, "user_version", 99)
            .expect("the version can be set");
        drop(database);
        let refused = Database::open(&directory).expect_err("the version is not known");
        assert!(refused.to_string().contains("version 99"), "{refused}");
        std::fs::remove_dir_all(&directory).expect("the directory can be removed");
    }
}
