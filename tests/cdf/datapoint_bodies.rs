//! Bodies of datapoint inserts, read by prost and compared with what the rows say.
//!
//! Owns the tests of the protobuf encoder. Promises a judge that derives its reader from the
//! published message definitions.

use super::batches::{doubles, external_id, range, strings};
use super::datapoint_messages::{InsertionRequest, ItemPoints, ItemReference, item_reference};
use penstock::catalog::Resource;
use penstock::cdf::{EncodeError, EncodedRequest, Operation, Repeat, encode};
use penstock::config::BatchSettings;
use penstock::rows::{RowBatch, RowRange, SeriesReference};
use proptest::prelude::*;
use prost::Message;
use std::collections::{BTreeMap, HashMap};

/// Per series, its points by time: what CDF would hold after the request.
type Numbers = HashMap<ItemReference, BTreeMap<i64, u64>>;
type Words = HashMap<ItemReference, BTreeMap<i64, String>>;

/// Reads a body; a series that comes twice, or a time that comes twice, is a failure, since
/// CDF refuses the one and does not say what it makes of the other.
fn read(request: &EncodedRequest) -> (Numbers, Words) {
    let body = InsertionRequest::decode(request.body.clone()).expect("prost reads the body");
    assert_eq!(body.items.len(), request.items);
    let mut numbers = Numbers::new();
    let mut words = Words::new();
    let mut points = 0;
    for item in body.items {
        let reference = item.reference.expect("an item names its series");
        match item.points.expect("an item has points") {
            ItemPoints::Numeric(list) => {
                let mut own = BTreeMap::new();
                for point in list.datapoints {
                    points += 1;
                    assert_eq!(point.status, None, "Good is left out");
                    let value = point.value.expect("a value is written, zero too");
                    let earlier = own.insert(point.timestamp, value.to_bits());
                    assert_eq!(earlier, None, "one time came twice");
                }
                assert_eq!(numbers.insert(reference, own), None, "a series came twice");
            }
            ItemPoints::Strings(list) => {
                let mut own = BTreeMap::new();
                for point in list.datapoints {
                    points += 1;
                    assert_eq!(point.status, None, "Good is left out");
                    let value = point.value.expect("a value is written, an empty one too");
                    let earlier = own.insert(point.timestamp, value);
                    assert_eq!(earlier, None, "one time came twice");
                }
                assert_eq!(words.insert(reference, own), None, "a series came twice");
            }
        }
    }
    assert_eq!(points, request.points);
    (numbers, words)
}

pub fn encode_all(batches: &[RowBatch]) -> EncodedRequest {
    let ranges: Vec<RowRange<'_>> = batches.iter().map(range).collect();
    encode(
        Operation::writing(Resource::Datapoints),
        &ranges,
        &BatchSettings::default(),
    )
    .expect("the rows are right")
}

#[test]
fn a_series_of_several_batches_is_one_item() {
    let request = encode_all(&[
        doubles(&[
            (external_id("a"), 1_000, 1.0),
            (external_id("b"), 1_000, 2.0),
        ]),
        doubles(&[
            (external_id("b"), 2_000, 3.0),
            (external_id("a"), 2_000, 4.0),
        ]),
    ]);
    let (numbers, _) = read(&request);
    assert_eq!(request.items, 2);
    assert_eq!(request.points, 4);
    let of_a = &numbers[&ItemReference::ExternalId("a".to_owned())];
    assert_eq!(of_a[&1_000], 1.0_f64.to_bits());
    assert_eq!(of_a[&2_000], 4.0_f64.to_bits());
}

#[test]
fn of_two_rows_for_one_point_the_last_is_sent() {
    let request = encode_all(&[
        doubles(&[
            (external_id("a"), 1_000, 1.0),
            (external_id("a"), 2_000, 2.0),
        ]),
        doubles(&[(external_id("a"), 1_000, 3.0)]),
    ]);
    let (numbers, _) = read(&request);
    assert_eq!(request.points, 2);
    let of_a = &numbers[&ItemReference::ExternalId("a".to_owned())];
    assert_eq!(of_a[&1_000], 3.0_f64.to_bits());
}

#[test]
fn only_the_rows_of_the_range_are_sent() {
    let batch = doubles(&[
        (external_id("before"), 1, 1.0),
        (external_id("within"), 2, 2.0),
        (external_id("after"), 3, 3.0),
    ]);
    let ranges = [RowRange {
        batch: &batch,
        rows: 1..2,
    }];
    let request = encode(
        Operation::writing(Resource::Datapoints),
        &ranges,
        &BatchSettings::default(),
    )
    .expect("the rows are right");
    let (numbers, _) = read(&request);
    assert_eq!(numbers.len(), 1);
    assert!(numbers.contains_key(&ItemReference::ExternalId("within".to_owned())));
}

#[test]
fn a_request_says_where_it_goes_and_that_a_repeat_is_harmless() {
    let request = encode_all(&[doubles(&[(SeriesReference::Id(7), 1, 1.0)])]);
    assert_eq!(request.operation, Operation::InsertDatapoints);
    assert_eq!(request.repeat, Repeat::Harmless);
    assert_eq!(request.path, "/timeseries/data");
    assert_eq!(request.content_type, "application/protobuf");
    assert_eq!(request.uncompressed_bytes, request.body.len());
}

#[test]
fn no_rows_are_no_request() {
    let batch = doubles(&[(external_id("a"), 1, 1.0)]);
    let ranges = [RowRange {
        batch: &batch,
        rows: 1..1,
    }];
    let refused = encode(
        Operation::writing(Resource::Datapoints),
        &ranges,
        &BatchSettings::default(),
    );
    assert_eq!(refused, Err(EncodeError::Empty));
}

#[test]
fn rows_of_another_resource_are_refused() {
    let batch = doubles(&[(external_id("a"), 1, 1.0)]);
    let refused = encode(
        Operation::writing(Resource::RawRows),
        &[range(&batch)],
        &BatchSettings::default(),
    );
    assert_eq!(refused, Err(EncodeError::WrongShape));
}

#[test]
fn a_body_of_the_configured_size_is_gzip_and_holds_the_same() {
    let rows: Vec<_> = (0..1_000)
        .map(|second| (external_id("a"), 1_763_769_600_000 + second * 1_000, 1.5))
        .collect();
    let batch = doubles(&rows);
    let plain = encode_all(std::slice::from_ref(&batch));
    let settings = BatchSettings {
        gzip_bytes_min: plain.body.len(),
        ..BatchSettings::default()
    };
    let packed = encode(
        Operation::writing(Resource::Datapoints),
        &[range(&batch)],
        &settings,
    )
    .expect("the rows are right");
    assert!(packed.gzip);
    assert_eq!(packed.uncompressed_bytes, plain.body.len());
    assert!(
        packed.body.len() < plain.body.len() / 3,
        "{} of {} bytes",
        packed.body.len(),
        plain.body.len()
    );
    let mut unpacked = vec![0; plain.body.len()];
    let length = libdeflater::Decompressor::new()
        .gzip_decompress(&packed.body, &mut unpacked)
        .expect("the body is gzip");
    assert_eq!(unpacked[..length], plain.body[..]);
}

#[test]
fn a_body_below_the_configured_size_is_sent_as_it_is() {
    let batch = doubles(&[(external_id("a"), 1, 1.0)]);
    let settings = BatchSettings {
        gzip_bytes_min: 1_000,
        ..BatchSettings::default()
    };
    let request = encode(
        Operation::writing(Resource::Datapoints),
        &[range(&batch)],
        &settings,
    )
    .expect("the rows are right");
    assert!(!request.gzip);
}

/// References that meet often, so that batches share series.
pub fn references() -> impl Strategy<Value = SeriesReference> {
    prop_oneof![
        (1_i64..6).prop_map(SeriesReference::Id),
        (1_i64..=9_007_199_254_740_991).prop_map(SeriesReference::Id),
        "[a-c]".prop_map(|text| external_id(&text)),
        "\\PC{0,40}".prop_map(|text| external_id(&text)),
        ("[a-b]", "[a-c]").prop_map(|(space, text)| SeriesReference::instance(&space, &text)),
        ("[a-z]{1,43}", "\\PC{1,60}")
            .prop_map(|(space, text)| SeriesReference::instance(&space, &text)),
    ]
}

/// Times that meet often, times of today, and the ends of the scale.
pub fn times() -> impl Strategy<Value = i64> {
    prop_oneof![
        0_i64..4,
        -3_i64..3,
        1_763_769_600_000_i64..1_763_769_600_020,
        prop::sample::select(vec![
            i64::MIN,
            i64::MAX,
            -2_208_988_800_000,
            4_102_444_799_999,
            (1 << 35) - 1,
            1 << 35,
            (1 << 42) - 1,
            1 << 42,
        ]),
        any::<i64>(),
    ]
}

pub fn values() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        prop::sample::select(vec![0.0, -0.0, 1e100, -1e100, f64::MIN_POSITIVE]),
    ]
}

/// Batches whose series rise in time, as an export in order has them: the straight way.
fn rising_batches() -> impl Strategy<Value = Vec<Vec<(SeriesReference, i64, f64)>>> {
    prop::collection::vec(prop::collection::vec((references(), values()), 0..40), 1..4).prop_map(
        |batches| {
            let mut clock_ms = 1_763_769_600_000;
            batches
                .into_iter()
                .map(|batch| {
                    batch
                        .into_iter()
                        .map(|(reference, value)| {
                            clock_ms += 1;
                            (reference, clock_ms, value)
                        })
                        .collect()
                })
                .collect()
        },
    )
}

fn any_batches() -> impl Strategy<Value = Vec<Vec<(SeriesReference, i64, f64)>>> {
    prop::collection::vec(
        prop::collection::vec((references(), times(), values()), 0..40),
        1..4,
    )
}

proptest! {
    #[test]
    fn prost_reads_of_doubles_what_the_last_row_of_each_point_says(
        batches in prop_oneof![any_batches(), rising_batches()],
    ) {
        prop_assume!(batches.iter().any(|batch| !batch.is_empty()));
        let mut expected = Numbers::new();
        for (reference, timestamp_ms, value) in batches.iter().flatten() {
            expected
                .entry(item_reference(reference))
                .or_default()
                .insert(*timestamp_ms, value.to_bits());
        }
        let batches: Vec<RowBatch> = batches.iter().map(|rows| doubles(rows)).collect();
        let request = encode_all(&batches);
        let (numbers, words) = read(&request);
        prop_assert_eq!(numbers, expected);
        prop_assert!(words.is_empty());
    }

    #[test]
    fn prost_reads_of_strings_what_the_last_row_of_each_point_says(
        batches in prop::collection::vec(
            prop::collection::vec((references(), times(), "\\PC{0,300}"), 0..20),
            1..4,
        ),
    ) {
        prop_assume!(batches.iter().any(|batch| !batch.is_empty()));
        let mut expected = Words::new();
        for (reference, timestamp_ms, value) in batches.iter().flatten() {
            expected
                .entry(item_reference(reference))
                .or_default()
                .insert(*timestamp_ms, value.clone());
        }
        let batches: Vec<RowBatch> = batches.iter().map(|rows| strings(rows)).collect();
        let request = encode_all(&batches);
        let (numbers, words) = read(&request);
        prop_assert_eq!(words, expected);
        prop_assert!(numbers.is_empty());
    }

    #[test]
    fn doubles_and_strings_share_a_request(
        numbers in prop::collection::vec((references(), times(), values()), 1..20),
        words in prop::collection::vec((references(), times(), "\\PC{0,20}"), 1..20),
    ) {
        let request = encode_all(&[doubles(&numbers), strings(&words), doubles(&numbers)]);
        let (read_numbers, read_words) = read(&request);
        let points: usize = read_numbers.values().map(BTreeMap::len).sum::<usize>()
            + read_words.values().map(BTreeMap::len).sum::<usize>();
        prop_assert_eq!(points, request.points);
        for (reference, timestamp_ms, _) in &words {
            prop_assert!(read_words[&item_reference(reference)].contains_key(timestamp_ms));
        }
        for (reference, timestamp_ms, _) in &numbers {
            prop_assert!(read_numbers[&item_reference(reference)].contains_key(timestamp_ms));
        }
    }
}
