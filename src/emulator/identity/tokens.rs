//! The tokens that were issued, and how long each is good.
//!
//! Owns their ends: by their lifetime, by an admin call, or with the session that they
//! belong to. A token is looked up by its hash; its text and secrets are never kept. Only
//! what was signed here gets in, so that looking up is as good as checking the signature,
//! and costs a load test less.

use super::principal::Principal;
use ring::digest::{SHA256, digest};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lifetime of a token unless told otherwise: the hour that identity providers give.
const LIFETIME_S: u64 = 3_600;

/// How long a token that has ended is remembered, so that its late users hear "expired"
/// and not "unknown".
const REMEMBERED_MS: i64 = 3_600_000;

/// Issued tokens.
#[derive(Debug)]
pub struct Tokens {
    lifetime_s: AtomicU64,
    sequence: AtomicU64,
    issued: Mutex<HashMap<Hash, Issued>>,
}

/// The hash of a token, a secret or a nonce, in the place of its text.
pub type Hash = [u8; 32];

/// What is known of a token.
#[derive(Debug, Clone)]
pub struct Issued {
    pub principal: Arc<Principal>,
    /// The key that signed it.
    pub kid: String,
    pub not_before_ms: i64,
    pub expires_at_ms: i64,
    /// When the session that it belongs to loses its access.
    pub session_end_ms: Option<Arc<AtomicI64>>,
}

/// Why a bearer token was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    Absent,
    Unknown,
    /// Not good yet: `nbf` lies ahead.
    Early,
    Expired,
    /// Its session was revoked or has lost its access.
    Revoked,
    /// Made for somebody else than CDF.
    ForAnother,
}

impl Issued {
    /// Whether it is good at this time.
    pub fn check(&self, now_ms: i64) -> Result<(), TokenFault> {
        let ended = |end: &Arc<AtomicI64>| end.load(Ordering::Relaxed) <= now_ms;
        if self.expires_at_ms <= now_ms {
            Err(TokenFault::Expired)
        } else if self.not_before_ms > now_ms {
            Err(TokenFault::Early)
        } else if self.session_end_ms.as_ref().is_some_and(ended) {
            Err(TokenFault::Revoked)
        } else {
            Ok(())
        }
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            lifetime_s: AtomicU64::new(LIFETIME_S),
            sequence: AtomicU64::new(0),
            issued: Mutex::new(HashMap::new()),
        }
    }
}

impl Tokens {
    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Issued>> {
        // Whole entries are inserted and removed: a panic leaves none half written.
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lifetime of the tokens issued from now on.
    pub fn set_lifetime_s(&self, lifetime_s: u64) {
        self.lifetime_s.store(lifetime_s, Ordering::Relaxed);
    }

    pub fn lifetime_s(&self) -> u64 {
        self.lifetime_s.load(Ordering::Relaxed)
    }

    /// A number of its own for each token.
    pub fn next_number(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Takes a token in.
    pub fn add(&self, token: &str, issued: Issued, now_ms: i64) {
        let mut all = self.lock();
        // Tokens that ended long ago would only add up.
        all.retain(|_, token| token.expires_at_ms > now_ms - REMEMBERED_MS);
        all.insert(hash(token), issued);
    }

    /// What is known of a token.
    pub fn find(&self, token: &str) -> Option<Issued> {
        self.lock().get(&hash(token)).cloned()
    }

    /// Ends every token that was issued so far.
    pub fn expire_all(&self, now_ms: i64) {
        for token in self.lock().values_mut() {
            token.expires_at_ms = token.expires_at_ms.min(now_ms);
        }
    }

    /// Ends one token, whoever issued it.
    pub fn expire(&self, token: &str, now_ms: i64) {
        self.lock()
            .entry(hash(token))
            .and_modify(|known| known.expires_at_ms = known.expires_at_ms.min(now_ms))
            .or_insert_with(|| Issued {
                principal: Arc::new(Principal::foreign(token)),
                kid: String::new(),
                not_before_ms: 0,
                expires_at_ms: now_ms,
                session_end_ms: None,
            });
    }
}

/// Hashes a secret.
pub fn hash(text: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

/// The token of a bearer header.
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
