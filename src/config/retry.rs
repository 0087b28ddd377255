//! `[retry]`: how long and how often a request is repeated.
//!
//! Owns the figures of the retry policy. Promises a total below a bulk loader's 30 minutes.
//! Never decides what may be repeated: the error classes do.

use serde::{Deserialize, Serialize};

/// Figures of the retry policy. Delays are drawn uniformly from 0 to the current interval.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySettings {
    /// First interval.
    pub initial_interval_ms: u64,
    /// Factor from one interval to the next.
    pub multiplier: f64,
    /// Cap of the interval.
    pub interval_max_ms: u64,
    /// After this time a request is given up and its statement fails.
    pub elapsed_max_s: u64,
    /// Bound of one attempt; above CDF's own, so that a late write is rare.
    pub request_timeout_s: u64,
    /// After an unanswered request its keys wait this long before the next write to them.
    pub stale_write_guard_ms: u64,
}

impl Default for RetrySettings {
    fn default() -> Self {
        RetrySettings {
            initial_interval_ms: 250,
            multiplier: 2.0,
            interval_max_ms: 30_000,
            elapsed_max_s: 1_200,
            request_timeout_s: 120,
            stale_write_guard_ms: 5_000,
        }
    }
}
