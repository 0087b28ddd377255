//! Pieces of JSON, appended to a body.
//!
//! Owns the escaping of strings and the form of times. Promises RFC 8259 for any UTF-8. Never builds a tree.

use std::io::Write;

/// What stands for a byte after a backslash: 0 for bytes that pass as they are, `u` for
/// control characters without a short form.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escapes[byte] = b'u';
        byte += 1;
    }
    escapes[b'\n' as usize] = b'n';
    escapes[b'\r' as usize] = b'r';
    escapes[b'\t' as usize] = b't';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends UTF-8 text as a JSON string, quotes included.
pub fn push_string(body: &mut Vec<u8>, text: &[u8]) {
    body.push(b'"');
    let mut copied = 0;
    for (index, &byte) in text.iter().enumerate() {
        let escape = ESCAPES[usize::from(byte)];
        if escape == 0 {
            continue;
        }
        body.extend_from_slice(&text[copied..index]);
        if escape == b'u' {
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            body.extend_from_slice(b"\\u00");
            body.extend_from_slice(&digits);
        } else {
            body.extend_from_slice(&[b'\\', escape]);
        }
        copied = index + 1;
    }
    body.extend_from_slice(&text[copied..]);
    body.push(b'"');
}

/// Appends an integer.
pub fn push_integer(body: &mut Vec<u8>, integer: i64) {
    body.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
}

/// Appends a double, shortest form that reads back the same. JSON has no NaN and no
/// infinities; the builders let none through, and `null` stands for one that came anyway.
pub fn push_double(body: &mut Vec<u8>, double: f64) {
    if double.is_finite() {
        body.extend_from_slice(zmij::Buffer::new().format_finite(double).as_bytes());
    } else {
        body.extend_from_slice(b"null");
    }
}

/// Appends `true` or `false`.
pub fn push_bool(body: &mut Vec<u8>, truth: bool) {
    body.extend_from_slice(match truth {
        true => b"true".as_slice(),
        false => b"false".as_slice(),
    });
}

/// Appends a time as an ISO 8601 string in UTC, to the millisecond. The builders take no time
/// that has no such form; `null` stands for one that came anyway.
pub fn push_time(body: &mut Vec<u8>, timestamp_ms: i64) {
    let written = jiff::Timestamp::from_millisecond(timestamp_ms)
        .is_ok_and(|timestamp| write!(body, "\"{timestamp:.3}\"").is_ok());
    if !written {
        body.extend_from_slice(b"null");
    }
}
