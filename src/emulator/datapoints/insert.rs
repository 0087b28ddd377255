//! `POST /timeseries/data`: inserting datapoints.
//!
//! Owns the order of the checks: the body, the limits, doubled series, unknown series,
//! types, and only then the writing, so that a refused request changes nothing. In sink
//! mode the points are summed and dropped.

use super::given;
use super::points::{Timed, TypedPoints};
use super::{POINTS_MAX, SERIES_MAX};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::{Call, RequestBody, Tally};
use crate::emulator::checksum;
use crate::emulator::json::check_items;
use crate::emulator::reference::check_distinct;
use crate::emulator::time_series::find_distinct;

/// Inserts datapoints; a point with a known timestamp replaces it.
pub fn insert(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    if let RequestBody::Streamed(read) = &mut call.body {
        let placeholder = Err(Refusal::invalid("The body was taken already"));
        let read = std::mem::replace(read, placeholder)?;
        call.consume(read.tally.points, 0)?;
        call.tally = read.tally;
        return Ok(Answer::empty());
    }
    let body = call.bytes();
    let items = if call.content_type == "application/protobuf" {
        given::read_protobuf(&body)
    } else {
        given::read_json(&body)
    }?;
    call.tally.items = items.len() as u64;
    call.tally.points = items.iter().map(|item| item.len() as u64).sum();
    call.consume(call.tally.points, 0)?;
    check_items("time series", items.len(), SERIES_MAX)?;
    check_points(call.tally.points)?;
    let references: Vec<_> = items.iter().map(|item| item.reference.clone()).collect();
    check_distinct(&references)?;
    let series = find_distinct(call, &references, false)?;
    let mut checked = Vec::with_capacity(items.len());
    for (series, item) in series.into_iter().flatten().zip(items) {
        let is_string = match item.says_string() {
            // A sink takes points as they come: it imagines most of its series.
            Some(says) if call.sink() => says,
            _ => series.is_string,
        };
        let reference = item.reference.clone();
        let points = item.into_points(is_string)?;
        let sum = reference.checksum_factor().wrapping_mul(sum(&points));
        note(&mut call.tally, &points, sum, || reference.label());
        checked.push((series, points));
    }
    if !call.sink() {
        for (series, points) in checked {
            series.points().insert(points);
        }
    }
    Ok(Answer::empty())
}

/// Refuses more points than one request may carry.
pub fn check_points(points: u64) -> Result<(), Refusal> {
    if points > POINTS_MAX {
        return Err(Refusal::invalid(format!(
            "At most {POINTS_MAX} datapoints per request are allowed, got {points}"
        )));
    }
    Ok(())
}

fn note(tally: &mut Tally, points: &TypedPoints, sum: u64, label: impl FnOnce() -> String) {
    tally.points_sum = tally.points_sum.wrapping_add(sum);
    if tally.wants_keys() {
        tally.keys.push(label());
    }
    let (mut first, mut last) = (i64::MAX, i64::MIN);
    for timestamp in points.timestamps() {
        first = first.min(timestamp);
        last = last.max(timestamp);
    }
    if first <= last {
        tally.cover(first, last);
    }
}

fn sum(points: &TypedPoints) -> u64 {
    fn over<V>(points: &Timed<V>, bits: impl Fn(&V) -> u64) -> u64 {
        points.iter().fold(0, |sum, (timestamp, point)| {
            let bits = point
                .value
                .as_ref()
                .map_or(checksum::NULL_VALUE_BITS, &bits);
            let status = u64::from(point.status.code());
            sum.wrapping_add(checksum::point(*timestamp, bits, status))
        })
    }
    match points {
        TypedPoints::Numeric(points) => over(points, |value| value.to_bits()),
        TypedPoints::Text(points) => over(points, |value| checksum::bytes(value.as_bytes())),
    }
}
