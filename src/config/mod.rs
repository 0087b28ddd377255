//! What operators write: the typed configuration, its defaults and its checks.
//!
//! Owns the shape of `penstock.toml` and `limits.toml`, and the way from them and the
//! environment to one [`Configuration`]. Promises that an unknown key and an impossible
//! combination are refused at start, with place and mend. Never reads a secret into anything
//! printable.

mod accounts;
mod admin;
mod batch;
mod cdf;
mod checks;
mod configuration;
mod dead_letters;
mod document;
mod engine;
mod environment;
mod issuers;
mod journal;
mod limits;
mod logs;
mod modes;
mod pacing;
mod principals;
mod problem;
mod request_checks;
mod retry;
mod secret_source;
mod server;
mod sign_in;
mod sources;
mod state;
mod statements;
mod tree;
mod user;

pub use accounts::AccountsSettings;
pub use admin::AdminSettings;
pub use batch::{BatchSettings, BatchTable, RequestBounds};
pub use configuration::Configuration;
pub use dead_letters::DeadLetterSettings;
pub use engine::{EngineKind, EngineSettings};
pub use environment::Environment;
pub use journal::{AckMode, FullJournal, JournalSettings};
pub use limits::{BudgetName, LimitsTable, OperationLimits, ProjectLimits};
pub use logs::{LogFormat, LogSettings};
pub use modes::{CopyMode, DialectVersion, TransactionMode, UserModes};
pub use pacing::PacingSettings;
pub use problem::{ConfigurationError, Place, Problem};
pub use retry::RetrySettings;
pub use server::{
    ClientCertificates, CopySettings, ListenSettings, MemorySettings, RuntimeSettings,
    TimeoutSettings, TransactionSettings,
};
pub use sign_in::SignInFailureSettings;
pub use state::{StateKeys, StateSettings};
pub use statements::{OnDuplicate, StatementSettings, TableSettings};
pub use user::{Password, User};
