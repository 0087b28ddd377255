//! The handles through which the code counts.
//!
//! Owns one struct per place that measures: a table, a resource of the pipeline, connections,
//! statements, memory. Promises that registration happens when a struct is made and that every
//! label value exists from then on, at zero. Make a struct once, after
//! [`install`](super::install), and keep it: making one looks up every handle. Never registers
//! while counting.

use super::labels::{
    AccessOutcome, Actor, ConnectionEnd, LabelValue, RequestAnswer, RetryCause, SignInFailure,
    StatementKind, StatementOutcome, ThrottleKind, TokenOutcome, Verdict, WatchedThread,
};
use super::metric::Metric;
use super::names;
use crate::catalog::{Resource, Table};
use crate::cdf::Operation;
use metrics::{Counter, Gauge, Histogram};
use std::marker::PhantomData;
use std::time::Duration;

/// One counter per value of a label.
#[derive(Clone, Debug)]
pub struct CountersBy<L> {
    counters: Vec<Counter>,
    label: PhantomData<L>,
}

impl<L: LabelValue> CountersBy<L> {
    /// Registers `metric` for every value of `L`, which is its last label; `before` are the
    /// values of the labels before it.
    pub(super) fn register(metric: &Metric, before: &[&'static str]) -> Self {
        let counters = L::ALL
            .iter()
            .map(|value| {
                let mut values = before.to_vec();
                values.push(value.label());
                metric.counter(&values)
            })
            .collect();
        CountersBy {
            counters,
            label: PhantomData,
        }
    }

    /// Adds `count` to the counter of `value`.
    pub fn add(&self, value: L, count: u64) {
        self.counters[value.index()].increment(count);
    }
}

/// What came in for one table.
#[derive(Clone, Debug)]
pub struct TableCounters {
    pub rows: Counter,
    pub bytes: Counter,
}

impl TableCounters {
    pub fn of(table: &Table) -> Self {
        Self::labelled(table.full_name())
    }

    /// For all custom tables together.
    pub fn of_custom() -> Self {
        Self::labelled("custom")
    }

    fn labelled(table: &'static str) -> Self {
        TableCounters {
            rows: names::ROWS_RECEIVED.counter(&[table]),
            bytes: names::BYTES_RECEIVED.counter(&[table]),
        }
    }
}

/// The way of one resource's rows into CDF.
#[derive(Clone, Debug)]
pub struct PipelineMeters {
    /// Batches handed to the batcher.
    pub batches: Counter,
    /// Rows that are not part of a request yet.
    pub queue_rows: Gauge,
    /// Seconds that a request waited for its turn.
    pub throttle_wait_seconds: Histogram,
    pub requests_in_flight: Gauge,
    /// Attempts, by CDF's answer.
    pub requests: CountersBy<RequestAnswer>,
    /// Seconds of one attempt.
    pub request_duration_seconds: Histogram,
    /// Rows (datapoints) of one request.
    pub request_rows: Histogram,
    /// Bytes of the body of one request, as sent.
    pub request_body_bytes: Histogram,
    pub retries: CountersBy<RetryCause>,
    pub rows_settled: CountersBy<Verdict>,
}

impl PipelineMeters {
    pub fn of(resource: Resource) -> Self {
        let labels = [resource.name()];
        PipelineMeters {
            batches: names::BATCHES.counter(&labels),
            queue_rows: names::QUEUE_ROWS.gauge(&labels),
            throttle_wait_seconds: names::THROTTLE_WAIT.histogram(&labels),
            requests_in_flight: names::REQUESTS_IN_FLIGHT.gauge(&labels),
            requests: CountersBy::register(&names::REQUESTS, &labels),
            request_duration_seconds: names::REQUEST_DURATION.histogram(&labels),
            request_rows: names::REQUEST_ROWS_SENT.histogram(&labels),
            request_body_bytes: names::REQUEST_BODY.histogram(&labels),
            retries: CountersBy::register(&names::RETRIES, &labels),
            rows_settled: CountersBy::register(&names::ROWS_SETTLED, &labels),
        }
    }
}

/// One operation of CDF, over all identities.
#[derive(Clone, Debug)]
pub struct EndpointMeters {
    /// Answers 429.
    pub throttled: CountersBy<ThrottleKind>,
    pub concurrency_limit: Gauge,
    pub breakers_open: Gauge,
    pub breaker_openings: Counter,
}

impl EndpointMeters {
    pub fn of(operation: Operation) -> Self {
        let labels = [operation.name()];
        EndpointMeters {
            throttled: CountersBy::register(&names::THROTTLED, &labels),
            concurrency_limit: names::CONCURRENCY_LIMIT.gauge(&labels),
            breakers_open: names::BREAKERS_OPEN.gauge(&labels),
            breaker_openings: names::BREAKER_OPENINGS.counter(&labels),
        }
    }
}

/// Connections and sign-ins.
#[derive(Clone, Debug)]
pub struct ConnectionMeters {
    pub open: Gauge,
    pub ended: CountersBy<ConnectionEnd>,
    pub sign_ins_failed: CountersBy<SignInFailure>,
}

impl ConnectionMeters {
    pub fn new() -> Self {
        ConnectionMeters {
            open: names::CONNECTIONS_OPEN.gauge(&[]),
            ended: CountersBy::register(&names::CONNECTIONS_ENDED, &[]),
            sign_ins_failed: CountersBy::register(&names::SIGN_INS_FAILED, &[]),
        }
    }
}

impl Default for ConnectionMeters {
    fn default() -> Self {
        Self::new()
    }
}

/// Statements, by kind and outcome.
#[derive(Clone, Debug)]
pub struct StatementMeters {
    kinds: Vec<(CountersBy<StatementOutcome>, Histogram)>,
}

impl StatementMeters {
    pub fn new() -> Self {
        let kinds = StatementKind::ALL
            .iter()
            .map(|kind| {
                let labels = [kind.label()];
                (
                    CountersBy::register(&names::STATEMENTS, &labels),
                    names::STATEMENT_DURATION.histogram(&labels),
                )
            })
            .collect();
        StatementMeters { kinds }
    }

    /// A statement of that kind ended so, after `duration`.
    pub fn ended(&self, kind: StatementKind, outcome: StatementOutcome, duration: Duration) {
        let (outcomes, durations) = &self.kinds[kind.index()];
        outcomes.add(outcome, 1);
        durations.record(duration);
    }
}

impl Default for StatementMeters {
    fn default() -> Self {
        Self::new()
    }
}

/// What the process holds for its clients.
#[derive(Clone, Debug)]
pub struct MemoryGauges {
    pub budget_bytes: Gauge,
    pub used_bytes: Gauge,
    pub staged_bytes: Gauge,
    pub spool_bytes: Gauge,
}

impl MemoryGauges {
    pub fn new() -> Self {
        MemoryGauges {
            budget_bytes: names::MEMORY_BUDGET.gauge(&[]),
            used_bytes: names::MEMORY_USED.gauge(&[]),
            staged_bytes: names::STAGED.gauge(&[]),
            spool_bytes: names::SPOOLED.gauge(&[]),
        }
    }
}

impl Default for MemoryGauges {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether this process is the one that serves its state store.
#[derive(Clone, Debug)]
pub struct LeaseGauge {
    held: Gauge,
}

impl LeaseGauge {
    /// It is not, for now.
    pub fn new() -> Self {
        let held = names::LEASE_HELD.gauge(&[]);
        held.set(0.0);
        LeaseGauge { held }
    }

    pub fn is_held(&self, is_held: bool) {
        self.held.set(f64::from(u8::from(is_held)));
    }
}

impl Default for LeaseGauge {
    fn default() -> Self {
        Self::new()
    }
}

/// Requests for access tokens.
#[derive(Clone, Debug)]
pub struct TokenCounters {
    pub requests: CountersBy<TokenOutcome>,
}

impl TokenCounters {
    pub fn new() -> Self {
        TokenCounters {
            requests: CountersBy::register(&names::TOKEN_REQUESTS, &[]),
        }
    }
}

impl Default for TokenCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// Looks at the access of identities.
#[derive(Clone, Debug)]
pub struct AccessCheckCounters {
    pub checks: CountersBy<AccessOutcome>,
}

impl AccessCheckCounters {
    pub fn new() -> Self {
        AccessCheckCounters {
            checks: CountersBy::register(&names::ACCESS_CHECKS, &[]),
        }
    }
}

impl Default for AccessCheckCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// Fetches of the keys that tokens are checked with.
#[derive(Clone, Debug)]
pub struct KeyCounters {
    pub fetches: CountersBy<TokenOutcome>,
}

impl KeyCounters {
    pub fn new() -> Self {
        KeyCounters {
            fetches: CountersBy::register(&names::KEY_FETCHES, &[]),
        }
    }
}

impl Default for KeyCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// Certificates that were read again because their files changed.
#[derive(Clone, Debug)]
pub struct CertificateCounters {
    pub reloads: CountersBy<TokenOutcome>,
}

impl CertificateCounters {
    pub fn new() -> Self {
        CertificateCounters {
            reloads: CountersBy::register(&names::TLS_RELOADS, &[]),
        }
    }
}

impl Default for CertificateCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// Beats of the threads that are watched.
#[derive(Clone, Debug)]
pub struct HeartbeatCounters {
    pub beats: CountersBy<WatchedThread>,
}

impl HeartbeatCounters {
    pub fn new() -> Self {
        HeartbeatCounters {
            beats: CountersBy::register(&names::HEARTBEATS, &[]),
        }
    }
}

impl Default for HeartbeatCounters {
    fn default() -> Self {
        Self::new()
    }
}

/// Actors that had to be started again.
#[derive(Clone, Debug)]
pub struct ActorCounters {
    pub restarts: CountersBy<Actor>,
}

impl ActorCounters {
    pub fn new() -> Self {
        ActorCounters {
            restarts: CountersBy::register(&names::ACTOR_RESTARTS, &[]),
        }
    }
}

impl Default for ActorCounters {
    fn default() -> Self {
        Self::new()
    }
}
