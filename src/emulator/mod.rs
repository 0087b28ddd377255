//! A local CDF, for trying, testing and load.
//!
//! It owns a server that answers the part of CDF's REST API that Penstock writes to and
//! reads back from: sign-in, time series, datapoints, RAW, assets, events and their kind,
//! data modeling and units. It promises to
//! check what CDF checks (items per request, value ranges, references, doubled and taken
//! identifiers, budgets) and to answer with CDF's shapes and codes. It keeps everything
//! in memory, on threads and runtimes of its own: only HTTP passes between it and the
//! rest, and it shares no encoder and no decoder with the gateway, so that a fault of
//! one shows in the other. It never persists anything.
//!
//! How a request travels: `server` hands the connection to a worker thread, `service`
//! takes the request in, `exchange` finds the operation (`route`), the principal
//! (`identity`), the budget (`throttle`) and the fault to inject (`fault`), and the handler
//! in `time_series`, `datapoints`, `raw`, `objects` (assets, events and their kind),
//! `data_modeling` or `units` does the work. What happened is kept by
//! `statistics` and `request_log`, and shown by `admin` under `/_emulator/`.
//!
//! With [`EmulatorOptions::sink`] writes are checked, counted and summed into a
//! [`checksum`], and not stored.

mod access;
mod admin;
mod admission;
mod answer;
mod body;
mod budget;
mod call;
pub mod checksum;
mod clock;
mod connection;
mod cursor;
mod data_modeling;
mod datapoints;
mod exchange;
mod fault;
mod identity;
mod json;
mod metadata;
mod object_sum;
mod objects;
mod options;
mod partition;
mod project;
mod query;
mod raw;
mod reference;
mod request_log;
mod route;
mod server;
mod service;
mod sessions;
mod sink;
mod state;
mod statistics;
mod throttle;
mod time_series;
mod units;
mod update;

pub use budget::{Budget, BudgetScope, Budgets};
pub use identity::{Application, User};
pub use options::{ClientCredentials, EmulatorOptions};
pub use server::{EmulatorError, EmulatorHandle, start};
