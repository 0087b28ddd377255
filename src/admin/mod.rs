//! HTTP that operators see: metrics, health and readiness.
//!
//! Owns one listener on a thread and runtime of its own, so that a busy data path does not
//! delay a health check and a scrape does not delay rows. Promises to answer `/health` as long
//! as the process can, whatever state it is in. Never shows rows, users or secrets.

mod readiness;
mod routes;
mod server;

pub use readiness::{Readiness, ReadinessState};
pub use server::{AdminHandle, start};
