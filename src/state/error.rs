//! What can go wrong with the state store, by what the caller does next.
//!
//! Owns the classes. Promises that a request that cannot be met is told apart from a broken
//! store. Never hides a fault, and never holds a secret.

use super::sealing::SealingFault;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The request names something that is there already, or too much: the user must change it.
    #[error("{0}")]
    Refused(String),
    /// The keys do not fit the store: an operator must give the right ones.
    #[error(
        "the secret of the user \"{user}\" in the state store {place} cannot be used: {fault}; check state.key and state.previous_key"
    )]
    Sealed {
        place: String,
        user: String,
        fault: SealingFault,
    },
    /// The keys are not those of the store: an operator must give the right ones.
    #[error(
        "the state store {place} is sealed with another key: {fault}; check state.key and state.previous_key"
    )]
    OtherKeys { place: String, fault: SealingFault },
    /// Secrets are to be kept and there is no key: an operator must give one.
    #[error("the state store has no key to seal secrets with: set state.key_env or state.key_file")]
    NoKey,
    /// The store is damaged or unreachable: an operator must look.
    #[error("the state store {place} failed: {fault}")]
    Failed { place: String, fault: String },
}
