//! The appender on a disk that is full or fails, and what a start finds afterwards.

use super::appender::{AppendError, Appender};
use super::disk::{Disk, DiskFile, FileSystem};
use super::envelope::Envelope;
use super::record::Draft;
use super::recovery::{Mending, Recovered, recover};
use super::store::Store;
use crate::rows::{RawBatch, RawDestination, RowBatch, RowNumbers, TextColumn, hash_key};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A disk with faults to come.
#[derive(Clone, Default)]
struct FaultyDisk {
    /// Writes that find the disk full; half of their bytes arrive.
    full: Arc<AtomicU32>,
    /// Syncs that fail.
    broken_syncs: Arc<AtomicU32>,
}

struct FaultyFile {
    file: Box<dyn DiskFile>,
    disk: FaultyDisk,
}

fn strikes(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
        left.checked_sub(1)
    })
    .is_ok()
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = FileSystem.create(path)?;
        let disk = self.clone();
        Ok(Box::new(FaultyFile { file, disk }))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        FileSystem.sync_directory(path)
    }
}

impl DiskFile for FaultyFile {
    fn append(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        if parts.len() == 1 && parts[0].len() < 128 {
            // The header of a segment: faults are for records.
            return self.file.append(parts);
        }
        if strikes(&self.disk.full) {
            let half = &parts[0][..parts[0].len() / 2];
            self.file.append(&mut [IoSlice::new(half)])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.append(parts)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        if strikes(&self.disk.broken_syncs) {
            return Err(io::Error::other("the disk is gone"));
        }
        Ok(())
    }

    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.file.truncate(bytes)
    }
}

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("penstock-{name}-{}", std::process::id()));
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("the directory can be made");
        Directory(path)
    }

    fn appender(&self, disk: &FaultyDisk) -> Appender {
        let mut found = self.recover();
        let store = Arc::new(Store::new(self.0.clone(), &mut found, false, 1 << 20));
        let stream = store.stream(STREAM, || "raw_rows".to_owned());
        stream.resume(0, found.next_sequence_of(STREAM));
        Appender::new(store, Arc::new(disk.clone()), 1 << 20)
    }

    fn recover(&self) -> Recovered {
        recover(&self.0, Mending::Repair).expect("the journal is sound")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const STREAM: u32 = 9;

fn draft(key: &str) -> Draft {
    let mut keys = TextColumn::default();
    keys.push(key.as_bytes());
    let mut columns = TextColumn::default();
    columns.push(b"{\"flow\":\"a long enough value to be more than a header of a segment\"}");
    let batch = RowBatch::RawRows(RawBatch {
        action: Default::default(),
        destination: Arc::new(RawDestination {
            database: "d".into(),
            table: "t".into(),
        }),
        key_hashes: vec![hash_key(key.as_bytes())],
        keys,
        columns,
        row_numbers: RowNumbers::From(1),
    });
    let envelope = Envelope {
        base_url: "http://cdf",
        project: "plant",
        identity: "writer",
        user: "ada",
        schema: "public",
        table: "raw_rows",
    };
    Draft::new(&envelope, &batch, STREAM, 0)
}

#[test]
fn a_full_disk_leaves_nothing_of_the_group_and_takes_it_later() {
    let directory = Directory::new("full");
    let disk = FaultyDisk::default();
    let mut appender = directory.appender(&disk);
    let (mut first, mut second) = (draft("a"), draft("b"));
    appender.append(&mut [&mut first]).expect("safe");
    disk.full.store(1, Ordering::Release);
    let refused = appender.append(&mut [&mut second]);
    assert!(matches!(refused, Err(AppendError::Full(_))), "{refused:?}");
    assert_eq!(directory.recover().records, 1);
    assert_eq!(directory.recover().cut_bytes, 0);
    appender.append(&mut [&mut second]).expect("safe now");
    let found = directory.recover();
    assert_eq!(found.records, 2);
    assert_eq!((found.next_sequence, found.rows), (2, 2));
}

#[test]
fn after_a_failed_sync_the_group_is_in_a_new_segment_and_counts_once() {
    let directory = Directory::new("sync");
    let disk = FaultyDisk::default();
    let mut appender = directory.appender(&disk);
    appender.append(&mut [&mut draft("a")]).expect("safe");
    disk.broken_syncs.store(1, Ordering::Release);
    appender
        .append(&mut [&mut draft("b"), &mut draft("c")])
        .expect("safe in a new segment");
    appender.append(&mut [&mut draft("d")]).expect("safe");
    let found = directory.recover();
    assert_eq!(found.segments.iter().count(), 2);
    assert_eq!(found.records, 4);
    assert_eq!(found.damages, []);
}

#[test]
fn a_disk_that_fails_twice_fails_the_group_and_its_numbers_are_never_used_again() {
    let directory = Directory::new("twice");
    let disk = FaultyDisk::default();
    let mut appender = directory.appender(&disk);
    disk.broken_syncs.store(2, Ordering::Release);
    let mut lost = draft("lost");
    let failed = appender.append(&mut [&mut lost]);
    // The new segment's own sync may be the second that fails.
    assert!(matches!(failed, Err(AppendError::Failed(_))), "{failed:?}");
    let mut next = draft("next");
    appender
        .append(&mut [&mut next])
        .expect("the disk works again");
    assert!(next.header.sequence > lost.header.sequence);
    assert!(next.header.stream_sequence > lost.header.stream_sequence);
}
