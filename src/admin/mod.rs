//! HTTP that operators see: metrics, health and readiness, and what they do with dead letters.
//!
//! Owns one listener on a thread and runtime of its own, so that a busy data path does not
//! delay a health check and a scrape does not delay rows. Promises to answer `/health` as long
//! as the process can, whatever state it is in. Never shows rows
//! without the bearer token, nor users or secrets to anybody.

mod bearer;
mod letter_query;
mod letters;
mod readiness;
mod refusal;
mod routes;
mod server;

pub use letters::Letters;
pub use readiness::{Readiness, ReadinessState};
pub use server::{Guarded, start};
