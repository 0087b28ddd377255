//! Bearer tokens: fetched from the identity provider, shared, renewed.
//!
//! Owns the cache of tokens, one for the whole process. Promises one fetch at a time per
//! credential, which goes on when its caller leaves; a renewal before expiry; that nobody gets one
//! after the process's term for writing is over; that no secret is in an error; and that what ended
//! connections needed is dropped. Never sends a request to CDF.

use super::client::milliseconds;
use super::token_fetch::TokenFetch;
use super::token_slot::{Bearer, Slot};
use super::{AttemptFailure, Credentials, Identity, Secret, SessionCredentials, WritingTerm};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::TokenCounters;
use async_trait::async_trait;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Bound of one fetch: a provider that is silent must not take the whole time of a request.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

type SharedSlot = Arc<tokio::sync::Mutex<Slot>>;

/// Tokens by credentials, secret included: with a wrong secret nobody gets the token that
/// another user fetched with the right one.
#[derive(Debug)]
pub struct TokenCache {
    counters: TokenCounters,
    fetch_timeout: Duration,
    slots: Mutex<HashMap<Credentials, SharedSlot>>,
    session_keys: OnceLock<Arc<dyn SessionKeys>>,
    denials: OnceLock<Arc<dyn Denials>>,
    /// Without one nobody else may write in this process's place.
    term: OnceLock<WritingTerm>,
}

/// Keeps the keys of sessions beyond the life of the process.
#[async_trait]
pub trait SessionKeys: fmt::Debug + Send + Sync + 'static {
    /// The next exchange of `session` needs `key`. Returns when it is kept, and logs by itself
    /// when it cannot be.
    async fn renewed(&self, session: &SessionCredentials, key: &Secret);
}

/// Hears of identities that CDF or the identity provider turned away.
pub trait Denials: fmt::Debug + Send + Sync + 'static {
    /// A token was refused, or a request for lack of access. Must not block: it is called on the
    /// way of rows.
    fn denied(&self, identity: &Identity);
}

impl Default for TokenCache {
    fn default() -> Self {
        Self::with_fetch_timeout(FETCH_TIMEOUT)
    }
}

impl TokenCache {
    /// A cache that waits 30 seconds for a token.
    pub fn new() -> Self {
        Self::default()
    }

    /// A cache that waits `fetch_timeout` for a token.
    pub fn with_fetch_timeout(fetch_timeout: Duration) -> Self {
        TokenCache {
            counters: TokenCounters::default(),
            fetch_timeout,
            slots: Mutex::default(),
            session_keys: OnceLock::new(),
            denials: OnceLock::new(),
            term: OnceLock::new(),
        }
    }

    /// A token for `credentials`, fetched with `http` if there is none that is fresh. While
    /// one caller fetches, the others wait for it.
    ///
    /// # Errors
    /// `Retry` when the identity provider cannot be reached or is overloaded, `Stop` with
    /// 28000 when it refuses.
    pub(super) async fn bearer(
        &self,
        http: &reqwest::Client,
        credentials: &Credentials,
    ) -> Result<Bearer, AttemptFailure> {
        self.known_or_fetched(http, credentials, Slot::known).await
    }

    /// The same, but fetched even if there is one that is fresh: whether the identity provider
    /// still gives one cannot be seen otherwise. A refusal that is believed stays one.
    ///
    /// # Errors
    /// As [`TokenCache::bearer`].
    pub(super) async fn bearer_anew(
        &self,
        http: &reqwest::Client,
        credentials: &Credentials,
    ) -> Result<Bearer, AttemptFailure> {
        let refused = |slot: &Slot, now| slot.believed_refusal(now).map(Err);
        self.known_or_fetched(http, credentials, refused).await
    }

    async fn known_or_fetched(
        &self,
        http: &reqwest::Client,
        credentials: &Credentials,
        known: impl Fn(&Slot, Instant) -> Option<Result<Bearer, AttemptFailure>>,
    ) -> Result<Bearer, AttemptFailure> {
        if let Some(given) = self.given(credentials) {
            return given;
        }
        let (credentials, slot) = self.slot(credentials);
        let slot = slot.lock_owned().await;
        match known(&slot, Instant::now()) {
            Some(known) => known,
            None => self.fetch(http, credentials, slot).await,
        }
    }

    /// What needs no slot: a token that nobody fetches, the end of what a connection brought, and
    /// that of all writing.
    fn given(&self, credentials: &Credentials) -> Option<Result<Bearer, AttemptFailure>> {
        if self.term.get().is_some_and(WritingTerm::is_over) {
            return Some(Err(term_is_over()));
        }
        if credentials.are_over(now_ms()) {
            let reason = Diagnostic::error(
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                "the token that this connection was opened with has expired",
            );
            return Some(Err(AttemptFailure::Stop {
                reason: Box::new(reason.with_hint("Connect again with a new token.")),
            }));
        }
        match credentials {
            Credentials::FixedToken(token) | Credentials::CallerToken { token, .. } => {
                Some(Bearer::new(token.expose(), 0))
            }
            _ => None,
        }
    }

    async fn fetch(
        &self,
        http: &reqwest::Client,
        credentials: Credentials,
        mut slot: tokio::sync::OwnedMutexGuard<Slot>,
    ) -> Result<Bearer, AttemptFailure> {
        let fetch = TokenFetch {
            http: http.clone(),
            credentials,
            timeout: self.fetch_timeout,
            session_keys: self.session_keys.get().cloned(),
            counters: self.counters.clone(),
        };
        // A task of its own: with a caller that leaves, a session's new key would be lost.
        let fetched = tokio::spawn(async move {
            let asked_at = Instant::now();
            let granted = fetch.run().await;
            slot.take(granted, asked_at, Instant::now())
        });
        fetched.await.unwrap_or_else(|_| Err(broken_off()))
    }

    /// Drops the token that CDF answered with 401, unless another caller has already fetched
    /// a newer one. Returns whether a fresh token can be had at all.
    pub(super) async fn discard(&self, credentials: &Credentials, rejected: &Bearer) -> bool {
        if matches!(
            credentials,
            Credentials::FixedToken(_) | Credentials::CallerToken { .. }
        ) {
            return false;
        }
        let (_, slot) = self.slot(credentials);
        slot.lock().await.discard(rejected.generation);
        true
    }

    /// Drops the token of credentials that have lost their access: what comes next must ask for
    /// another one.
    pub async fn distrust(&self, credentials: &Credentials) {
        let slot = self.slots().get(credentials).cloned();
        if let Some(slot) = slot {
            slot.lock().await.clear();
        }
    }

    /// Drops what has no use any more: tokens that have expired, and those of connections that
    /// have ended, which is what `is_open` tells of credentials that a connection brought.
    pub fn sweep(&self, is_open: impl Fn(&Credentials) -> bool) {
        let now = Instant::now();
        self.slots().retain(|credentials, slot| match credentials {
            // The one place that knows the present key.
            Credentials::Session(_) => true,
            _ if !credentials.outlive_the_session() && !is_open(credentials) => false,
            // One that is locked is in use.
            _ => slot.try_lock().map_or(true, |slot| !slot.is_spent(now)),
        });
    }

    /// Waits for the exchanges of sessions that are under way: a process that ends before the new key
    /// of a session is kept has lost the session.
    pub async fn exchanged(&self) {
        let sessions: Vec<SharedSlot> = {
            let slots = self.slots();
            let of_session = slots
                .iter()
                .filter(|(credentials, _)| matches!(credentials, Credentials::Session(_)));
            of_session.map(|(_, slot)| slot.clone()).collect()
        };
        for slot in sessions {
            // Held for as long as a fetch takes.
            drop(slot.lock().await);
        }
    }

    /// How many credentials have a token, or had one.
    pub fn len(&self) -> usize {
        self.slots().len()
    }

    /// Whether nobody has asked for a token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of `credentials`, and the credentials to fetch with: of several values of one
    /// session the first one has the present key.
    fn slot(&self, credentials: &Credentials) -> (Credentials, SharedSlot) {
        let mut slots = self.slots();
        if let Some((first, slot)) = slots.get_key_value(credentials) {
            return (first.clone(), slot.clone());
        }
        // Those of connections that have ended would gather for ever. Other credentials add none
        // of these, and may be many: each must not go through all of them.
        if !credentials.outlive_the_session() {
            let now_ms = now_ms();
            slots.retain(|credentials, _| !credentials.are_over(now_ms));
        }
        let slot = slots.entry(credentials.clone()).or_default().clone();
        (credentials.clone(), slot)
    }

    /// Whether a session is to be exchanged to keep it alive.
    pub(super) fn is_session_due(&self, credentials: &Credentials) -> bool {
        let slots = self.slots();
        let known = slots.get_key_value(credentials).map(|(first, _)| first);
        match known.unwrap_or(credentials) {
            Credentials::Session(session) => session.is_due(Instant::now()),
            _ => false,
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Credentials, SharedSlot>> {
        // Whole slots come and go: the map is right whoever panicked.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is told of the new keys of sessions, once and for all.
    pub fn keep_session_keys(&self, keys: Arc<dyn SessionKeys>) {
        // A second one would miss keys that the first was told of.
        let _ = self.session_keys.set(keys);
    }

    /// Who is told of identities that are turned away, once and for all.
    pub fn report_denials(&self, denials: Arc<dyn Denials>) {
        let _ = self.denials.set(denials);
    }

    /// Until when there are tokens, once and for all.
    pub fn end_with(&self, term: WritingTerm) {
        let _ = self.term.set(term);
    }

    /// Tells of an identity that was turned away.
    pub(super) fn denied(&self, identity: &Identity) {
        if let Some(denials) = self.denials.get() {
            denials.denied(identity);
        }
    }
}

fn now_ms() -> i64 {
    milliseconds(SystemTime::now())
}

/// The runtime ends, or a fetch panicked.
fn broken_off() -> AttemptFailure {
    not_sent(Diagnostic::error(
        SqlState::CONNECTION_FAILURE,
        "the request for a token was broken off",
    ))
}

/// Another gateway may have begun to write. Rows wait for the end of this process, which is near.
fn term_is_over() -> AttemptFailure {
    not_sent(
        Diagnostic::error(
            SqlState::ADMIN_SHUTDOWN,
            "this gateway could not keep its lease of the state store and writes nothing more",
        )
        .with_hint("Connect again: another gateway takes over."),
    )
}

fn not_sent(reason: Diagnostic) -> AttemptFailure {
    AttemptFailure::Retry {
        retry_after: None,
        answered: true,
        status: None,
        throttle: None,
        reason: Box::new(reason),
    }
}
