//! The life of one session.
//!
//! Owns its states and what moves it from one to the next. Time moves it as well, so its
//! status is worked out when somebody asks.

use super::SessionSettings;
use crate::emulator::identity::{Application, Hash, Holder, Identity, User, hash};
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// What a session was created from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionKind {
    ClientCredentials,
    TokenExchange,
    /// Ends with its first token.
    OneshotTokenExchange,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SessionStatus {
    /// Its nonce waits to be used.
    Ready,
    Active,
    /// Its nonce was not used in time.
    Cancelled,
    /// It was not renewed in time.
    Expired,
    Revoked,
    /// The identity provider no longer accepts the credentials behind it.
    AccessLost,
}

impl SessionStatus {
    /// The name, as answers show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::Active => "ACTIVE",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
            Self::AccessLost => "ACCESS_LOST",
        }
    }
}

/// Whose access it hands on.
#[derive(Debug, Clone)]
pub enum Source {
    /// An application, by the secret that it was created with.
    Secret { client_id: String, secret: Hash },
    /// An application, by its token.
    Application(Application),
    /// A user, by a token that was issued through an application.
    User { user: User, client_id: String },
}

impl Source {
    /// The holder as the identity provider knows it now; `None` when it no longer does.
    pub fn holder(&self, identity: &Identity) -> Option<Holder> {
        let directory = &identity.directory;
        match self {
            Self::Secret { client_id, secret } => directory
                .accepts(client_id, secret)
                .map(Holder::Application),
            Self::Application(application) => directory
                .still_knows_application(application)
                .map(Holder::Application),
            Self::User { user, client_id } => Some(Holder::User {
                user: directory.still_knows(user.clone())?,
                client_id: client_id.clone(),
            }),
        }
    }
}

/// The keys that renew a session.
#[derive(Debug, Clone)]
struct Keys {
    current: Hash,
    /// The one before, good once more: its renewal's answer may have been lost.
    previous: Option<Hash>,
}

/// A session.
#[derive(Debug)]
pub struct Session {
    pub id: i64,
    pub kind: SessionKind,
    pub tenant: String,
    pub source: Source,
    pub created_ms: i64,
    pub expires_ms: i64,
    nonce: Hash,
    nonce_ends_ms: i64,
    bound: bool,
    keys: Option<Keys>,
    lost: bool,
    revoked_from_ms: Option<i64>,
    /// Read by the tokens that were issued to it: when they lose their access.
    pub end_ms: Arc<AtomicI64>,
}

/// Why a nonce or a key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionFault {
    NonceUsed,
    NonceExpired,
    WrongKey,
    /// It stands where no token is issued any more.
    Ended(SessionStatus),
}

impl Session {
    pub fn create(
        kind: SessionKind,
        source: Source,
        tenant: String,
        nonce: &str,
        now_ms: i64,
        settings: SessionSettings,
    ) -> Self {
        let nonce_ends_ms = now_ms.saturating_add(ms(settings.nonce_lifetime_s));
        Self {
            id: 0,
            kind,
            tenant,
            source,
            created_ms: now_ms,
            expires_ms: nonce_ends_ms,
            nonce: hash(nonce),
            nonce_ends_ms,
            bound: false,
            keys: None,
            lost: false,
            revoked_from_ms: None,
            end_ms: Arc::new(AtomicI64::new(i64::MAX)),
        }
    }

    pub fn status(&self, now_ms: i64) -> SessionStatus {
        if self
            .revoked_from_ms
            .is_some_and(|from_ms| from_ms <= now_ms)
        {
            SessionStatus::Revoked
        } else if self.lost {
            SessionStatus::AccessLost
        } else if self.bound && self.expires_ms <= now_ms {
            SessionStatus::Expired
        } else if self.bound {
            SessionStatus::Active
        } else if self.nonce_ends_ms <= now_ms {
            SessionStatus::Cancelled
        } else {
            SessionStatus::Ready
        }
    }

    /// The application whose secret it was created with.
    pub fn client_id(&self) -> Option<&str> {
        match &self.source {
            Source::Secret { client_id, .. } => Some(client_id),
            Source::Application(_) | Source::User { .. } => None,
        }
    }

    pub fn has_nonce(&self, nonce: &Hash) -> bool {
        self.nonce == *nonce
    }

    /// Uses the nonce up.
    pub fn bind(&mut self, now_ms: i64) -> Result<(), SessionFault> {
        if self.bound {
            return Err(SessionFault::NonceUsed);
        }
        match self.status(now_ms) {
            SessionStatus::Ready => {}
            SessionStatus::Cancelled => return Err(SessionFault::NonceExpired),
            ended => return Err(SessionFault::Ended(ended)),
        }
        self.bound = true;
        Ok(())
    }

    /// Takes a key that renews it. The last key may come once more after it was replaced:
    /// then whoever holds it has not heard of the new one.
    pub fn unlock(&mut self, key: &Hash, now_ms: i64) -> Result<(), SessionFault> {
        let keys = self.keys.as_mut().ok_or(SessionFault::WrongKey)?;
        let is_current = keys.current == *key;
        if !is_current && keys.previous.as_ref() != Some(key) {
            return Err(SessionFault::WrongKey);
        }
        match self.status(now_ms) {
            SessionStatus::Active => {}
            ended => return Err(SessionFault::Ended(ended)),
        }
        if let Some(keys) = &mut self.keys {
            keys.previous = is_current.then_some(*key);
        }
        Ok(())
    }

    /// Sets the key that renews it next.
    pub fn set_key(&mut self, key: &str) {
        let previous = self.keys.as_ref().and_then(|keys| keys.previous);
        self.keys = Some(Keys {
            current: hash(key),
            previous,
        });
    }

    /// Lets it live on; its tokens end with it.
    pub fn live_until(&mut self, expires_ms: i64) {
        self.expires_ms = expires_ms;
        let end_ms = self.revoked_from_ms.unwrap_or(i64::MAX).min(expires_ms);
        self.end_ms.store(end_ms, Ordering::Relaxed);
    }

    /// Ends it; what was revoked before stays so.
    pub fn revoke(&mut self, from_ms: i64) {
        if self.revoked_from_ms.is_none() {
            self.revoked_from_ms = Some(from_ms);
            self.end_ms.fetch_min(from_ms, Ordering::Relaxed);
        }
    }

    /// Ends it because the credentials behind it are no longer good.
    pub fn lose(&mut self, now_ms: i64) {
        self.lost = true;
        self.end_ms.fetch_min(now_ms, Ordering::Relaxed);
    }
}

/// Seconds in milliseconds.
pub fn ms(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000
}
