//! Whether a key was written after its letter: replaying it would undo that.
//!
//! Owns the questions to CDF and what their answers mean. Promises to hold back in doubt: a
//! read that fails holds back, too. What it cannot see is told in docs/dead-letters.md: rows
//! that are still on their way, and what is written between the look and the replay.

use super::letter::Letter;
use crate::cdf::{CdfClient, CurrentPoint, Identity, POINTS_MAX};
use crate::rows::{ActionKind, DatapointValues, RawDestination, RowBatch, SeriesReference};
use futures::StreamExt;
use jiff::Timestamp;
use std::sync::Arc;

/// Clocks of CDF and of the gateway may differ by so much.
const CLOCK_DIFFERENCE_MS: i64 = 5_000;

/// RAW rows looked at at once.
const ROWS_AT_ONCE: usize = 8;

/// A letter with its row.
pub struct Candidate<'a> {
    pub letter: &'a Letter,
    pub batch: &'a RowBatch,
}

/// For each candidate why it must not be replayed unasked, if so. All are of one identity.
pub async fn written_since(
    client: &CdfClient,
    identity: &Identity,
    candidates: &[Candidate<'_>],
) -> Vec<Option<String>> {
    let mut why: Vec<Option<String>> = vec![None; candidates.len()];
    let mut points = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        match candidate.batch {
            RowBatch::Datapoints(batch) if batch.action == ActionKind::Delete => {
                why[index] = Some(
                    "the delete would take away points that were written since, and CDF does not \
                     tell of any when it was written"
                        .to_owned(),
                );
            }
            RowBatch::Datapoints(_) => points.push(index),
            RowBatch::RawRows(_) | RowBatch::Objects(_) => {}
        }
    }
    for chunk in points.chunks(POINTS_MAX) {
        let places: Vec<(SeriesReference, i64)> = chunk
            .iter()
            .filter_map(|index| place(candidates[*index].batch))
            .collect();
        match client.points_at(identity, &places).await {
            Ok(found) => {
                for (index, point) in chunk.iter().zip(found) {
                    why[*index] = point.and_then(|point| differs(candidates[*index].batch, &point));
                }
            }
            Err(failure) => {
                for index in chunk {
                    why[*index] = Some(format!("CDF could not be asked: {}", failure.reason()));
                }
            }
        }
    }
    let mut rows = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        if let RowBatch::RawRows(batch) = candidate.batch {
            let letter = candidate.letter;
            rows.push(row_written_since(
                client,
                identity,
                index,
                batch.destination.clone(),
                batch.keys.text(0).to_owned(),
                letter.acknowledged.unwrap_or(letter.time),
            ));
        }
    }
    let answers: Vec<(usize, Option<String>)> = futures::stream::iter(rows)
        .buffer_unordered(ROWS_AT_ONCE)
        .collect()
        .await;
    for (index, reason) in answers {
        why[index] = reason;
    }
    // Objects are created, never overwritten: CDF refuses one that exists.
    why
}

/// Why candidate number `index`, a RAW row, must not be replayed unasked.
async fn row_written_since(
    client: &CdfClient,
    identity: &Identity,
    index: usize,
    destination: Arc<RawDestination>,
    key: String,
    since: Timestamp,
) -> (usize, Option<String>) {
    let RawDestination { database, table } = &*destination;
    let written = client
        .raw_row_written_ms(identity, database, table, &key)
        .await;
    let why = match written {
        Ok(Some(written_ms)) if written_ms + CLOCK_DIFFERENCE_MS > since.as_millisecond() => {
            Some("the RAW row was written since".to_owned())
        }
        Ok(_) => None,
        Err(failure) => Some(format!("CDF could not be asked: {}", failure.reason())),
    };
    (index, why)
}

fn place(batch: &RowBatch) -> Option<(SeriesReference, i64)> {
    match batch {
        RowBatch::Datapoints(batch) => {
            let series = batch.series.first()?.reference().clone();
            Some((series, *batch.timestamps_ms.first()?))
        }
        _ => None,
    }
}

/// CDF does not say when a point was written: one with another value may be newer.
fn differs(batch: &RowBatch, point: &CurrentPoint) -> Option<String> {
    let RowBatch::Datapoints(batch) = batch else {
        return None;
    };
    let status = batch.status(0);
    let value = &point.value;
    let same_value = match &batch.values {
        _ if status.has_no_value => value.is_null(),
        DatapointValues::Double(values) => match values[0] {
            number if number.is_nan() => value == "NaN",
            number if number.is_infinite() && number > 0.0 => value == "Infinity",
            number if number.is_infinite() => value == "-Infinity",
            number => value.as_f64() == Some(number),
        },
        DatapointValues::Text(values) => value.as_str() == Some(values.text(0)),
        // There is no value to compare with.
        DatapointValues::Deleted(_) => false,
    };
    let same = same_value && point.status_code == status.code;
    (!same).then(|| "CDF has another value at this time, which may be newer".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::{DatapointBatch, RowNumbers, SeriesKey};
    use serde_json::json;

    #[test]
    fn a_point_with_the_same_value_is_no_reason_to_hold_back() {
        let batch = RowBatch::Datapoints(DatapointBatch {
            table: crate::catalog::CDF_DOUBLE_DATAPOINTS,
            action: crate::rows::ActionKind::Create,
            series: vec![Arc::new(SeriesKey::new(SeriesReference::Id(7)))],
            spans: Vec::new(),
            series_index: vec![0],
            timestamps_ms: vec![5],
            values: DatapointValues::Double(vec![1.5]),
            statuses: Vec::new(),
            row_numbers: RowNumbers::From(1),
        });
        let point = |value, status_code| CurrentPoint { value, status_code };
        assert_eq!(place(&batch), Some((SeriesReference::Id(7), 5)));
        assert_eq!(differs(&batch, &point(json!(1.5), 0)), None);
        assert!(differs(&batch, &point(json!(2), 0)).is_some());
        assert!(differs(&batch, &point(json!("1.5"), 0)).is_some());
        assert!(differs(&batch, &point(json!(1.5), 0x4000_0000)).is_some());
    }
}
