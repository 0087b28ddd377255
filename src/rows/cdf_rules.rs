//! CDF's documented rules for single values.
//!
//! Owns the figures of CDF's API reference for datapoints, ids, RAW rows, names and lists.
//! Promises SQLSTATEs that say what kind of rule was broken, and a hint with the figure.
//! Never knows a column's name: the builder adds it.

use super::value::{JsonKind, is_plain_ascii};
use crate::diagnostic::{Diagnostic, SqlState};
use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;

/// Numeric datapoints lie strictly between this and its negative.
const DATAPOINT_MAGNITUDE: f64 = 1e100;

/// 1900-01-01 and the last millisecond of 2099, UTC.
pub const DATAPOINT_FIRST_MS: i64 = -2_208_988_800_000;
pub const DATAPOINT_LAST_MS: i64 = 4_102_444_799_999;

/// 2^53 - 1: what a JSON reader may keep exactly.
const IDENTIFIER_MAX: i64 = (1 << 53) - 1;

const RAW_KEY_CHARACTERS_MAX: usize = 1024;

/// Bytes of all columns of one RAW row.
pub const RAW_COLUMNS_BYTES_MAX: usize = 5 << 20;

/// Numbers in cells of sequences lie between this and its negative, both taken.
pub const SEQUENCE_NUMBER_MAGNITUDE_MAX: f64 = 1e100;

/// Whether CDF takes the number as a datapoint.
#[inline]
pub fn is_datapoint_value(value: f64) -> bool {
    // NaN fails the comparison, too.
    value.abs() < DATAPOINT_MAGNITUDE
}

/// Whether CDF takes a datapoint at that time.
#[inline]
pub fn is_datapoint_time(timestamp_ms: i64) -> bool {
    (DATAPOINT_FIRST_MS..=DATAPOINT_LAST_MS).contains(&timestamp_ms)
}

/// A numeric datapoint's value.
///
/// # Errors
/// 22003 for NaN, infinities and magnitudes from 1e100 on.
#[inline]
pub fn check_datapoint_value(value: f64) -> Result<(), Box<Diagnostic>> {
    if is_datapoint_value(value) {
        Ok(())
    } else {
        Err(datapoint_value_out_of_range(value))
    }
}

/// 22003 that shows the value.
#[cold]
pub fn datapoint_value_out_of_range(value: f64) -> Box<Diagnostic> {
    let shown = if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{value:e}")
    };
    Box::new(
        Diagnostic::error(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{shown}\" is out of range for a numeric datapoint"),
        )
        .with_hint(
            "CDF takes numbers between -1e100 and 1e100, and neither NaN nor infinity. \
             Leave the row out where there is no value.",
        ),
    )
}

/// A datapoint's timestamp.
///
/// # Errors
/// 22008 outside 1900 to 2099.
#[inline]
pub fn check_datapoint_time(timestamp_ms: i64) -> Result<(), Box<Diagnostic>> {
    if is_datapoint_time(timestamp_ms) {
        Ok(())
    } else {
        Err(time_out_of_range(
            "timestamp out of range for a datapoint",
            "CDF takes datapoints from 1900-01-01 to 2099-12-31 23:59:59.999 UTC.",
        ))
    }
}

/// Any other timestamp that CDF takes.
///
/// # Errors
/// 22008 before 1970.
pub fn check_time(timestamp_ms: i64) -> Result<(), Box<Diagnostic>> {
    if timestamp_ms >= 0 {
        Ok(())
    } else {
        Err(time_out_of_range(
            "timestamp out of range for CDF",
            "CDF takes times from 1970-01-01 UTC on.",
        ))
    }
}

#[cold]
fn time_out_of_range(message: &str, hint: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(SqlState::DATETIME_FIELD_OVERFLOW, message).with_hint(hint))
}

/// An id that CDF made.
///
/// # Errors
/// 22003 outside 1 to 2^53 - 1.
#[inline]
pub fn check_identifier(id: i64) -> Result<(), Box<Diagnostic>> {
    if (1..=IDENTIFIER_MAX).contains(&id) {
        Ok(())
    } else {
        Err(identifier_out_of_range(id))
    }
}

#[cold]
fn identifier_out_of_range(id: i64) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{id}\" is out of range for an id of CDF"),
        )
        .with_hint(format!("Ids of CDF are 1 to {IDENTIFIER_MAX}.")),
    )
}

/// A name or an external id has at least one character.
///
/// # Errors
/// 22023.
#[inline]
pub fn check_not_empty(value: &[u8]) -> Result<(), Box<Diagnostic>> {
    if value.is_empty() {
        Err(Box::new(Diagnostic::error(
            SqlState::INVALID_PARAMETER_VALUE,
            "an empty string is no name in CDF",
        )))
    } else {
        Ok(())
    }
}

/// Whether CDF takes the key and every character of it is one byte.
#[inline]
pub fn is_plain_raw_key(key: &[u8]) -> bool {
    (1..=RAW_KEY_CHARACTERS_MAX).contains(&key.len()) && is_plain_ascii(key)
}

/// A RAW key, already known to be UTF-8.
///
/// # Errors
/// 22023 when empty, 22001 beyond 1024 characters.
#[inline]
pub fn check_raw_key(key: &[u8]) -> Result<(), Box<Diagnostic>> {
    check_not_empty(key)?;
    // Every character has one byte that does not continue another.
    let characters = || key.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
    if key.len() > RAW_KEY_CHARACTERS_MAX && characters() > RAW_KEY_CHARACTERS_MAX {
        return Err(Box::new(
            Diagnostic::error(
                SqlState::STRING_DATA_RIGHT_TRUNCATION,
                "value too long for the key of a RAW row",
            )
            .with_hint(format!(
                "CDF takes keys of up to {RAW_KEY_CHARACTERS_MAX} characters."
            )),
        ));
    }
    Ok(())
}

/// The columns of a RAW row, already known to be JSON.
///
/// # Errors
/// 22023 for anything but an object, 54000 beyond 5 MiB.
#[inline]
pub fn check_raw_columns(json: &[u8], kind: JsonKind) -> Result<(), Box<Diagnostic>> {
    if kind != JsonKind::Object {
        return Err(Box::new(
            Diagnostic::error(
                SqlState::INVALID_PARAMETER_VALUE,
                "the columns of a RAW row must be a JSON object",
            )
            .with_hint("Write {\"column\": value, ...}."),
        ));
    }
    if json.len() > RAW_COLUMNS_BYTES_MAX {
        return Err(Box::new(
            Diagnostic::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("the columns of a RAW row have {} bytes", json.len()),
            )
            .with_hint(format!(
                "CDF takes up to {RAW_COLUMNS_BYTES_MAX} bytes a row."
            )),
        ));
    }
    Ok(())
}

/// JSON that is an object.
///
/// # Errors
/// 22023.
pub fn check_json_object(kind: JsonKind) -> Result<(), Box<Diagnostic>> {
    if kind == JsonKind::Object {
        return Ok(());
    }
    Err(Box::new(Diagnostic::error(
        SqlState::INVALID_PARAMETER_VALUE,
        "the value must be a JSON object",
    )))
}

/// A list that names each element once.
///
/// # Errors
/// 23514 with the element.
pub fn check_distinct<T: Display + Eq + Hash>(elements: &[T]) -> Result<(), Box<Diagnostic>> {
    let mut seen = HashSet::with_capacity(elements.len());
    let Some(twice) = elements.iter().find(|element| !seen.insert(*element)) else {
        return Ok(());
    };
    Err(Box::new(
        Diagnostic::error(
            SqlState::CHECK_VIOLATION,
            format!("a list has the element {twice} twice"),
        )
        .with_hint("CDF takes each element once."),
    ))
}

/// A path from the root.
///
/// # Errors
/// 22023.
pub fn check_absolute_path(path: &[u8]) -> Result<(), Box<Diagnostic>> {
    if path.first() == Some(&b'/') {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::error(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("\"{}\" is no absolute path", String::from_utf8_lossy(path)),
        )
        .with_hint("CDF takes paths that begin with a slash."),
    ))
}

/// When a pipeline runs. Refused is only what CDF's pattern refuses for certain.
///
/// # Errors
/// 23514.
pub fn check_schedule(schedule: &[u8]) -> Result<(), Box<Diagnostic>> {
    let is_cron = || {
        schedule
            .iter()
            .all(|byte| byte.is_ascii_digit() || b" */,-".contains(byte))
    };
    if schedule.starts_with(b"On trigger")
        || schedule.starts_with(b"Continuous")
        || schedule.contains(&b'@')
        || is_cron()
    {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::error(
            SqlState::CHECK_VIOLATION,
            format!(
                "\"{}\" is no schedule that CDF knows",
                String::from_utf8_lossy(schedule)
            ),
        )
        .with_hint(
            "Write On trigger, Continuous, a cron expression of numbers (0 8 * * 1-5) or a \
             shorthand of cron (@daily, @every 5m).",
        ),
    ))
}

/// A list; `elements_max` 0: of any length.
///
/// # Errors
/// 54000.
pub fn check_elements(elements: usize, elements_max: u32) -> Result<(), Box<Diagnostic>> {
    if elements_max == 0 || elements <= elements_max as usize {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("a list has {elements} elements"),
        )
        .with_hint(format!("CDF takes up to {elements_max}.")),
    ))
}

/// A number from 0 on.
///
/// # Errors
/// 22003.
pub fn check_not_negative(number: i64) -> Result<(), Box<Diagnostic>> {
    if number >= 0 {
        return Ok(());
    }
    Err(Box::new(Diagnostic::error(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("value \"{number}\" is out of range: CDF takes numbers from 0 on"),
    )))
}

/// A number from 0 to 1.
///
/// # Errors
/// 22003.
pub fn check_unit_interval(number: f64) -> Result<(), Box<Diagnostic>> {
    if (0.0..=1.0).contains(&number) {
        return Ok(());
    }
    Err(Box::new(Diagnostic::error(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("value \"{number}\" is out of range: CDF takes numbers from 0 to 1"),
    )))
}

/// A word of a list.
///
/// # Errors
/// 23514 with the list.
pub fn check_one_of(value: &[u8], words: &[&str]) -> Result<(), Box<Diagnostic>> {
    if words.iter().any(|word| word.as_bytes() == value) {
        return Ok(());
    }
    Err(Box::new(
        Diagnostic::error(
            SqlState::CHECK_VIOLATION,
            format!(
                "\"{}\" is not a value that CDF knows here",
                String::from_utf8_lossy(value)
            ),
        )
        .with_hint(format!("Write one of {}.", words.join(", "))),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<(), Box<Diagnostic>>) -> &'static str {
        result.map_or_else(|refusal| refusal.sqlstate.code(), |()| "00000")
    }

    #[test]
    fn numbers_lie_strictly_within_1e100() {
        for value in [0.0, -0.0, 9.99e99, -9.99e99, 5e-324] {
            assert_eq!(code(check_datapoint_value(value)), "00000", "{value}");
        }
        for value in [1e100, -1e100, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(code(check_datapoint_value(value)), "22003", "{value}");
        }
    }

    #[test]
    fn datapoints_lie_between_1900_and_2099() {
        for ms in [-2_208_988_800_000, 0, 4_102_444_799_999] {
            assert_eq!(code(check_datapoint_time(ms)), "00000");
        }
        for ms in [-2_208_988_800_001, 4_102_444_800_000, i64::MAX, i64::MIN] {
            assert_eq!(code(check_datapoint_time(ms)), "22008");
        }
        assert_eq!(code(check_time(-1)), "22008");
    }

    #[test]
    fn ids_are_positive_and_below_2_to_the_53() {
        assert_eq!(code(check_identifier(1)), "00000");
        assert_eq!(code(check_identifier((1 << 53) - 1)), "00000");
        for id in [0, -1, 1 << 53, i64::MAX] {
            assert_eq!(code(check_identifier(id)), "22003");
        }
    }

    #[test]
    fn lists_schedules_and_paths_are_what_cdf_takes() {
        assert_eq!(code(check_distinct(&[1, 2, 3])), "00000");
        assert_eq!(code(check_distinct(&["a", "b", "a"])), "23514");
        assert_eq!(code(check_absolute_path(b"/plant/a")), "00000");
        assert_eq!(code(check_absolute_path(b"plant")), "22023");
        assert_eq!(code(check_absolute_path(b"")), "22023");
        for schedule in [
            "On trigger",
            "Continuous",
            "0 8 * * 1-5",
            "*/5 * * * *",
            "@daily",
            "@every 5m",
            "",
        ] {
            assert_eq!(
                code(check_schedule(schedule.as_bytes())),
                "00000",
                "{schedule}"
            );
        }
        for schedule in ["often", "0 8 * * MON", "on trigger"] {
            assert_eq!(
                code(check_schedule(schedule.as_bytes())),
                "23514",
                "{schedule}"
            );
        }
    }

    #[test]
    fn raw_keys_have_1_to_1024_characters() {
        assert_eq!(code(check_raw_key(b"")), "22023");
        assert_eq!(code(check_raw_key("é".repeat(1024).as_bytes())), "00000");
        assert_eq!(code(check_raw_key("é".repeat(1025).as_bytes())), "22001");
    }

    #[test]
    fn raw_columns_are_an_object_of_at_most_5_mib() {
        assert_eq!(code(check_raw_columns(b"{}", JsonKind::Object)), "00000");
        assert_eq!(code(check_raw_columns(b"[]", JsonKind::Array)), "22023");
        let large = vec![b' '; RAW_COLUMNS_BYTES_MAX + 1];
        assert_eq!(code(check_raw_columns(&large, JsonKind::Object)), "54000");
    }
}
