//! Custom metadata: its form and its limits.
//!
//! Owns the check of key and value sizes, which CDF measures in **bytes**.

use super::answer::Refusal;
use std::collections::BTreeMap;

/// Names and values, in the order of the names.
pub type Metadata = BTreeMap<String, String>;

/// The limits of one resource.
#[derive(Debug, Clone, Copy)]
pub struct MetadataLimits {
    /// Most bytes of one value.
    pub value_bytes_max: usize,
    /// Most bytes of all names and values together.
    pub total_bytes_max: usize,
}

const PAIRS_MAX: usize = 256;
const KEY_BYTES_MAX: usize = 128;

/// Adds up the pairs of one object.
#[derive(Debug, Default)]
pub struct Measure {
    pairs: usize,
    total_bytes: usize,
}

impl Measure {
    /// Counts one pair, which has to fit.
    pub fn add(
        &mut self,
        key_bytes: usize,
        value_bytes: usize,
        limits: MetadataLimits,
    ) -> Result<(), Refusal> {
        self.pairs += 1;
        self.total_bytes += key_bytes + value_bytes;
        let over = |what: &str, most: usize, got: usize| {
            Err(Refusal::invalid(format!(
                "metadata: {what} must be at most {most} bytes, got {got}"
            )))
        };
        if self.pairs > PAIRS_MAX {
            return Err(Refusal::invalid(format!(
                "metadata: at most {PAIRS_MAX} key-value pairs are allowed"
            )));
        }
        if key_bytes > KEY_BYTES_MAX {
            return over("key size", KEY_BYTES_MAX, key_bytes);
        }
        if value_bytes > limits.value_bytes_max {
            return over("value size", limits.value_bytes_max, value_bytes);
        }
        if self.total_bytes > limits.total_bytes_max {
            return over("total size", limits.total_bytes_max, self.total_bytes);
        }
        Ok(())
    }
}

/// Checks metadata against the limits of its resource.
pub fn check(metadata: &Metadata, limits: MetadataLimits) -> Result<(), Refusal> {
    let mut measure = Measure::default();
    metadata
        .iter()
        .try_for_each(|(key, value)| measure.add(key.len(), value.len(), limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: MetadataLimits = MetadataLimits {
        value_bytes_max: 10_000,
        total_bytes_max: 10_000,
    };

    fn one(key: &str, value: &str) -> Metadata {
        Metadata::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_key_is_measured_in_bytes() {
        assert!(check(&one(&"k".repeat(128), ""), LIMITS).is_ok());
        assert!(check(&one(&"ü".repeat(65), ""), LIMITS).is_err());
    }

    #[test]
    fn keys_and_values_count_together() {
        assert!(check(&one("key", &"v".repeat(9_997)), LIMITS).is_ok());
        assert!(check(&one("key", &"v".repeat(9_998)), LIMITS).is_err());
    }

    #[test]
    fn a_257th_pair_is_one_too_many() {
        let metadata: Metadata = (0..257).map(|i| (i.to_string(), String::new())).collect();
        assert!(check(&metadata, LIMITS).is_err());
    }
}
