//! `limits.toml`: CDF's budgets, per resource.
//!
//! Owns the rates that pacing keeps. Promises that a missing figure means "no limit known",
//! not zero. Never holds batch sizes: those are in `[batch.<resource>]`.

use crate::catalog::Resource;
use serde::{Deserialize, Serialize};

/// Budget of one resource's writes for one identity. 0 means that CDF publishes no figure
/// and none is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationLimits {
    pub requests_per_s: u32,
    pub items_per_s: u32,
    /// Bytes before compression per `window_s`.
    pub bytes_per_window: u64,
    /// Length of the byte window in seconds; CDF counts RAW by 600.
    pub window_s: u64,
    /// Requests in flight.
    pub concurrency: usize,
}

/// Budgets of every resource.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsTable {
    /// The part of each budget that this gateway may use, above 0 and up to 1: other
    /// applications write with the same identity.
    pub budget_share: f64,
    pub datapoints: OperationLimits,
    pub raw_rows: OperationLimits,
    pub raw_tables: OperationLimits,
    pub time_series: OperationLimits,
}

impl Default for LimitsTable {
    fn default() -> Self {
        LimitsTable {
            budget_share: 1.0,
            // No rate is published for datapoints and time series; Cognite's own
            // extractors keep 5 to 10 requests in flight.
            datapoints: OperationLimits {
                concurrency: 10,
                ..OperationLimits::default()
            },
            // RAW: 1.3 GB in 10 minutes and 48 requests in flight per identity.
            raw_rows: OperationLimits {
                bytes_per_window: 1_300_000_000,
                window_s: 600,
                concurrency: 48,
                ..OperationLimits::default()
            },
            raw_tables: OperationLimits {
                concurrency: 4,
                ..OperationLimits::default()
            },
            time_series: OperationLimits {
                concurrency: 5,
                ..OperationLimits::default()
            },
        }
    }
}

impl LimitsTable {
    /// The budget of `resource`.
    pub fn of(&self, resource: Resource) -> &OperationLimits {
        match resource {
            Resource::Datapoints => &self.datapoints,
            Resource::RawRows => &self.raw_rows,
            Resource::RawTables => &self.raw_tables,
            Resource::TimeSeries => &self.time_series,
        }
    }
}
