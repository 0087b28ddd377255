//! The positions: what of each stream is settled, on disk.
//!
//! Owns the file of positions. Promises that after a crash the file holds the last positions
//! that were noted, that they err to the safe side (a record counts as open rather than as
//! settled), and that a damaged file is noticed. Never grows with the number of records.

use super::disk;
use super::fields::{Fields, Unreadable, put_text};
use super::settled::Settled;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;

/// The file's name in the directory of its store.
pub const FILE: &str = "positions";

const MAGIC: [u8; 8] = *b"PSPOSIT1";

/// Ranges of one stream that are noted; behind them everything counts as open.
const RANGES_MAX: usize = 65_536;

/// What is noted of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamPosition {
    /// For people.
    pub name: String,
    /// Number of the next record.
    pub next_sequence: u64,
    /// Settled records.
    pub settled: Settled,
    /// Settled rows of records that are not settled as a whole.
    pub partly: BTreeMap<u64, Settled>,
    /// Records whose rows may have been sent and must not be made twice.
    pub sent: Settled,
}

impl StreamPosition {
    /// A copy that says less: nothing from record `cut` on, and no more than a bounded number of
    /// ranges. What it does not say is sent again in order, so that it stays right.
    pub fn cut(mut self, cut: Option<u64>) -> Self {
        if self.settled.len() > RANGES_MAX {
            self.settled = self.settled.bounded(RANGES_MAX);
        }
        let mut cut = cut.unwrap_or(u64::MAX);
        if self.settled.len() == RANGES_MAX {
            let last = self.settled.ranges().last().map_or(0, |range| range.end);
            cut = cut.min(last);
        }
        let mut rows_left = RANGES_MAX;
        for (record, rows) in &self.partly {
            if rows.len() > rows_left {
                cut = cut.min(*record);
                break;
            }
            rows_left -= rows.len();
        }
        self.settled.truncate(cut);
        self.partly.retain(|record, _| *record < cut);
        self
    }
}

/// Everything that is noted of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions {
    /// Number of the next record of the store.
    pub next_sequence: u64,
    /// Rows of all records so far.
    pub rows: u64,
    /// By stream.
    pub streams: BTreeMap<u32, StreamPosition>,
}

impl Positions {
    /// Reads the file in `directory`; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn load(directory: &Path) -> io::Result<Option<Self>> {
        match std::fs::read(directory.join(FILE)) {
            Ok(bytes) => Self::decode(&bytes).map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts them in the place of those in the file.
    ///
    /// # Errors
    /// The disk's; the file is as it was.
    pub fn save(&self, directory: &Path) -> io::Result<()> {
        disk::replace(&directory.join(FILE), &self.encode())
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.next_sequence.to_le_bytes());
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        bytes.extend_from_slice(&(self.streams.len() as u32).to_le_bytes());
        for (id, stream) in &self.streams {
            bytes.extend_from_slice(&id.to_le_bytes());
            put_text(&mut bytes, &stream.name);
            bytes.extend_from_slice(&stream.next_sequence.to_le_bytes());
            put_ranges(&mut bytes, &stream.settled);
            put_ranges(&mut bytes, &stream.sent);
            bytes.extend_from_slice(&(stream.partly.len() as u32).to_le_bytes());
            for (record, rows) in &stream.partly {
                bytes.extend_from_slice(&record.to_le_bytes());
                put_ranges(&mut bytes, rows);
            }
        }
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// # Errors
    /// The bytes are damaged, or of another version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (bytes, checksum) = bytes
            .split_last_chunk::<4>()
            .ok_or(Unreadable("the file of positions is too short"))?;
        if crc32fast::hash(bytes) != u32::from_le_bytes(*checksum) {
            return Err(Unreadable("the file of positions is damaged"));
        }
        let mut fields = Fields::new(bytes);
        if fields.array()? != MAGIC {
            return Err(Unreadable("the file of positions is of another version"));
        }
        let mut positions = Positions {
            next_sequence: fields.u64()?,
            rows: fields.u64()?,
            streams: BTreeMap::new(),
        };
        for _ in 0..fields.u32()? {
            let id = fields.u32()?;
            let mut stream = StreamPosition {
                name: fields.text()?.to_owned(),
                next_sequence: fields.u64()?,
                settled: ranges(&mut fields)?,
                sent: ranges(&mut fields)?,
                partly: BTreeMap::new(),
            };
            for _ in 0..fields.u32()? {
                let record = fields.u64()?;
                stream.partly.insert(record, ranges(&mut fields)?);
            }
            positions.streams.insert(id, stream);
        }
        if fields.is_empty() {
            Ok(positions)
        } else {
            Err(Unreadable("the file of positions holds too much"))
        }
    }
}

fn put_ranges(bytes: &mut Vec<u8>, settled: &Settled) {
    bytes.extend_from_slice(&(settled.len() as u32).to_le_bytes());
    for Range { start, end } in settled.ranges() {
        bytes.extend_from_slice(&start.to_le_bytes());
        bytes.extend_from_slice(&end.to_le_bytes());
    }
}

fn ranges(fields: &mut Fields<'_>) -> Result<Settled, Unreadable> {
    let mut settled = Settled::default();
    for _ in 0..fields.u32()? {
        let start = fields.u64()?;
        settled.insert(start..fields.u64()?);
    }
    Ok(settled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settled() -> impl Strategy<Value = Settled> {
        prop::collection::vec((0_u64..1000, 1_u64..9), 0..20).prop_map(|ranges| {
            let mut settled = Settled::default();
            for (start, width) in ranges {
                settled.insert(start..start + width);
            }
            settled
        })
    }

    fn positions() -> impl Strategy<Value = Positions> {
        let partly = prop::collection::btree_map(0_u64..1000, settled(), 0..4);
        let stream = ("[a-z/]{0,9}", any::<u64>(), settled(), settled(), partly).prop_map(
            |(name, next_sequence, settled, sent, partly)| StreamPosition {
                name,
                next_sequence,
                settled,
                partly,
                sent,
            },
        );
        let streams = prop::collection::btree_map(any::<u32>(), stream, 0..4);
        (any::<u64>(), any::<u64>(), streams).prop_map(|(next_sequence, rows, streams)| Positions {
            next_sequence,
            rows,
            streams,
        })
    }

    proptest! {
        #[test]
        fn positions_are_read_as_they_were_written(positions in positions()) {
            prop_assert_eq!(Positions::decode(&positions.encode()), Ok(positions));
        }

        #[test]
        fn a_flipped_bit_is_noticed(positions in positions(), at in any::<prop::sample::Index>()) {
            let mut bytes = positions.encode();
            let bit = at.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(Positions::decode(&bytes).is_err());
        }

        #[test]
        fn a_cut_copy_never_says_more(settled in settled(), cut in 0_u64..1000) {
            let position = StreamPosition { settled: settled.clone(), ..StreamPosition::default() };
            let position = position.cut(Some(cut));
            prop_assert!(position.settled.ranges().flatten().all(|number| number < cut && settled.contains(number)));
        }
    }
}
