//! Checks of the settings that shape requests: batches, budgets, repeats.
//!
//! Owns the comparison with CDF's bounds and with each other. Promises that a full request fits
//! every bound that it must pass. Never checks what concerns clients: `checks` does.

use super::checks::not_zero;
use super::problem::Findings;
use super::tree::Tree;
use super::{BatchSettings, BudgetName, RequestBounds};
use crate::catalog::Resource;

/// A pause longer than this is a mistake in the unit.
const LINGER_MS_MAX: u64 = 60_000;

/// Notes everything that is wrong with the settings of requests.
pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    retry(tree, findings);
    pacing(tree, findings);
    budget_share(tree, findings);
    for resource in Resource::ALL {
        batch(tree, resource, findings);
        limits(tree, resource, findings);
    }
    for budget in BudgetName::ALL {
        window_and_cost(tree, budget, findings);
    }
}

fn pacing(tree: &Tree, findings: &mut Findings) {
    let pacing = &tree.pacing;
    not_zero(
        "pacing.breaker_open_initial_ms",
        pacing.breaker_open_initial_ms,
        findings,
    );
    if pacing.breaker_open_initial_ms > pacing.breaker_open_max_ms {
        findings.note(
            "pacing.breaker_open_max_ms",
            "the longest time is shorter than the first one",
            "Set it to pacing.breaker_open_initial_ms or more",
        );
    }
    if pacing.breaker_open_max_ms > tree.retry.elapsed_max_s.saturating_mul(1000) {
        findings.note(
            "pacing.breaker_open_max_ms",
            "an endpoint would be left alone longer than a request is repeated",
            "Set it to less than retry.elapsed_max_s",
        );
    }
}

fn retry(tree: &Tree, findings: &mut Findings) {
    let retry = &tree.retry;
    not_zero(
        "retry.initial_interval_ms",
        retry.initial_interval_ms,
        findings,
    );
    not_zero("retry.elapsed_max_s", retry.elapsed_max_s, findings);
    not_zero("retry.request_timeout_s", retry.request_timeout_s, findings);
    if retry.initial_interval_ms > retry.interval_max_ms {
        findings.note(
            "retry.interval_max_ms",
            "the longest interval is shorter than the first one",
            "Set it to retry.initial_interval_ms or more",
        );
    }
    if !(1.0..=10.0).contains(&retry.multiplier) {
        findings.note(
            "retry.multiplier",
            "intervals must not shrink, and not explode",
            "Set it to a number from 1 to 10",
        );
    }
    if retry.request_timeout_s > retry.elapsed_max_s {
        findings.note(
            "retry.request_timeout_s",
            "a single attempt may take longer than all attempts together",
            "Set it to retry.elapsed_max_s or less",
        );
    }
    if retry.stale_write_guard_ms > retry.elapsed_max_s.saturating_mul(1000) {
        findings.note(
            "retry.stale_write_guard_ms",
            "keys would wait longer than a request is repeated",
            "Set it to less than retry.elapsed_max_s",
        );
    }
}

fn budget_share(tree: &Tree, findings: &mut Findings) {
    let share = tree.limits.budget_share;
    if !(share > 0.0 && share <= 1.0) {
        findings.note(
            "limits.budget_share",
            format!("{share} is no share of a budget"),
            "Set it above 0 and up to 1",
        );
    }
}

fn batch(tree: &Tree, resource: Resource, findings: &mut Findings) {
    let BatchSettings {
        items_max,
        points_max,
        bytes_max,
        linger_ms,
        in_flight_max,
        gzip_bytes_min: _,
    } = tree.batch.of(resource).clone();
    let bounds = RequestBounds::of(resource);
    let key = |name: &str| format!("batch.{}.{name}", resource.name());
    not_zero(&key("items_max"), items_max as u64, findings);
    not_zero(&key("points_max"), points_max as u64, findings);
    not_zero(&key("bytes_max"), bytes_max as u64, findings);
    not_zero(&key("in_flight_max"), in_flight_max as u64, findings);
    if items_max > bounds.items {
        findings.note(
            key("items_max"),
            format!("CDF takes {} items in a request", bounds.items),
            format!("Set it to {} or less", bounds.items),
        );
    }
    if let Some(points) = bounds.points
        && points_max > points
    {
        findings.note(
            key("points_max"),
            format!("CDF takes {points} datapoints in a request"),
            format!("Set it to {points} or less"),
        );
    }
    if linger_ms > LINGER_MS_MAX {
        findings.note(
            key("linger_ms"),
            "rows would wait for more than a minute",
            format!("Set it to {LINGER_MS_MAX} or less; the unit is milliseconds"),
        );
    }
    if bytes_max > tree.memory.rows_bytes_max {
        findings.note(
            key("bytes_max"),
            "a request would be larger than memory.rows_bytes_max, so none would fill",
            "Set it to memory.rows_bytes_max or less",
        );
    }
    let concurrency = tree.limits.of(resource).concurrency;
    if concurrency > 0 && in_flight_max > concurrency {
        findings.note(
            key("in_flight_max"),
            format!("limits.{}.concurrency is {concurrency}", resource.name()),
            format!("Set it to {concurrency} or less"),
        );
    }
}

/// The figures of one resource: those of an identity, or of its project.
fn limits(tree: &Tree, resource: Resource, findings: &mut Findings) {
    let limits = tree.limits.of(resource);
    let project = &limits.project;
    for (part, bytes_per_window, items_per_s) in [
        ("", limits.bytes_per_window, limits.items_per_s),
        ("project.", project.bytes_per_window, project.items_per_s),
    ] {
        let batch = tree.batch.of(resource);
        let share = tree.limits.budget_share;
        let key = |name: &str| format!("limits.{}.{part}{name}", resource.name());
        if bytes_per_window > 0 && (bytes_per_window as f64 * share) < batch.bytes_max as f64 {
            findings.note(
                key("bytes_per_window"),
                format!(
                    "one full request of batch.{}.bytes_max would exceed the budget",
                    resource.name()
                ),
                "Raise the budget or lower bytes_max",
            );
        }
        if items_per_s > 0 && f64::from(items_per_s) * share < batch.items_max as f64 {
            findings.note(
                key("items_per_s"),
                format!(
                    "one full request of batch.{}.items_max would exceed the budget",
                    resource.name()
                ),
                "Raise the budget or lower items_max",
            );
        }
    }
}

fn window_and_cost(tree: &Tree, budget: BudgetName, findings: &mut Findings) {
    let limits = tree.limits.named(budget);
    let key = |name: &str| format!("limits.{}.{name}", budget.name());
    let counts_bytes = limits.bytes_per_window > 0 || limits.project.bytes_per_window > 0;
    if counts_bytes && limits.window_s == 0 {
        findings.note(
            key("window_s"),
            "bytes are limited per window and the window has no length",
            "Set it to the window's seconds; CDF counts RAW by 600",
        );
    }
    not_zero(
        &key("request_cost"),
        u64::from(limits.request_cost),
        findings,
    );
}
