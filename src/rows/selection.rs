//! Some rows of a batch as a batch of their own.
//!
//! Owns the copying. Promises that every row keeps its number in the statement and its order.
//! Never part of the fast path: whole batches travel without it.

use super::{
    DatapointBatch, DatapointValues, ObjectBatch, ObjectColumn, ObjectValues, RawBatch, RowBatch,
    RowNumbers, TextColumn, TimeSpan,
};
use std::ops::Range;

impl RowBatch {
    /// The rows in `ranges`, which are ascending, disjoint and inside the batch.
    pub fn select(&self, ranges: &[Range<usize>]) -> RowBatch {
        match self {
            RowBatch::Datapoints(batch) => RowBatch::Datapoints(datapoints(batch, ranges)),
            RowBatch::RawRows(batch) => RowBatch::RawRows(RawBatch {
                destination: batch.destination.clone(),
                action: batch.action,
                keys: texts(&batch.keys, ranges),
                key_hashes: copied(&batch.key_hashes, ranges),
                columns: texts(&batch.columns, ranges),
                row_numbers: numbers(&batch.row_numbers, ranges),
            }),
            RowBatch::Objects(batch) => RowBatch::Objects(ObjectBatch {
                table: batch.table,
                action: batch.action.clone(),
                rows: ranges.iter().map(ExactSizeIterator::len).sum(),
                columns: batch
                    .columns
                    .iter()
                    .map(|column| object_column(column, ranges))
                    .collect(),
                key_hashes: copied(&batch.key_hashes, ranges),
                row_numbers: numbers(&batch.row_numbers, ranges),
            }),
        }
    }
}

/// The series stay as they are, so that indexes keep their meaning; those without a row are
/// left out, because a span must cover a point.
fn datapoints(batch: &DatapointBatch, ranges: &[Range<usize>]) -> DatapointBatch {
    let mut places: Vec<Option<u32>> = vec![None; batch.series.len()];
    let mut series = Vec::new();
    let mut spans: Vec<TimeSpan> = Vec::new();
    let mut series_index = Vec::new();
    for row in ranges.iter().cloned().flatten() {
        let old = batch.series_index[row] as usize;
        let (at, last) = (batch.timestamps_ms[row], batch.last_ms(row));
        let place = *places[old].get_or_insert_with(|| {
            series.push(batch.series[old].clone());
            spans.push(TimeSpan {
                first_ms: at,
                last_ms: last,
            });
            (series.len() - 1) as u32
        });
        let span = &mut spans[place as usize];
        span.first_ms = span.first_ms.min(at);
        span.last_ms = span.last_ms.max(last);
        series_index.push(place);
    }
    DatapointBatch {
        table: batch.table,
        action: batch.action,
        series,
        spans,
        series_index,
        timestamps_ms: copied(&batch.timestamps_ms, ranges),
        values: match &batch.values {
            DatapointValues::Double(values) => DatapointValues::Double(copied(values, ranges)),
            DatapointValues::Text(values) => DatapointValues::Text(texts(values, ranges)),
            DatapointValues::Deleted(ends_ms) => DatapointValues::Deleted(copied(ends_ms, ranges)),
        },
        statuses: match batch.statuses.is_empty() {
            true => Vec::new(),
            false => copied(&batch.statuses, ranges),
        },
        row_numbers: numbers(&batch.row_numbers, ranges),
    }
}

fn object_column(column: &ObjectColumn, ranges: &[Range<usize>]) -> ObjectColumn {
    ObjectColumn {
        column: column.column,
        values: match &column.values {
            ObjectValues::Bool(values) => ObjectValues::Bool(copied(values, ranges)),
            ObjectValues::BigInt(values) => ObjectValues::BigInt(copied(values, ranges)),
            ObjectValues::Double(values) => ObjectValues::Double(copied(values, ranges)),
            ObjectValues::Text(values) => ObjectValues::Text(texts(values, ranges)),
            ObjectValues::TimestampMs(values) => ObjectValues::TimestampMs(copied(values, ranges)),
            ObjectValues::Json(values) => ObjectValues::Json(texts(values, ranges)),
            ObjectValues::TextArray(values) => ObjectValues::TextArray(texts(values, ranges)),
            ObjectValues::BigIntArray(values) => ObjectValues::BigIntArray(
                ranges
                    .iter()
                    .flat_map(|range| values[range.clone()].iter().cloned())
                    .collect(),
            ),
        },
        present: copied(&column.present, ranges),
    }
}

fn copied<T: Copy>(values: &[T], ranges: &[Range<usize>]) -> Vec<T> {
    let mut copy = Vec::with_capacity(ranges.iter().map(ExactSizeIterator::len).sum());
    for range in ranges {
        copy.extend_from_slice(&values[range.clone()]);
    }
    copy
}

fn texts(values: &TextColumn, ranges: &[Range<usize>]) -> TextColumn {
    let mut copy = TextColumn::default();
    for row in ranges.iter().cloned().flatten() {
        copy.push(values.bytes(row));
    }
    copy
}

fn numbers(numbers: &RowNumbers, ranges: &[Range<usize>]) -> RowNumbers {
    RowNumbers::Listed(
        ranges
            .iter()
            .cloned()
            .flatten()
            .map(|row| numbers.get(row))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{PointStatus, SeriesKey, SeriesReference};
    use std::sync::Arc;

    #[test]
    fn selected_points_keep_their_series_their_time_and_their_number() {
        let key = |name: &str| Arc::new(SeriesKey::new(SeriesReference::ExternalId(name.into())));
        let batch = RowBatch::Datapoints(DatapointBatch {
            table: crate::catalog::CDF_DOUBLE_DATAPOINTS,
            action: crate::rows::ActionKind::Create,
            series: vec![key("a"), key("b")],
            spans: vec![
                TimeSpan {
                    first_ms: 1,
                    last_ms: 3,
                },
                TimeSpan {
                    first_ms: 2,
                    last_ms: 9,
                },
            ],
            series_index: vec![0, 1, 0, 1],
            timestamps_ms: vec![1, 2, 3, 9],
            values: DatapointValues::Double(vec![0.1, 0.2, 0.3, 0.9]),
            statuses: [0, 7, 8, 0x8000_0000]
                .map(|code| PointStatus {
                    code,
                    has_no_value: code == 7,
                })
                .to_vec(),
            row_numbers: RowNumbers::From(5),
        });
        let RowBatch::Datapoints(some) = batch.select(&[1..2, 3..4]) else {
            panic!("points stay points");
        };
        assert_eq!(some.series, [key("b")]);
        assert_eq!(some.series_index, [0, 0]);
        assert_eq!(some.timestamps_ms, [2, 9]);
        assert_eq!(
            some.spans,
            [TimeSpan {
                first_ms: 2,
                last_ms: 9
            }]
        );
        assert_eq!(some.values, DatapointValues::Double(vec![0.2, 0.9]));
        let codes: Vec<u32> = some.statuses.iter().map(|status| status.code).collect();
        assert_eq!(codes, [7, 0x8000_0000]);
        assert!(some.status(0).has_no_value);
        assert_eq!(some.row_numbers, RowNumbers::Listed(vec![6, 8]));
    }
}
