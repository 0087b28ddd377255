//! The streaming reader of points against prost, and what it refuses.
//!
//! Owns no fixtures but its own. Promises that both readers count the same, however the body is
//! cut. Never looks at stored data.

use super::*;
use crate::emulator::checksum;
use crate::emulator::datapoints::messages::{
    DataPointInsertionItem, DataPointInsertionRequest, InsertedPoints, ItemReference,
    NumericDatapoint, NumericDatapoints, StatusMessage, StringDatapoint, StringDatapoints,
};
use proptest::prelude::*;
use prost::Message;

/// A request and the sum that it should come to.
fn request() -> impl Strategy<Value = (DataPointInsertionRequest, u64)> {
    let status = prop::sample::select(vec![0, 0x4000_0000, 0x8000_0000_u32]);
    let time = prop_oneof![
        9 => 1_000_000_000_000_i64..2_000_000_000_000,
        1 => -2_208_988_800_000_i64..4_102_444_800_000,
    ];
    let numeric = prop::collection::vec((time.clone(), -1e99..1e99, status.clone()), 0..40);
    let text = prop::collection::vec((time, ".{0,40}", status), 0..20);
    let points = prop_oneof![numeric.prop_map(numeric_points), text.prop_map(text_points)];
    let items = prop::collection::btree_map("[a-zé]{1,12}", points, 1..8);
    items.prop_map(|items| {
        let mut sum = 0_u64;
        let items = items.into_iter().map(|(name, (points, points_sum))| {
            let factor = checksum::series_by_external_id(name.as_bytes());
            sum = sum.wrapping_add(factor.wrapping_mul(points_sum));
            DataPointInsertionItem {
                reference: Some(ItemReference::ExternalId(name)),
                points: Some(points),
            }
        });
        let items = items.collect();
        (DataPointInsertionRequest { items }, sum)
    })
}

fn status_message(code: u32) -> Option<StatusMessage> {
    (code != 0).then(|| StatusMessage {
        code: i64::from(code),
        symbol: String::new(),
    })
}

fn numeric_points(points: Vec<(i64, f64, u32)>) -> (InsertedPoints, u64) {
    let mut sum = 0_u64;
    let datapoints = points.into_iter().map(|(timestamp, value, code)| {
        let hash = checksum::point(timestamp, value.to_bits(), u64::from(code));
        sum = sum.wrapping_add(hash);
        NumericDatapoint {
            timestamp,
            value: Some(value),
            status: status_message(code),
            null_value: false,
        }
    });
    let datapoints = datapoints.collect();
    (
        InsertedPoints::Numeric(NumericDatapoints { datapoints }),
        sum,
    )
}

fn text_points(points: Vec<(i64, String, u32)>) -> (InsertedPoints, u64) {
    let mut sum = 0_u64;
    let datapoints = points.into_iter().map(|(timestamp, value, code)| {
        let bits = checksum::bytes(value.as_bytes());
        sum = sum.wrapping_add(checksum::point(timestamp, bits, u64::from(code)));
        StringDatapoint {
            timestamp,
            value,
            status: status_message(code),
            null_value: false,
        }
    });
    let datapoints = datapoints.collect();
    (InsertedPoints::Text(StringDatapoints { datapoints }), sum)
}

/// Items, points and sum of a body that is pushed in chunks of these sizes.
fn read(body: &[u8], sizes: &[usize]) -> Result<(u64, u64, u64), Refusal> {
    let mut stream = PointStream::default();
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, later) = rest.split_at((*size).min(rest.len()));
        stream.push(chunk)?;
        rest = later;
    }
    let tally = stream.finish()?.tally;
    Ok((tally.items, tally.points, tally.points_sum))
}

proptest! {
    #[test]
    fn every_point_is_summed_however_the_body_is_cut(
        (request, sum) in request(),
        sizes in prop::collection::vec(1_usize..90, 1..8),
    ) {
        let body = request.encode_to_vec();
        let whole = read(&body, &[body.len()]);
        prop_assert_eq!(whole.as_ref().map(|(items, _, sum)| (*items, *sum)),
                        Ok((request.items.len() as u64, sum)));
        prop_assert_eq!(read(&body, &sizes), whole);
    }

    #[test]
    fn a_damaged_body_gets_the_same_verdict_however_it_is_cut(
        (request, _) in request(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        size in 1_usize..200,
    ) {
        let mut body = request.encode_to_vec();
        for (place, byte) in damage {
            let place = place.index(body.len());
            body[place] = byte;
        }
        let (whole, cut) = (read(&body, &[body.len()]), read(&body, &[size]));
        prop_assert_eq!(whole.is_ok(), cut.is_ok());
        if whole.is_ok() {
            prop_assert_eq!(whole, cut);
        }
    }
}

#[test]
fn a_reference_may_follow_its_points() -> Result<(), Refusal> {
    let item = |reference, points| DataPointInsertionItem { reference, points };
    let (points, _) = numeric_points(vec![(1_700_000_000_000, 1.5, 0)]);
    let name = item(Some(ItemReference::ExternalId("a".into())), None).encode_to_vec();
    let list = item(None, Some(points)).encode_to_vec();
    let frame = |parts: [&[u8]; 2]| {
        let item = parts.concat();
        [&[0x0a, item.len() as u8], item.as_slice()].concat()
    };
    let before = frame([&name, &list]);
    let after = frame([&list, &name]);
    assert_eq!(read(&before, &[100])?, read(&after, &[100])?);
    Ok(())
}

#[test]
fn an_unknown_field_is_passed_over() -> Result<(), Refusal> {
    let (points, sum) = numeric_points(vec![(1_700_000_000_000, 1.5, 0)]);
    let items = vec![DataPointInsertionItem {
        reference: Some(ItemReference::ExternalId("a".into())),
        points: Some(points),
    }];
    let mut body = vec![0x7a, 5, 1, 2, 3, 4, 5];
    body.extend(DataPointInsertionRequest { items }.encode_to_vec());
    let sum = checksum::series_by_external_id(b"a").wrapping_mul(sum);
    assert_eq!(read(&body, &[3])?, (1, 1, sum));
    Ok(())
}

#[test]
fn a_body_that_ends_early_is_refused() {
    let (points, _) = numeric_points(vec![(1_700_000_000_000, 1.5, 0)]);
    let items = vec![DataPointInsertionItem {
        reference: Some(ItemReference::ExternalId("a".into())),
        points: Some(points),
    }];
    let body = DataPointInsertionRequest { items }.encode_to_vec();
    for end in 0..body.len() {
        assert!(read(&body[..end], &[7]).is_err(), "{end} bytes");
    }
}

#[test]
fn a_huge_claimed_length_takes_no_memory() {
    let mut stream = PointStream::default();
    // An item of 2^62 bytes whose first point claims 2^40.
    let body = [
        0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0x1a, 0x80, 0x80, 0x80, 0x80,
        0x80, 0x80, 0x80, 0x20, 0x0a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20,
    ];
    assert!(stream.push(&body).is_err());
}
