//! One fetch of a token, wherever it comes from.
//!
//! Owns the choice between the identity provider and the exchange of sessions. Promises that a
//! session's new key is kept before it is relied on, and that each fetch is counted. Never decides
//! when to fetch.

use super::session_exchange;
use super::token_endpoint::{self, Granted};
use super::{AttemptFailure, Credentials, Secret, SessionCredentials, SessionKeys};
use crate::telemetry::{TokenCounters, TokenOutcome};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the keeping of a key may take: the user's rows wait for it.
const KEEP_TIMEOUT: Duration = Duration::from_secs(10);

/// What a fetch needs; it may outlive whoever began it.
pub struct TokenFetch {
    pub http: reqwest::Client,
    pub credentials: Credentials,
    pub timeout: Duration,
    pub session_keys: Option<Arc<dyn SessionKeys>>,
    pub counters: TokenCounters,
}

impl TokenFetch {
    /// # Errors
    /// `Retry` when nobody answers, `Stop` when there is no token for these credentials.
    pub async fn run(&self) -> Result<Granted, AttemptFailure> {
        let fetched = match &self.credentials {
            Credentials::Session(session) => self.exchange(session).await,
            credentials => token_endpoint::fetch(&self.http, credentials, self.timeout).await,
        };
        let outcome = match fetched {
            Ok(_) => TokenOutcome::Succeeded,
            Err(_) => TokenOutcome::Failed,
        };
        self.counters.requests.add(outcome, 1);
        fetched
    }

    async fn exchange(&self, session: &SessionCredentials) -> Result<Granted, AttemptFailure> {
        let exchanged = session_exchange::fetch(&self.http, session, self.timeout).await?;
        if let Some(key) = &exchanged.key {
            self.keep(session, key).await;
        }
        let renew_within = exchanged.granted.renew_within;
        session.exchanged(exchanged.key, renew_within, Instant::now());
        Ok(exchanged.granted)
    }

    /// Kept before it is used: after a crash the session would be lost with it.
    async fn keep(&self, session: &SessionCredentials, key: &Secret) {
        let Some(keys) = &self.session_keys else {
            return;
        };
        let kept = tokio::time::timeout(KEEP_TIMEOUT, keys.renewed(session, key));
        if kept.await.is_err() {
            tracing::error!(
                session = session.id,
                "the new key of a session was not kept within {} seconds: if it is not kept at \
                 all, the session ends with this process",
                KEEP_TIMEOUT.as_secs()
            );
        }
    }
}
