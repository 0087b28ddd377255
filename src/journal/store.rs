//! A store: a directory of segments and the streams in them.
//!
//! Owns what the thread that appends and the thread that feeds share: the list of segments, the
//! streams and their numbers, the segment that is made in advance. Promises that a stream's
//! numbers have no gaps but those that are settled. Never holds a row.

use super::appender::{OpenSegment, listed};
use super::disk::Disk;
use super::record::{Draft, Header};
use super::recovery::Recovered;
use super::segment::path;
use super::segment_list::{Place, Segment, SegmentList};
use super::settled::Settled;
use super::stream::Stream;
use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// What both threads know.
pub struct Store {
    directory: PathBuf,
    segments: Mutex<SegmentList>,
    streams: RwLock<HashMap<u32, Arc<Stream>>>,
    /// Made in advance: to make a file costs more than to write into one.
    spare: Mutex<Option<OpenSegment>>,
    next_segment: AtomicU64,
    /// Number of the next record, and rows of those before it.
    next_sequence: AtomicU64,
    rows: AtomicU64,
    holds_parked: bool,
    /// Streams that have something to hand over that was not handed over at once.
    behind: Arc<AtomicUsize>,
    feed_bytes_max: usize,
}

impl Store {
    /// A store with what was found in its directory.
    pub fn new(
        directory: PathBuf,
        found: &mut Recovered,
        holds_parked: bool,
        feed_bytes_max: usize,
    ) -> Self {
        Store {
            directory,
            segments: Mutex::new(std::mem::take(&mut found.segments)),
            streams: RwLock::default(),
            spare: Mutex::new(None),
            next_segment: AtomicU64::new(found.next_segment),
            next_sequence: AtomicU64::new(found.next_sequence),
            rows: AtomicU64::new(found.rows),
            holds_parked,
            behind: Arc::default(),
            feed_bytes_max,
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Number of the next record, and rows of those before it.
    pub fn numbers(&self) -> (u64, u64) {
        let next_sequence = self.next_sequence.load(Ordering::Acquire);
        (next_sequence, self.rows.load(Ordering::Acquire))
    }

    pub fn set_numbers(&self, next_sequence: u64, rows: u64) {
        self.rows.store(rows, Ordering::Release);
        self.next_sequence.store(next_sequence, Ordering::Release);
    }

    /// Whether any stream has something that was not handed over at once.
    pub fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Acquire) > 0
    }

    /// The stream of that id, made if it is new.
    pub fn stream(&self, id: u32, name: impl FnOnce() -> String) -> Arc<Stream> {
        if let Some(stream) = self.known_stream(id) {
            return stream;
        }
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            let (parked, bytes) = (self.holds_parked, self.feed_bytes_max);
            Arc::new(Stream::new(id, name(), parked, bytes, self.behind.clone()))
        };
        streams.entry(id).or_insert_with(new).clone()
    }

    pub fn known_stream(&self, id: u32) -> Option<Arc<Stream>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        streams.get(&id).cloned()
    }

    pub fn streams(&self) -> Vec<Arc<Stream>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        let mut streams: Vec<_> = streams.values().cloned().collect();
        streams.sort_unstable_by_key(|stream| stream.id());
        streams
    }

    /// Gives drafts their numbers in their streams.
    pub fn number(&self, drafts: &mut [&mut Draft]) {
        let mut next: HashMap<u32, u64> = HashMap::new();
        for draft in drafts {
            let header = &mut draft.header;
            let next = next.entry(header.stream).or_insert_with(|| {
                self.known_stream(header.stream)
                    .map_or(0, |stream| stream.next_sequence())
            });
            header.stream_sequence = *next;
            *next += 1;
        }
    }

    /// The numbers of `drafts` are used.
    pub fn advance(&self, drafts: &[&mut Draft]) {
        for draft in drafts {
            let header = &draft.header;
            if let Some(stream) = self.known_stream(header.stream) {
                stream.set_next_sequence(header.stream_sequence + 1);
            }
        }
    }

    /// These records were not acknowledged and are not delivered: their numbers are settled.
    pub fn skip<'a>(&self, headers: impl Iterator<Item = &'a Header>) {
        for header in headers {
            if let Some(stream) = self.known_stream(header.stream) {
                stream.skip(header.stream_sequence);
            }
        }
    }

    /// The next segment to write: the one made in advance, or a new one.
    ///
    /// # Errors
    /// The disk's.
    pub fn open_segment(&self, disk: &dyn Disk) -> io::Result<OpenSegment> {
        let spare = self
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let segment = match spare {
            Some(spare) => spare,
            None => self.make_segment(disk)?,
        };
        self.list().insert(segment.number(), listed(&segment));
        Ok(segment)
    }

    /// Makes a segment in advance if there is none.
    ///
    /// # Errors
    /// The disk's.
    pub fn make_spare(&self, disk: &dyn Disk) -> io::Result<()> {
        let is_there = |store: &Self| {
            let spare = store.spare.lock().unwrap_or_else(PoisonError::into_inner);
            spare.is_some()
        };
        if is_there(self) {
            return Ok(());
        }
        let made = self.make_segment(disk)?;
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        *spare = Some(made);
        Ok(())
    }

    /// Takes the segment made in advance away, with its file.
    pub fn drop_spare(&self) {
        let spare = self
            .spare
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(spare) = spare {
            // An empty segment that stays is dropped at the next start.
            let _ = std::fs::remove_file(path(&self.directory, spare.number()));
        }
    }

    fn make_segment(&self, disk: &dyn Disk) -> io::Result<OpenSegment> {
        let number = self.next_segment.fetch_add(1, Ordering::AcqRel);
        OpenSegment::make(disk, self, number)
    }

    /// Nothing more is appended to segment `number`.
    pub fn sealed(&self, number: u64) {
        if let Some(segment) = self.list().get_mut(number) {
            segment.is_sealed = true;
        }
    }

    /// `drafts` are safe: they lie between `start` and `end` of segment `number`.
    pub fn appended(&self, number: u64, start: u64, end: u64, drafts: &[&mut Draft]) {
        let mut list = self.list();
        let Some(segment) = list.get_mut(number) else {
            return;
        };
        let mut offset = start;
        for draft in drafts {
            let header = &draft.header;
            segment.note(header.stream, header.stream_sequence, offset);
            offset += draft.bytes.len() as u64;
        }
        segment.bytes = end;
    }

    /// Where to look for records of `stream` whose sequence is in `wanted`.
    pub fn find(&self, stream: u32, wanted: Range<u64>) -> Option<Place> {
        self.list().find(stream, wanted)
    }

    /// Deletes the segments of which every record is settled, by what is noted on disk.
    /// Returns the bytes that were freed.
    pub fn delete_settled(&self, settled: &HashMap<u32, Settled>) -> u64 {
        let gone: Vec<(u64, u64)> = self
            .list()
            .iter()
            .filter(|(_, segment)| segment.is_sealed && segment.is_settled(settled))
            .map(|(number, segment)| (number, segment.record_bytes()))
            .collect();
        let mut freed = 0;
        for (number, bytes) in gone {
            match std::fs::remove_file(path(&self.directory, number)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(%error, segment = number, "a settled segment cannot be deleted");
                    continue;
                }
            }
            self.list().remove(number);
            freed += bytes;
        }
        freed
    }

    /// Whether the segment that is written holds nothing but settled records.
    pub fn is_active_settled(&self, settled: &HashMap<u32, Settled>) -> bool {
        self.list().iter().any(|(_, segment)| {
            !segment.is_sealed && !segment.spans.is_empty() && segment.is_settled(settled)
        })
    }

    /// Bytes of the segment that is written.
    pub fn active_bytes(&self) -> u64 {
        let list = self.list();
        let active = list.iter().filter(|(_, segment)| !segment.is_sealed);
        active.map(|(_, segment)| segment.bytes).sum()
    }

    /// Bytes and number of the segments.
    pub fn size(&self) -> (u64, usize) {
        let list = self.list();
        (list.bytes(), list.iter().count())
    }

    fn list(&self) -> MutexGuard<'_, SegmentList> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For the list of segments found at the start.
pub fn found_segment(key: u64, bytes: u64) -> Segment {
    Segment {
        key,
        bytes,
        is_sealed: true,
        ..Segment::default()
    }
}
