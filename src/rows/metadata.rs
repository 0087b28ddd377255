//! CDF's rules for metadata: an object of strings, measured in bytes.
//!
//! Owns the number of pairs and the bytes of a key. Promises a hint with the figures. Never keeps
//! what it measures.

use crate::diagnostic::{Diagnostic, SqlState};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

const METADATA_PAIRS_MAX: usize = 256;
const METADATA_KEY_BYTES_MAX: usize = 128;

/// Metadata, already known to be JSON.
///
/// # Errors
/// 22023 for anything but an object of strings; 54000 beyond the number of pairs, the bytes
/// of a key or a value, or `bytes_max` in all.
pub fn check_metadata(
    json: &[u8],
    value_bytes_max: u32,
    bytes_max: u32,
) -> Result<(), Box<Diagnostic>> {
    let measure: MetadataMeasure = serde_json::from_slice(json).map_err(|_| {
        Box::new(
            Diagnostic::error(
                SqlState::INVALID_PARAMETER_VALUE,
                "metadata must be a JSON object of strings",
            )
            .with_hint("Write numbers and booleans as strings: {\"key\": \"1\"}."),
        )
    })?;
    let broken = if measure.pairs > METADATA_PAIRS_MAX {
        format!("metadata has {} pairs", measure.pairs)
    } else if measure.key_bytes_max > METADATA_KEY_BYTES_MAX {
        format!("a key of metadata has {} bytes", measure.key_bytes_max)
    } else if measure.value_bytes_max > value_bytes_max as usize {
        format!("a value of metadata has {} bytes", measure.value_bytes_max)
    } else if measure.bytes > bytes_max as usize {
        format!("metadata has {} bytes", measure.bytes)
    } else {
        return Ok(());
    };
    Err(Box::new(
        Diagnostic::error(SqlState::PROGRAM_LIMIT_EXCEEDED, broken).with_hint(format!(
            "CDF takes {METADATA_PAIRS_MAX} pairs with keys of {METADATA_KEY_BYTES_MAX} bytes and \
             values of {value_bytes_max}, {bytes_max} bytes in all."
        )),
    ))
}

/// What CDF counts of metadata.
#[derive(Default)]
struct MetadataMeasure {
    pairs: usize,
    key_bytes_max: usize,
    value_bytes_max: usize,
    bytes: usize,
}

impl<'de> Deserialize<'de> for MetadataMeasure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MetadataVisitor)
    }
}

struct MetadataVisitor;

impl<'de> Visitor<'de> for MetadataVisitor {
    type Value = MetadataMeasure;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<MetadataMeasure, M::Error> {
        let mut measure = MetadataMeasure::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let value = map
                .next_value::<Cow<'de, str>>()
                .map_err(|_| M::Error::custom("a value is no string"))?;
            measure.pairs += 1;
            measure.key_bytes_max = measure.key_bytes_max.max(key.len());
            measure.value_bytes_max = measure.value_bytes_max.max(value.len());
            measure.bytes += key.len() + value.len();
        }
        Ok(measure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(result: Result<(), Box<Diagnostic>>) -> &'static str {
        result.map_or_else(|refusal| refusal.sqlstate.code(), |()| "00000")
    }

    #[test]
    fn metadata_is_an_object_of_strings_within_its_bounds() {
        let check = |json: &str| code(check_metadata(json.as_bytes(), 10_000, 10_000));
        assert_eq!(check("{\"a\":\"1\",\"b\":\"\\u00e9\"}"), "00000");
        assert_eq!(check("{}"), "00000");
        for json in ["[]", "{\"a\":1}", "{\"a\":null}", "{\"a\":{}}", "\"x\""] {
            assert_eq!(check(json), "22023", "{json}");
        }
        let pairs: Vec<String> = (0..257).map(|n| format!("\"{n}\":\"\"")).collect();
        assert_eq!(check(&format!("{{{}}}", pairs.join(","))), "54000");
        assert_eq!(check(&format!("{{{}}}", pairs[1..].join(","))), "00000");
        assert_eq!(check(&format!("{{\"{}\":\"\"}}", "k".repeat(129))), "54000");
        assert_eq!(
            check(&format!("{{\"a\":\"{}\"}}", "v".repeat(9_999))),
            "00000"
        );
        assert_eq!(
            check(&format!("{{\"a\":\"{}\"}}", "v".repeat(10_000))),
            "54000"
        );
    }
}
