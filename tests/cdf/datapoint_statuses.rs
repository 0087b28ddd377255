//! Bodies of points with statuses and without values, read by prost.
//!
//! Owns the tests of what the encoder writes behind a value.

use super::batches::{doubles, strings, with_statuses};
use super::datapoint_bodies::{encode_all, references, times, values};
use super::datapoint_messages::{
    InsertionRequest, ItemPoints, ItemReference, Status, item_reference,
};
use penstock::cdf::EncodedRequest;
use penstock::rows::{PointStatus, SeriesReference};
use proptest::prelude::*;
use prost::Message;
use std::collections::{BTreeMap, HashMap};

/// A point with its status: the bytes of its value, if it has one, and its code.
type WidePoint = (Option<Vec<u8>>, i64);

/// Time, value, status and the mark that there is no value.
type ReadPoint = (i64, Option<Vec<u8>>, Option<Status>, bool);

/// Reads a body whose points may have statuses and no values.
fn read_wide(request: &EncodedRequest) -> HashMap<ItemReference, BTreeMap<i64, WidePoint>> {
    let body = InsertionRequest::decode(request.body.clone()).expect("prost reads the body");
    let mut series = HashMap::new();
    for item in body.items {
        let reference = item.reference.expect("an item names its series");
        let points: Vec<ReadPoint> = match item.points.expect("an item has points") {
            ItemPoints::Numeric(list) => list
                .datapoints
                .into_iter()
                .map(|point| {
                    let value = point
                        .value
                        .map(|value| value.to_bits().to_le_bytes().to_vec());
                    (point.timestamp, value, point.status, point.null_value)
                })
                .collect(),
            ItemPoints::Strings(list) => list
                .datapoints
                .into_iter()
                .map(|point| {
                    let value = point.value.map(String::into_bytes);
                    (point.timestamp, value, point.status, point.null_value)
                })
                .collect(),
        };
        let mut own = BTreeMap::new();
        for (timestamp, value, status, null_value) in points {
            assert_eq!(value.is_none(), null_value, "a point has a value, or none");
            let code = match status {
                None => 0,
                Some(status) => {
                    assert_ne!(status.code, 0, "Good is left out");
                    assert_eq!(status.symbol, "", "the code says all");
                    status.code
                }
            };
            assert_eq!(
                own.insert(timestamp, (value, code)),
                None,
                "one time came twice"
            );
        }
        assert_eq!(series.insert(reference, own), None, "a series came twice");
    }
    series
}

#[test]
fn a_bad_point_keeps_minus_zero_nan_and_the_lack_of_a_value() {
    let reference = SeriesReference::instance("plant", "pump");
    let rows = [-0.0, f64::NAN, f64::NEG_INFINITY, 0.0, 1.5];
    let points: Vec<_> = (0_i64..)
        .zip(rows)
        .map(|(at, value)| (reference.clone(), at, value))
        .collect();
    let statuses = (0..5)
        .map(|row| PointStatus {
            code: if row == 4 { 0 } else { 0x8000_0000 },
            has_no_value: row == 3,
        })
        .collect();
    let request = encode_all(&[with_statuses(doubles(&points), statuses)]);
    let read = read_wide(&request);
    let own = &read[&item_reference(&reference)];
    let bad = 2_147_483_648;
    for (at, value) in [(0, -0.0_f64), (1, f64::NAN), (2, f64::NEG_INFINITY)] {
        assert_eq!(
            own[&at],
            (Some(value.to_bits().to_le_bytes().to_vec()), bad)
        );
    }
    assert_eq!(own[&3], (None, bad));
    assert_eq!(own[&4], (Some(1.5_f64.to_bits().to_le_bytes().to_vec()), 0));
}

/// Good, and a few others, with and without a value.
fn statuses() -> impl Strategy<Value = PointStatus> {
    let code = prop_oneof![
        Just(0),
        Just(0x4000_0000),
        Just(0x8000_0000),
        Just(127),
        Just(128),
        Just(u32::MAX),
        any::<u32>()
    ];
    (code, prop::bool::weighted(0.3))
        .prop_map(|(code, has_no_value)| PointStatus { code, has_no_value })
}

type RowWithStatus<V> = (SeriesReference, i64, V, PointStatus);

/// Batches, some of them without statuses.
fn batches_with_statuses<V: std::fmt::Debug>(
    values: impl Strategy<Value = V>,
) -> impl Strategy<Value = Vec<(bool, Vec<RowWithStatus<V>>)>> {
    prop::collection::vec(
        (
            any::<bool>(),
            prop::collection::vec((references(), times(), values, statuses()), 1..30),
        ),
        1..4,
    )
}

proptest! {
    #[test]
    fn prost_reads_of_statuses_what_the_last_row_of_each_point_says(
        batches in batches_with_statuses(values()),
    ) {
        let mut expected: HashMap<ItemReference, BTreeMap<i64, WidePoint>> = HashMap::new();
        let mut encoded = Vec::new();
        for (have_statuses, rows) in &batches {
            let points: Vec<_> = rows.iter().map(|row| (row.0.clone(), row.1, row.2)).collect();
            for (reference, timestamp_ms, value, status) in rows {
                let value = value.to_bits().to_le_bytes().to_vec();
                let point = match (have_statuses, status.has_no_value) {
                    (false, _) => (Some(value), 0),
                    (true, false) => (Some(value), i64::from(status.code)),
                    (true, true) => (None, i64::from(status.code)),
                };
                let own = expected.entry(item_reference(reference)).or_default();
                own.insert(*timestamp_ms, point);
            }
            let statuses = match have_statuses {
                true => rows.iter().map(|row| row.3).collect(),
                false => Vec::new(),
            };
            encoded.push(with_statuses(doubles(&points), statuses));
        }
        prop_assert_eq!(read_wide(&encode_all(&encoded)), expected);
    }

    #[test]
    fn prost_reads_of_strings_with_statuses_what_the_last_row_of_each_point_says(
        batches in batches_with_statuses("\\PC{0,30}"),
    ) {
        let mut expected: HashMap<ItemReference, BTreeMap<i64, WidePoint>> = HashMap::new();
        let mut encoded = Vec::new();
        for (have_statuses, rows) in &batches {
            let points: Vec<_> =
                rows.iter().map(|row| (row.0.clone(), row.1, row.2.clone())).collect();
            for (reference, timestamp_ms, value, status) in rows {
                let value = value.clone().into_bytes();
                let point = match (have_statuses, status.has_no_value) {
                    (false, _) => (Some(value), 0),
                    (true, false) => (Some(value), i64::from(status.code)),
                    (true, true) => (None, i64::from(status.code)),
                };
                let own = expected.entry(item_reference(reference)).or_default();
                own.insert(*timestamp_ms, point);
            }
            let statuses = match have_statuses {
                true => rows.iter().map(|row| row.3).collect(),
                false => Vec::new(),
            };
            encoded.push(with_statuses(strings(&points), statuses));
        }
        prop_assert_eq!(read_wide(&encode_all(&encoded)), expected);
    }
}
