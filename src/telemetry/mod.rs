//! Metrics and logs: what the gateway tells its operators.
//!
//! Owns the names of all metrics ([`names`]), their label values, the handles through which the
//! data path counts ([`meters`]), the Prometheus text and the set-up of logs. Promises that a
//! metric's name, unit and labels stand in one place, and that counting costs an atomic
//! addition: handles are made once and kept. Never measures anything by itself, and never puts
//! a user's data or a secret into a label.

mod dead_letter_meters;
mod engine_meters;
mod journal_meters;
mod labels;
pub mod logs;
mod meters;
mod metric;
pub mod names;
mod prometheus;

pub use dead_letter_meters::DeadLetterMeters;
pub use engine_meters::{CountedEngine, EngineMeters, ScanMemoryGauges, ScanMeters};
pub use journal_meters::JournalMeters;
pub use labels::{
    AccessOutcome, Actor, CatalogAnswer, ConnectionEnd, EngineEnd, EngineState, LabelValue,
    LetterCondition, PurgeCause, ReplayOutcome, RequestAnswer, RetryCause, SignInFailure,
    StatementKind, StatementOutcome, ThrottleKind, TokenOutcome, Verdict, WatchedThread,
};
pub use meters::{
    AccessCheckCounters, ActorCounters, CertificateCounters, ConnectionMeters, CountersBy,
    EndpointMeters, HeartbeatCounters, KeyCounters, LeaseGauge, MemoryGauges, PipelineMeters,
    StatementMeters, TableCounters, TokenCounters,
};
pub use metric::{Kind, Metric, Unit};
pub use prometheus::{Scrape, install};
