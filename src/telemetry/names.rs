//! The contract: every metric, once.
//!
//! Owns names, kinds, units, labels and help. Promises Prometheus' conventions: prefix
//! `penstock_`, base units, `_total` on counters. A change here is a change for dashboards and
//! alarms, and `docs/metrics.md` must follow it: a test compares the two.

use super::metric::{Kind, Metric, Unit};

/// Seconds that CDF takes to answer: from a local answer to the time-out of a request.
const ANSWER_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// Seconds of statements and waits: those of an answer and, above, an hour-long load.
const STATEMENT_SECONDS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 1800.0, 3600.0,
];

/// Rows of one request, up to CDF's 100,000 datapoints.
const REQUEST_ROWS: &[f64] = &[
    1.0, 10.0, 100.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0, 25_000.0, 50_000.0, 100_000.0,
];

/// Seconds that a disk takes to say that bytes are safe.
const SYNC_SECONDS: &[f64] = &[
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// Records that share one sync.
const GROUP_RECORDS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1000.0, 10_000.0,
];

/// Bytes of one request.
const REQUEST_BYTES: &[f64] = &[
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
];

macro_rules! metrics_table {
    ($($constant:ident: $name:literal, $kind:expr, $unit:expr, [$($label:literal),*], $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: Metric = Metric {
                name: $name,
                kind: $kind,
                unit: $unit,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        /// Every metric, in the order of the documentation.
        pub static ALL: &[Metric] = &[$($constant),*];
    };
}

use Kind::{Counter, Gauge, Histogram};
use Unit::{Bytes, Count, Seconds};

metrics_table! {
    ROWS_RECEIVED: "penstock_rows_received_total", Counter, Count("rows"), ["table"],
        "Rows decoded from clients, per table";
    BYTES_RECEIVED: "penstock_bytes_received_total", Counter, Bytes, ["table"],
        "Bytes of row data received from clients, as they came over the wire, per table";
    STATEMENTS: "penstock_statements_total", Counter, Count("statements"), ["kind", "outcome"],
        "Statements that ended, by what they asked for and how they ended";
    STATEMENT_DURATION: "penstock_statement_duration_seconds", Histogram(STATEMENT_SECONDS), Seconds, ["kind"],
        "Time from the receipt of a statement to its answer, without the client's time to read it";
    CONNECTIONS_OPEN: "penstock_connections_open", Gauge, Count("connections"), [],
        "Client connections that are open";
    CONNECTIONS_ENDED: "penstock_connections_ended_total", Counter, Count("connections"), ["end"],
        "Client connections that ended, by why";
    SIGN_INS_FAILED: "penstock_sign_ins_failed_total", Counter, Count("sign-ins"), ["cause"],
        "Sign-ins that failed, by cause";
    MEMORY_BUDGET: "penstock_memory_budget_bytes", Gauge, Bytes, [],
        "Bytes of rows that may be under way at once";
    MEMORY_USED: "penstock_memory_used_bytes", Gauge, Bytes, [],
        "Bytes of rows under way: granted from the budget and not given back";
    STAGED: "penstock_staged_bytes", Gauge, Bytes, [],
        "Bytes of rows staged in open transactions";
    SPOOLED: "penstock_spool_bytes", Gauge, Bytes, [],
        "Bytes of rows of open transactions in spool files";
    BATCHES: "penstock_batches_total", Counter, Count("batches"), ["resource"],
        "Batches of rows handed to the pipeline";
    QUEUE_ROWS: "penstock_queue_rows", Gauge, Count("rows"), ["resource"],
        "Rows in the pipeline that are not part of a request yet";
    THROTTLE_WAIT: "penstock_throttle_wait_seconds", Histogram(STATEMENT_SECONDS), Seconds, ["resource"],
        "Time that a request waited for its turn in CDF's budget";
    REQUESTS_IN_FLIGHT: "penstock_requests_in_flight", Gauge, Count("requests"), ["resource"],
        "Requests sent to CDF and not answered";
    REQUESTS: "penstock_requests_total", Counter, Count("requests"), ["resource", "answer"],
        "Attempts of write requests to CDF, by how it answered";
    REQUEST_DURATION: "penstock_request_duration_seconds", Histogram(ANSWER_SECONDS), Seconds, ["resource"],
        "Time from the start of one attempt of a write request to CDF's whole answer";
    REQUEST_ROWS_SENT: "penstock_request_rows", Histogram(REQUEST_ROWS), Count("rows"), ["resource"],
        "Rows of one write request; datapoints for the resource datapoints";
    REQUEST_BODY: "penstock_request_body_bytes", Histogram(REQUEST_BYTES), Bytes, ["resource"],
        "Bytes of the body of one write request, as sent";
    RETRIES: "penstock_retries_total", Counter, Count("requests"), ["resource", "cause"],
        "Write requests sent again, by cause";
    THROTTLED: "penstock_throttled_total", Counter, Count("answers"), ["operation", "kind"],
        "Answers 429 of CDF, by what they were for";
    CONCURRENCY_LIMIT: "penstock_concurrency_limit", Gauge, Count("requests"), ["operation"],
        "Requests that may be in flight as learned from CDF's answers, summed over the identities";
    BREAKERS_OPEN: "penstock_breakers_open", Gauge, Count("breakers"), ["operation"],
        "Identities whose calls of an operation are left alone because they only fail";
    BREAKER_OPENINGS: "penstock_breaker_openings_total", Counter, Count("openings"), ["operation"],
        "Times that a circuit breaker opened";
    ROWS_SETTLED: "penstock_rows_settled_total", Counter, Count("rows"), ["resource", "verdict"],
        "Rows with a verdict, by verdict";
    JOURNAL_BYTES: "penstock_journal_bytes", Gauge, Bytes, [],
        "Bytes of the journal's files, parked rows included";
    JOURNAL_BYTES_MAX: "penstock_journal_max_bytes", Gauge, Bytes, [],
        "Bytes that the journal may hold; 0 without a journal";
    JOURNAL_SEGMENTS: "penstock_journal_segments", Gauge, Count("segments"), [],
        "Files of the journal";
    JOURNAL_RECORDS: "penstock_journal_records_total", Counter, Count("records"), [],
        "Records that were written to the journal and are safe";
    JOURNAL_APPENDED: "penstock_journal_appended_bytes_total", Counter, Bytes, [],
        "Bytes that were written to the journal and are safe";
    JOURNAL_GROUP_RECORDS: "penstock_journal_group_records", Histogram(GROUP_RECORDS), Count("records"), [],
        "Records that one sync of the disk made safe";
    JOURNAL_SYNC: "penstock_journal_sync_seconds", Histogram(SYNC_SECONDS), Seconds, [],
        "Time that the disk took to make a group of records safe";
    JOURNAL_FAILURES: "penstock_journal_failures_total", Counter, Count("groups"), [],
        "Groups of records that the disk failed to make safe; their statements failed";
    JOURNAL_DISK_FULL: "penstock_journal_disk_full", Gauge, Count("1 while it is full"), [],
        "Whether the journal's disk is full";
    JOURNAL_BACKLOG: "penstock_journal_backlog_records", Gauge, Count("records"), [],
        "Records that are only on disk and wait to be read back";
    JOURNAL_OLDEST: "penstock_journal_oldest_age_seconds", Gauge, Seconds, [],
        "Age of the oldest record that is read back; 0 when nothing waits";
    JOURNAL_DAMAGES: "penstock_journal_damages_total", Counter, Count("places"), [],
        "Places of the journal that were found damaged";
    JOURNAL_DAMAGED_ROWS: "penstock_journal_damaged_rows_total", Counter, Count("rows"), [],
        "Acknowledged rows in damaged places, as far as they can be counted";
    JOURNAL_REJECTED_ROWS: "penstock_journal_rejected_rows_total", Counter, Count("rows"), [],
        "Acknowledged rows that CDF refused or whose fate is unknown: they became dead letters";
    JOURNAL_PARKED: "penstock_journal_parked_bytes", Gauge, Bytes, [],
        "Bytes of parked rows: those of principals that CDF does not let write";
    JOURNAL_IDENTITIES_STOPPED: "penstock_journal_identities_stopped", Gauge, Count("principals"), [],
        "Principals with parked rows, counted for each resource";
    TOKEN_REQUESTS: "penstock_token_requests_total", Counter, Count("requests"), ["outcome"],
        "Requests for an access token, by how they ended";
    ACCESS_CHECKS: "penstock_access_checks_total", Counter, Count("checks"), ["outcome"],
        "Looks at whether an identity that has open connections, or is kept out, has access to CDF, by what came of them";
    KEY_FETCHES: "penstock_key_fetches_total", Counter, Count("fetches"), ["outcome"],
        "Fetches of an issuer's keys, by which tokens are checked at sign-in";
    TLS_RELOADS: "penstock_tls_reloads_total", Counter, Count("reloads"), ["outcome"],
        "Times that the TLS files had changed and were read again";
    ACTOR_RESTARTS: "penstock_actor_restarts_total", Counter, Count("restarts"), ["actor"],
        "Actors that ended by a fault and were started again";
    HEARTBEATS: "penstock_heartbeats_total", Counter, Count("beats"), ["thread"],
        "Turns of the event loops that are watched for hangs, by what their threads do";
    DEAD_LETTERS: "penstock_dead_letters_total", Counter, Count("letters"), ["source", "condition"],
        "Rows that became dead letters, by how and by PostgreSQL's name of the SQLSTATE";
    DEAD_LETTERS_OPEN: "penstock_dead_letters_open", Gauge, Count("letters"), [],
        "Dead letters in the store that were not replayed";
    DEAD_LETTERS_BYTES: "penstock_dead_letters_bytes", Gauge, Bytes, [],
        "Bytes of the store of dead letters that are in use";
    DEAD_LETTERS_PURGED: "penstock_dead_letters_purged_total", Counter, Count("letters"), ["purge"],
        "Dead letters that were deleted, by why";
    DEAD_LETTERS_REPLAYED: "penstock_dead_letters_replayed_total", Counter, Count("letters"), ["replay"],
        "Replays of dead letters, by how they ended";
    DEAD_LETTER_WRITES_FAILED: "penstock_dead_letter_writes_failed_total", Counter, Count("writes"), [],
        "Groups of dead letters that could not be stored; whoever brought them was told";
    ENGINES: "penstock_engines", Gauge, Count("engines"), ["state"],
        "Engines that run what is not the gateway's own, by what they are doing";
    ENGINES_STARTED: "penstock_engines_started_total", Counter, Count("engines"), [],
        "Engines that were started";
    ENGINES_ENDED: "penstock_engines_ended_total", Counter, Count("engines"), ["end"],
        "Engines that ended, by why";
    ENGINE_START: "penstock_engine_start_seconds", Histogram(STATEMENT_SECONDS), Seconds, [],
        "Time that an engine took to start, with the built-in tables";
    ENGINE_WAIT: "penstock_engine_wait_seconds", Histogram(STATEMENT_SECONDS), Seconds, [],
        "Time that a statement waited for an engine with its user's tables";
    ENGINES_REFUSED: "penstock_engines_refused_total", Counter, Count("statements"), [],
        "Statements that failed because all engines were in use";
    SCAN_ROWS: "penstock_scan_rows_total", Counter, Count("rows"), ["resource"],
        "Rows read from CDF for statements that an engine runs";
    SCAN_REQUESTS: "penstock_scan_requests_total", Counter, Count("requests"), ["resource"],
        "Requests to CDF for such rows, repeats included";
    SCAN_BYTES: "penstock_scan_answer_bytes_total", Counter, Bytes, ["resource"],
        "Bytes of the bodies of CDF's answers to them";
    SCAN_MEMORY_BUDGET: "penstock_scan_memory_budget_bytes", Gauge, Bytes, [],
        "Bytes of pages that all reads together may hold between CDF and engines";
    SCAN_MEMORY_USED: "penstock_scan_memory_used_bytes", Gauge, Bytes, [],
        "Bytes of pages that are asked for, or read and not yet in an engine";
    CATALOG_ANSWERS: "penstock_catalog_answers_total", Counter, Count("answers"), ["answer"],
        "Questions about the catalog whose answers may be kept, by where the answer came from";
    CATALOG_BYTES: "penstock_catalog_answers_bytes", Gauge, Bytes, [],
        "Bytes of answers about the catalog that are kept";
    LEASE_HELD: "penstock_lease_held", Gauge, Count("1 while it is"), [],
        "Whether this process holds the lease of its state store and serves; there only with a state store";
    BUILD: "penstock_build_info", Gauge, Count("always 1"), ["version"],
        "The version that runs, as a label";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::LetterSource;
    use crate::telemetry::{
        AccessOutcome, Actor, CatalogAnswer, ConnectionEnd, EngineEnd, EngineState, LabelValue,
        LetterCondition, PurgeCause, ReplayOutcome, RequestAnswer, RetryCause, SignInFailure,
        StatementKind, StatementOutcome, ThrottleKind, TokenOutcome, Verdict, WatchedThread,
    };
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_keep_the_conventions_of_prometheus() {
        let names: BTreeSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("penstock_"), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == Counter,
                "{}",
                metric.name
            );
            let stem = metric.name.trim_end_matches("_total");
            match metric.unit {
                Seconds => assert!(stem.ends_with("_seconds"), "{}", metric.name),
                Bytes => assert!(
                    stem.ends_with("_bytes") || stem.contains("_bytes_"),
                    "{}",
                    metric.name
                ),
                Count(_) => assert!(!stem.ends_with("_seconds") && !stem.ends_with("_bytes")),
            }
            assert!(!metric.help.ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn the_documentation_lists_exactly_the_metrics_of_the_contract() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let document = std::fs::read_to_string(path).expect("docs/metrics.md is readable");
        let documented: Vec<&str> = document
            .lines()
            .filter(|line| line.starts_with("| `penstock_"))
            .collect();
        let wanted: Vec<String> = ALL.iter().map(documentation_line).collect();
        assert_eq!(
            documented,
            wanted,
            "docs/metrics.md must hold these lines, in this order:\n{}",
            wanted.join("\n")
        );
    }

    fn values_line<L: LabelValue>(label: &str, metrics: &[&Metric]) -> String {
        let named = |names: Vec<&str>| {
            let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            quoted.join(", ")
        };
        let metrics = named(metrics.iter().map(|metric| metric.name).collect());
        let values = named(L::ALL.iter().map(|value| value.label()).collect());
        format!("| `{label}` | {metrics} | {values} |")
    }

    #[test]
    fn the_documentation_lists_exactly_the_values_of_the_labels() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
        let document = std::fs::read_to_string(path).expect("docs/metrics.md is readable");
        for line in [
            values_line::<StatementKind>("kind", &[&STATEMENTS, &STATEMENT_DURATION]),
            values_line::<StatementOutcome>("outcome", &[&STATEMENTS]),
            values_line::<ConnectionEnd>("end", &[&CONNECTIONS_ENDED]),
            values_line::<SignInFailure>("cause", &[&SIGN_INS_FAILED]),
            values_line::<RequestAnswer>("answer", &[&REQUESTS]),
            values_line::<RetryCause>("cause", &[&RETRIES]),
            values_line::<ThrottleKind>("kind", &[&THROTTLED]),
            values_line::<Verdict>("verdict", &[&ROWS_SETTLED]),
            values_line::<TokenOutcome>("outcome", &[&TOKEN_REQUESTS, &KEY_FETCHES, &TLS_RELOADS]),
            values_line::<AccessOutcome>("outcome", &[&ACCESS_CHECKS]),
            values_line::<Actor>("actor", &[&ACTOR_RESTARTS]),
            values_line::<WatchedThread>("thread", &[&HEARTBEATS]),
            values_line::<LetterSource>("source", &[&DEAD_LETTERS]),
            values_line::<LetterCondition>("condition", &[&DEAD_LETTERS]),
            values_line::<EngineState>("state", &[&ENGINES]),
            values_line::<EngineEnd>("end", &[&ENGINES_ENDED]),
            values_line::<CatalogAnswer>("answer", &[&CATALOG_ANSWERS]),
            values_line::<PurgeCause>("purge", &[&DEAD_LETTERS_PURGED]),
            values_line::<ReplayOutcome>("replay", &[&DEAD_LETTERS_REPLAYED]),
        ] {
            assert!(
                document.contains(&line),
                "docs/metrics.md must hold this line:\n{line}"
            );
        }
    }

    fn documentation_line(metric: &Metric) -> String {
        let labels: Vec<String> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        format!(
            "| `{}` | {} | {} | {} | {} |",
            metric.name,
            metric.kind.name(),
            metric.unit.name(),
            labels.join(", "),
            metric.help
        )
    }
}
