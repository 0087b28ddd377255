//! A hash of a JSON value that does not depend on how it was written.
//!
//! Owns the reading of a value as its hash. Blanks, escapes and the order of members do not
//! count, members that are null count as absent, and `1` is `1.0`. The reader may be off by
//! one in the last place of a double with many digits, so two ways to write such a double
//! may come to two hashes. Nothing is allocated but by strings with escapes.

use super::checksum;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::fmt;

const ABSENT: u64 = 0;
const TRUE: u64 = 0xa076_1d64_78bd_642f;
const FALSE: u64 = 0xe703_7ed1_a0b4_28db;
const LIST: u64 = 0x8ebc_6af0_9c88_c6e3;
const MEMBERS: u64 = 0x5899_65cc_7537_4cc3;
const REAL: u64 = 0x1d8e_4e27_c47d_124f;

/// A JSON value, read as its hash; null is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub u64);

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_any(DigestVisitor).map(Digest)
    }
}

struct DigestVisitor;

impl<'de> Visitor<'de> for DigestVisitor {
    type Value = u64;

    fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<u64, E> {
        Ok(ABSENT)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<u64, E> {
        Ok(if value { TRUE } else { FALSE })
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<u64, E> {
        Ok(checksum::series_by_id(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<u64, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<u64, E> {
        let whole = value as i64;
        if whole as f64 == value && whole.unsigned_abs() < 1 << 53 {
            return self.visit_i64(whole);
        }
        Ok(checksum::bytes(&value.to_bits().to_le_bytes()) ^ REAL)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<u64, E> {
        Ok(checksum::bytes(value.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
        let mut hash = LIST;
        while let Some(Digest(element)) = list.next_element()? {
            hash = checksum::pair(hash, element);
        }
        Ok(hash)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<u64, A::Error> {
        let mut sum = MEMBERS;
        while let Some((Digest(name), Digest(value))) = members.next_entry()? {
            if value != ABSENT {
                sum = sum.wrapping_add(checksum::pair(name, value));
            }
        }
        Ok(checksum::pair(sum, MEMBERS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            // Doubles of few digits: see the module about the others.
            any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
            ".{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn compact_and_pretty_text_and_the_value_itself_come_to_one_hash(value in values()) {
            let itself = Digest::deserialize(&value).ok();
            prop_assert!(itself.is_some());
            prop_assert_eq!(digest(&value.to_string()), itself);
            prop_assert_eq!(digest(&format!("{value:#}")), itself);
        }
    }

    fn digest(text: &str) -> Option<Digest> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn the_way_a_value_is_written_does_not_count() {
        let a = r#"{"name":"é","n":1,"list":[1,{"x":true}],"none":null}"#;
        let b = r#"{ "list": [1.0, {"x": true}], "n": 1, "name": "\u00e9" }"#;
        assert!(digest(a).is_some());
        assert_eq!(digest(a), digest(b));
    }

    #[test]
    fn what_a_value_says_does_count() {
        let texts = [
            r#"{"a":"1","b":"2"}"#,
            r#"{"a":"2","b":"1"}"#,
            r#"{"a":1,"b":"2"}"#,
            r#"{"a":{"b":"2"}}"#,
            r#"{"a":["1","2"]}"#,
            r#"{"a":["2","1"]}"#,
            r#"{"a":1.5}"#,
            r#"{"a":false}"#,
            "{}",
            "[]",
        ];
        let digests: std::collections::HashSet<u64> = texts
            .iter()
            .filter_map(|text| Some(digest(text)?.0))
            .collect();
        assert_eq!(digests.len(), texts.len());
    }
}
