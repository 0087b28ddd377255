//! What rows weigh against the bounds of a request, and how a batch too heavy for one is cut.
//!
//! Owns the bounds and the slices. Promises that a slice keeps the bounds, a single row that
//! breaks one by itself apart, and that one object key stands at most once in a slice: CDF
//! refuses a request that names one object twice. Never reorders rows.

use crate::catalog::Resource;
use crate::config::BatchSettings;
use crate::rows::{
    ActionKind, DELETED_ITEM_BYTES, DatapointValues, ObjectBatch, ObjectValues, POINT_STATUS_BYTES,
    RowBatch, SEQUENCE_ROW_COLUMNS,
};
use std::collections::HashSet;
use std::ops::{AddAssign, Range};

/// Bounds of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestBounds {
    /// Series for datapoints, but ranges where they are deleted; rows for the others.
    pub items_max: usize,
    /// Rows for datapoints, unbounded for the others.
    pub points_max: usize,
    /// Bytes before compression.
    pub bytes_max: usize,
}

impl RequestBounds {
    /// The configured bounds, and no more items than the rate lets pass at once.
    pub fn new(settings: &BatchSettings, rate_items_max: usize) -> Self {
        RequestBounds {
            items_max: settings.items_max.min(rate_items_max).max(1),
            points_max: settings.points_max.max(1),
            bytes_max: settings.bytes_max.max(1),
        }
    }
}

/// What rows weigh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    pub rows: usize,
    /// What CDF counts as items of a request.
    pub items: usize,
    pub bytes: usize,
}

impl Weight {
    /// Of a whole batch.
    pub fn of(batch: &RowBatch) -> Self {
        let rows = batch.rows();
        let items = match batch {
            // A delete names its series with each range.
            RowBatch::Datapoints(batch) if batch.action == ActionKind::Delete => rows,
            RowBatch::Datapoints(batch) => batch.series.len().min(rows),
            RowBatch::RawRows(_) => rows,
            RowBatch::Objects(batch) => items_of(batch, 0..rows),
        };
        Weight {
            rows,
            items,
            bytes: batch.bytes(),
        }
    }

    /// Of some rows of a batch: bytes in proportion, items from above.
    pub fn of_rows(batch: &RowBatch, rows: Range<usize>) -> Self {
        let whole = Weight::of(batch);
        if rows.len() == whole.rows {
            return whole;
        }
        let items = match batch {
            RowBatch::Objects(batch) => items_of(batch, rows.clone()),
            RowBatch::Datapoints(_) | RowBatch::RawRows(_) => whole.items.min(rows.len()),
        };
        Weight {
            rows: rows.len(),
            items,
            bytes: (whole.bytes as f64 * rows.len() as f64 / whole.rows.max(1) as f64) as usize,
        }
    }

    fn fits(&self, batch: &RowBatch, bounds: &RequestBounds) -> bool {
        let points_fit = match batch {
            RowBatch::Datapoints(_) => self.rows <= bounds.points_max,
            RowBatch::RawRows(_) | RowBatch::Objects(_) => true,
        };
        points_fit && self.items <= bounds.items_max && self.bytes <= bounds.bytes_max
    }
}

impl AddAssign for Weight {
    fn add_assign(&mut self, other: Weight) {
        self.rows += other.rows;
        self.items += other.items;
        self.bytes += other.bytes;
    }
}

/// Rows of a batch that go into a request together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    pub rows: Range<usize>,
    pub weight: Weight,
}

/// The batch in slices that keep the bounds; nearly always the batch itself.
pub fn slices(batch: &RowBatch, bounds: &RequestBounds) -> Vec<Slice> {
    let weight = Weight::of(batch);
    let keys_may_repeat = matches!(batch, RowBatch::Objects(objects) if objects.rows > 1);
    if weight.fits(batch, bounds) && !keys_may_repeat {
        return vec![Slice {
            rows: 0..weight.rows,
            weight,
        }];
    }
    let mut slices = Vec::new();
    let mut seen = HashSet::new();
    let mut first = 0;
    let mut open = Weight::default();
    for row in 0..weight.rows {
        let key = item_key(batch, row);
        let mut next = Weight {
            rows: open.rows + 1,
            items: open.items,
            bytes: open.bytes + row_bytes(batch, row),
        };
        let known = key.is_some_and(|key| seen.contains(&key));
        let repeats_object = known && keys_may_repeat;
        if !known {
            next.items += row_items(batch, row);
            if matches!(batch, RowBatch::Datapoints(_)) {
                next.bytes += SERIES_BYTES;
            }
        }
        if open.rows > 0 && (repeats_object || !next.fits(batch, bounds)) {
            slices.push(Slice {
                rows: first..row,
                weight: open,
            });
            seen.clear();
            first = row;
            next = Weight {
                rows: 1,
                items: row_items(batch, row),
                bytes: row_bytes(batch, row) + SERIES_BYTES,
            };
        }
        seen.extend(key);
        open = next;
    }
    slices.push(Slice {
        rows: first..weight.rows,
        weight: open,
    });
    slices
}

/// What a series costs in a request beside its points: its name, as in [`RowBatch::bytes`].
const SERIES_BYTES: usize = 64;

/// Values of a sequence row that count as much as a row: CDF takes 10,000 rows and 100,000 values
/// a request.
const VALUES_PER_ITEM: usize = 10;

fn row_items(batch: &RowBatch, row: usize) -> usize {
    match batch {
        RowBatch::Objects(batch) => items_of(batch, row..row + 1),
        RowBatch::Datapoints(_) | RowBatch::RawRows(_) => 1,
    }
}

fn items_of(batch: &ObjectBatch, rows: Range<usize>) -> usize {
    let [values, ..] = SEQUENCE_ROW_COLUMNS;
    match batch.column(values).map(|column| &column.values) {
        Some(ObjectValues::Json(values)) if batch.table.resource == Resource::SequenceRows => rows
            .map(|row| {
                // Commas within strings count too: rather too many than too few.
                let commas = memchr::memchr_iter(b',', values.bytes(row)).count();
                (commas + 1).div_ceil(VALUES_PER_ITEM)
            })
            .sum(),
        _ => rows.len(),
    }
}

/// What makes a row an item: its series, or the key of its object. RAW rows are not asked:
/// each is an item, and the last of equal keys wins.
fn item_key(batch: &RowBatch, row: usize) -> Option<u64> {
    match batch {
        RowBatch::Datapoints(batch) if batch.action == ActionKind::Delete => None,
        RowBatch::Datapoints(batch) => Some(batch.series[batch.series_index[row] as usize].hash()),
        RowBatch::RawRows(_) => None,
        RowBatch::Objects(batch) => Some(batch.key_hashes[row]).filter(|key| *key != 0),
    }
}

/// The share of one row in [`RowBatch::bytes`].
fn row_bytes(batch: &RowBatch, row: usize) -> usize {
    match batch {
        RowBatch::Datapoints(batch) => {
            let status = match batch.statuses.is_empty() {
                true => 0,
                false => POINT_STATUS_BYTES,
            };
            status
                + match &batch.values {
                    DatapointValues::Double(_) => 20,
                    DatapointValues::Text(values) => 16 + values.bytes(row).len(),
                    DatapointValues::Deleted(_) => 20 + DELETED_ITEM_BYTES,
                }
        }
        RowBatch::RawRows(batch) => {
            32 + batch.keys.bytes(row).len() + batch.columns.bytes(row).len()
        }
        RowBatch::Objects(batch) => batch
            .columns
            .iter()
            .map(|column| match &column.values {
                ObjectValues::Bool(_) => 2,
                ObjectValues::BigInt(_)
                | ObjectValues::TimestampMs(_)
                | ObjectValues::Double(_) => 9,
                ObjectValues::Text(values)
                | ObjectValues::Json(values)
                | ObjectValues::TextArray(values) => 5 + values.bytes(row).len(),
                ObjectValues::BigIntArray(values) => 24 + values[row].len() * 8,
            })
            .sum(),
    }
}
