//! A batch that waits to be sent: in memory, or on disk.
//!
//! Owns what is known of either without reading it. Promises that what a waiting batch takes of
//! memory counts, also of one on disk. Never reads a disk itself.

use crate::rows::RowBatch;
use crate::spool::SpooledBatch;

/// What a batch in memory costs beside its rows: one row a batch, as some clients make them, must
/// count.
const BATCH_BYTES: usize = 512;

/// What a batch on disk costs in memory.
const SPOOLED_BYTES: usize = 256;

/// A batch that was not sent yet.
#[derive(Debug)]
pub(super) enum Staged {
    InMemory(Box<RowBatch>),
    OnDisk(SpooledBatch),
}

impl Staged {
    pub(super) fn rows(&self) -> usize {
        match self {
            Staged::InMemory(batch) => batch.rows(),
            Staged::OnDisk(place) => place.rows,
        }
    }

    /// Number of its first row in its statement.
    pub(super) fn first_row_number(&self) -> u64 {
        match self {
            Staged::InMemory(batch) => batch.row_number(0),
            Staged::OnDisk(place) => place.first_row_number,
        }
    }

    /// What its rows weigh once they are under way, in bytes.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Staged::InMemory(batch) => batch.bytes(),
            Staged::OnDisk(place) => place.memory_bytes,
        }
    }

    /// What it takes of memory while it waits, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        match self {
            Staged::InMemory(batch) => batch.bytes() + BATCH_BYTES,
            Staged::OnDisk(_) => SPOOLED_BYTES,
        }
    }
}

impl From<RowBatch> for Staged {
    fn from(batch: RowBatch) -> Self {
        Staged::InMemory(Box::new(batch))
    }
}
