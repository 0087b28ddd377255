//! The keys of one issuer, kept and renewed.
//!
//! Owns fetching: by the OpenID configuration or from the keys' own address. Promises one fetch at a
//! time, never more often than the issuer's bound whatever tokens strangers show, answers that are
//! bounded in time and size, and that old keys stay in use while the provider is away. A fetch that
//! began is finished though the connection that wanted it is gone. Never judges a token.

use super::issuer::{Issuer, KeySource};
use super::key_set::KeySet;
use super::refusal::TokenRefusal;
use crate::cdf::Transport;
use crate::telemetry::{KeyCounters, TokenOutcome};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Bytes of a document: Microsoft's keys with their certificates are some 20 kB.
const DOCUMENT_BYTES_MAX: usize = 512 << 10;

/// Bound of one fetch. Below the time that a client has to sign in.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// The keys of one issuer. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct KeyCache {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    issuer: Arc<Issuer>,
    transport: Transport,
    counters: KeyCounters,
    kept: Mutex<Kept>,
    /// Held while a fetch runs.
    fetching: tokio::sync::Mutex<()>,
}

/// What is known now.
#[derive(Debug, Default)]
struct Kept {
    keys: Option<Arc<KeySet>>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
    /// Why the last try failed.
    trouble: Option<String>,
}

#[derive(Deserialize)]
struct OpenIdConfiguration {
    issuer: String,
    jwks_uri: String,
}

impl KeyCache {
    pub(super) fn new(issuer: Arc<Issuer>, transport: Transport) -> Self {
        KeyCache {
            shared: Arc::new(Shared {
                issuer,
                transport,
                counters: KeyCounters::new(),
                kept: Mutex::default(),
                fetching: tokio::sync::Mutex::default(),
            }),
        }
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.shared.issuer
    }

    /// The key with this kid. Waits for a fetch only when it is not known yet.
    ///
    /// # Errors
    /// `UnknownKey`, or `KeysUnavailable` when no keys could ever be fetched.
    pub(super) async fn find(
        &self,
        kid: &str,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, TokenRefusal> {
        let (known, is_old) = self.shared.look_up(kid, algorithm);
        if let Some(key) = known {
            if is_old && self.shared.may_try() {
                // The keys at hand serve meanwhile.
                drop(self.spawn_fetch());
            }
            return Ok(key);
        }
        if self.shared.may_try() || self.shared.fetching.try_lock().is_err() {
            // An error is a panic in the fetch: then nothing new is known.
            let _ = self.spawn_fetch().await;
        }
        let name = || self.shared.issuer.name.clone();
        match self.shared.look_up(kid, algorithm) {
            (Some(key), _) => Ok(key),
            (None, _) => match self.shared.trouble_without_keys() {
                Some(cause) => Err(TokenRefusal::KeysUnavailable {
                    issuer: name(),
                    cause,
                }),
                None => Err(TokenRefusal::UnknownKey(name())),
            },
        }
    }

    /// Fetches the keys for a look only: how many there are.
    pub(super) async fn try_fetch(&self) -> Result<usize, String> {
        self.shared.fetch().await.map(|keys| keys.len())
    }

    /// A task of its own, so that a client that leaves does not break the fetch off: who comes and
    /// goes could otherwise keep new keys away from everybody.
    fn spawn_fetch(&self) -> tokio::task::JoinHandle<()> {
        let shared = self.shared.clone();
        tokio::spawn(async move { shared.fetch_if_due().await })
    }
}

impl Shared {
    fn look_up(&self, kid: &str, algorithm: Algorithm) -> (Option<DecodingKey>, bool) {
        let kept = self.kept();
        let key = kept
            .keys
            .as_ref()
            .and_then(|keys| keys.find(kid, algorithm));
        let refresh = Duration::from_secs(self.issuer.keys_refresh_s);
        let is_old = kept.fetched_at.is_none_or(|at| at.elapsed() >= refresh);
        (key, is_old)
    }

    /// Whether the bound on fetches allows one now.
    fn may_try(&self) -> bool {
        let interval = Duration::from_secs(self.issuer.keys_interval_min_s);
        self.kept()
            .tried_at
            .is_none_or(|at| at.elapsed() >= interval)
    }

    /// Why there are no keys at all; `None`: there are some.
    fn trouble_without_keys(&self) -> Option<String> {
        let kept = self.kept();
        match &kept.keys {
            Some(_) => None,
            None => Some(
                kept.trouble
                    .clone()
                    .unwrap_or_else(|| "not tried yet".to_owned()),
            ),
        }
    }

    async fn fetch_if_due(&self) {
        let _fetching = self.fetching.lock().await;
        if !self.may_try() {
            // Somebody else did while this one waited.
            return;
        }
        self.kept().tried_at = Some(Instant::now());
        let fetched = self.fetch().await;
        let outcome = match fetched {
            Ok(_) => TokenOutcome::Succeeded,
            Err(_) => TokenOutcome::Failed,
        };
        self.counters.fetches.add(outcome, 1);
        let mut kept = self.kept();
        match fetched {
            Ok(keys) => {
                kept.keys = Some(Arc::new(keys));
                kept.fetched_at = Some(Instant::now());
                kept.trouble = None;
            }
            Err(trouble) => {
                tracing::warn!(
                    issuer = %self.issuer.name,
                    cause = %trouble,
                    keeps_old_keys = kept.keys.is_some(),
                    "the keys of an issuer cannot be fetched"
                );
                kept.trouble = Some(trouble);
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let document = match &self.issuer.keys {
            KeySource::KeySet(url) => self.transport.document(url, DOCUMENT_BYTES_MAX).await?,
            KeySource::Discovery(url) => {
                let document = self.transport.document(url, DOCUMENT_BYTES_MAX).await?;
                let configuration: OpenIdConfiguration = serde_json::from_slice(&document)
                    .map_err(|_| "the answer is no OpenID configuration".to_owned())?;
                if !self.issuer.iss.contains(&configuration.issuer) {
                    return Err(
                        "the OpenID configuration is of an issuer that is not in iss".to_owned(),
                    );
                }
                if !is_trustworthy(&configuration.jwks_uri) {
                    return Err("the OpenID configuration names keys without https".to_owned());
                }
                self.transport
                    .document(&configuration.jwks_uri, DOCUMENT_BYTES_MAX)
                    .await?
            }
        };
        KeySet::parse(&document)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Each field is replaced whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether what comes from an address cannot be changed on the way: keys by clear text would let
/// anybody on the way sign tokens.
pub fn is_trustworthy(url: &str) -> bool {
    url.starts_with("https://") || crate::cdf::is_local(url)
}
