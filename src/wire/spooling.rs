//! Batches of a group, from memory to its spool file and back.
//!
//! Owns the hand-over to threads that may block on a disk. Promises that batches keep their
//! places, and that those which could not be written stay in memory. Never spools a batch that
//! was sent.

use super::group::Group;
use super::staged::Staged;
use crate::catalog::Table;
use crate::diagnostic::Diagnostic;
use crate::rows::RowBatch;
use crate::spool::{Spool, SpoolError, SpoolReader, SpoolStore, SpooledBatch};
use std::io;
use tokio::task::spawn_blocking;

/// What became of batches that were to be written.
struct Written {
    spool: Option<Spool>,
    /// In their order, with the indexes of their runs; those that were not written are behind.
    batches: Vec<(usize, Staged)>,
    error: Option<SpoolError>,
}

impl Group {
    /// Moves every batch from memory to disk.
    ///
    /// # Errors
    /// Some could not be written: they are still in memory.
    pub(super) async fn spool(&mut self, store: &SpoolStore) -> Result<(), Box<Diagnostic>> {
        let batches = self.take_from_memory();
        if batches.is_empty() {
            return Ok(());
        }
        let (spool, store) = (self.spool.take(), store.clone());
        let written = spawn_blocking(move || write(spool, &store, batches)).await;
        let error = match written {
            Ok(written) => {
                self.spool = written.spool;
                self.put_back(written.batches);
                written.error
            }
            // The thread fell, and the rows with it: without them no COMMIT can succeed.
            Err(error) => Some(SpoolError::Disk(io::Error::other(error))),
        };
        match error {
            None => Ok(()),
            Some(error) => Err(self.with_extent(error.into())),
        }
    }

    /// Reads a batch of `table` back that was taken for sending.
    ///
    /// # Errors
    /// The disk's.
    pub(super) async fn read_back(
        &self,
        place: SpooledBatch,
        table: &'static Table,
    ) -> Result<RowBatch, Box<Diagnostic>> {
        let Some(reader) = self.spool.as_ref().map(Spool::reader) else {
            let gone = "the file is gone".to_owned();
            return Err(SpoolError::Damaged(gone).into());
        };
        read(reader, place, table).await.map_err(Into::into)
    }

    /// Adds to an error about bounds what the transaction holds.
    pub(super) fn with_extent(&self, mut diagnostic: Box<Diagnostic>) -> Box<Diagnostic> {
        let on_disk = self.rows_on_disk();
        let bytes = self.spool.as_ref().map_or(0, Spool::bytes);
        let rows = self.rows();
        diagnostic.detail = Some(if on_disk == 0 {
            format!("{rows} rows wait in memory, none were sent.")
        } else {
            format!("{rows} rows wait, {on_disk} of them in {bytes} bytes on disk; none were sent.")
        });
        diagnostic
    }
}

async fn read(
    reader: SpoolReader,
    place: SpooledBatch,
    table: &'static Table,
) -> Result<RowBatch, SpoolError> {
    spawn_blocking(move || reader.read(&place, table))
        .await
        .unwrap_or_else(|error| Err(SpoolError::Disk(io::Error::other(error))))
}

/// Writes batches until one cannot be written.
fn write(
    spool: Option<Spool>,
    store: &SpoolStore,
    batches: Vec<(usize, Box<RowBatch>)>,
) -> Written {
    let mut written = Written {
        spool,
        batches: Vec::with_capacity(batches.len()),
        error: None,
    };
    let mut buffer = Vec::new();
    for (run, batch) in batches {
        let place = match (&written.error, &mut written.spool) {
            (Some(_), _) => None,
            (None, Some(spool)) => Some(spool.append(&batch, &mut buffer)),
            (None, none) => Some(
                store
                    .begin()
                    .and_then(|spool| none.insert(spool).append(&batch, &mut buffer)),
            ),
        };
        let staged = match place {
            Some(Ok(place)) => Staged::OnDisk(place),
            Some(Err(error)) => {
                written.error = Some(error);
                Staged::InMemory(batch)
            }
            None => Staged::InMemory(batch),
        };
        written.batches.push((run, staged));
    }
    written
}
