//! CDF as a peer: who we are there, what we send, how we read its answers.
//!
//! Owns identities and credentials, encoders, endpoints, error classification and the series
//! directory. Promises that credentials never reach a log or an error. Never batches, paces
//! or retries: the pipeline decides that.

mod identity;

pub use identity::{Credentials, Identity, Project, Secret};
