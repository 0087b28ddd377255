//! How far a stream is: what the feeder knows of its records.
//!
//! Owns what is settled, wholly and partly, what was sent and must not be sent twice, and what
//! waits to be kept as rejected. Promises that what it notes on disk is never ahead of what is
//! so. Never reads a file.

use super::positions::StreamPosition;
use super::record_in_flight::RecordName;
use super::settled::Settled;
use super::stream::Stream;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// One stream's progress.
#[derive(Debug)]
pub struct Progress {
    pub stream: Arc<Stream>,
    settled: Settled,
    partly: BTreeMap<u64, Settled>,
    /// Records that may have been sent and must not be made twice.
    sent: Settled,
    /// Records with rows that are not kept elsewhere yet, and how many times.
    unkept: BTreeMap<u64, u32>,
    /// Records before this one may have been sent before.
    pub resent_below: u64,
    pub is_changed: bool,
}

impl Progress {
    /// For a stream that starts, or goes on with what was noted of it.
    pub fn new(stream: Arc<Stream>, noted: StreamPosition, resent_below: u64) -> Self {
        Progress {
            stream,
            settled: noted.settled,
            partly: noted.partly,
            sent: noted.sent,
            unkept: BTreeMap::new(),
            resent_below,
            is_changed: true,
        }
    }

    /// The first record from `from` on that is open.
    pub fn first_open(&self, from: u64) -> u64 {
        self.settled.first_missing(from)
    }

    /// Rows of a record are settled.
    pub fn settle_rows(&mut self, record: &RecordName, rows: &Range<usize>) {
        let partly = self.partly.entry(record.sequence).or_default();
        for rows in record.record_rows(rows) {
            partly.insert(rows);
        }
        self.is_changed = true;
    }

    /// A record is settled as a whole.
    pub fn settle(&mut self, sequence: u64) {
        self.partly.remove(&sequence);
        self.settled.insert(sequence..sequence + 1);
        self.is_changed = true;
    }

    /// The rows of a record that are open, of `rows`.
    pub fn open_rows(&self, sequence: u64, rows: u64) -> Vec<Range<u64>> {
        match self.partly.get(&sequence) {
            Some(settled) => settled.missing_in(0..rows),
            None => std::iter::once(0..rows).collect(),
        }
    }

    /// Whether rows of this record may have been sent, by the mark for those that must not be
    /// made twice.
    pub fn was_sent(&self, sequence: u64) -> bool {
        self.sent.contains(sequence)
    }

    pub fn mark_sent(&mut self, sequence: u64) {
        self.sent.insert(sequence..sequence + 1);
        self.is_changed = true;
    }

    /// Rows of this record that will not be delivered from here could not be kept elsewhere
    /// yet; or they are kept now.
    pub fn set_unkept(&mut self, sequence: u64, is_unkept: bool) {
        let count = self.unkept.entry(sequence).or_default();
        *count = if is_unkept {
            *count + 1
        } else {
            count.saturating_sub(1)
        };
        if *count == 0 {
            self.unkept.remove(&sequence);
        }
        self.is_changed = true;
    }

    /// Records came back: everything from the first open one on is sent again, in its order.
    /// What was settled behind it may have been overtaken by it. Returns the first.
    pub fn rewind(&mut self) -> u64 {
        let first = self.first_open(0);
        let made_once: Vec<Range<u64>> = self
            .sent
            .ranges()
            .flat_map(|range| {
                let start = range.start.max(first);
                self.settled
                    .ranges()
                    .map(move |settled| settled.start.max(start)..settled.end.min(range.end))
                    .collect::<Vec<_>>()
            })
            .collect();
        self.settled.truncate(first);
        self.partly.retain(|sequence, _| *sequence == first);
        for range in made_once {
            self.settled.insert(range);
        }
        self.resent_below = self.resent_below.max(self.stream.next_sequence());
        self.is_changed = true;
        first
    }

    /// What may be noted on disk: nothing behind a record whose rejected rows are not kept.
    pub fn position(&self) -> StreamPosition {
        StreamPosition {
            name: self.stream.name().to_owned(),
            next_sequence: self.stream.next_sequence(),
            settled: self.settled.clone(),
            partly: self.partly.clone(),
            sent: self.sent.clone(),
        }
        .cut(self.unkept.keys().next().copied())
    }
}
