//! Rows for the model: small batches whose values tell the order in which they were submitted.

use penstock::rows::{
    DatapointBatch, DatapointValues, RawBatch, RawDestination, RowBatch, RowNumbers, SeriesKey,
    SeriesReference, TextColumn, TimeSpan, hash_key,
};
use std::sync::Arc;

/// A key of the model: series and timestamp, or RAW table and row key.
pub type Key = (String, i64);

/// One row: its key and its place in the order of all rows. The value carries the place.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub key: Key,
    pub place: u64,
}

/// Datapoints: `points` are (series, timestamp), values count from `first_place`.
pub fn datapoints(points: &[(SeriesReference, i64)], first_place: u64) -> RowBatch {
    let mut batch = DatapointBatch {
        series: Vec::new(),
        spans: Vec::new(),
        series_index: Vec::new(),
        timestamps_ms: Vec::new(),
        values: DatapointValues::Double(Vec::new()),
        row_numbers: RowNumbers::From(1),
    };
    let mut values = Vec::new();
    for (place, (reference, at)) in points.iter().enumerate() {
        let known = batch
            .series
            .iter()
            .position(|series| series.reference() == reference);
        let index = known.unwrap_or_else(|| {
            batch
                .series
                .push(Arc::new(SeriesKey::new(reference.clone())));
            batch.spans.push(TimeSpan {
                first_ms: *at,
                last_ms: *at,
            });
            batch.series.len() - 1
        });
        let span = &mut batch.spans[index];
        span.first_ms = span.first_ms.min(*at);
        span.last_ms = span.last_ms.max(*at);
        batch.series_index.push(index as u32);
        batch.timestamps_ms.push(*at);
        values.push((first_place + place as u64) as f64);
    }
    batch.values = DatapointValues::Double(values);
    RowBatch::Datapoints(batch)
}

/// RAW rows of one table: keys by number, columns hold the place.
pub fn raw_rows(table: &str, keys: &[i64], first_place: u64) -> RowBatch {
    let mut batch = RawBatch {
        destination: Arc::new(RawDestination {
            database: "plant".into(),
            table: table.into(),
        }),
        keys: TextColumn::default(),
        key_hashes: Vec::new(),
        columns: TextColumn::default(),
        row_numbers: RowNumbers::From(1),
    };
    for (place, key) in keys.iter().enumerate() {
        let key = key.to_string();
        batch.keys.push(key.as_bytes());
        batch.key_hashes.push(hash_key(key.as_bytes()));
        let columns = format!("{{\"place\":{}}}", first_place + place as u64);
        batch.columns.push(columns.as_bytes());
    }
    RowBatch::RawRows(batch)
}

/// What a batch holds at `row`. `same_series` maps a series id to its external id.
pub fn read(batch: &RowBatch, row: usize, same_series: impl Fn(i64) -> Option<String>) -> Row {
    match batch {
        RowBatch::Datapoints(batch) => {
            let series = match batch.series[batch.series_index[row] as usize].reference() {
                SeriesReference::Id(id) => same_series(*id).unwrap_or_else(|| format!("id {id}")),
                SeriesReference::ExternalId(name) => name.to_string(),
            };
            let DatapointValues::Double(values) = &batch.values else {
                panic!("the model writes doubles");
            };
            Row {
                key: (series, batch.timestamps_ms[row]),
                place: values[row] as u64,
            }
        }
        RowBatch::RawRows(batch) => {
            let columns = batch.columns.text(row);
            let place = columns
                .trim_start_matches("{\"place\":")
                .trim_end_matches('}');
            Row {
                key: (
                    batch.destination.table.to_string(),
                    batch.keys.text(row).parse().expect("keys are numbers"),
                ),
                place: place.parse().expect("columns hold the place"),
            }
        }
        RowBatch::Objects(_) => panic!("the model writes no objects"),
    }
}
