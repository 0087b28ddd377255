//! Datapoints as columns: which series, when, what value.
//!
//! Owns the batch. Promises that `series`, `spans` are parallel, that `series_index`,
//! `timestamps_ms` and the values have one entry per row, and that each span covers its
//! series' timestamps. Never sorts: rows stay in the order in which the client sent them.

use super::{RowNumbers, SeriesKey, TextColumn, pool};
use std::sync::Arc;

/// First and last timestamp of a series in a batch, milliseconds since 1970, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeSpan {
    pub first_ms: i64,
    pub last_ms: i64,
}

impl TimeSpan {
    /// Whether a timestamp lies in both.
    pub fn overlaps(self, other: TimeSpan) -> bool {
        self.first_ms <= other.last_ms && other.first_ms <= self.last_ms
    }
}

/// Values of one kind: a batch comes from one table.
#[derive(Clone, Debug, PartialEq)]
pub enum DatapointValues {
    Double(Vec<f64>),
    Text(TextColumn),
}

/// Datapoints of one statement, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct DatapointBatch {
    /// The distinct series of this batch.
    pub series: Vec<Arc<SeriesKey>>,
    /// Per series, the time its points span.
    pub spans: Vec<TimeSpan>,
    /// Per row, the index of its series in `series`.
    pub series_index: Vec<u32>,
    /// Per row, milliseconds since 1970-01-01 UTC.
    pub timestamps_ms: Vec<i64>,
    pub values: DatapointValues,
    pub row_numbers: RowNumbers,
}

/// Buffers go back to their pools.
impl Drop for DatapointBatch {
    fn drop(&mut self) {
        pool::INDEXES.give(std::mem::take(&mut self.series_index));
        pool::TIMESTAMPS.give(std::mem::take(&mut self.timestamps_ms));
        match &mut self.values {
            DatapointValues::Double(values) => pool::DOUBLES.give(std::mem::take(values)),
            DatapointValues::Text(values) => pool::TEXTS.give(std::mem::take(values)),
        }
    }
}
