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
    /// The operations that share it: the starts of their names (`raw`, `datapoints.insert`),
    /// with blanks between several, or empty for all.
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

    /// Whether it counts the operation of this name.
    pub fn covers(&self, operation: &str) -> bool {
        self.operations.is_empty()
            || self
                .operations
                .split_ascii_whitespace()
                .any(|start| operation.starts_with(start))
    }

    fn rated(
        operations: &str,
        scope: BudgetScope,
        requests_per_s: u32,
        concurrent_requests: Option<u32>,
    ) -> Self {
        Self {
            requests_per_s: Some(requests_per_s.into()),
            concurrent_requests,
            ..Self::unlimited(scope, operations)
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
    /// The figures that CDF publishes for what the emulator serves. Assets, events and
    /// files: requests per second and in flight, for the API as a whole and for a class of
    /// its calls. RAW: 64 requests in flight per project and 48 per identity, 1.6 GB and
    /// 1.3 GB written per ten minutes. Nodes and edges: 4 writes, 2 deletes and 8 reads in
    /// flight per project. For the others nothing is published.
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
        let mut budget = vec![
            raw(BudgetScope::Project, 64, 1_600_000_000),
            raw(BudgetScope::Identity, 48, 1_300_000_000),
            instances("models.instances.apply", INSTANCE_WRITES_CONCURRENT),
            instances("models.instances.delete", INSTANCE_DELETES_CONCURRENT),
            instances("models.instances.read", INSTANCE_READS_CONCURRENT),
        ];
        let mut add =
            |operations: &str, project: (u32, Option<u32>), identity: (u32, Option<u32>)| {
                for (scope, (rate, concurrent)) in [
                    (BudgetScope::Project, project),
                    (BudgetScope::Identity, identity),
                ] {
                    budget.push(Budget::rated(operations, scope, rate, concurrent));
                }
            };
        let changes = |api: &str| {
            ["create", "update", "delete", "byids", "get"]
                .map(|verb| format!("{api}.{verb}"))
                .join(" ")
        };
        add("assets.", (200, Some(40)), (150, Some(30)));
        add(&changes("assets"), (170, Some(30)), (130, Some(23)));
        add("assets.list", (30, Some(15)), (23, Some(12)));
        add("assets.aggregate", (15, Some(7)), (12, Some(5)));
        add("events.", (200, Some(50)), (150, Some(40)));
        add(&changes("events"), (170, Some(40)), (130, Some(30)));
        add("events.list", (30, None), (23, None));
        add("files.", (160, None), (120, None));
        for (scope, items_per_s) in [
            (BudgetScope::Project, 160_000.0),
            (BudgetScope::Identity, 120_000.0),
        ] {
            budget.push(Budget {
                items_per_s: Some(items_per_s),
                ..Budget::unlimited(scope, "files.")
            });
        }
        budget.push(Budget::rated("files.list", BudgetScope::Identity, 23, None));
        Self {
            budget,
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
    fn a_budget_covers_the_operations_that_it_names() {
        let budget = Budget::unlimited(BudgetScope::Project, "assets.create assets.update");
        assert!(budget.covers("assets.create") && budget.covers("assets.update"));
        assert!(!budget.covers("assets.list") && !budget.covers("events.create"));
        assert!(Budget::unlimited(BudgetScope::Project, "").covers("raw.rows.insert"));
    }

    #[test]
    fn the_published_figures_cover_every_call_of_assets_twice_per_scope() {
        let published = Budgets::published();
        for operation in ["assets.create", "assets.list", "assets.aggregate"] {
            let covering = published
                .budget
                .iter()
                .filter(|budget| budget.covers(operation));
            assert_eq!(covering.count(), 4, "{operation}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(toml::from_str::<Budgets>("[[budget]]\nrequest_per_s = 1.0\n").is_err());
    }
}
