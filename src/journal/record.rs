//! A record: rows of one statement with a header, a checksum and an end mark.
//!
//! Owns the layout of a record. Promises that every flipped bit is noticed, that a record cut
//! short is told from a damaged one, and that a record counts only in the segment that it was
//! written to. Never knows a file.
//!
//! ```text
//! magic u32 · header checksum u32 · payload bytes u32 · payload checksum u32
//! sequence u64 · sequence in its stream u64 · rows before it u64 · time in ms i64
//! rows u32 · stream u32 · weight in memory u32 · flags u32
//! payload: names, rows · zeros to a multiple of 8 · end mark u64
//! ```
//!
//! The header's checksum covers the key of the segment too: bytes of another segment, or bytes
//! that a client sent, are no records here. The payload's checksum covers the zeros and the end mark.

use super::batch_codec;
use super::envelope::Envelope;
use super::fields::{Fields, Unreadable};
use crate::catalog::Table;
use crate::rows::RowBatch;

/// "PSR1"; the first bytes of every record.
const MAGIC: u32 = u32::from_le_bytes(*b"PSR1");

pub const HEADER_BYTES: usize = 64;

const END_MARK_BYTES: usize = 8;

/// Never zero: a record whose end mark is zero was not written to its end.
const END_MARK: [u8; END_MARK_BYTES] = *b"PSRecEnd";

/// Records start at multiples of this.
pub const ALIGNMENT: usize = 8;

/// Rows that must not be sent twice: creates of objects without a key of their own.
pub const MAKES_DOUBLES: u32 = 1;

/// What a header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    pub payload_bytes: u32,
    pub payload_checksum: u32,
    /// Counts all records of the journal; two with the same number are one.
    pub sequence: u64,
    /// Counts the records of one stream, without gaps.
    pub stream_sequence: u64,
    /// Rows of all records before this one: what a damaged record held can be told from it.
    pub rows_before: u64,
    /// When it was written, milliseconds since 1970.
    pub appended_ms: i64,
    pub rows: u32,
    /// Checksum of the stream's name, to pass over records of other streams quickly.
    pub stream: u32,
    /// What the rows weigh in memory.
    pub weight_bytes: u32,
    pub flags: u32,
}

impl Header {
    /// Bytes of the whole record in the file.
    pub fn record_bytes(&self) -> usize {
        HEADER_BYTES + padded(self.payload_bytes as usize) + END_MARK_BYTES
    }

    /// The header in the segment with that key.
    pub fn encode(&self, key: u64) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.payload_checksum.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.stream_sequence.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.rows_before.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.appended_ms.to_le_bytes());
        bytes[48..52].copy_from_slice(&self.rows.to_le_bytes());
        bytes[52..56].copy_from_slice(&self.stream.to_le_bytes());
        bytes[56..60].copy_from_slice(&self.weight_bytes.to_le_bytes());
        bytes[60..64].copy_from_slice(&self.flags.to_le_bytes());
        let checksum = header_checksum(&bytes, key);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of `bytes`; `None` if there is no sound one of the
    /// segment with that key.
    pub fn decode(bytes: &[u8], key: u64) -> Option<Self> {
        let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
        let mut fields = Fields::new(bytes);
        if fields.u32().ok()? != MAGIC || fields.u32().ok()? != header_checksum(bytes, key) {
            return None;
        }
        Some(Header {
            payload_bytes: fields.u32().ok()?,
            payload_checksum: fields.u32().ok()?,
            sequence: fields.u64().ok()?,
            stream_sequence: fields.u64().ok()?,
            rows_before: fields.u64().ok()?,
            appended_ms: fields.i64().ok()?,
            rows: fields.u32().ok()?,
            stream: fields.u32().ok()?,
            weight_bytes: fields.u32().ok()?,
            flags: fields.u32().ok()?,
        })
    }

    /// Whether `record`, which has the length that the header tells, is what was written.
    pub fn fits(&self, record: &[u8]) -> bool {
        crc32fast::hash(&record[HEADER_BYTES..]) == self.payload_checksum
    }

    /// Whether `record` was written to its end, sound or not.
    pub fn is_ended(record: &[u8]) -> bool {
        record
            .last_chunk::<END_MARK_BYTES>()
            .is_some_and(|mark| *mark != [0; END_MARK_BYTES])
    }

    /// The names and the rows of a sound record.
    ///
    /// # Errors
    /// No version that this one knows wrote them.
    pub fn read<'a>(&self, record: &'a [u8]) -> Result<Contents<'a>, Unreadable> {
        let payload = record
            .get(HEADER_BYTES..HEADER_BYTES + self.payload_bytes as usize)
            .ok_or(Unreadable("it ends too early"))?;
        let mut fields = Fields::new(payload);
        let envelope = Envelope::decode(&mut fields)?;
        let rows = fields.take(fields.len())?;
        Ok(Contents { envelope, rows })
    }
}

/// What a record holds.
#[derive(Clone, Copy, Debug)]
pub struct Contents<'a> {
    pub envelope: Envelope<'a>,
    /// The rows, encoded.
    rows: &'a [u8],
}

impl Contents<'_> {
    /// The rows, and their table.
    ///
    /// # Errors
    /// The table is gone, or no known version wrote the rows.
    pub fn batch(&self) -> Result<(&'static Table, RowBatch), Unreadable> {
        let table = self.envelope.table()?;
        Ok((table, batch_codec::decode(self.rows, table)?))
    }
}

/// A record in the making: whole, but for the numbers that the journal gives it.
#[derive(Clone, Debug)]
pub struct Draft {
    pub header: Header,
    /// The record; its first [`HEADER_BYTES`] are filled when it is written.
    pub bytes: Vec<u8>,
}

impl Draft {
    /// Encodes rows. `stream` is the checksum of the stream's name.
    pub fn new(envelope: &Envelope<'_>, batch: &RowBatch, stream: u32, flags: u32) -> Self {
        let weight = batch.bytes();
        let mut bytes = Vec::with_capacity(HEADER_BYTES + 256 + weight);
        bytes.resize(HEADER_BYTES, 0);
        envelope.encode(&mut bytes);
        batch_codec::encode(&mut bytes, batch);
        let payload_bytes = bytes.len() - HEADER_BYTES;
        bytes.resize(HEADER_BYTES + padded(payload_bytes), 0);
        bytes.extend_from_slice(&END_MARK);
        let header = Header {
            payload_bytes: payload_bytes as u32,
            payload_checksum: crc32fast::hash(&bytes[HEADER_BYTES..]),
            rows: batch.rows() as u32,
            stream,
            weight_bytes: u32::try_from(weight).unwrap_or(u32::MAX),
            flags,
            ..Header::default()
        };
        Draft { header, bytes }
    }

    /// Writes the header for the segment with that key into the bytes.
    pub fn seal(&mut self, key: u64) {
        self.bytes[..HEADER_BYTES].copy_from_slice(&self.header.encode(key));
    }
}

fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGNMENT)
}

fn header_checksum(header: &[u8; HEADER_BYTES], key: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[..4]);
    hasher.update(&header[8..]);
    hasher.update(&key.to_le_bytes());
    hasher.finalize()
}
