//! Sessions: a principal's access, handed on to a service by a nonce.
//!
//! It owns the sessions of a project (`store`), the life of one (`session`), the calls
//! that create, show and revoke them (`calls`), and the exchange of a nonce or a key for
//! a token (`exchange`). A nonce is good once, for a minute; a session then lives as long
//! as it is renewed in time, is not revoked, and the identity provider still accepts the
//! credentials behind it. Nonces, keys and secrets are kept as hashes and never shown.

mod calls;
mod exchange;
mod session;
mod store;

pub use calls::{by_ids, create, list, revoke};
pub use exchange::token;
pub use store::SessionStore;

use serde::{Deserialize, Serialize};

/// How long things last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionSettings {
    pub nonce_lifetime_s: u32,
    /// How long a session lives without being renewed.
    pub lifetime_s: u32,
    /// How long a revoked session and its tokens stay good. CDF takes up to an hour.
    pub revocation_delay_s: u32,
}

impl Default for SessionSettings {
    /// A minute for a nonce, as documented; a day for a session, of which nothing is; and
    /// revocation at once.
    fn default() -> Self {
        Self {
            nonce_lifetime_s: 60,
            lifetime_s: 86_400,
            revocation_delay_s: 0,
        }
    }
}
