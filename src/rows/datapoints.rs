//! Datapoints as columns: which series, when, what value.
//!
//! Owns the batch. Promises that `series`, `spans` are parallel, that `series_index`,
//! `timestamps_ms` and the values have one entry per row, the statuses one or none at all, and
//! that each span covers its series' timestamps, or the times that are deleted. Never sorts: rows
//! stay in the order in which the client sent them.

use super::{ActionKind, PointStatus, RowNumbers, SeriesKey, TextColumn, pool};
use crate::catalog::Table;
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
    /// None: the points of the series from the row's timestamp on are deleted, up to this time,
    /// which is after it and not included.
    Deleted(Vec<i64>),
}

/// Datapoints of one statement, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct DatapointBatch {
    /// Where the client wrote them.
    pub table: &'static Table,
    /// What is done with the points: they are made or overwritten, changed where they exist, or
    /// deleted.
    pub action: ActionKind,
    /// The distinct series of this batch.
    pub series: Vec<Arc<SeriesKey>>,
    /// Per series, the time its points span.
    pub spans: Vec<TimeSpan>,
    /// Per row, the index of its series in `series`.
    pub series_index: Vec<u32>,
    /// Per row, milliseconds since 1970-01-01 UTC.
    pub timestamps_ms: Vec<i64>,
    pub values: DatapointValues,
    /// Per row its status; empty where all are Good and have a value, as nearly always.
    pub statuses: Vec<PointStatus>,
    pub row_numbers: RowNumbers,
}

impl DatapointBatch {
    /// The last time that row `row` touches.
    #[inline]
    pub fn last_ms(&self, row: usize) -> i64 {
        match &self.values {
            DatapointValues::Deleted(ends_ms) => ends_ms[row] - 1,
            DatapointValues::Double(_) | DatapointValues::Text(_) => self.timestamps_ms[row],
        }
    }

    /// The status of row `row`.
    #[inline]
    pub fn status(&self, row: usize) -> PointStatus {
        self.statuses.get(row).copied().unwrap_or(PointStatus::GOOD)
    }
}

/// Buffers go back to their pools.
impl Drop for DatapointBatch {
    fn drop(&mut self) {
        pool::INDEXES.give(std::mem::take(&mut self.series_index));
        pool::TIMESTAMPS.give(std::mem::take(&mut self.timestamps_ms));
        pool::STATUSES.give(std::mem::take(&mut self.statuses));
        match &mut self.values {
            DatapointValues::Double(values) => pool::DOUBLES.give(std::mem::take(values)),
            DatapointValues::Text(values) => pool::TEXTS.give(std::mem::take(values)),
            DatapointValues::Deleted(ends_ms) => pool::TIMESTAMPS.give(std::mem::take(ends_ms)),
        }
    }
}
