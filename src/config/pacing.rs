//! `[pacing]`: how the gateway keeps within CDF's budgets and treats an endpoint that fails.
//!
//! Owns the switches of pacing; the budgets themselves are in `limits.toml`. Never holds what
//! a single request does after a failure: that is `[retry]`.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Switches of pacing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct PacingSettings {
    /// Where spent budgets are kept from one start to the next; none: they are forgotten.
    pub state_file: Option<PathBuf>,
    /// Learn how many requests in flight are good, up to `in_flight_max`.
    pub adaptive_concurrency: bool,
    /// Failures in a row after which an endpoint is left alone for a while; 0: never.
    pub breaker_failures: u32,
    /// How long it is left alone the first time.
    pub breaker_open_initial_ms: u64,
    /// How long it is left alone at most.
    pub breaker_open_max_ms: u64,
}

impl Default for PacingSettings {
    fn default() -> Self {
        PacingSettings {
            state_file: None,
            adaptive_concurrency: true,
            breaker_failures: 5,
            breaker_open_initial_ms: 1_000,
            breaker_open_max_ms: 30_000,
        }
    }
}
