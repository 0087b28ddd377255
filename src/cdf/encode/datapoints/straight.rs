//! Numeric points, each written once, where it belongs.
//!
//! Owns the layout of a point of 18 bytes. Promises nothing for timestamps outside
//! [`SIX_BYTE_TIMESTAMPS`] or series that do not rise: the tally tells. Never sorts.

use super::item::Item;
use super::part::{Part, Tally};
use crate::cdf::encode::protobuf::{BYTES_1, BYTES_3, FIXED64_2, VARINT_1};
use std::ops::Range;

/// Timestamps whose varint has six bytes, 35 to 42 bits: 1971 to 2109.
pub const SIX_BYTE_TIMESTAMPS: Range<i64> = 1 << 35..1 << 42;

/// A numeric point with such a timestamp, its own tag and length included.
pub const POINT_BYTES: usize = 18;

/// What every such point begins with: its tag, its length, the tag of its timestamp.
const HEAD: u64 = BYTES_1 as u64 | (POINT_BYTES as u64 - 2) << 8 | (VARINT_1 as u64) << 16;

/// Appends the items and returns their points.
pub fn write(parts: &[Part<'_, Vec<f64>>], tally: &Tally<'_>, body: &mut Vec<u8>) -> usize {
    let item = |number: usize| Item {
        key: tally.series[number],
        tag: BYTES_3,
        points_bytes: tally.rows[number] * POINT_BYTES,
    };
    let total: usize = (0..tally.series.len())
        .map(|number| item(number).bytes())
        .sum();
    let first = body.len();
    body.reserve_exact(total);
    // Heads of items now, each followed by room for its points; then the points.
    let mut cursors = Vec::with_capacity(tally.series.len());
    for number in 0..tally.series.len() {
        let item = item(number);
        item.push_head(body);
        cursors.push(body.len());
        body.resize(body.len() + item.points_bytes, 0);
    }
    debug_assert_eq!(body.len() - first, total, "the size was not computed right");
    for part in parts {
        write_points(part, &mut cursors, body);
    }
    tally.rows.iter().sum()
}

/// Writes the points of a part, each behind the one before it of its series.
///
/// On its own so that the loop keeps its state in registers.
#[inline(never)]
fn write_points(part: &Part<'_, Vec<f64>>, cursors: &mut [usize], body: &mut [u8]) {
    let numbers = part.numbers.as_slice();
    let columns = part
        .series_index()
        .iter()
        .zip(part.timestamps_ms())
        .zip(&part.values[part.rows.clone()]);
    for ((&index, &timestamp_ms), &value) in columns {
        let cursor = &mut cursors[numbers[index as usize] as usize];
        let start = *cursor;
        *cursor = start + POINT_BYTES;
        // Always there: the tally counted this very row.
        if let Some(place) = body[start..].first_chunk_mut() {
            *place = point(timestamp_ms, value);
        }
    }
}

/// One point. The value is written even when it is zero, which readers take, so that every
/// point has one size and -0.0 keeps its sign.
#[inline]
pub fn point(timestamp_ms: i64, value: f64) -> [u8; POINT_BYTES] {
    // Seven bits a byte, the lowest first; the top bit of all but the last says "goes on".
    let bits = timestamp_ms as u64;
    let spread = (bits & 0x7f)
        | (bits & 0x7f << 7) << 1
        | (bits & 0x7f << 14) << 2
        | (bits & 0x7f << 21) << 3
        | (bits & 0x7f << 28) << 4
        | (bits & 0x7f << 35) << 5
        | 0x0000_0080_8080_8080;
    let value = value.to_bits();
    // Tag, length, tag and five bytes of the time; its sixth, tag and six bytes of the value;
    // the other two. Three stores in place of eighteen.
    let first = HEAD | spread << 24;
    let second = spread >> 40 | u64::from(FIXED64_2) << 8 | value << 16;
    let third = (value >> 48) as u16;
    let mut point = [0; POINT_BYTES];
    point[..8].copy_from_slice(&first.to_le_bytes());
    point[8..16].copy_from_slice(&second.to_le_bytes());
    point[16..].copy_from_slice(&third.to_le_bytes());
    point
}
