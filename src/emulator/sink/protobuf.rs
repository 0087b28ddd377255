//! Datapoints in protobuf, read while they arrive.
//!
//! Owns a push reader of `DataPointInsertionRequest`: every chunk of the body goes through
//! once, nothing of it is kept but the few bytes of an element that a chunk cuts in two.
//! Each point is checked and summed; a point of the usual form (a timestamp after 2001, a
//! double) takes a path without loops. Memory is bounded by one element, whatever the
//! body says about its length.

use super::wire_format::{self, Broken, Fields, Value, WireType};
use crate::emulator::answer::Refusal;
use crate::emulator::call::Tally;
use crate::emulator::checksum;
use crate::emulator::datapoints::{
    SERIES_MAX, STRING_BYTES_MAX, TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS, VALUE_LIMIT,
};
use crate::emulator::datapoints::{Severity, StatusCode};
use crate::emulator::json::check_items;
use crate::emulator::reference::{InstanceId, Reference, refuse_doubled};
use std::collections::HashSet;

/// Most bytes of one element: a point, or a reference. A valid one has some 4 KiB.
const ELEMENT_BYTES_MAX: u64 = 64 << 10;

/// Bytes taken from a chunk at a time to complete an element that was cut.
const CARRY_STEP_BYTES: usize = 64;

/// The outcome of a whole body.
#[derive(Debug)]
pub struct StreamedPoints {
    pub tally: Tally,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numeric,
    Text,
}

/// Reads one body.
#[derive(Debug, Default)]
pub struct PointStream {
    /// The start of an element that the last chunk cut off.
    carry: Vec<u8>,
    /// Bytes of an unknown field still to pass over.
    skip_left: u64,
    /// Bytes left of the item being read; `None` between items.
    item_left: Option<u64>,
    /// Bytes left of the item's list of points.
    points_left: u64,
    kind: Option<Kind>,
    reference: Option<Reference>,
    /// Sum over the points of the item, not yet multiplied by its series.
    item_sum: u64,
    /// Factors of the series seen, which stand for their references.
    seen: HashSet<u64, foldhash::fast::FixedState>,
    span: Span,
    tally: Tally,
}

/// The time range of the points.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: i64,
    last: i64,
}

impl Default for Span {
    fn default() -> Self {
        Self {
            first: i64::MAX,
            last: i64::MIN,
        }
    }
}

impl PointStream {
    /// Reads the next chunk.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let mut at = 0;
        while !self.carry.is_empty() {
            let step = CARRY_STEP_BYTES.min(chunk.len() - at);
            if step == 0 {
                return Ok(());
            }
            let mut carry = std::mem::take(&mut self.carry);
            let before = carry.len();
            carry.extend_from_slice(&chunk[at..at + step]);
            let used = self.read(&carry)?;
            if used == 0 {
                at += step;
                self.carry = carry;
            } else {
                // The carry alone held no whole element: what was read ends in this chunk.
                at += used - before;
            }
        }
        let used = self.read(&chunk[at..])?;
        self.carry.extend_from_slice(&chunk[at + used..]);
        Ok(())
    }

    /// Ends the body.
    pub fn finish(mut self) -> Result<StreamedPoints, Refusal> {
        if !self.carry.is_empty() || self.skip_left > 0 || self.item_left.is_some() {
            return Err(Broken.into());
        }
        check_items("time series", self.tally.items as usize, SERIES_MAX)?;
        if self.span.first <= self.span.last {
            self.tally.cover(self.span.first, self.span.last);
        }
        Ok(StreamedPoints { tally: self.tally })
    }

    /// Reads whole elements from the start of `input`; returns how many bytes they took.
    fn read(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            let used = if self.skip_left > 0 {
                let used = self.skip_left.min(rest.len() as u64);
                self.skip_left -= used;
                used as usize
            } else if self.points_left > 0 {
                self.read_points(rest)?
            } else if self.item_left.is_some() {
                self.read_item_field(rest)?
            } else {
                self.read_top_field(rest)?
            };
            at += used;
            self.end_item()?;
            if used == 0 {
                return Ok(at);
            }
        }
    }

    fn read_top_field(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let Some(((field, wire_type), header)) = wire_format::header(input)? else {
            return Ok(0);
        };
        if field != 1 {
            return self.pass_over(wire_type, input, header);
        }
        let Some((length, used)) = length(wire_type, &input[header..])? else {
            return Ok(0);
        };
        self.item_left = Some(length);
        Ok(header + used)
    }

    fn read_item_field(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let Some(((field, wire_type), header)) = wire_format::header(input)? else {
            return Ok(0);
        };
        let used = match field {
            1 => {
                if wire_type != WireType::Varint {
                    return Err(Broken.into());
                }
                let Some((id, used)) = wire_format::varint(&input[header..])? else {
                    return Ok(0);
                };
                self.reference = Some(Reference::from_fields(Some(id as i64), None, None)?);
                header + used
            }
            2 | 5 => {
                let Some((length, used)) = length(wire_type, &input[header..])? else {
                    return Ok(0);
                };
                check_element(length)?;
                let start = header + used;
                let Some(bytes) = input.get(start..start + length as usize) else {
                    return Ok(0);
                };
                self.reference = Some(if field == 2 {
                    Reference::from_fields(None, Some(text(bytes)?.to_owned()), None)?
                } else {
                    Reference::from_fields(None, None, Some(instance_id(bytes)?))?
                });
                start + length as usize
            }
            3 | 4 => {
                let Some((length, used)) = length(wire_type, &input[header..])? else {
                    return Ok(0);
                };
                let kind = if field == 3 {
                    Kind::Numeric
                } else {
                    Kind::Text
                };
                if self.kind.is_some_and(|known| known != kind) {
                    return Err(Refusal::invalid("An item has to have points of one type"));
                }
                self.kind = Some(kind);
                self.points_left = length;
                // The list's bytes are taken off the item one point at a time.
                header + used
            }
            6 => {
                return Err(Refusal::invalid(
                    "State datapoints are not served by this local CDF",
                ));
            }
            _ => self.pass_over(wire_type, input, header)?,
        };
        self.take_from_item(used as u64)?;
        if self.points_left.max(self.skip_left) > self.item_left.unwrap_or(0) {
            return Err(Broken.into());
        }
        if self.skip_left > 0 {
            // Skipped bytes are counted here at once: the skipping itself knows no level.
            self.take_from_item(self.skip_left)?;
        }
        Ok(used)
    }

    /// Passes over an unknown field; what it says about its length is skipped later.
    fn pass_over(
        &mut self,
        wire_type: WireType,
        input: &[u8],
        header: usize,
    ) -> Result<usize, Refusal> {
        let used = match wire_type {
            WireType::Varint => wire_format::varint(&input[header..])?.map(|(_, used)| used),
            WireType::Fixed64 => (input.len() >= header + 8).then_some(8),
            WireType::Fixed32 => (input.len() >= header + 4).then_some(4),
            WireType::Length => {
                let read = wire_format::varint(&input[header..])?;
                read.map(|(length, used)| {
                    self.skip_left = length;
                    used
                })
            }
        };
        Ok(used.map_or(0, |used| header + used))
    }

    fn read_points(&mut self, input: &[u8]) -> Result<usize, Refusal> {
        let own =
            usize::try_from(self.points_left).map_or(input.len(), |left| left.min(input.len()));
        let list = &input[..own];
        let (used, count) = match self.kind {
            Some(Kind::Text) => self.read_text_points(list)?,
            _ => self.read_numeric_points(list)?,
        };
        self.tally.points += count;
        crate::emulator::datapoints::check_points(self.tally.points)?;
        self.points_left -= used as u64;
        self.take_from_item(used as u64)?;
        if used < own && own as u64 == self.points_left + used as u64 {
            // All of the list is here, and its last point is not whole.
            return Err(Broken.into());
        }
        Ok(used)
    }

    fn read_numeric_points(&mut self, list: &[u8]) -> Result<(usize, u64), Refusal> {
        let (mut at, mut count, mut sum, mut span) = (0, 0, self.item_sum, self.span);
        while let Some((point, used)) = next_point(&list[at..])? {
            let (timestamp, bits, status) = match usual_point(point) {
                Some((timestamp, bits)) => (timestamp, bits, StatusCode::GOOD),
                None => numeric_point(point)?,
            };
            check_timestamp(timestamp)?;
            if status == StatusCode::GOOD {
                // One comparison also finds NaN and the infinities: their bits are larger.
                if bits & (u64::MAX >> 1) >= VALUE_LIMIT.to_bits() {
                    return Err(out_of_range(bits));
                }
            } else {
                check_number(bits, status)?;
            }
            sum = sum.wrapping_add(checksum::point(timestamp, bits, u64::from(status.code())));
            span.first = span.first.min(timestamp);
            span.last = span.last.max(timestamp);
            at += used;
            count += 1;
        }
        (self.item_sum, self.span) = (sum, span);
        Ok((at, count))
    }

    fn read_text_points(&mut self, list: &[u8]) -> Result<(usize, u64), Refusal> {
        let (mut at, mut count) = (0, 0);
        while let Some((point, used)) = next_point(&list[at..])? {
            let point = TextPoint::read(point)?;
            check_timestamp(point.timestamp)?;
            let bits = match point.value {
                None if point.status.severity() != Severity::Bad => return Err(value_required()),
                None => checksum::NULL_VALUE_BITS,
                Some(value) if value.len() > STRING_BYTES_MAX => return Err(string_too_long()),
                Some(value) => checksum::bytes(value.as_bytes()),
            };
            let status = u64::from(point.status.code());
            let hash = checksum::point(point.timestamp, bits, status);
            self.item_sum = self.item_sum.wrapping_add(hash);
            self.span.first = self.span.first.min(point.timestamp);
            self.span.last = self.span.last.max(point.timestamp);
            at += used;
            count += 1;
        }
        Ok((at, count))
    }

    fn take_from_item(&mut self, used: u64) -> Result<(), Refusal> {
        let left = self.item_left.ok_or(Broken)?;
        self.item_left = Some(left.checked_sub(used).ok_or(Broken)?);
        Ok(())
    }

    /// Closes the item when its last byte was read.
    fn end_item(&mut self) -> Result<(), Refusal> {
        if self.item_left != Some(0) || self.skip_left > 0 {
            return Ok(());
        }
        self.item_left = None;
        self.kind = None;
        let reference = match self.reference.take() {
            Some(reference) => reference,
            None => Reference::from_fields(None, None, None)?,
        };
        let factor = reference.checksum_factor();
        if !self.seen.insert(factor) {
            refuse_doubled(vec![reference.to_json()])?;
        }
        if self.tally.wants_keys() {
            self.tally.keys.push(reference.label());
        }
        let sum = std::mem::take(&mut self.item_sum).wrapping_mul(factor);
        self.tally.points_sum = self.tally.points_sum.wrapping_add(sum);
        self.tally.items += 1;
        if self.tally.items > SERIES_MAX as u64 {
            check_items("time series", self.tally.items as usize, SERIES_MAX)?;
        }
        Ok(())
    }
}

/// The next point of a list; `None` when it is not whole.
#[inline]
fn next_point(list: &[u8]) -> Result<Option<(&[u8], usize)>, Refusal> {
    if let [0x0a, length @ 0..=0x7f, rest @ ..] = list {
        let length = usize::from(*length);
        return Ok(rest.get(..length).map(|point| (point, length + 2)));
    }
    let Some(((field, wire_type), header)) = wire_format::header(list)? else {
        return Ok(None);
    };
    if field != 1 {
        return Err(Broken.into());
    }
    let Some((length, used)) = length(wire_type, &list[header..])? else {
        return Ok(None);
    };
    if length > ELEMENT_BYTES_MAX {
        return Err(string_too_long());
    }
    let (start, length) = (header + used, length as usize);
    Ok(list
        .get(start..start + length)
        .map(|point| (point, start + length)))
}

/// A point of 16 bytes: a timestamp of six varint bytes (2001 to 2109) and a double.
#[inline]
fn usual_point(point: &[u8]) -> Option<(i64, u64)> {
    let point: &[u8; 16] = point.try_into().ok()?;
    let [0x08, t0, t1, t2, t3, t4, t5, 0x11, value @ ..] = point else {
        return None;
    };
    let text = u64::from_le_bytes([*t0, *t1, *t2, *t3, *t4, *t5, 0, 0]);
    // Five bytes that go on, one that ends.
    if text & 0x8080_8080_8080 != 0x0080_8080_8080 {
        return None;
    }
    // Close the gaps between groups of 7 bits, then of 14.
    let sevens = text & 0x7f7f_7f7f_7f7f;
    let pairs = (sevens & 0x007f_007f_007f) | ((sevens & 0x7f00_7f00_7f00) >> 1);
    let timestamp =
        (pairs & 0x3fff) | ((pairs & 0x3fff_0000) >> 2) | ((pairs & 0x3fff_0000_0000) >> 4);
    Some((timestamp as i64, u64::from_le_bytes(*value)))
}

/// Any numeric point: timestamp, value bits, status.
fn numeric_point(point: &[u8]) -> Result<(i64, u64, StatusCode), Refusal> {
    let (mut timestamp, mut bits, mut status, mut null) = (0, 0, StatusCode::GOOD, false);
    for field in Fields::new(point) {
        match field? {
            (1, Value::Varint(value)) => timestamp = value as i64,
            (2, Value::Fixed64(value)) => bits = value,
            (3, Value::Bytes(message)) => status = read_status(message)?,
            (4, Value::Varint(value)) => null = value != 0,
            (1..=4, _) => return Err(Broken.into()),
            _ => {}
        }
    }
    if null {
        if status.severity() != Severity::Bad {
            return Err(value_required());
        }
        bits = checksum::NULL_VALUE_BITS;
    }
    Ok((timestamp, bits, status))
}

struct TextPoint<'a> {
    timestamp: i64,
    value: Option<&'a str>,
    status: StatusCode,
}

impl<'a> TextPoint<'a> {
    fn read(point: &'a [u8]) -> Result<Self, Refusal> {
        let (mut timestamp, mut value, mut status, mut null) = (0, "", StatusCode::GOOD, false);
        for field in Fields::new(point) {
            match field? {
                (1, Value::Varint(ms)) => timestamp = ms as i64,
                (2, Value::Bytes(bytes)) => value = text(bytes)?,
                (3, Value::Bytes(message)) => status = read_status(message)?,
                (4, Value::Varint(flag)) => null = flag != 0,
                (1..=4, _) => return Err(Broken.into()),
                _ => {}
            }
        }
        Ok(Self {
            timestamp,
            value: (!null).then_some(value),
            status,
        })
    }
}

fn read_status(message: &[u8]) -> Result<StatusCode, Refusal> {
    let (mut code, mut symbol) = (0, "");
    for field in Fields::new(message) {
        match field? {
            (1, Value::Varint(value)) => code = value as i64,
            (2, Value::Bytes(bytes)) => symbol = text(bytes)?,
            (1 | 2, _) => return Err(Broken.into()),
            _ => {}
        }
    }
    let code = (code != 0 || symbol.is_empty()).then_some(code);
    StatusCode::given(code, (!symbol.is_empty()).then_some(symbol))
}

fn instance_id(message: &[u8]) -> Result<InstanceId, Refusal> {
    let (mut space, mut external_id) = ("", "");
    for field in Fields::new(message) {
        match field? {
            (1, Value::Bytes(bytes)) => space = text(bytes)?,
            (2, Value::Bytes(bytes)) => external_id = text(bytes)?,
            (1 | 2, _) => return Err(Broken.into()),
            _ => {}
        }
    }
    Ok(InstanceId {
        space: space.to_owned(),
        external_id: external_id.to_owned(),
    })
}

fn length(wire_type: WireType, input: &[u8]) -> wire_format::Read<u64> {
    if wire_type == WireType::Length {
        wire_format::varint(input)
    } else {
        Err(Broken)
    }
}

fn text(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Broken.into())
}

fn check_element(length: u64) -> Result<(), Refusal> {
    if length > ELEMENT_BYTES_MAX {
        return Err(Refusal::invalid(
            "externalId: size must be at most 255 characters",
        ));
    }
    Ok(())
}

#[inline]
fn check_timestamp(timestamp_ms: i64) -> Result<(), Refusal> {
    if (TIMESTAMP_MIN_MS..=TIMESTAMP_MAX_MS).contains(&timestamp_ms) {
        return Ok(());
    }
    crate::emulator::datapoints::check_timestamp(timestamp_ms)
}

#[cold]
fn out_of_range(bits: u64) -> Refusal {
    match check_number(bits, StatusCode::GOOD) {
        Err(refusal) => refusal,
        Ok(()) => Broken.into(),
    }
}

fn check_number(bits: u64, status: StatusCode) -> Result<(), Refusal> {
    crate::emulator::datapoints::check_number(Some(f64::from_bits(bits)), status)
}

fn value_required() -> Refusal {
    Refusal::invalid("Datapoint value is required unless its status is Bad")
}

fn string_too_long() -> Refusal {
    Refusal::invalid(format!(
        "Datapoint string value has to be at most {STRING_BYTES_MAX} bytes"
    ))
}

impl From<Broken> for Refusal {
    fn from(_: Broken) -> Self {
        Refusal::invalid("Request body is not valid protobuf")
    }
}
