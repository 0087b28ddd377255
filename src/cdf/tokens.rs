//! Bearer tokens: fetched from the identity provider, shared, renewed.
//!
//! Owns the cache of tokens, one for the whole process. Promises one fetch at a time per
//! credential, a renewal before expiry, and that no secret is in an error. Never sends a
//! request to CDF.

use super::client::milliseconds;
use super::token_endpoint::{self, Granted};
use super::{AttemptFailure, Credentials, Secret, SessionCredentials, session_exchange};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{TokenCounters, TokenOutcome};
use async_trait::async_trait;
use reqwest::header::HeaderValue;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A token is renewed this long before it expires, or at four fifths of a short life.
const RENEWAL_AHEAD: Duration = Duration::from_secs(60);

/// How long a refusal of the identity provider is believed: a wrong secret tried with every
/// statement could lock the client out.
const REFUSAL_LIFETIME: Duration = Duration::from_secs(5);

/// Bound of one fetch: a provider that is silent must not take the whole time of a request.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// `Bearer …`, as a header that is never printed.
#[derive(Clone, Debug)]
pub struct Bearer {
    pub header: HeaderValue,
    /// Tells tokens apart without looking at them; 0 for a fixed token.
    pub generation: u64,
}

#[derive(Clone, Debug)]
struct Token {
    bearer: Bearer,
    renew_at: Instant,
    expires_at: Instant,
}

#[derive(Debug, Default)]
struct Slot {
    token: Option<Token>,
    generations: u64,
    refusal: Option<(Instant, Box<Diagnostic>)>,
}

/// Tokens by credentials, secret included: with a wrong secret nobody gets the token that
/// another user fetched with the right one.
#[derive(Debug)]
pub struct TokenCache {
    counters: TokenCounters,
    fetch_timeout: Duration,
    slots: Mutex<HashMap<Credentials, Arc<tokio::sync::Mutex<Slot>>>>,
    session_keys: OnceLock<Arc<dyn SessionKeys>>,
}

/// Keeps the keys of sessions beyond the life of the process.
#[async_trait]
pub trait SessionKeys: fmt::Debug + Send + Sync + 'static {
    /// The next exchange of `session` needs `key`. Returns when it is kept, and logs by itself
    /// when it cannot be.
    async fn renewed(&self, session: &SessionCredentials, key: &Secret);
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
        }
    }

    /// A token for `credentials`, fetched with `http` if there is none that is fresh. While
    /// one caller fetches, the others wait for it.
    ///
    /// # Errors
    /// `Retry` when the identity provider cannot be reached or is overloaded, `Stop` with
    /// 28000 when it refuses.
    pub async fn bearer(
        &self,
        http: &reqwest::Client,
        credentials: &Credentials,
    ) -> Result<Bearer, AttemptFailure> {
        if credentials.are_over(now_ms()) {
            return Err(AttemptFailure::Stop {
                reason: Box::new(
                    Diagnostic::error(
                        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                        "the token that this connection was opened with has expired",
                    )
                    .with_hint("Connect again with a new token."),
                ),
            });
        }
        if let Credentials::FixedToken(token) | Credentials::CallerToken { token, .. } = credentials
        {
            return Ok(Bearer {
                header: bearer_header(token.expose())?,
                generation: 0,
            });
        }
        let slot = self.slot(credentials);
        let mut slot = slot.lock().await;
        let now = Instant::now();
        if let Some(token) = &slot.token
            && now < token.renew_at
        {
            return Ok(token.bearer.clone());
        }
        if let Some((refused_at, reason)) = &slot.refusal
            && now < *refused_at + REFUSAL_LIFETIME
        {
            return Err(AttemptFailure::Stop {
                reason: reason.clone(),
            });
        }
        let fetched = self.fetch(http, credentials).await;
        let outcome = match fetched {
            Ok(_) => TokenOutcome::Succeeded,
            Err(_) => TokenOutcome::Failed,
        };
        self.counters.requests.add(outcome, 1);
        match fetched {
            Ok(granted) => slot.store(granted),
            Err(failure) => {
                // Renewal is early: the old token still works while its provider is away.
                if let (AttemptFailure::Retry { .. }, Some(token)) = (&failure, &slot.token)
                    && now < token.expires_at
                {
                    return Ok(token.bearer.clone());
                }
                if let AttemptFailure::Stop { reason } = &failure {
                    slot.refusal = Some((now, reason.clone()));
                }
                Err(failure)
            }
        }
    }

    /// Drops the token that CDF answered with 401, unless another caller has already fetched
    /// a newer one. Returns whether a fresh token can be had at all.
    pub async fn discard(&self, credentials: &Credentials, rejected: &Bearer) -> bool {
        if matches!(
            credentials,
            Credentials::FixedToken(_) | Credentials::CallerToken { .. }
        ) {
            return false;
        }
        let slot = self.slot(credentials);
        let mut slot = slot.lock().await;
        if slot
            .token
            .as_ref()
            .is_some_and(|token| token.bearer.generation == rejected.generation)
        {
            slot.token = None;
        }
        true
    }

    async fn fetch(
        &self,
        http: &reqwest::Client,
        credentials: &Credentials,
    ) -> Result<Granted, AttemptFailure> {
        let Credentials::Session(session) = credentials else {
            return token_endpoint::fetch(http, credentials, self.fetch_timeout).await;
        };
        let exchanged = session_exchange::fetch(http, session, self.fetch_timeout).await?;
        if let Some(key) = exchanged.key {
            // Kept before it is used: after a crash the session would be lost with it.
            if let Some(keys) = self.session_keys.get() {
                keys.renewed(session, &key).await;
            }
            session.renew(key);
        }
        Ok(exchanged.granted)
    }

    fn slot(&self, credentials: &Credentials) -> Arc<tokio::sync::Mutex<Slot>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(credentials) {
            return slot.clone();
        }
        // Those of connections that have ended would gather for ever.
        let now_ms = now_ms();
        slots.retain(|credentials, _| !credentials.are_over(now_ms));
        slots.entry(credentials.clone()).or_default().clone()
    }

    /// Who is told of the new keys of sessions, once and for all.
    pub fn keep_session_keys(&self, keys: Arc<dyn SessionKeys>) {
        // A second one would miss keys that the first was told of.
        let _ = self.session_keys.set(keys);
    }

    /// Drops the token of credentials that nobody will use again.
    pub fn forget(&self, credentials: &Credentials) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.remove(credentials);
    }
}

impl Slot {
    fn store(&mut self, granted: Granted) -> Result<Bearer, AttemptFailure> {
        let now = Instant::now();
        self.generations += 1;
        let bearer = Bearer {
            header: bearer_header(&granted.access_token)?,
            generation: self.generations,
        };
        let ahead = RENEWAL_AHEAD.min(granted.lifetime / 5);
        self.refusal = None;
        self.token = Some(Token {
            bearer: bearer.clone(),
            renew_at: now + granted.lifetime.saturating_sub(ahead),
            expires_at: now + granted.lifetime,
        });
        Ok(bearer)
    }
}

fn now_ms() -> i64 {
    milliseconds(SystemTime::now())
}

fn bearer_header(token: &str) -> Result<HeaderValue, AttemptFailure> {
    let mut header = HeaderValue::try_from(format!("Bearer {}", token.trim()))
        .ok()
        .filter(|_| !token.trim().is_empty())
        .ok_or_else(|| AttemptFailure::Stop {
            reason: Box::new(
                Diagnostic::error(
                    SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
                    "the token for CDF is empty or holds characters that no token has",
                )
                .with_hint("Check where the token comes from: a line break or a quote is enough."),
            ),
        })?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdf::Secret;

    /// Credentials whose provider nobody can reach: the port was free a moment ago.
    fn away() -> Credentials {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        Credentials::ClientCredentials {
            token_url: format!("http://{address}/token"),
            client_id: "client".to_owned(),
            client_secret: Secret::new("secret"),
            scope: String::new(),
            audience: String::new(),
        }
    }

    async fn bearer_of(renew_at: Instant, expires_at: Instant) -> Result<u64, AttemptFailure> {
        let cache = TokenCache::new();
        let credentials = away();
        cache.slot(&credentials).lock().await.token = Some(Token {
            bearer: Bearer {
                header: HeaderValue::from_static("Bearer old"),
                generation: 7,
            },
            renew_at,
            expires_at,
        });
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build()
            .expect("the HTTP client starts");
        let bearer = cache.bearer(&http, &credentials).await;
        bearer.map(|bearer| bearer.generation)
    }

    #[tokio::test]
    async fn a_token_to_be_renewed_is_used_while_its_provider_is_away() {
        crate::cdf::transport::install_crypto();
        let now = Instant::now();
        let hour = Duration::from_secs(3_600);
        assert_eq!(bearer_of(now, now + hour).await, Ok(7));
    }

    #[tokio::test]
    async fn an_expired_token_is_not_used_even_then() {
        crate::cdf::transport::install_crypto();
        let now = Instant::now();
        let failure = bearer_of(now, now).await.expect_err("nobody grants one");
        assert_eq!(failure.class(), "retry");
    }
}
