//! What a version of a key looks like as a value, and back.
//!
//! Owns the one rule by which a value names the write that it came from. Promises that a value
//! which was altered, or belongs to another key, is not taken for a version. Never random.

use crate::ledger::{Key, Version};
use serde_json::{Value, json};

/// Versions are below this, so that a version and a check fit a double exactly.
const CHECKS: u64 = 1 << 20;

/// A number that depends on the whole key.
fn check_of(key: &Key, version: Version) -> u64 {
    // FNV-1a: the check must be the same in every run.
    let text = format!("{key}#{version}");
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)) % CHECKS
}

/// The value of a numeric point.
pub fn number(key: &Key, version: Version) -> f64 {
    (u64::from(version) * CHECKS + check_of(key, version)) as f64
}

/// Which version a numeric point is.
pub fn version_of_number(key: &Key, value: f64) -> Option<Version> {
    let version = Version::try_from(value as u64 / CHECKS).ok()?;
    (number(key, version) == value).then_some(version)
}

/// The value of a string point.
pub fn text(key: &Key, version: Version) -> String {
    format!("{version}:{}", check_of(key, version))
}

/// Which version a string point is.
pub fn version_of_text(key: &Key, value: &str) -> Option<Version> {
    let version = value.split_once(':')?.0.parse().ok()?;
    (text(key, version) == value).then_some(version)
}

/// The columns of a RAW row.
pub fn columns(key: &Key, version: Version) -> Value {
    json!({
        "version": version,
        "check": check_of(key, version),
        "note": format!("quote \" backslash \\ tab \t, version {version}"),
    })
}

/// Which version the columns of a RAW row are.
pub fn version_of_columns(key: &Key, value: &Value) -> Option<Version> {
    let version = Version::try_from(value.get("version")?.as_u64()?).ok()?;
    (columns(key, version) == *value).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_tells_its_version_and_nothing_else_passes() {
        let key = Key::Number("a".into(), 1);
        let other = Key::Number("b".into(), 1);
        for version in [1, 2, 77_777] {
            assert_eq!(
                version_of_number(&key, number(&key, version)),
                Some(version)
            );
            assert_eq!(version_of_text(&key, &text(&key, version)), Some(version));
            assert_eq!(
                version_of_columns(&key, &columns(&key, version)),
                Some(version)
            );
            assert_eq!(version_of_number(&other, number(&key, version)), None);
            assert_eq!(version_of_number(&key, number(&key, version) + 1.0), None);
        }
        assert_eq!(version_of_text(&key, "1"), None);
        assert_eq!(version_of_number(&key, f64::NAN), None);
    }
}
