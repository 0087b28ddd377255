//! Appending records: which segment they go to, and when they are safe.
//!
//! Owns the segment that is written. Promises that records are reported as safe only after the
//! disk has said so, that nothing is appended behind a failed sync, and that a record is either
//! wholly in one segment or not at all. Never decides what to do about a full disk.

use super::disk::{Disk, DiskFile, is_full};
use super::record::Draft;
use super::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, path};
use super::segment_list::Segment;
use super::store::Store;
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Records of one write at most; the system takes 1024 slices at once.
const SLICES_MAX: usize = 1024;

/// Why records are not safe.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no room on the disk, and nothing of the records is in the journal.
    #[error("the disk is full: {0}")]
    Full(io::Error),
    /// The disk failed; the records may be found after a restart.
    #[error("the disk failed: {0}")]
    Failed(io::Error),
}

/// A segment that can be written.
pub struct OpenSegment {
    header: SegmentHeader,
    file: Box<dyn DiskFile>,
    /// Bytes that are safe.
    end: u64,
}

impl OpenSegment {
    /// Makes segment `number`, down to the disk.
    ///
    /// # Errors
    /// The disk's.
    pub fn make(disk: &dyn Disk, store: &Store, number: u64) -> io::Result<Self> {
        let path = path(store.directory(), number);
        let header = SegmentHeader {
            number,
            key: rand::random(),
        };
        let mut file = disk.create(&path)?;
        let written = file
            .append(&mut [IoSlice::new(&header.encode())])
            .and_then(|()| file.sync())
            .and_then(|()| disk.sync_directory(store.directory()));
        if let Err(error) = written {
            // A file without a header is dropped at the next start as well.
            let _ = std::fs::remove_file(&path);
            return Err(error);
        }
        Ok(OpenSegment {
            header,
            file,
            end: SEGMENT_HEADER_BYTES as u64,
        })
    }

    pub fn number(&self) -> u64 {
        self.header.number
    }
}

/// Writes records into the segments of one store. There is one for each store.
pub struct Appender {
    store: Arc<Store>,
    disk: Arc<dyn Disk>,
    active: Option<OpenSegment>,
    segment_bytes: u64,
    next_sequence: u64,
    rows: u64,
}

impl Appender {
    /// Goes on behind what was found in `store`.
    pub fn new(store: Arc<Store>, disk: Arc<dyn Disk>, segment_bytes: u64) -> Self {
        let (next_sequence, rows) = store.numbers();
        Appender {
            store,
            disk,
            active: None,
            segment_bytes,
            next_sequence,
            rows,
        }
    }

    /// Writes `drafts` and waits until they are safe. Returns the time that the disk took to
    /// say so. The headers of the drafts tell their numbers afterwards.
    ///
    /// # Errors
    /// None of them is safe.
    pub fn append(&mut self, drafts: &mut [&mut Draft]) -> Result<Duration, AppendError> {
        self.number(drafts);
        let result = match self.try_append(drafts) {
            Err(AppendError::Failed(error)) => {
                tracing::error!(
                    %error,
                    segment = self.active.as_ref().map(OpenSegment::number),
                    "the journal's segment cannot be trusted any more: it is closed, and a new \
                     one begun"
                );
                self.seal();
                // The same numbers: should the records be found in both segments, they are one.
                self.try_append(drafts)
            }
            result => result,
        };
        match &result {
            // What may be on disk keeps its numbers: other records must not be taken for it.
            Ok(_) | Err(AppendError::Failed(_)) => self.advance(drafts),
            Err(AppendError::Full(_)) => {}
        }
        if let Err(AppendError::Failed(_)) = &result {
            self.seal();
            self.store.skip(drafts.iter().map(|draft| &draft.header));
        }
        result
    }

    /// Closes the segment; the next record begins a new one.
    pub fn seal(&mut self) {
        if let Some(active) = self.active.take() {
            self.store.sealed(active.number());
        }
    }

    fn number(&self, drafts: &mut [&mut Draft]) {
        let mut rows = self.rows;
        for (index, draft) in drafts.iter_mut().enumerate() {
            draft.header.sequence = self.next_sequence + index as u64;
            draft.header.rows_before = rows;
            rows += u64::from(draft.header.rows);
        }
        self.store.number(drafts);
    }

    fn advance(&mut self, drafts: &[&mut Draft]) {
        self.next_sequence += drafts.len() as u64;
        self.rows += drafts
            .iter()
            .map(|draft| u64::from(draft.header.rows))
            .sum::<u64>();
        self.store.advance(drafts);
        self.store.set_numbers(self.next_sequence, self.rows);
    }

    fn try_append(&mut self, drafts: &mut [&mut Draft]) -> Result<Duration, AppendError> {
        let bytes: u64 = drafts.iter().map(|draft| draft.bytes.len() as u64).sum();
        let is_full_segment = self.active.as_ref().is_some_and(|active| {
            active.end > SEGMENT_HEADER_BYTES as u64 && active.end + bytes > self.segment_bytes
        });
        if is_full_segment {
            self.seal();
        }
        let active = match &mut self.active {
            Some(active) => active,
            None => self.active.insert(self.store.open_segment(&*self.disk)?),
        };
        for draft in drafts.iter_mut() {
            draft.seal(active.header.key);
        }
        if let Err(error) = write(&mut *active.file, drafts) {
            // Room on disk is needed for these bytes, not for those before them.
            if active.file.truncate(active.end).is_ok() && is_full(&error) {
                return Err(AppendError::Full(error));
            }
            return Err(AppendError::Failed(error));
        }
        let began = Instant::now();
        active.file.sync().map_err(AppendError::Failed)?;
        let took = began.elapsed();
        let start = active.end;
        active.end += bytes;
        self.store
            .appended(active.header.number, start, active.end, drafts);
        Ok(took)
    }
}

fn write(file: &mut dyn DiskFile, drafts: &[&mut Draft]) -> io::Result<()> {
    for some in drafts.chunks(SLICES_MAX) {
        let mut slices: Vec<IoSlice<'_>> = some
            .iter()
            .map(|draft| IoSlice::new(&draft.bytes))
            .collect();
        file.append(&mut slices)?;
    }
    Ok(())
}

/// A segment that was just made, as the list of segments knows it.
pub fn listed(segment: &OpenSegment) -> Segment {
    Segment {
        key: segment.header.key,
        bytes: segment.end,
        ..Segment::default()
    }
}

impl From<io::Error> for AppendError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) {
            AppendError::Full(error)
        } else {
            AppendError::Failed(error)
        }
    }
}
