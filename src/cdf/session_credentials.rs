//! A session of CDF: its number, and the key that the last exchange handed out.
//!
//! Owns the key while the process runs, and when the session is to be renewed although nobody
//! writes. Promises that clones share both. Never exchanges and never stores anything.

use super::Secret;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A session whose exchange does not say when it must be renewed is renewed once a day.
const RENEWAL_UNSAID: Duration = Duration::from_secs(86_400);

/// A session that is to be exchanged for tokens.
///
/// Two values of one session are equal whatever their keys are.
#[derive(Clone, Debug)]
pub struct SessionCredentials {
    /// Where it is exchanged for tokens.
    pub exchange_url: String,
    pub id: i64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    key: Secret,
    /// `None`: this process has not exchanged it yet, so nobody knows how long it lives.
    renew_at: Option<Instant>,
}

impl SessionCredentials {
    pub fn new(exchange_url: impl Into<String>, id: i64, key: Secret) -> Self {
        SessionCredentials {
            exchange_url: exchange_url.into(),
            id,
            state: Arc::new(Mutex::new(State {
                key,
                renew_at: None,
            })),
        }
    }

    /// The key for the next exchange.
    pub fn key(&self) -> Secret {
        self.lock().key.clone()
    }

    /// Whether the session is to be exchanged at `now` to keep it alive.
    pub fn is_due(&self, now: Instant) -> bool {
        self.lock().renew_at.is_none_or(|renew_at| renew_at <= now)
    }

    /// Takes what an exchange said: the next key, if it is another one, and how long the session
    /// lives without another exchange. Half of that is left for outages.
    pub(super) fn exchanged(
        &self,
        key: Option<Secret>,
        renew_within: Option<Duration>,
        now: Instant,
    ) {
        let after = renew_within.map_or(RENEWAL_UNSAID, |within| within / 2);
        let mut state = self.lock();
        state.renew_at = Some(now + after);
        if let Some(key) = key {
            state.key = key;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole values are put in their places: they are right whoever panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for SessionCredentials {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.exchange_url == other.exchange_url
    }
}

impl Eq for SessionCredentials {}

impl Hash for SessionCredentials {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
        self.exchange_url.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_due_at_first_and_then_when_half_its_life_is_over() {
        let session = SessionCredentials::new("http://cdf", 7, Secret::new("one"));
        let (clone, now) = (session.clone(), Instant::now());
        let later = |seconds| now + Duration::from_secs(seconds);
        assert!(session.is_due(now));
        session.exchanged(
            Some(Secret::new("two")),
            Some(Duration::from_secs(100)),
            now,
        );
        assert_eq!(clone.key().expose(), "two");
        assert!(!clone.is_due(later(49)) && clone.is_due(later(50)));
        clone.exchanged(None, None, now);
        assert_eq!(session.key().expose(), "two");
        assert!(!session.is_due(later(86_399)) && session.is_due(later(86_400)));
    }
}
