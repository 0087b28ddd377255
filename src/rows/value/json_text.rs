//! Values as JSON, appended to a list or a row.
//!
//! Owns how numbers, strings and times of custom tables stand in JSON. Promises JSON for every
//! value that it takes. Never builds a tree.

use super::json::check_json;
use super::refusal::not_finite;
use super::text::{check_text, invalid_encoding};
use crate::diagnostic::{Diagnostic, SqlState};
use jiff::Timestamp;
use std::io::Write;

pub fn push_bool(json: &mut Vec<u8>, truth: bool) {
    json.extend_from_slice(if truth { b"true" } else { b"false" });
}

pub fn push_integer(json: &mut Vec<u8>, integer: i64) {
    json.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
}

/// # Errors
/// 22003 for NaN and the infinities.
pub fn push_double(json: &mut Vec<u8>, double: f64) -> Result<(), Box<Diagnostic>> {
    if !double.is_finite() {
        return Err(not_finite(double));
    }
    json.extend_from_slice(zmij::Buffer::new().format_finite(double).as_bytes());
    Ok(())
}

/// Appends what is JSON already.
///
/// # Errors
/// As [`check_json`].
pub fn push_json(json: &mut Vec<u8>, value: &[u8]) -> Result<(), Box<Diagnostic>> {
    check_json(value)?;
    json.extend_from_slice(value);
    Ok(())
}

/// # Errors
/// 22021 for what is not UTF-8, or holds a zero byte.
pub fn push_string(json: &mut Vec<u8>, value: &[u8]) -> Result<(), Box<Diagnostic>> {
    check_text(value)?;
    let text = std::str::from_utf8(value).map_err(|_| invalid_encoding(value))?;
    let written = serde_json::to_writer(json, text);
    debug_assert!(written.is_ok(), "a string is JSON, and memory takes it");
    Ok(())
}

/// Appends a time as an ISO 8601 string in UTC, to the millisecond.
///
/// # Errors
/// 22008 for times that the form has no year of four digits for.
pub fn push_time(json: &mut Vec<u8>, timestamp_ms: i64) -> Result<(), Box<Diagnostic>> {
    let out_of_range = || {
        Box::new(Diagnostic::error(
            SqlState::DATETIME_FIELD_OVERFLOW,
            "timestamp out of range for CDF",
        ))
    };
    // From the year 1 to the year 9999.
    if !(-62_135_596_800_000..253_402_300_800_000).contains(&timestamp_ms) {
        return Err(out_of_range());
    }
    let timestamp = Timestamp::from_millisecond(timestamp_ms).map_err(|_| out_of_range())?;
    let written = write!(json, "\"{timestamp:.3}\"");
    debug_assert!(written.is_ok(), "memory takes it");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_8601_in_utc_to_the_millisecond() {
        for (timestamp_ms, text) in [
            (0, "\"1970-01-01T00:00:00.000Z\""),
            (1_767_323_045_060, "\"2026-01-02T03:04:05.060Z\""),
            (-62_135_596_800_000, "\"0001-01-01T00:00:00.000Z\""),
        ] {
            let mut json = Vec::new();
            push_time(&mut json, timestamp_ms).expect(text);
            assert_eq!(String::from_utf8_lossy(&json), text);
        }
        for timestamp_ms in [i64::MIN, -62_135_596_800_001, 253_402_300_800_000] {
            let refusal = push_time(&mut Vec::new(), timestamp_ms).expect_err("no such year");
            assert_eq!(refusal.sqlstate.code(), "22008");
        }
    }
}
