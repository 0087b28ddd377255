//! Rows of one kind of value out of one batch, and a first look at all of them.
//!
//! Owns the numbering of series across batches and the count of their points. Promises to
//! touch a series' name only when the batch before does not list it at the same place. Never
//! looks at a value.

use super::straight::SIX_BYTE_TIMESTAMPS;
use crate::cdf::encode::grouping::SeriesNumbers;
use crate::rows::{DatapointBatch, SeriesKey};
use std::ops::Range;
use std::sync::Arc;

/// A series has no number yet.
const UNNUMBERED: u32 = u32::MAX;

/// A range of a batch with its values as column `C`.
pub struct Part<'a, C> {
    pub batch: &'a DatapointBatch,
    pub values: &'a C,
    pub rows: Range<usize>,
    /// Per series of the batch, its number in the request.
    pub numbers: Vec<u32>,
}

/// What a first look at the rows tells.
pub struct Tally<'a> {
    /// The series of the request, by number.
    pub series: Vec<&'a SeriesKey>,
    /// Per series, its rows.
    pub rows: Vec<usize>,
    /// Each series' timestamps rise, and all have six bytes.
    pub straight: bool,
}

#[derive(Clone, Copy)]
struct Seen {
    rows: usize,
    latest_ms: i64,
}

impl<'a, C> Part<'a, C> {
    pub fn new(batch: &'a DatapointBatch, values: &'a C, rows: Range<usize>) -> Self {
        Part {
            batch,
            values,
            rows,
            numbers: vec![UNNUMBERED; batch.series.len()],
        }
    }

    /// Per row, the index of its series in the batch.
    pub fn series_index(&self) -> &'a [u32] {
        &self.batch.series_index[self.rows.clone()]
    }

    pub fn timestamps_ms(&self) -> &'a [i64] {
        &self.batch.timestamps_ms[self.rows.clone()]
    }

    /// The number of `key`, if it stands at `index` here too and has one.
    fn number_of(&self, index: u32, key: &Arc<SeriesKey>) -> Option<u32> {
        let own = self.batch.series.get(index as usize)?;
        let number = self.numbers[index as usize];
        (number != UNNUMBERED && Arc::ptr_eq(own, key)).then_some(number)
    }
}

/// Numbers the series that the rows use and counts their rows.
pub fn tally<'a, C>(parts: &mut [Part<'a, C>]) -> Tally<'a> {
    let mut series = SeriesNumbers::default();
    let mut seen: Vec<Seen> = Vec::new();
    let mut straight = true;
    let mut rest = parts;
    let mut earlier: Option<&Part<'a, C>> = None;
    while let Some((part, later)) = rest.split_first_mut() {
        let indexes = part.series_index();
        let timestamps_ms = part.timestamps_ms();
        let mut row = 0;
        loop {
            let (counted, rise) = count(
                &indexes[row..],
                &timestamps_ms[row..],
                &part.numbers,
                &mut seen,
            );
            straight &= rise;
            row += counted;
            let Some(&index) = indexes.get(row) else {
                break;
            };
            let key = &part.batch.series[index as usize];
            // Batches of one statement mostly list the same series in the same order.
            let number = match earlier.and_then(|part| part.number_of(index, key)) {
                Some(number) => number,
                None => series.number(key),
            };
            part.numbers[index as usize] = number;
            let unseen = Seen {
                rows: 0,
                latest_ms: SIX_BYTE_TIMESTAMPS.start - 1,
            };
            seen.resize(series.series.len(), unseen);
        }
        earlier = Some(part);
        rest = later;
    }
    Tally {
        series: series.series,
        rows: seen.iter().map(|seen| seen.rows).collect(),
        straight,
    }
}

/// Counts rows up to the first whose series has no number. Returns how many, and whether
/// their timestamps allow the straight way.
///
/// On its own so that the loop keeps its state in registers.
#[inline(never)]
fn count(
    indexes: &[u32],
    timestamps_ms: &[i64],
    numbers: &[u32],
    seen: &mut [Seen],
) -> (usize, bool) {
    let mut rise = true;
    let mut counted = 0;
    for (&index, &timestamp_ms) in indexes.iter().zip(timestamps_ms) {
        let Some(own) = seen.get_mut(numbers[index as usize] as usize) else {
            break;
        };
        own.rows += 1;
        rise &= timestamp_ms > own.latest_ms;
        rise &= timestamp_ms < SIX_BYTE_TIMESTAMPS.end;
        own.latest_ms = timestamp_ms;
        counted += 1;
    }
    (counted, rise)
}
