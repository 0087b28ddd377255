//! Keeping sessions of CDF alive.
//!
//! Owns the exchange of sessions that are due though nobody writes with them. Promises that every
//! user's session is exchanged soon after the start, since nobody knows how long the process was
//! away, and then whenever half of its life is over; and that a CDF that does not answer delays the
//! sessions of others by a few waits only. Never exchanges two at once.

use super::silence::Silence;
use crate::cdf::{AttemptFailure, CdfClient, Credentials, Identity, SessionCredentials};
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
    /// Sessions that CDF has ended, and when.
    ended: HashMap<SessionCredentials, Instant>,
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
        let silence = Silence::default();
        for identity in self.users.account_identities() {
            if let Credentials::Session(session) = &identity.credentials
                && self.client.is_session_due(&identity)
                && !self.ended.contains_key(session)
                && !silence.is_about(&identity)
            {
                let is_answered = self.renew(&identity, session).await;
                silence.note(&identity, is_answered);
            }
        }
    }

    /// Exchanges a session; whether anybody said anything to it.
    async fn renew(&mut self, identity: &Identity, session: &SessionCredentials) -> bool {
        let id = session.id;
        match self.client.renew_session(identity).await {
            Ok(()) => {}
            Err(AttemptFailure::Stop { reason })
                if reason.sqlstate == SqlState::INVALID_AUTHORIZATION_SPECIFICATION =>
            {
                tracing::warn!(session = id, principal = identity.name, %reason, "a session is lost");
                self.ended.insert(session.clone(), Instant::now());
            }
            // The next look comes soon.
            Err(failure) => {
                let reason = failure.reason();
                tracing::info!(session = id, %reason, "a session is not renewed yet");
                return !matches!(failure, AttemptFailure::Retry { status: None, .. });
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::silence::UNANSWERED_MAX;
    use super::*;
    use crate::cdf::{Project, RequiredAccess, Secret, TokenCache};
    use crate::state::{AccountCredentials, NewUser};
    use crate::wire::GatewayUser;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// A CDF that counts who comes, and hangs up unless it has an answer.
    async fn cdf(answer: Option<&'static str>) -> (String, Arc<AtomicU32>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base_url = format!("http://{}", listener.local_addr().expect("bound"));
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                if let Some(answer) = answer {
                    // Who hangs up in the middle of a request may take the answer along.
                    let mut request = Vec::new();
                    while !request.ends_with(b"}")
                        && stream
                            .read_buf(&mut request)
                            .await
                            .is_ok_and(|count| count > 0)
                    {}
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                                Connection: close\r\nContent-Length:";
                    let answer = format!("{head} {}\r\n\r\n{answer}", answer.len());
                    let _ = stream.write_all(answer.as_bytes()).await;
                }
            }
        });
        (base_url, count)
    }

    fn user(base_url: &str, id: i64) -> Arc<GatewayUser> {
        let exchange_url = format!("{base_url}/sessions/token");
        let session = SessionCredentials::new(exchange_url, id, Secret::new("key"));
        let identity = Identity {
            project: Project {
                base_url: base_url.to_owned(),
                name: "plant".to_owned(),
            },
            name: id.to_string(),
            credentials: Credentials::Session(session),
            create_missing_time_series: false,
            required_access: RequiredAccess::default(),
        };
        let new = NewUser::named(
            format!("{base_url} {id}"),
            identity.project.clone(),
            crate::catalog::Dialect::Second,
            identity.name.clone(),
            AccountCredentials::None,
            jiff::Timestamp::UNIX_EPOCH,
        );
        Arc::new(GatewayUser {
            name: new.account.name,
            scram: new.account.verifier,
            identity: Arc::new(identity),
            modes: crate::config::UserModes::default(),
            barred: None,
        })
    }

    #[tokio::test]
    async fn a_cdf_that_does_not_answer_does_not_keep_the_sessions_of_another_from_renewal() {
        let (silent, asked) = cdf(None).await;
        let (answering, renewed) =
            cdf(Some(r#"{"accessToken": "t", "mustRefreshIn": 3600}"#)).await;
        let users = Users::default();
        // Both have sessions of the same numbers.
        for id in 0..20 {
            for base_url in [&silent, &answering] {
                let user = user(base_url, id);
                users.set_account(&user.name.clone(), Some(user));
            }
        }
        let tokens = Arc::new(TokenCache::new());
        let client = CdfClient::new(Duration::from_secs(30), tokens).expect("a client");
        let mut keeper = SessionKeeper::new(client, users);
        keeper.look().await;
        assert_eq!(renewed.load(Ordering::Relaxed), 20);
        assert_eq!(asked.load(Ordering::Relaxed), UNANSWERED_MAX);
        // It is asked again at each look, and who was renewed is not due.
        keeper.look().await;
        assert_eq!(renewed.load(Ordering::Relaxed), 20);
        assert_eq!(asked.load(Ordering::Relaxed), 2 * UNANSWERED_MAX);
    }
}
