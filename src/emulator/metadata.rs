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

/// Checks metadata against the limits of its resource.
pub fn check(metadata: &Metadata, limits: MetadataLimits) -> Result<(), Refusal> {
    if metadata.len() > PAIRS_MAX {
        return Err(Refusal::invalid(format!(
            "metadata: at most {PAIRS_MAX} key-value pairs are allowed, got {}",
            metadata.len()
        )));
    }
    let mut total_bytes = 0;
    for (key, value) in metadata {
        if key.len() > KEY_BYTES_MAX {
            return Err(Refusal::invalid(format!(
                "metadata: key size must be at most {KEY_BYTES_MAX} bytes, got {}",
                key.len()
            )));
        }
        if value.len() > limits.value_bytes_max {
            return Err(Refusal::invalid(format!(
                "metadata: value size must be at most {} bytes, got {}",
                limits.value_bytes_max,
                value.len()
            )));
        }
        total_bytes += key.len() + value.len();
    }
    if total_bytes > limits.total_bytes_max {
        return Err(Refusal::invalid(format!(
            "metadata: total size must be at most {} bytes, got {total_bytes}",
            limits.total_bytes_max
        )));
    }
    Ok(())
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
