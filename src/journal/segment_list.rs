//! Which segments there are, and which records of which stream each one holds.
//!
//! Owns the index in memory: some words for each segment and stream, never for each record.
//! Promises that a record's segment and a place before it are found without reading. Never
//! reads or writes a file.

use super::segment::SEGMENT_HEADER_BYTES;
use super::settled::Settled;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Records of one stream in one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSpan {
    /// Sequence of the first, in its stream.
    pub first: u64,
    /// Sequence behind the last.
    pub end: u64,
    /// Where the first is in the file.
    pub offset: u64,
}

/// A segment.
#[derive(Clone, Debug, Default)]
pub struct Segment {
    pub key: u64,
    /// Bytes that are safe on disk.
    pub bytes: u64,
    /// Nothing is appended any more.
    pub is_sealed: bool,
    /// By stream.
    pub spans: HashMap<u32, StreamSpan>,
}

impl Segment {
    /// Notes a record that lies at `offset`.
    pub fn note(&mut self, stream: u32, stream_sequence: u64, offset: u64) {
        let span = self.spans.entry(stream).or_insert(StreamSpan {
            first: stream_sequence,
            end: stream_sequence,
            offset,
        });
        span.end = stream_sequence + 1;
    }

    /// Bytes of its records: what room was made for.
    pub fn record_bytes(&self) -> u64 {
        self.bytes.saturating_sub(SEGMENT_HEADER_BYTES as u64)
    }

    /// Whether every record is settled; `settled` tells what is, per stream.
    pub fn is_settled(&self, settled: &HashMap<u32, Settled>) -> bool {
        self.spans.iter().all(|(stream, span)| {
            settled
                .get(stream)
                .is_some_and(|settled| settled.covers(&(span.first..span.end)))
        })
    }
}

/// Where to look for a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub segment: u64,
    pub key: u64,
    /// The record lies here or behind.
    pub offset: u64,
    /// Bytes of the segment that may be read.
    pub end: u64,
}

/// All segments, by number.
#[derive(Clone, Debug, Default)]
pub struct SegmentList {
    segments: BTreeMap<u64, Segment>,
}

impl SegmentList {
    pub fn insert(&mut self, number: u64, segment: Segment) {
        self.segments.insert(number, segment);
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut Segment> {
        self.segments.get_mut(&number)
    }

    pub fn remove(&mut self, number: u64) -> Option<Segment> {
        self.segments.remove(&number)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &Segment)> {
        self.segments
            .iter()
            .map(|(number, segment)| (*number, segment))
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    /// Bytes of the records of all segments.
    pub fn record_bytes(&self) -> u64 {
        self.segments.values().map(Segment::record_bytes).sum()
    }

    /// The first segment with a record of `stream` whose sequence is in `wanted`. Equal records
    /// may be in two segments: the earlier copy may be damaged, the later one is not.
    pub fn find(&self, stream: u32, wanted: Range<u64>) -> Option<Place> {
        self.segments.iter().find_map(|(number, segment)| {
            let span = segment.spans.get(&stream)?;
            (span.first < wanted.end && wanted.start < span.end).then_some(Place {
                segment: *number,
                key: segment.key,
                offset: span.offset,
                end: segment.bytes,
            })
        })
    }
}
