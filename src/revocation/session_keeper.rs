//! Keeping sessions of CDF alive.
//!
//! Owns the exchange of sessions that are due though nobody writes with them. Promises that every
//! user's session is exchanged soon after the start, since nobody knows how long the process was
//! away, and then whenever half of its life is over. Never exchanges two at once.

use crate::cdf::{AttemptFailure, CdfClient, Credentials, Identity};
use crate::diagnostic::SqlState;
use crate::wire::Users;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// From one look at the sessions to the next.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// A session that CDF has ended is asked for again after this time: it does not come back, and
/// nobody is to be told every half minute.
const ENDED_PAUSE: Duration = Duration::from_secs(3_600);

/// The keeper.
pub(super) struct SessionKeeper {
    client: CdfClient,
    users: Users,
    /// Sessions that CDF has ended, by their numbers, and when.
    ended: HashMap<i64, Instant>,
}

impl SessionKeeper {
    pub fn new(client: CdfClient, users: Users) -> Self {
        SessionKeeper {
            client,
            users,
            ended: HashMap::new(),
        }
    }

    /// Keeps them until it is dropped.
    pub async fn run(mut self) {
        loop {
            self.look().await;
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&mut self) {
        let now = Instant::now();
        self.ended.retain(|_, ended| now < *ended + ENDED_PAUSE);
        for identity in self.users.account_identities() {
            if let Credentials::Session(session) = &identity.credentials
                && self.client.is_session_due(&identity)
                && !self.ended.contains_key(&session.id)
            {
                self.renew(&identity, session.id).await;
            }
        }
    }

    async fn renew(&mut self, identity: &Identity, session: i64) {
        match self.client.renew_session(identity).await {
            Ok(()) => {}
            Err(AttemptFailure::Stop { reason })
                if reason.sqlstate == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
            {
                tracing::warn!(session, principal = identity.name, %reason, "a session is lost");
                self.ended.insert(session, Instant::now());
            }
            // The next look comes soon.
            Err(failure) => {
                let reason = failure.reason();
                tracing::info!(session, %reason, "a session is not renewed yet");
            }
        }
    }
}
