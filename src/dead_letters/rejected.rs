//! The store as the keeper of rows that the journal had acknowledged.
//!
//! Owns the way from a rejection to letters. Promises that a rejection is kept whole or not
//! acknowledged, and that one which comes again after a crash is not kept twice. Blocks: the
//! journal calls it from a thread of its own.

use super::letter::{LetterOrigin, LetterReason, LetterSource, NewLetter};
use super::{DeadLetterStore, StoreError};
use crate::pipeline::{RejectedFate, RejectedRows, Rejection};
use crate::rows::value::DateOrder;
use jiff::Timestamp;
use std::io;
use std::sync::Arc;

/// Letters, and about the bytes of them, that are rendered before they are stored.
const CHUNK_LETTERS: usize = 1000;
const CHUNK_BYTES: usize = 4 << 20;

impl RejectedRows for DeadLetterStore {
    fn keep(&self, rejection: &Rejection<'_>) -> io::Result<()> {
        let origin = Arc::new(LetterOrigin {
            source: match rejection.fate {
                RejectedFate::Refused => LetterSource::Journaled,
                RejectedFate::Unknown => LetterSource::UnknownOutcome,
            },
            base_url: rejection.project.base_url.clone(),
            project: rejection.project.name.clone(),
            user: rejection.user.to_owned(),
            identity: rejection.identity.to_owned(),
            time_zone: String::new(),
            date_order: DateOrder::default(),
        });
        let reason = Arc::new(LetterReason::from(rejection.reason));
        let acknowledged = Timestamp::try_from(rejection.acknowledged_at).ok();
        // A journal that was begun anew counts its records from 1 again: their time tells them
        // from those of the old one.
        let acknowledged_ms = acknowledged.map_or(0, Timestamp::as_millisecond);
        // The text of a row has the columns of this one, whichever table the client named.
        let table = rejection.batch.table();
        let resource = table.resource.name();
        let mut letters = Vec::new();
        let mut bytes = 0;
        for row in rejection.rows.iter().cloned().flatten() {
            let letter = NewLetter {
                origin: origin.clone(),
                table,
                row: rejection.batch.row_text(row),
                reason: reason.clone(),
                line: None,
                row_number: Some(rejection.batch.row_number(row)),
                acknowledged,
                journal_row: Some(format!(
                    "{} {} {resource} {} {acknowledged_ms} {row}",
                    rejection.project.base_url, rejection.project.name, rejection.record
                )),
            };
            bytes += letter.bytes();
            letters.push(letter);
            if letters.len() == CHUNK_LETTERS || bytes >= CHUNK_BYTES {
                self.add_blocking(std::mem::take(&mut letters))?;
                bytes = 0;
            }
        }
        self.add_blocking(letters)?;
        Ok(())
    }
}

impl From<StoreError> for io::Error {
    fn from(error: StoreError) -> Self {
        let kind = match error {
            StoreError::Full(_) => io::ErrorKind::StorageFull,
            StoreError::Closed => io::ErrorKind::BrokenPipe,
            StoreError::Refused(_) | StoreError::Failed(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}
