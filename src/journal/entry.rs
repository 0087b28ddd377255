//! Rows on their way into the journal.
//!
//! Owns nothing of its own: it ties an encoded record to the rows it was made of, to those who
//! wait for it and to the room it takes. Never travels without room.

use super::envelope::{Envelope, stream_id};
use super::record::{Draft, MAKES_DOUBLES};
use super::space::Room;
use crate::catalog::{OnExisting, Table};
use crate::pipeline::Submission;
use crate::rows::RowBatch;
use std::sync::Arc;

/// One record to be.
#[derive(Debug)]
pub struct Entry {
    pub draft: Draft,
    /// The rows, and the part of the statement that waits until they are safe.
    pub submission: Submission,
    pub table: &'static Table,
    /// The gateway's user.
    pub user: Arc<str>,
    pub room: Room,
}

impl Entry {
    /// Encodes the rows of `submission`.
    pub fn new(submission: Submission, table: &'static Table, user: Arc<str>, room: Room) -> Self {
        let envelope = Envelope::of(&submission.identity, &user, table);
        let stream = stream_id(&submission.identity.project, table.resource);
        let flags = if makes_doubles(table, &submission.batch) {
            MAKES_DOUBLES
        } else {
            0
        };
        Entry {
            draft: Draft::new(&envelope, &submission.batch, stream, flags),
            submission,
            table,
            user,
            room,
        }
    }

    /// Bytes that a record of this batch takes, estimated from above.
    pub fn bytes_of(submission_bytes: usize, rows: usize) -> usize {
        const NAMES_BYTES: usize = 1024;
        submission_bytes + rows + NAMES_BYTES
    }
}

/// Whether sending such rows again could make a thing twice: objects that are created, without
/// a key by which CDF would refuse the second.
fn makes_doubles(table: &Table, batch: &RowBatch) -> bool {
    match batch {
        RowBatch::Objects(batch) => {
            table.on_existing == OnExisting::Refuse && batch.key_hashes.contains(&0)
        }
        RowBatch::Datapoints(_) | RowBatch::RawRows(_) => false,
    }
}
