//! Changes to letters in SQLite: edits, replays, purges.
//!
//! Owns the statements that change or delete. Promises that edits are made all or not at all,
//! that a replayed letter is never edited, and that what is purged is counted with its range.
//! Never deletes an open letter while there is a replayed one whose room would do.

use super::StoreError;
use super::database::{Database, time, used_bytes};
use super::filter::LetterFilter;
use super::letter::{LetterReason, LetterState};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use std::fmt;

/// Letters looked at in one step when room is made.
const STEP_LETTERS: usize = 1000;

/// Free pages given back to the disk after a purge; the next purge gives back more.
const PAGES_GIVEN_BACK: u32 = 4096;

/// New values of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub id: i64,
    pub columns: Vec<String>,
    pub values: Vec<Option<String>>,
}

/// What became of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayEnd {
    /// CDF has the row.
    Accepted,
    /// CDF has it not, or may have it; the reason takes the place of the one before.
    Refused(LetterReason),
}

/// What was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    pub letters: u64,
    /// Of these, letters that were never replayed: their rows are lost with them.
    pub not_replayed: u64,
    pub first_id: i64,
    pub last_id: i64,
    /// When the oldest and the newest were refused.
    pub oldest: Option<Timestamp>,
    pub newest: Option<Timestamp>,
}

impl Purged {
    fn take_in(&mut self, other: Purged) {
        if other.letters == 0 {
            return;
        }
        if self.letters == 0 {
            *self = other;
            return;
        }
        self.letters += other.letters;
        self.not_replayed += other.not_replayed;
        self.first_id = self.first_id.min(other.first_id);
        self.last_id = self.last_id.max(other.last_id);
        self.oldest = self.oldest.min(other.oldest);
        self.newest = self.newest.max(other.newest);
    }
}

impl fmt::Display for Purged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} letters, {} of them not replayed",
            self.letters, self.not_replayed
        )?;
        if let (Some(oldest), Some(newest)) = (self.oldest, self.newest) {
            write!(
                formatter,
                ", ids {} to {}, refused from {oldest} to {newest}",
                self.first_id, self.last_id
            )?;
        }
        Ok(())
    }
}

impl Database {
    /// Gives letters new values; they count as edited from then on.
    ///
    /// # Errors
    /// Refused, and nothing changed, when one of them is not there or was replayed.
    pub fn edit(&mut self, edits: &[Edit]) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for edit in edits {
            let state: Option<String> = transaction
                .query_row("SELECT state FROM letters WHERE id = ?", [edit.id], |row| {
                    row.get(0)
                })
                .optional()?;
            match state.as_deref() {
                None => return Err(no_letter(edit.id)),
                Some("replayed") => {
                    return Err(StoreError::Refused(format!(
                        "letter {} was replayed: it is not edited any more",
                        edit.id
                    )));
                }
                Some(_) => {}
            }
            transaction.execute(
                "UPDATE letters SET column_names = ?, column_values = ?, state = ? WHERE id = ?",
                params![
                    serde_json::to_string(&edit.columns)?,
                    serde_json::to_string(&edit.values)?,
                    LetterState::Edited.name(),
                    edit.id
                ],
            )?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Notes what became of replays.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn note_replays(
        &mut self,
        ends: &[(i64, ReplayEnd)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        for (id, end) in ends {
            match end {
                ReplayEnd::Accepted => transaction.execute(
                    "UPDATE letters SET replays = replays + 1, state = ?, replayed_ms = ? \
                     WHERE id = ?",
                    params![LetterState::Replayed.name(), now.as_millisecond(), id],
                )?,
                ReplayEnd::Refused(reason) => transaction.execute(
                    "UPDATE letters SET replays = replays + 1, sqlstate = ?, message = ?, \
                     detail = ?, column_name = ?, cdf_code = ?, request_id = ? WHERE id = ?",
                    params![
                        reason.sqlstate,
                        reason.message,
                        reason.detail,
                        reason.column,
                        reason.cdf_code,
                        reason.request_id,
                        id
                    ],
                )?,
            };
        }
        transaction.commit()?;
        Ok(())
    }

    /// Deletes the letters that `filter` means.
    ///
    /// # Errors
    /// The file cannot be written; nothing is deleted then.
    pub fn purge(&mut self, filter: &LetterFilter) -> Result<Purged, StoreError> {
        let condition = filter.condition(0)?;
        let transaction = self.connection.transaction()?;
        let purged = delete(&transaction, &condition.sql, &condition.values)?;
        transaction.commit()?;
        self.give_back()?;
        Ok(purged)
    }

    /// Gives room that a purge has freed back to the disk.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn give_back(&self) -> Result<(), StoreError> {
        // It returns a row for every page: all must be read for it to work.
        let mut statement = self
            .connection
            .prepare(&format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})"))?;
        let mut rows = statement.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }
}

/// Deletes letters older than `first_kept`, replayed ones first and the oldest first, until no
/// more than `bytes_max` are in use.
///
/// # Errors
/// Full when the letters from `first_kept` on do not fit.
pub(super) fn make_room(
    connection: &Connection,
    first_kept: i64,
    bytes_max: u64,
) -> Result<Purged, StoreError> {
    let mut purged = Purged::default();
    for replayed in [true, false] {
        loop {
            let excess = used_bytes(connection)?.saturating_sub(bytes_max);
            if excess == 0 {
                return Ok(purged);
            }
            let step = delete_oldest(connection, first_kept, replayed, excess)?;
            if step.letters == 0 {
                break;
            }
            purged.take_in(step);
        }
    }
    Err(StoreError::Full(format!(
        "they would need more than the {bytes_max} bytes of dead_letters.bytes_max"
    )))
}

/// Deletes the oldest letters of one kind whose weight comes to `bytes`.
fn delete_oldest(
    connection: &Connection,
    first_kept: i64,
    replayed: bool,
    bytes: u64,
) -> Result<Purged, StoreError> {
    let state = if replayed {
        "state = 'replayed'"
    } else {
        "state <> 'replayed'"
    };
    let mut statement = connection.prepare(&format!(
        "SELECT id, bytes FROM letters WHERE {state} AND id < ? ORDER BY id LIMIT {STEP_LETTERS}"
    ))?;
    let mut rows = statement.query([first_kept])?;
    let (mut last, mut weight) = (None, 0);
    while weight < bytes
        && let Some(row) = rows.next()?
    {
        last = Some(row.get::<_, i64>(0)?);
        weight += row.get::<_, i64>(1)?.unsigned_abs();
    }
    drop(rows);
    match last {
        None => Ok(Purged::default()),
        Some(last) => delete(
            connection,
            &format!("WHERE {state} AND id <= ?"),
            &[rusqlite::types::Value::Integer(last)],
        ),
    }
}

fn delete(
    connection: &Connection,
    condition: &str,
    values: &[rusqlite::types::Value],
) -> Result<Purged, StoreError> {
    let (mut purged, oldest_ms, newest_ms) = connection.query_row(
        &format!(
            "SELECT count(*), count(*) FILTER (WHERE state <> 'replayed'), \
             coalesce(min(id), 0), coalesce(max(id), 0), min(time_ms), max(time_ms) \
             FROM letters {condition}"
        ),
        params_from_iter(values),
        |row| {
            let purged = Purged {
                letters: row.get::<_, i64>(0)?.unsigned_abs(),
                not_replayed: row.get::<_, i64>(1)?.unsigned_abs(),
                first_id: row.get(2)?,
                last_id: row.get(3)?,
                ..Purged::default()
            };
            Ok((
                purged,
                row.get::<_, Option<i64>>(4)?,
                row.get::<_, Option<i64>>(5)?,
            ))
        },
    )?;
    purged.oldest = oldest_ms.map(time).transpose()?;
    purged.newest = newest_ms.map(time).transpose()?;
    connection.execute(
        &format!("DELETE FROM letters {condition}"),
        params_from_iter(values),
    )?;
    Ok(purged)
}

fn no_letter(id: i64) -> StoreError {
    StoreError::Refused(format!("there is no letter {id}"))
}
