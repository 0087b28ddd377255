//! What operators write: the typed configuration, its defaults and its checks.
//!
//! Owns the shape of `penstock.toml` and `limits.toml`. Promises that an unknown key and an
//! impossible combination are refused at start. Never reads a secret into anything printable.

mod batch;
mod limits;
mod logs;
mod retry;
mod server;

pub use batch::{BatchSettings, BatchTable};
pub use limits::{LimitsTable, OperationLimits};
pub use logs::{LogFormat, LogSettings};
pub use retry::RetrySettings;
pub use server::{
    CopySettings, ListenSettings, MemorySettings, RuntimeSettings, TimeoutSettings,
    TransactionSettings,
};
