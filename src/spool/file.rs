//! The rows of one transaction on disk, batch after batch.
//!
//! Owns a file and where its last batch ends. Promises that batches are read back as they were
//! written, whatever their order, that a write which fails leaves those before it, and that
//! going back gives the disk's room back. Never buffers a batch beyond its own write.

use super::SpoolError;
use super::budget::SpoolLease;
use crate::catalog::Table;
use crate::journal::batch_codec;
use crate::rows::RowBatch;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Where a batch is, and what must be known of it without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpooledBatch {
    offset: u64,
    file_bytes: usize,
    checksum: u32,
    /// Rows in it.
    pub rows: usize,
    /// Number of its first row in its statement.
    pub first_row_number: u64,
    /// What it weighs in memory, in bytes, once it is read.
    pub memory_bytes: usize,
}

impl SpooledBatch {
    /// Where it starts in the file: going back to here drops it and all later ones.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

/// A file of batches.
#[derive(Debug)]
pub struct Spool {
    file: Arc<File>,
    /// Where the next batch goes.
    end: u64,
    lease: SpoolLease,
}

/// Reads batches back, also while its spool is elsewhere.
#[derive(Clone, Debug)]
pub struct SpoolReader {
    file: Arc<File>,
}

impl Spool {
    pub(super) fn new(file: File, lease: SpoolLease) -> Self {
        Spool {
            file: Arc::new(file),
            end: 0,
            lease,
        }
    }

    /// Bytes of all batches in the file.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Writes `batch` behind the others. `buffer` is room to encode in, whose content goes.
    ///
    /// # Errors
    /// It was not written; those before it are still there.
    pub fn append(
        &mut self,
        batch: &RowBatch,
        buffer: &mut Vec<u8>,
    ) -> Result<SpooledBatch, SpoolError> {
        buffer.clear();
        batch_codec::encode(buffer, batch);
        let end = self.end + buffer.len() as u64;
        self.lease.set(end)?;
        if let Err(error) = self.file.write_all_at(buffer, self.end) {
            self.truncate(self.end);
            return Err(error.into());
        }
        let place = SpooledBatch {
            offset: self.end,
            file_bytes: buffer.len(),
            checksum: crc32fast::hash(buffer),
            rows: batch.rows(),
            first_row_number: batch.row_number(0),
            memory_bytes: batch.bytes(),
        };
        self.end = end;
        Ok(place)
    }

    /// Drops what lies from `end` on.
    pub fn truncate(&mut self, end: u64) {
        self.end = self.end.min(end);
        if let Err(error) = self.file.set_len(self.end) {
            // The bytes are written over, or go with the file.
            tracing::warn!(%error, "a spool file could not be made shorter");
        }
        // Fewer bytes are always allowed.
        let _ = self.lease.set(self.end);
    }

    pub fn reader(&self) -> SpoolReader {
        SpoolReader {
            file: self.file.clone(),
        }
    }
}

impl SpoolReader {
    /// Reads a batch of `table`.
    ///
    /// # Errors
    /// The disk's, or the bytes are not those that were written.
    pub fn read(
        &self,
        place: &SpooledBatch,
        table: &'static Table,
    ) -> Result<RowBatch, SpoolError> {
        let mut bytes = vec![0; place.file_bytes];
        self.file
            .read_exact_at(&mut bytes, place.offset)
            .map_err(SpoolError::Disk)?;
        if crc32fast::hash(&bytes) != place.checksum {
            return Err(SpoolError::Damaged("their checksum is wrong".to_owned()));
        }
        batch_codec::decode(&bytes, table).map_err(|error| SpoolError::Damaged(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::SpoolStore;
    use super::super::budget::SpoolBudget;
    use super::*;
    use crate::catalog::TABLES;
    use crate::rows::{RawBatch, RawDestination, RowNumbers, TextColumn, hash_key};
    use std::fs::OpenOptions;

    fn table() -> &'static Table {
        TABLES
            .iter()
            .find(|table| table.name == "raw_rows")
            .expect("it is in the catalog")
    }

    fn batch(first_row: u64, keys: &[&str]) -> RowBatch {
        let mut column = TextColumn::default();
        let mut cells = TextColumn::default();
        for key in keys {
            column.push(key.as_bytes());
            cells.push(b"{}");
        }
        RowBatch::RawRows(RawBatch {
            action: Default::default(),
            destination: Arc::new(RawDestination {
                database: "plant".into(),
                table: "pumps".into(),
            }),
            key_hashes: keys.iter().map(|key| hash_key(key.as_bytes())).collect(),
            keys: column,
            columns: cells,
            row_numbers: RowNumbers::From(first_row),
        })
    }

    fn keys(batch: &RowBatch) -> Vec<String> {
        match batch {
            RowBatch::RawRows(batch) => (0..batch.keys.len())
                .map(|row| batch.keys.text(row).to_owned())
                .collect(),
            _ => Vec::new(),
        }
    }

    fn spool(bytes_max: u64) -> Spool {
        SpoolStore::open(&std::env::temp_dir(), bytes_max, bytes_max)
            .expect("there is a directory for temporary files")
            .begin()
            .expect("a file can be made")
    }

    #[test]
    fn batches_come_back_as_they_were_in_any_order() {
        let mut spool = spool(1 << 20);
        let mut buffer = Vec::new();
        let mut append = |batch| spool.append(&batch, &mut buffer).expect("there is room");
        let first = append(batch(1, &["a", "b"]));
        let second = append(batch(3, &["c"]));
        assert_eq!((second.rows, second.first_row_number), (1, 3));
        let reader = spool.reader();
        let read = |place| reader.read(place, table()).expect("it was written");
        assert_eq!(keys(&read(&second)), ["c"]);
        assert_eq!(keys(&read(&first)), ["a", "b"]);
        assert_eq!(read(&first).row_number(1), 2);
        assert_eq!(read(&first).bytes(), first.memory_bytes);
    }

    #[test]
    fn going_back_drops_later_batches_and_their_room() {
        let mut spool = spool(1 << 20);
        let mut buffer = Vec::new();
        let first = spool.append(&batch(1, &["a"]), &mut buffer);
        let first = first.expect("there is room");
        let second = spool.append(&batch(2, &["b"]), &mut buffer);
        let second = second.expect("there is room");
        spool.truncate(second.offset());
        assert_eq!(spool.bytes(), second.offset());
        assert!(matches!(
            spool.reader().read(&second, table()),
            Err(SpoolError::Disk(_))
        ));
        let third = spool.append(&batch(2, &["c"]), &mut buffer);
        let third = third.expect("there is room");
        assert_eq!(third.offset(), second.offset());
        // What was at that place is not taken for it.
        assert!(matches!(
            spool.reader().read(&second, table()),
            Err(SpoolError::Damaged(_))
        ));
        let read = spool.reader().read(&first, table());
        assert_eq!(keys(&read.expect("it is still there")), ["a"]);
    }

    #[test]
    fn a_batch_beyond_the_bound_is_refused_and_takes_no_room() {
        let mut spool = spool(100);
        let mut buffer = Vec::new();
        let place = spool.append(&batch(1, &["a"]), &mut buffer);
        let place = place.expect("there is room");
        let bytes = spool.bytes();
        assert!(matches!(
            spool.append(&batch(2, &["b"]), &mut buffer),
            Err(SpoolError::TooMuch { bytes_max: 100 })
        ));
        assert_eq!(spool.bytes(), bytes);
        assert!(spool.reader().read(&place, table()).is_ok());
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        // This device has no room, ever.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/full")
            .expect("every Linux has it");
        let mut spool = Spool::new(file, SpoolBudget::new(1 << 20, 1 << 20).lease());
        let error = spool
            .append(&batch(1, &["a"]), &mut Vec::new())
            .expect_err("there is no room");
        assert!(matches!(error, SpoolError::DiskFull(_)), "{error}");
        assert_eq!(spool.bytes(), 0);
        let diagnostic = Box::<crate::diagnostic::Diagnostic>::from(error);
        assert_eq!(diagnostic.sqlstate.code(), "53100");
    }
}
