//! A segment: one file of records, and how it is read from the first byte to the last.
//!
//! Owns the file's header and the search for records in its bytes. Promises that every record
//! that is sound is found, also behind damaged ones; that what was cut short at the end is told
//! from what was damaged; and that a format of another version is refused, not guessed. Never
//! writes.

use super::fields::Fields;
use super::record::{ALIGNMENT, HEADER_BYTES, Header};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes of one copy of the header: magic, format version, checksum, number, key.
const HEADER_COPY_BYTES: usize = 32;

/// The first bytes of a segment: its header, twice, so that one flipped bit does not cost the
/// whole segment.
pub const SEGMENT_HEADER_BYTES: usize = 2 * HEADER_COPY_BYTES;

const MAGIC: [u8; 8] = *b"PENSTOCK";

/// Version of segments and records. A change that an older gateway would misread raises it.
pub const FORMAT_VERSION: u32 = 1;

const EXTENSION: &str = "segment";

/// Why a file is no segment that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASegment {
    /// Made and never used: the process ended before the header was whole.
    #[error("it has no header yet")]
    Unfinished,
    #[error("its header is damaged")]
    Damaged,
    #[error("it has format version {0}, this gateway reads version {FORMAT_VERSION}")]
    OtherVersion(u32),
}

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    pub number: u64,
    /// Drawn at random: the checksums of the records' headers cover it, so that neither bytes
    /// of another segment nor bytes that a client sent can pass for a record of this one.
    pub key: u64,
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut copy = [0; HEADER_COPY_BYTES];
        copy[0..8].copy_from_slice(&MAGIC);
        copy[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        copy[16..24].copy_from_slice(&self.number.to_le_bytes());
        copy[24..32].copy_from_slice(&self.key.to_le_bytes());
        let checksum = copy_checksum(&copy);
        copy[12..16].copy_from_slice(&checksum.to_le_bytes());
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..HEADER_COPY_BYTES].copy_from_slice(&copy);
        bytes[HEADER_COPY_BYTES..].copy_from_slice(&copy);
        bytes
    }

    /// Reads the header of the file that is named as segment `number`. The second value tells
    /// whether both copies are sound.
    ///
    /// # Errors
    /// It is no segment of that number in a format that this version reads.
    pub fn decode(bytes: &[u8], number: u64) -> Result<(Self, bool), NotASegment> {
        let Some(header) = bytes.first_chunk::<SEGMENT_HEADER_BYTES>() else {
            return Err(NotASegment::Unfinished);
        };
        if header.iter().all(|byte| *byte == 0) {
            return Err(NotASegment::Unfinished);
        }
        let (copies, _) = header.as_chunks::<HEADER_COPY_BYTES>();
        let mut read = copies
            .iter()
            .filter_map(decode_copy)
            .filter(|copy| copy.1.number == number);
        let Some((version, header)) = read.next() else {
            return Err(NotASegment::Damaged);
        };
        if version != FORMAT_VERSION {
            return Err(NotASegment::OtherVersion(version));
        }
        Ok((header, read.next().is_some()))
    }
}

/// The version and the header in one copy, if it is sound.
fn decode_copy(copy: &[u8; HEADER_COPY_BYTES]) -> Option<(u32, SegmentHeader)> {
    let mut fields = Fields::new(copy);
    let magic: [u8; 8] = fields.array().ok()?;
    let version = fields.u32().ok()?;
    let checksum = fields.u32().ok()?;
    if magic != MAGIC || checksum != copy_checksum(copy) {
        return None;
    }
    let header = SegmentHeader {
        number: fields.u64().ok()?,
        key: fields.u64().ok()?,
    };
    Some((version, header))
}

fn copy_checksum(copy: &[u8; HEADER_COPY_BYTES]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&copy[..12]);
    hasher.update(&copy[16..]);
    hasher.finalize()
}

/// The file of segment `number`.
pub fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:016}.{EXTENSION}"))
}

/// The number of the segment in this file, if it is named as one.
pub fn number(path: &Path) -> Option<u64> {
    if path.extension()? != EXTENSION {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

/// Something found in a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A sound record, with the place of its bytes in the file.
    Record(Header, Range<usize>),
    /// Bytes that were written and are no sound record any more. `header`: of a record whose
    /// header is sound and whose rows are not.
    Damage(Option<Header>, Range<usize>),
    /// The last record was not written to its end: it was never acknowledged.
    CutShort(Range<usize>),
}

/// Walks over the bytes of a whole segment.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    bytes: &'a [u8],
    key: u64,
    at: usize,
}

impl<'a> Scan<'a> {
    /// The records of `bytes`, which are all of a segment with this key.
    pub fn new(bytes: &'a [u8], key: u64) -> Self {
        Scan {
            bytes,
            key,
            at: SEGMENT_HEADER_BYTES,
        }
    }

    /// Where the next sound header is, from `from` on.
    fn next_header(&self, from: usize) -> Option<usize> {
        (from..self.bytes.len())
            .step_by(ALIGNMENT)
            .find(|at| Header::decode(&self.bytes[*at..], self.key).is_some())
    }

    fn go_to(&mut self, to: usize) -> Range<usize> {
        let from = std::mem::replace(&mut self.at, to);
        from..to
    }
}

impl Iterator for Scan<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let end = self.bytes.len();
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let Some(header) = Header::decode(rest, self.key) else {
            if rest.iter().all(|byte| *byte == 0) {
                // Room that was made in advance.
                self.at = end;
                return None;
            }
            return Some(match self.next_header(self.at + ALIGNMENT) {
                Some(next) => Found::Damage(None, self.go_to(next)),
                None if rest.len() < HEADER_BYTES => Found::CutShort(self.go_to(end)),
                None => Found::Damage(None, self.go_to(end)),
            });
        };
        let length = header.record_bytes();
        let Some(record) = rest.get(..length) else {
            return Some(Found::CutShort(self.go_to(end)));
        };
        let next = self.at + length;
        if header.fits(record) {
            return Some(Found::Record(header, self.go_to(next)));
        }
        if Header::is_ended(record) || self.next_header(next).is_some() {
            return Some(Found::Damage(Some(header), self.go_to(next)));
        }
        Some(Found::CutShort(self.go_to(end)))
    }
}
