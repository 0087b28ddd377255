//! Budgets: how much one identity, or one project, may ask for.
//!
//! Owns the figures and their text form (JSON by the admin call, TOML by the command
//! line). `throttle` counts against them.

use serde::{Deserialize, Serialize};

/// Calls in flight per project that write nodes and edges, as published.
pub const INSTANCE_WRITES_CONCURRENT: u32 = 4;

/// Calls in flight per project that delete nodes and edges, as published.
pub const INSTANCE_DELETES_CONCURRENT: u32 = 2;

/// Calls in flight per project that read nodes and edges, as published.
pub const INSTANCE_READS_CONCURRENT: u32 = 8;

/// Whom a budget is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetScope {
    /// Each client id of each project by itself.
    Identity,
    /// All of a project together.
    Project,
}

/// One budget. A figure that is absent is not limited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Whom it is counted for.
    #[serde(default = "Budget::identity")]
    pub scope: BudgetScope,
    /// The operations that share it: the start of their names (`raw`, `datapoints.insert`),
    /// or empty for all.
    #[serde(default)]
    pub operations: String,
    /// Requests per second, over the sliding window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_s: Option<f64>,
    /// Items (datapoints, rows, objects) per second, over the sliding window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_per_s: Option<f64>,
    /// Requests in flight at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<u32>,
    /// Bytes of RAW rows written per `raw_window_ms`, counted uncompressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_bytes_per_window: Option<u64>,
}

impl Budget {
    fn identity() -> BudgetScope {
        BudgetScope::Identity
    }

    /// A budget for `scope` and `operations` without any figure yet.
    pub fn unlimited(scope: BudgetScope, operations: impl Into<String>) -> Self {
        Self {
            scope,
            operations: operations.into(),
            requests_per_s: None,
            items_per_s: None,
            concurrent_requests: None,
            raw_bytes_per_window: None,
        }
    }
}

/// All budgets, and the windows they are counted over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budgets {
    /// Length of the sliding window for requests and items.
    pub window_ms: u64,
    /// Length of the sliding window for RAW bytes.
    pub raw_window_ms: u64,
    /// The budgets; a request has to fit into every one that names its operation.
    pub budget: Vec<Budget>,
}

impl Default for Budgets {
    /// A window of one second, ten minutes for RAW bytes (as CDF documents it), no budget.
    fn default() -> Self {
        Self {
            window_ms: 1_000,
            raw_window_ms: 600_000,
            budget: Vec::new(),
        }
    }
}

impl Budgets {
    /// The figures that CDF publishes for what the emulator serves: RAW's 64 requests in
    /// flight per project and 48 per identity, 1.6 GB and 1.3 GB written per ten minutes;
    /// 4 writes, 2 deletes and 8 reads of nodes and edges in flight per project.
    /// For time series and datapoints nothing is published.
    pub fn published() -> Self {
        let raw = |scope, concurrent, bytes| Budget {
            concurrent_requests: Some(concurrent),
            raw_bytes_per_window: Some(bytes),
            ..Budget::unlimited(scope, "raw")
        };
        let instances = |operations: &str, concurrent| Budget {
            concurrent_requests: Some(concurrent),
            ..Budget::unlimited(BudgetScope::Project, operations)
        };
        Self {
            budget: vec![
                instances("models.instances.apply", INSTANCE_WRITES_CONCURRENT),
                instances("models.instances.delete", INSTANCE_DELETES_CONCURRENT),
                instances("models.instances.read", INSTANCE_READS_CONCURRENT),
                raw(BudgetScope::Project, 64, 1_600_000_000),
                raw(BudgetScope::Identity, 48, 1_300_000_000),
            ],
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read_from_toml() {
        let text =
            "window_ms = 500\n[[budget]]\noperations = \"datapoints\"\nrequests_per_s = 20.0\n";
        let read = toml::from_str::<Budgets>(text).map(|budgets| {
            (
                budgets.window_ms,
                budgets.budget[0].scope,
                budgets.budget[0].requests_per_s,
            )
        });
        assert_eq!(read, Ok((500, BudgetScope::Identity, Some(20.0))));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Budgets>("[[budget]]\nrequest_per_s = 1.0\n").is_err());
    }
}
