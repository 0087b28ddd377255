//! Points gathered by series, put in order, measured, and written.
//!
//! Owns the way of strings, of statuses, of timestamps of any size and of series that do not rise.
//! Promises of several rows for one point the last. Never allocates per row.

use super::item::Item;
use super::part::{Part, Tally};
use super::straight;
use crate::cdf::encode::grouping::{Point, last_per_timestamp};
use crate::cdf::encode::protobuf::{
    BYTES_1, BYTES_2, BYTES_3, BYTES_4, FIXED64_2, Head, VARINT_1, VARINT_4, field_bytes,
    push_field_head, push_varint, varint_bytes,
};
use crate::rows::{PointStatus, TextColumn};
use std::marker::PhantomData;

/// A kind of value: where it comes from, its tag, its bytes.
pub trait Kind {
    type Column;
    type Value<'v>: Copy + Default;
    /// Tag of the list of points in an item.
    const TAG: u8;

    fn value<'a>(part: &Part<'a, Self::Column>, row: usize) -> Self::Value<'a>;

    /// Bytes of what stands behind the timestamp.
    fn value_bytes(value: Self::Value<'_>) -> usize;

    /// Appends what stands behind the timestamp.
    fn push_value(body: &mut Vec<u8>, value: Self::Value<'_>);

    /// Bytes of the point without its own tag and length.
    #[inline]
    fn point_bytes(point: &Point<Self::Value<'_>>) -> usize {
        1 + varint_bytes(point.timestamp_ms as u64) + Self::value_bytes(point.value)
    }

    /// Appends the point with its own tag and length.
    #[inline]
    fn push(body: &mut Vec<u8>, point: &Point<Self::Value<'_>>) {
        push_any::<Self>(body, point);
    }
}

/// Appends a point of any size.
#[inline]
fn push_any<K: Kind + ?Sized>(body: &mut Vec<u8>, point: &Point<K::Value<'_>>) {
    let mut head = Head::default();
    head.field(BYTES_1, K::point_bytes(point));
    head.varint(VARINT_1, point.timestamp_ms as u64);
    body.extend_from_slice(head.bytes());
    K::push_value(body, point.value);
}

/// Values of `double_datapoints`.
pub struct Doubles;

impl Kind for Doubles {
    type Column = Vec<f64>;
    type Value<'v> = f64;
    const TAG: u8 = BYTES_3;

    #[inline]
    fn value<'a>(part: &Part<'a, Vec<f64>>, row: usize) -> f64 {
        part.values[row]
    }

    #[inline]
    fn value_bytes(_value: f64) -> usize {
        1 + size_of::<f64>()
    }

    #[inline]
    fn push_value(body: &mut Vec<u8>, value: f64) {
        let mut field = [FIXED64_2; 1 + size_of::<f64>()];
        field[1..].copy_from_slice(&value.to_bits().to_le_bytes());
        body.extend_from_slice(&field);
    }

    #[inline]
    fn push(body: &mut Vec<u8>, point: &Point<f64>) {
        if straight::SIX_BYTE_TIMESTAMPS.contains(&point.timestamp_ms) {
            body.extend_from_slice(&straight::point(point.timestamp_ms, point.value));
            return;
        }
        push_any::<Self>(body, point);
    }
}

/// Values of `string_datapoints`.
pub struct Texts;

impl Kind for Texts {
    type Column = TextColumn;
    type Value<'v> = &'v [u8];
    const TAG: u8 = BYTES_4;

    #[inline]
    fn value<'a>(part: &Part<'a, TextColumn>, row: usize) -> &'a [u8] {
        part.values.bytes(row)
    }

    #[inline]
    fn value_bytes(value: &[u8]) -> usize {
        field_bytes(value.len())
    }

    #[inline]
    fn push_value(body: &mut Vec<u8>, value: &[u8]) {
        push_field_head(body, BYTES_2, value.len());
        body.extend_from_slice(value);
    }

    #[inline]
    fn push(body: &mut Vec<u8>, point: &Point<&[u8]>) {
        let mut head = Head::default();
        head.field(BYTES_1, Self::point_bytes(point));
        head.varint(VARINT_1, point.timestamp_ms as u64);
        head.field(BYTES_2, point.value.len());
        body.extend_from_slice(head.bytes());
        body.extend_from_slice(point.value);
    }
}

/// Values of either kind with their statuses, of which some are not Good.
pub struct WithStatus<K>(PhantomData<K>);

impl<K: Kind> Kind for WithStatus<K> {
    type Column = K::Column;
    type Value<'v> = (K::Value<'v>, PointStatus);
    const TAG: u8 = K::TAG;

    #[inline]
    fn value<'a>(part: &Part<'a, K::Column>, row: usize) -> Self::Value<'a> {
        (K::value(part, row), part.batch.status(row))
    }

    #[inline]
    fn value_bytes((value, status): Self::Value<'_>) -> usize {
        let value_bytes = match status.has_no_value {
            true => NULL_VALUE.len(),
            false => K::value_bytes(value),
        };
        let status_bytes = match status.code {
            // Good is what a point is without a status.
            0 => 0,
            code => field_bytes(1 + varint_bytes(u64::from(code))),
        };
        value_bytes + status_bytes
    }

    #[inline]
    fn push_value(body: &mut Vec<u8>, (value, status): Self::Value<'_>) {
        if !status.has_no_value {
            K::push_value(body, value);
        }
        if status.code != 0 {
            let code = u64::from(status.code);
            push_field_head(body, BYTES_3, 1 + varint_bytes(code));
            body.push(VARINT_1);
            push_varint(body, code);
        }
        if status.has_no_value {
            body.extend_from_slice(&NULL_VALUE);
        }
    }
}

/// `nullValue: true`.
const NULL_VALUE: [u8; 2] = [VARINT_4, 1];

/// Appends the items and returns their points: those that no later row supersedes.
pub fn write<K: Kind>(
    parts: &[Part<'_, K::Column>],
    tally: &Tally<'_>,
    body: &mut Vec<u8>,
) -> usize {
    let mut gathered = gather::<K>(parts, &tally.rows);
    let mut items = Vec::with_capacity(tally.series.len());
    let mut total = 0;
    let mut points = 0;
    let mut rest = gathered.as_mut_slice();
    for (key, rows) in tally.series.iter().zip(&tally.rows) {
        let (own, others) = rest.split_at_mut(*rows);
        rest = others;
        let kept = last_per_timestamp(own);
        let own = &own[..kept];
        let item = Item {
            key,
            tag: K::TAG,
            points_bytes: own
                .iter()
                .map(|point| field_bytes(K::point_bytes(point)))
                .sum(),
        };
        total += item.bytes();
        points += kept;
        items.push((item, own));
    }
    let first = body.len();
    body.reserve_exact(total);
    for (item, own) in items {
        item.push_head(body);
        for point in own {
            K::push(body, point);
        }
    }
    debug_assert_eq!(body.len() - first, total, "the size was not computed right");
    points
}

/// Gathers points by series: series `n` has `rows[n]` of them, after those of the series
/// before it, in the order of the rows.
fn gather<'a, K: Kind>(parts: &[Part<'a, K::Column>], rows: &[usize]) -> Vec<Point<K::Value<'a>>> {
    let mut cursors = Vec::with_capacity(rows.len());
    let mut total = 0;
    for rows in rows {
        cursors.push(total);
        total += rows;
    }
    let nothing = Point {
        timestamp_ms: 0,
        value: K::Value::default(),
    };
    let mut points = vec![nothing; total];
    for part in parts {
        place::<K>(part, &mut cursors, &mut points);
    }
    points
}

/// Puts the points of a part behind those of the parts before it.
///
/// On its own so that the loop keeps its state in registers.
#[inline(never)]
fn place<'a, K: Kind>(
    part: &Part<'a, K::Column>,
    cursors: &mut [usize],
    points: &mut [Point<K::Value<'a>>],
) {
    let numbers = part.numbers.as_slice();
    let columns = part.series_index().iter().zip(part.timestamps_ms());
    for ((&index, &timestamp_ms), row) in columns.zip(part.rows.clone()) {
        let cursor = &mut cursors[numbers[index as usize] as usize];
        points[*cursor] = Point {
            timestamp_ms,
            value: K::value(part, row),
        };
        *cursor += 1;
    }
}
