//! Datapoints as `DataPointInsertionRequest`, straight from columns.
//!
//! Owns the layout of the message. Promises its exact size before the first byte, each series
//! once, and of several rows for one point the last. Never copies a string twice.
//!
//! Numeric points take one of two ways. The straight way writes each point where it belongs
//! in the body, in one pass: all points are 18 bytes when their timestamps lie between 1971
//! and 2109, and none is dropped when each series' timestamps rise. Otherwise points are
//! gathered by series first, put in order and measured.

use super::grouping::{Point, SeriesNumbers, last_per_timestamp};
use super::protobuf::{
    BYTES_1, BYTES_2, BYTES_3, BYTES_4, FIXED64_2, VARINT_1, field_bytes, push_field_head,
    push_varint, varint_bytes,
};
use crate::cdf::client::PROTOBUF;
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat};
use crate::rows::{
    DatapointBatch, DatapointValues, RowBatch, RowRange, SeriesKey, SeriesReference,
};
use bytes::Bytes;
use std::ops::Range;

/// A series has no number yet.
const UNNUMBERED: u32 = u32::MAX;

/// Timestamps whose varint has six bytes: 35 to 42 bits.
const SIX_BYTE_TIMESTAMPS: Range<i64> = 1 << 35..1 << 42;

/// A numeric point with such a timestamp, tag and length of its own included.
const STRAIGHT_POINT_BYTES: usize = 18;

/// Rows of one kind of value out of one batch.
struct Part<'a, C> {
    batch: &'a DatapointBatch,
    values: &'a C,
    rows: Range<usize>,
    /// Per series of the batch, its number in the request.
    numbers: Vec<u32>,
}

/// Encodes datapoints of both kinds.
pub fn encode(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let mut doubles = Vec::new();
    let mut texts = Vec::new();
    for range in ranges {
        let RowBatch::Datapoints(batch) = range.batch else {
            return Err(EncodeError::WrongShape);
        };
        let rows = range.rows.clone();
        match &batch.values {
            DatapointValues::Double(values) => doubles.push(Part::new(batch, values, rows)),
            DatapointValues::Text(values) => texts.push(Part::new(batch, values, rows)),
        }
    }
    let mut body = Vec::new();
    let mut counted = Counted::default();
    if !doubles.is_empty() {
        counted += encode_doubles(&mut doubles, &mut body);
    }
    if !texts.is_empty() {
        let mut series = SeriesNumbers::default();
        let counts = count(&mut texts, &mut series).points;
        let mut points = gather(&texts, &counts, "", |values, row| values.text(row));
        counted += write_items::<Texts>(&series.series, &counts, &mut points, &mut body);
    }
    Ok(EncodedRequest {
        operation: Operation::InsertDatapoints,
        repeat: Repeat::Harmless,
        path: "/timeseries/data".to_owned(),
        uncompressed_bytes: body.len(),
        body: Bytes::from(body),
        content_type: PROTOBUF,
        gzip: false,
        items: counted.items,
        points: counted.points,
    })
}

impl<'a, C> Part<'a, C> {
    fn new(batch: &'a DatapointBatch, values: &'a C, rows: Range<usize>) -> Self {
        Part {
            batch,
            values,
            rows,
            numbers: vec![UNNUMBERED; batch.series.len()],
        }
    }
}

#[derive(Default)]
struct Counted {
    items: usize,
    points: usize,
}

impl std::ops::AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.items += other.items;
        self.points += other.points;
    }
}

/// What a first look at the rows tells.
struct Count {
    /// Per series of the request, its points.
    points: Vec<u32>,
    /// Each series' timestamps rise, and all have six bytes.
    straight: bool,
}

/// Numbers the series that the rows use and counts their points.
fn count<'a, C>(parts: &mut [Part<'a, C>], series: &mut SeriesNumbers<'a>) -> Count {
    let mut points: Vec<u32> = Vec::new();
    let mut latest_ms: Vec<i64> = Vec::new();
    let mut straight = true;
    for part in parts {
        let indexes = &part.batch.series_index[part.rows.clone()];
        let timestamps_ms = &part.batch.timestamps_ms[part.rows.clone()];
        for (&index, &timestamp_ms) in indexes.iter().zip(timestamps_ms) {
            let mut number = part.numbers[index as usize];
            if number == UNNUMBERED {
                number = series.number(&part.batch.series[index as usize]);
                part.numbers[index as usize] = number;
                points.resize(series.series.len(), 0);
                latest_ms.resize(series.series.len(), SIX_BYTE_TIMESTAMPS.start - 1);
            }
            let number = number as usize;
            points[number] += 1;
            straight &= timestamp_ms > latest_ms[number];
            straight &= timestamp_ms < SIX_BYTE_TIMESTAMPS.end;
            latest_ms[number] = timestamp_ms;
        }
    }
    Count { points, straight }
}

fn encode_doubles(parts: &mut [Part<'_, Vec<f64>>], body: &mut Vec<u8>) -> Counted {
    let mut series = SeriesNumbers::default();
    let count = count(parts, &mut series);
    if !count.straight {
        let mut points = gather(parts, &count.points, 0.0, |values, row| values[row]);
        return write_items::<Doubles>(&series.series, &count.points, &mut points, body);
    }
    let item_bytes = |number: usize| {
        let points_bytes = count.points[number] as usize * STRAIGHT_POINT_BYTES;
        reference_bytes(series.series[number]) + field_bytes(points_bytes)
    };
    let total: usize = (0..series.series.len())
        .map(|number| field_bytes(item_bytes(number)))
        .sum();
    let first = body.len();
    body.reserve_exact(total);
    // Heads of items now, each followed by room for its points; then the points.
    let mut cursors = Vec::with_capacity(series.series.len());
    for (number, key) in series.series.iter().enumerate() {
        let points_bytes = count.points[number] as usize * STRAIGHT_POINT_BYTES;
        push_field_head(body, BYTES_1, item_bytes(number));
        push_reference(body, key);
        push_field_head(body, Doubles::TAG, points_bytes);
        cursors.push(body.len());
        body.resize(body.len() + points_bytes, 0);
    }
    debug_assert_eq!(body.len() - first, total, "the size was not computed right");
    for part in parts.iter() {
        let rows = part.rows.clone();
        let columns = part.batch.series_index[rows.clone()]
            .iter()
            .zip(&part.batch.timestamps_ms[rows.clone()])
            .zip(&part.values[rows]);
        for ((&index, &timestamp_ms), &value) in columns {
            let cursor = &mut cursors[part.numbers[index as usize] as usize];
            let start = *cursor;
            *cursor = start + STRAIGHT_POINT_BYTES;
            body[start..start + STRAIGHT_POINT_BYTES]
                .copy_from_slice(&straight_point(timestamp_ms, value));
        }
    }
    Counted {
        items: series.series.len(),
        points: count.points.iter().map(|points| *points as usize).sum(),
    }
}

/// A point whose timestamp has six bytes as a varint. The value is written even when it is
/// zero, which readers take, so that every point has one size and -0.0 keeps its sign.
#[inline]
fn straight_point(timestamp_ms: i64, value: f64) -> [u8; STRAIGHT_POINT_BYTES] {
    // Seven bits a byte, the lowest first; the top bit of all but the last says "goes on".
    let bits = timestamp_ms as u64;
    let spread = (bits & 0x7f)
        | (bits & 0x7f << 7) << 1
        | (bits & 0x7f << 14) << 2
        | (bits & 0x7f << 21) << 3
        | (bits & 0x7f << 28) << 4
        | (bits & 0x7f << 35) << 5
        | 0x0000_0080_8080_8080;
    let mut point = [0; STRAIGHT_POINT_BYTES];
    point[0] = BYTES_1;
    point[1] = STRAIGHT_POINT_BYTES as u8 - 2;
    point[2] = VARINT_1;
    point[3..9].copy_from_slice(&spread.to_le_bytes()[..6]);
    point[9] = FIXED64_2;
    point[10..18].copy_from_slice(&value.to_bits().to_le_bytes());
    point
}

/// Gathers points by series: series `n` has `counts[n]` of them, after those of the series
/// before it, in the order of the rows.
fn gather<'a, C, V: Copy>(
    parts: &[Part<'a, C>],
    counts: &[u32],
    placeholder: V,
    value: impl Fn(&'a C, usize) -> V,
) -> Vec<Point<V>> {
    let mut cursors = Vec::with_capacity(counts.len());
    let mut total = 0;
    for count in counts {
        cursors.push(total);
        total += *count as usize;
    }
    let nothing = Point {
        timestamp_ms: 0,
        value: placeholder,
    };
    let mut points = vec![nothing; total];
    for part in parts {
        for row in part.rows.clone() {
            let index = part.batch.series_index[row] as usize;
            let cursor = &mut cursors[part.numbers[index] as usize];
            points[*cursor] = Point {
                timestamp_ms: part.batch.timestamps_ms[row],
                value: value(part.values, row),
            };
            *cursor += 1;
        }
    }
    points
}

/// A kind of value: its message, its tag, its bytes.
trait Kind {
    type Value<'v>: Copy;
    /// Tag of the list of points in an item.
    const TAG: u8;
    fn value_bytes(value: Self::Value<'_>) -> usize;
    fn push_value(body: &mut Vec<u8>, value: Self::Value<'_>);
}

struct Doubles;

impl Kind for Doubles {
    type Value<'v> = f64;
    const TAG: u8 = BYTES_3;

    fn value_bytes(_: f64) -> usize {
        1 + size_of::<f64>()
    }

    fn push_value(body: &mut Vec<u8>, value: f64) {
        body.push(FIXED64_2);
        body.extend_from_slice(&value.to_bits().to_le_bytes());
    }
}

struct Texts;

impl Kind for Texts {
    type Value<'v> = &'v str;
    const TAG: u8 = BYTES_4;

    fn value_bytes(value: &str) -> usize {
        field_bytes(value.len())
    }

    fn push_value(body: &mut Vec<u8>, value: &str) {
        push_field_head(body, BYTES_2, value.len());
        body.extend_from_slice(value.as_bytes());
    }
}

fn point_bytes<K: Kind>(point: &Point<K::Value<'_>>) -> usize {
    1 + varint_bytes(point.timestamp_ms as u64) + K::value_bytes(point.value)
}

/// Writes the items of gathered points.
fn write_items<K: Kind>(
    series: &[&SeriesKey],
    counts: &[u32],
    points: &mut [Point<K::Value<'_>>],
    body: &mut Vec<u8>,
) -> Counted {
    let mut items = Vec::with_capacity(series.len());
    let mut counted = Counted::default();
    let mut total = 0;
    let mut rest = points;
    for (key, count) in series.iter().zip(counts) {
        let (own, others) = rest.split_at_mut(*count as usize);
        rest = others;
        let kept = last_per_timestamp(own);
        let own = &own[..kept];
        let points_bytes: usize = own
            .iter()
            .map(|point| field_bytes(point_bytes::<K>(point)))
            .sum();
        let item_bytes = reference_bytes(key) + field_bytes(points_bytes);
        total += field_bytes(item_bytes);
        counted += Counted {
            items: 1,
            points: kept,
        };
        items.push((*key, own, points_bytes, item_bytes));
    }
    let first = body.len();
    body.reserve_exact(total);
    for (key, own, points_bytes, item_bytes) in items {
        push_field_head(body, BYTES_1, item_bytes);
        push_reference(body, key);
        push_field_head(body, K::TAG, points_bytes);
        for point in own {
            push_field_head(body, BYTES_1, point_bytes::<K>(point));
            body.push(VARINT_1);
            push_varint(body, point.timestamp_ms as u64);
            K::push_value(body, point.value);
        }
    }
    debug_assert_eq!(body.len() - first, total, "the size was not computed right");
    counted
}

fn reference_bytes(key: &SeriesKey) -> usize {
    match key.reference() {
        SeriesReference::Id(id) => 1 + varint_bytes(*id as u64),
        SeriesReference::ExternalId(external_id) => field_bytes(external_id.len()),
    }
}

fn push_reference(body: &mut Vec<u8>, key: &SeriesKey) {
    match key.reference() {
        SeriesReference::Id(id) => {
            body.push(VARINT_1);
            push_varint(body, *id as u64);
        }
        SeriesReference::ExternalId(external_id) => {
            push_field_head(body, BYTES_2, external_id.len());
            body.extend_from_slice(external_id.as_bytes());
        }
    }
}
