//! The elements of an insert in protobuf: points, statuses, instance ids.
//!
//! Owns the reading and the checking of one element that is wholly there. A point of the
//! usual form (a timestamp after 1971, a double) takes a path without loops.

use super::wire_format::{self, Broken, Fields, Read, Value, WireType};
use crate::emulator::answer::Refusal;
use crate::emulator::checksum;
use crate::emulator::datapoints::{
    STRING_BYTES_MAX, StatusCode, TIMESTAMP_MAX_MS, VALUE_LIMIT, check_number, check_string,
    check_timestamp,
};
use crate::emulator::reference::InstanceId;

/// Most bytes of one element: a point, or a reference. A valid one has some 4 KiB.
pub const ELEMENT_BYTES_MAX: u64 = 64 << 10;

/// Bytes of a numeric point of the usual form, with the two bytes of its frame.
pub const USUAL_POINT_BYTES: usize = 18;

/// A checked point: its timestamp in ms and its hash.
pub type Hashed = (i64, u64);

/// The next point of a list; `None` when it is not whole.
#[inline]
pub fn next_point(list: &[u8]) -> Result<Option<(&[u8], usize)>, Refusal> {
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

/// Checks and hashes a numeric point of the usual form with its frame: 16 bytes of a
/// timestamp in six varint bytes (1971 to 2109) and a double. `None` says that it has
/// another form, or that something is wrong with it.
#[inline(always)]
pub fn usual_point(framed: &[u8; USUAL_POINT_BYTES]) -> Option<Hashed> {
    let [0x0a, 0x10, 0x08, t0, t1, t2, t3, t4, t5, 0x11, value @ ..] = framed else {
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
    let (timestamp, bits) = (timestamp as i64, u64::from_le_bytes(*value));
    // One comparison also finds NaN and the infinities: their bits are larger.
    let fits = bits & (u64::MAX >> 1) < VALUE_LIMIT.to_bits() && timestamp <= TIMESTAMP_MAX_MS;
    fits.then(|| (timestamp, checksum::point(timestamp, bits, 0)))
}

/// Checks and hashes any numeric point.
pub fn numeric_point(point: &[u8]) -> Result<Hashed, Refusal> {
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
    check_timestamp(timestamp)?;
    check_number((!null).then_some(f64::from_bits(bits)), status)?;
    if null {
        bits = checksum::NULL_VALUE_BITS;
    }
    let hash = checksum::point(timestamp, bits, u64::from(status.code()));
    Ok((timestamp, hash))
}

/// Checks and hashes a string point.
pub fn text_point(point: &[u8]) -> Result<Hashed, Refusal> {
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
    let value = (!null).then_some(value);
    check_timestamp(timestamp)?;
    check_string(value, status)?;
    let bits = value.map_or(checksum::NULL_VALUE_BITS, |value| {
        checksum::bytes(value.as_bytes())
    });
    let hash = checksum::point(timestamp, bits, u64::from(status.code()));
    Ok((timestamp, hash))
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

/// An instance id, a message of two strings.
pub fn instance_id(message: &[u8]) -> Result<InstanceId, Refusal> {
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

/// The length of a field that has to have one.
pub fn length(wire_type: WireType, input: &[u8]) -> Read<u64> {
    if wire_type == WireType::Length {
        wire_format::varint(input)
    } else {
        Err(Broken)
    }
}

/// Bytes that have to be UTF-8.
pub fn text(bytes: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(bytes).map_err(|_| Broken.into())
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
