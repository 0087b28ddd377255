//! A batch of rows of any shape, and ranges of it.
//!
//! Owns what the pipeline needs to know of a batch without knowing its shape: how many rows,
//! how many bytes. Promises that a range lies inside its batch. Never copies rows.

use super::{DatapointBatch, DatapointValues, ObjectBatch, ObjectValues, RawBatch, RowNumbers};
use std::ops::Range;

/// What an item of a delete weighs in a request beside its two times, as a rule.
pub const DELETED_ITEM_BYTES: usize = 96;
/// A status in a request: a message with its code, and the mark of a missing value.
pub const POINT_STATUS_BYTES: usize = 10;

/// Thousands of rows of one statement for one CDF resource.
#[derive(Clone, Debug)]
pub enum RowBatch {
    Datapoints(DatapointBatch),
    RawRows(RawBatch),
    Objects(ObjectBatch),
}

impl RowBatch {
    pub fn rows(&self) -> usize {
        match self {
            RowBatch::Datapoints(batch) => batch.timestamps_ms.len(),
            RowBatch::RawRows(batch) => batch.keys.len(),
            RowBatch::Objects(batch) => batch.rows,
        }
    }

    /// What the rows weigh in memory, for the memory budget and for CDF's byte limits:
    /// an estimate from above of their size in a request, too.
    pub fn bytes(&self) -> usize {
        match self {
            RowBatch::Datapoints(batch) => {
                let values = match &batch.values {
                    DatapointValues::Double(values) => values.len() * 8,
                    DatapointValues::Text(values) => values.total_bytes() + values.len() * 4,
                    // Each is an item, with the name of its series.
                    DatapointValues::Deleted(ends_ms) => ends_ms.len() * (8 + DELETED_ITEM_BYTES),
                };
                let statuses = batch.statuses.len() * POINT_STATUS_BYTES;
                values + statuses + batch.timestamps_ms.len() * 12 + batch.series.len() * 64
            }
            RowBatch::RawRows(batch) => {
                batch.keys.total_bytes() + batch.columns.total_bytes() + batch.keys.len() * 32
            }
            RowBatch::Objects(batch) => batch
                .columns
                .iter()
                .map(|column| match &column.values {
                    ObjectValues::Bool(values) => values.len() * 2,
                    ObjectValues::BigInt(values) | ObjectValues::TimestampMs(values) => {
                        values.len() * 9
                    }
                    ObjectValues::Double(values) => values.len() * 9,
                    ObjectValues::Text(values)
                    | ObjectValues::Json(values)
                    | ObjectValues::TextArray(values) => values.total_bytes() + values.len() * 5,
                    ObjectValues::BigIntArray(values) => {
                        values.iter().map(|array| 24 + array.len() * 8).sum()
                    }
                })
                .sum(),
        }
    }

    /// Which row of the statement row `index` of this batch was.
    pub fn row_number(&self, index: usize) -> u64 {
        self.row_numbers().get(index)
    }

    fn row_numbers(&self) -> &RowNumbers {
        match self {
            RowBatch::Datapoints(batch) => &batch.row_numbers,
            RowBatch::RawRows(batch) => &batch.row_numbers,
            RowBatch::Objects(batch) => &batch.row_numbers,
        }
    }
}

/// Some rows of a batch: what encoders take.
#[derive(Clone, Debug)]
pub struct RowRange<'a> {
    pub batch: &'a RowBatch,
    pub rows: Range<usize>,
}
