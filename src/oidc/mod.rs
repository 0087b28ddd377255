//! Sign-in by access token: who issues tokens, what makes one good, and whose rows follow from it.
//!
//! A token goes through these files, in this order:
//!
//! 1. `check` finds the [`Issuer`] that the token names, and the key that it is signed with.
//! 2. `key_cache` holds the issuer's keys, fetched as `key_set` reads them; `signature` lets ring
//!    judge.
//! 3. `claims` tells which names the token's owner may sign in under.
//! 4. `principal` maps the owner to credentials for CDF.
//!
//! Owns the rules of trust. Promises that nothing of a token is believed before its signature was
//! checked with a key of its issuer, that symmetric and absent signatures cannot even be
//! configured, and that neither a token nor a part of one reaches a log or an error. Never speaks
//! the PostgreSQL protocol.

mod check;
mod claims;
mod issuer;
mod key_cache;
mod key_set;
mod names;
mod principal;
mod refusal;
mod signature;

pub use check::{TOKEN_BYTES_MAX, TokenCheck, TokenUser};
pub use issuer::{Issuer, KeySource, SigningAlgorithm};
pub use key_cache::is_trustworthy;
pub use names::{NamePattern, Names};
pub use principal::{CdfTarget, PrincipalRule};
pub use refusal::TokenRefusal;
