//! Values of properties: are they what their type says?
//!
//! Owns the check of one value and the form in which it is kept. Timestamps are kept as
//! CDF shows them, in UTC with milliseconds, so that equal times compare as equal text.
//! Never knows whether a property may be null.

use super::identifier::check_instance_parts;
use super::property_type::{Kind, PropertyType, TEXT_BYTES_MAX};
use crate::emulator::reference::EXTERNAL_ID_CHARS_MAX;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

const JSON_BYTES_MAX: usize = 40_960;
const JSON_KEYS_MAX: usize = 256;
const JSON_KEY_BYTES_MAX: usize = 128;
const JSON_VALUE_BYTES_MAX: usize = 10_240;

/// Checks a value that is not null against its type and gives it in the form that is kept;
/// otherwise what is wrong with it.
pub fn check(property_type: &PropertyType, value: Value) -> Result<Value, String> {
    if !property_type.is_list() {
        return check_one(property_type, value);
    }
    let Value::Array(values) = value else {
        return Err(mismatch(property_type, &value));
    };
    let most = property_type.list_size_max();
    if values.len() > most {
        return Err(format!(
            "expected at most {most} values, got {}",
            values.len()
        ));
    }
    let checked = values
        .into_iter()
        .map(|value| check_one(property_type, value))
        .collect::<Result<Vec<_>, _>>()?;
    match property_type.kind {
        Kind::Text => check_bytes(
            checked.iter().filter_map(Value::as_str).map(str::len).sum(),
            TEXT_BYTES_MAX,
        )?,
        Kind::Json => check_bytes(bytes_of(&checked), JSON_BYTES_MAX)?,
        _ => {}
    }
    Ok(Value::Array(checked))
}

/// Checks one element, also of a list.
pub fn check_one(property_type: &PropertyType, value: Value) -> Result<Value, String> {
    let refused = |value: &Value| Err(mismatch(property_type, value));
    match (property_type.kind, &value) {
        (Kind::Text, Value::String(text)) => {
            check_bytes(text.len(), property_type.text_bytes_max())?;
            if text.contains('\0') {
                return Err("a text must not contain the character NUL".to_owned());
            }
            Ok(value)
        }
        (Kind::Boolean, Value::Bool(_)) => Ok(value),
        (Kind::Int32, Value::Number(number)) => match number.as_i64() {
            Some(number) if i32::try_from(number).is_ok() => Ok(value),
            _ => refused(&value),
        },
        (Kind::Int64, Value::Number(number)) if number.is_i64() => Ok(value),
        (Kind::Float32, Value::Number(number)) => match number.as_f64() {
            // Rounding may still reach the largest one; beyond that it has no float32.
            Some(number) if (number as f32).is_finite() => Ok(value),
            _ => refused(&value),
        },
        (Kind::Float64, Value::Number(number)) if number.as_f64().is_some_and(f64::is_finite) => {
            Ok(value)
        }
        (Kind::Timestamp, Value::String(text)) => timestamp(text)
            .map(Value::String)
            .ok_or_else(|| mismatch(property_type, &value)),
        (Kind::Date, Value::String(text)) if is_date(text) => Ok(value),
        (Kind::Json, _) => check_json(&value).map(|()| value),
        (Kind::TimeSeries | Kind::File | Kind::Sequence, Value::String(text))
            if text.chars().count() <= EXTERNAL_ID_CHARS_MAX =>
        {
            Ok(value)
        }
        (Kind::Enum, Value::String(text)) if property_type.has_value(text) => Ok(value),
        (Kind::Direct, Value::Object(fields)) => {
            let field = |name: &str| fields.get(name).and_then(Value::as_str);
            match (field("space"), field("externalId"), fields.len()) {
                (Some(space), Some(external_id), 2)
                    if check_instance_parts(space, external_id).is_ok() =>
                {
                    Ok(json!({"space": space, "externalId": external_id}))
                }
                _ => refused(&value),
            }
        }
        _ => refused(&value),
    }
}

/// A timestamp in the form that is kept; `None` when it is none. Without a time zone it is
/// taken as UTC.
pub fn timestamp(text: &str) -> Option<String> {
    if text.len() < "2024-01-01T00:00:00".len() || text.as_bytes().get(10) != Some(&b'T') {
        return None;
    }
    let instant = text.parse::<Timestamp>().ok().or_else(|| {
        let local = text.parse::<DateTime>().ok()?;
        Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
    })?;
    let utc = instant.to_zoned(TimeZone::UTC).datetime();
    if utc.year() < 1 {
        return None;
    }
    Some(utc.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string())
}

fn is_date(text: &str) -> bool {
    text.len() == "2024-01-01".len() && text.parse::<Date>().is_ok_and(|date| date.year() >= 1)
}

fn check_json(value: &Value) -> Result<(), String> {
    check_bytes(bytes_of(value), JSON_BYTES_MAX)?;
    let Value::Object(fields) = value else {
        return Ok(());
    };
    if fields.len() > JSON_KEYS_MAX {
        return Err(format!(
            "expected at most {JSON_KEYS_MAX} keys, got {}",
            fields.len()
        ));
    }
    for (key, value) in fields {
        check_bytes(key.len(), JSON_KEY_BYTES_MAX)?;
        check_bytes(bytes_of(value), JSON_VALUE_BYTES_MAX)?;
    }
    Ok(())
}

fn bytes_of<T: serde::Serialize>(value: &T) -> usize {
    // Values are read from JSON, so they can be written as JSON; the bound refuses them
    // if they could not.
    serde_json::to_vec(value).map_or(usize::MAX, |text| text.len())
}

fn check_bytes(bytes: usize, most: usize) -> Result<(), String> {
    if bytes <= most {
        return Ok(());
    }
    Err(format!("expected at most {most} bytes, got {bytes}"))
}

fn mismatch(property_type: &PropertyType, value: &Value) -> String {
    const SHOWN_CHARS_MAX: usize = 60;
    let text = value.to_string();
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let rest = if shown.len() < text.len() { "…" } else { "" };
    format!("expected {}, got {shown}{rest}", property_type.describe())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Times of the years 1 to 9999, in ms.
    fn any_ms() -> std::ops::Range<i64> {
        -62_135_596_800_000..253_402_207_200_000
    }

    fn kept(ms: i64) -> Option<String> {
        timestamp(&Timestamp::from_millisecond(ms).ok()?.to_string())
    }

    proptest! {
        #[test]
        fn kept_timestamps_stay_and_sort_as_their_times(a in any_ms(), b in any_ms()) {
            let (Some(first), Some(second)) = (kept(a), kept(b)) else {
                return Err(TestCaseError::fail(format!("{a} or {b} is not taken")));
            };
            prop_assert_eq!(timestamp(&first), Some(first.clone()));
            prop_assert_eq!(first.cmp(&second), a.cmp(&b));
        }
    }

    fn checked(kind: &str, value: Value) -> Option<Value> {
        let property_type = serde_json::from_value::<PropertyType>(json!({"type": kind})).ok()?;
        check(&property_type.complete().ok()?, value).ok()
    }

    #[test]
    fn timestamps_are_kept_in_utc_with_milliseconds() {
        let kept = |text: &str| timestamp(text);
        assert_eq!(
            kept("2024-05-01T12:00:00+02:00").as_deref(),
            Some("2024-05-01T10:00:00.000+00:00")
        );
        assert_eq!(
            kept("2024-05-01T12:00:00.1239Z").as_deref(),
            Some("2024-05-01T12:00:00.123+00:00")
        );
        assert_eq!(
            kept("2024-05-01T12:00:00").as_deref(),
            Some("2024-05-01T12:00:00.000+00:00")
        );
        assert_eq!(kept("2024-05-01"), None);
        assert_eq!(kept("yesterday"), None);
    }

    #[test]
    fn numbers_have_to_fit_their_kind() {
        assert!(checked("int32", json!(2_147_483_647)).is_some());
        assert!(checked("int32", json!(2_147_483_648_i64)).is_none());
        assert!(checked("int32", json!(1.5)).is_none());
        assert!(checked("int64", json!(i64::MAX)).is_some());
        assert!(checked("int64", json!(u64::MAX)).is_none());
        assert!(checked("float32", json!(3.4e38)).is_some());
        assert!(checked("float32", json!(3.5e38)).is_none());
        assert!(checked("float64", json!(1e308)).is_some());
        assert!(checked("float64", json!("1.5")).is_none());
    }

    #[test]
    fn a_direct_relation_has_exactly_a_space_and_an_external_id() {
        assert!(checked("direct", json!({"space": "s", "externalId": "e"})).is_some());
        assert!(checked("direct", json!({"space": "s"})).is_none());
        assert!(checked("direct", json!({"space": "s", "externalId": "e", "x": 1})).is_none());
        assert!(checked("direct", json!("e")).is_none());
    }

    #[test]
    fn json_is_bounded_in_size() {
        assert!(checked("json", json!({"k": "v".repeat(10_000)})).is_some());
        assert!(checked("json", json!({"k": "v".repeat(10_240)})).is_none());
        assert!(checked("json", json!({"k".repeat(129): 1})).is_none());
    }

    #[test]
    fn dates_are_days() {
        assert!(checked("date", json!("2024-02-29")).is_some());
        assert!(checked("date", json!("2023-02-29")).is_none());
        assert!(checked("date", json!("2024-02-29T00:00:00Z")).is_none());
    }
}
