//! What can go wrong with the state store, by what the caller does next.
//!
//! Owns the classes. Promises that a request that cannot be met is told apart from a broken
//! store. Never hides a fault.

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The request names something that is there already, or too much: the user must change it.
    #[error("{0}")]
    Refused(String),
    /// The store is damaged or unreachable: an operator must look.
    #[error("the state store {path} failed: {fault}")]
    Failed { path: String, fault: String },
}
