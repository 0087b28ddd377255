//! Checks of the settings that no type can make.
//!
//! Owns the ranges of single settings and the combinations that cannot work. Promises that
//! every problem of a tree is found in one pass, and that each names the key to change. Never
//! refuses what is merely unwise: those are the warnings of
//! [`Configuration::warnings`](super::Configuration::warnings).

use super::problem::Findings;
use super::tree::Tree;
use super::{BatchSettings, OperationLimits, RequestBounds};
use crate::catalog::Resource;

/// The memory budget counts permits of one byte in 32 bits.
const PERMIT_BYTES_MAX: usize = u32::MAX as usize;

/// PostgreSQL's protocol carries a message length in 31 bits; its own bound is 1 GiB - 1.
const MESSAGE_BYTES_MAX: u32 = 0x3fff_ffff;

/// PostgreSQL's bound of a startup packet, which every client may fill.
const STARTUP_BYTES_MAX: u32 = 10_000;

/// Rows of one batch; row indexes inside a batch are 32 bits, and a batch is one unit of work.
const BATCH_ROWS_MAX: usize = 1_000_000;

/// A pause longer than this is a mistake in the unit.
const LINGER_MS_MAX: u64 = 60_000;

/// More threads than this are a mistake.
const THREADS_MAX: usize = 1024;

/// Notes everything that is wrong with the settings of `tree`.
pub(super) fn check(tree: &Tree, findings: &mut Findings) {
    listen(tree, findings);
    threads(tree, findings);
    memory(tree, findings);
    copy(tree, findings);
    timeouts(tree, findings);
    retry(tree, findings);
    logs(tree, findings);
    budget_share(tree, findings);
    for resource in Resource::ALL {
        batch(tree, resource, findings);
        limits(tree, resource, findings);
    }
}

fn not_zero(key: &str, value: u64, findings: &mut Findings) {
    if value == 0 {
        findings.note(key, "the value is 0", "Set it to 1 or more");
    }
}

fn listen(tree: &Tree, findings: &mut Findings) {
    let listen = &tree.listen;
    match (&listen.tls_certificate, &listen.tls_private_key) {
        (Some(_), None) => findings.note(
            "listen.tls_private_key",
            "there is a TLS certificate and no private key",
            "Set tls_private_key to the PEM file of the certificate's key, or remove tls_certificate",
        ),
        (None, Some(_)) => findings.note(
            "listen.tls_certificate",
            "there is a private key and no TLS certificate",
            "Set tls_certificate to the PEM file of the certificate, or remove tls_private_key",
        ),
        (None, None) if listen.require_tls => findings.note(
            "listen.require_tls",
            "TLS is required and there is no certificate, so nobody could connect",
            "Set tls_certificate and tls_private_key, or set require_tls to false",
        ),
        _ => {}
    }
    if listen.postgres == listen.http && listen.http.port() != 0 {
        findings.note(
            "listen.http",
            format!("{} is the address of listen.postgres too", listen.http),
            "Choose another port",
        );
    }
    not_zero(
        "listen.connections_max",
        listen.connections_max as u64,
        findings,
    );
    if listen.message_bytes_max_before_sign_in < STARTUP_BYTES_MAX {
        findings.note(
            "listen.message_bytes_max_before_sign_in",
            format!("clients may send startup packets of {STARTUP_BYTES_MAX} bytes"),
            format!("Set it to {STARTUP_BYTES_MAX} or more"),
        );
    }
    if listen.message_bytes_max < listen.message_bytes_max_before_sign_in {
        findings.note(
            "listen.message_bytes_max",
            "messages after sign-in would have to be smaller than those before it",
            "Set it to message_bytes_max_before_sign_in or more",
        );
    } else if listen.message_bytes_max > MESSAGE_BYTES_MAX {
        findings.note(
            "listen.message_bytes_max",
            "PostgreSQL's clients send no message above 1 GiB",
            format!("Set it to {MESSAGE_BYTES_MAX} or less"),
        );
    }
}

fn threads(tree: &Tree, findings: &mut Findings) {
    for (key, value) in [
        (
            "runtime.connection_threads",
            tree.runtime.connection_threads,
        ),
        ("runtime.writer_threads", tree.runtime.writer_threads),
    ] {
        if value > THREADS_MAX {
            findings.note(
                key,
                format!("{value} threads are more than any machine needs"),
                format!("Set it to {THREADS_MAX} or less; 0 chooses by the number of cores"),
            );
        }
    }
}

fn memory(tree: &Tree, findings: &mut Findings) {
    let memory = &tree.memory;
    let connection_key = "memory.rows_bytes_max_per_connection";
    not_zero(
        "memory.rows_bytes_max",
        memory.rows_bytes_max as u64,
        findings,
    );
    if memory.rows_bytes_max_per_connection > memory.rows_bytes_max {
        findings.note(
            connection_key,
            "one connection may hold more than all connections together",
            "Set it to memory.rows_bytes_max or less",
        );
    }
    if memory.rows_bytes_max_per_connection > PERMIT_BYTES_MAX {
        findings.note(
            connection_key,
            "one connection may not hold 4 GiB or more",
            format!("Set it to {PERMIT_BYTES_MAX} or less"),
        );
    }
    if memory.rows_bytes_max_per_connection < tree.copy.batch_bytes {
        findings.note(
            connection_key,
            format!("it holds no batch of copy.batch_bytes = {} bytes", tree.copy.batch_bytes),
            "Set it to twice copy.batch_bytes or more, so that one batch fills while another is sent",
        );
    }
    let transactions = &tree.transactions;
    not_zero(
        "transactions.staged_bytes_max",
        transactions.staged_bytes_max as u64,
        findings,
    );
    if transactions.staged_bytes_max > transactions.staged_bytes_max_total {
        findings.note(
            "transactions.staged_bytes_max",
            "one transaction may stage more than all transactions together",
            "Set it to transactions.staged_bytes_max_total or less",
        );
    }
}

fn copy(tree: &Tree, findings: &mut Findings) {
    let copy = &tree.copy;
    not_zero("copy.batch_rows", copy.batch_rows as u64, findings);
    not_zero("copy.batch_bytes", copy.batch_bytes as u64, findings);
    not_zero("copy.line_bytes_max", copy.line_bytes_max as u64, findings);
    if copy.batch_rows > BATCH_ROWS_MAX {
        findings.note(
            "copy.batch_rows",
            format!("a batch holds at most {BATCH_ROWS_MAX} rows"),
            format!("Set it to {BATCH_ROWS_MAX} or less"),
        );
    }
}

fn timeouts(tree: &Tree, findings: &mut Findings) {
    not_zero("timeouts.sign_in_s", tree.timeouts.sign_in_s, findings);
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

fn logs(tree: &Tree, findings: &mut Findings) {
    if let Err(error) = crate::telemetry::logs::filter(&tree.logs) {
        findings.note(
            "logs.filter",
            format!("the filter cannot be read: {error}"),
            "Write a level (error, warn, info, debug, trace) or directives such as info,penstock=debug",
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

fn limits(tree: &Tree, resource: Resource, findings: &mut Findings) {
    let OperationLimits {
        requests_per_s: _,
        items_per_s,
        bytes_per_window,
        window_s,
        concurrency: _,
    } = *tree.limits.of(resource);
    let batch = tree.batch.of(resource);
    let share = tree.limits.budget_share;
    let key = |name: &str| format!("limits.{}.{name}", resource.name());
    if bytes_per_window > 0 && window_s == 0 {
        findings.note(
            key("window_s"),
            "bytes are limited per window and the window has no length",
            "Set it to the window's seconds; CDF counts RAW by 600",
        );
    }
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
