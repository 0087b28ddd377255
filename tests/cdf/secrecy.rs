//! No secret is ever written anywhere: every log line at the finest level, every error, every value
//! that can be printed, and every metric, searched for every secret that was used.
//!
//! Owns the search. Servers that repeat what they were sent are the worst case, and the usual one
//! here.

use super::attempts::{client_with, datapoint, identity};
use super::scripted_server::{Reply, ScriptedServer};
use penstock::cdf::{Credentials, Identity, Secret, SessionCredentials, TokenCache};
use serde_json::json;
use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const CLIENT_SECRET: &str = "zq-client-secret/7+";
const SESSION_KEY: &str = "zq-session-key-8";
const NEXT_KEY: &str = "zq-next-session-key-9";
const NONCE: &str = "zq-nonce-10";
const ASSERTION: &str = "eyJhbGciOiJub25lIn0.enEtYXNzZXJ0aW9uLXplLWZpcnN0LXBhcnQ.enEtc2lnbmF0dXJl";
const GRANTED: &str = "eyJhbGciOiJFUzI1NiJ9.enEtZ3JhbnRlZC10b2tlbi1vZi1hLWNsaWVudA.enEtZ3JhbnRlZA";
const FIXED: &str = "zq-fixed-token-11";

const SECRETS: [&str; 8] = [
    CLIENT_SECRET,
    "zq-client-secret%2F7%2B",
    SESSION_KEY,
    NEXT_KEY,
    NONCE,
    ASSERTION,
    GRANTED,
    FIXED,
];

/// Everything that was logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0
            .lock()
            .expect("no test panicked")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log() -> Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_global_default(lines).expect("this test is the only one to log");
        log
    });
    log.clone()
}

fn later_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(now.as_millis()).expect("not that late") + 3_600_000
}

fn search(place: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{place} shows {secret}: {text}");
    }
}

/// What a provider answers that repeats the whole request in its error.
fn echo(status: u16) -> Reply {
    let all = SECRETS.join(" and ");
    let body = json!({
        "error": "invalid_client",
        "error_description": format!("you sent {all}"),
        "message": format!("you sent {all}"),
    });
    Reply::json(status, body.to_string())
}

fn every_kind(url: &str, cdf_url: &str) -> Vec<Identity> {
    let session = SessionCredentials::new(url, 7, Secret::new(SESSION_KEY));
    let kinds = [
        Credentials::ClientCredentials {
            token_url: url.to_owned(),
            client_id: "client".to_owned(),
            client_secret: Secret::new(CLIENT_SECRET),
            scope: "scope".to_owned(),
            audience: String::new(),
        },
        Credentials::Session(session),
        Credentials::OnBehalfOf {
            token_url: url.to_owned(),
            client_id: "client".to_owned(),
            client_secret: Secret::new(CLIENT_SECRET),
            scope: "scope".to_owned(),
            assertion: Secret::new(ASSERTION),
            expires_at_ms: later_ms(),
        },
        Credentials::CallerToken {
            token: Secret::new(ASSERTION),
            expires_at_ms: later_ms(),
        },
        Credentials::FixedToken(Secret::new(FIXED)),
    ];
    kinds
        .into_iter()
        .map(|credentials| Identity {
            credentials,
            ..identity(cdf_url)
        })
        .collect()
}

#[tokio::test]
async fn no_secret_is_in_a_log_line_an_error_or_anything_printed() {
    let log = log();
    let granting = ScriptedServer::start(
        vec![],
        Reply::json(
            200,
            json!({
                "access_token": GRANTED, "expires_in": 3_600,
                "id": 7, "accessToken": GRANTED, "expiresIn": 3_600, "mustRefreshIn": 60,
                "sessionKey": NEXT_KEY,
            })
            .to_string(),
        ),
    )
    .await;
    let refusing = ScriptedServer::start(vec![], echo(400)).await;
    let away = ScriptedServer::start(vec![], Reply::Close).await;
    let accepting = ScriptedServer::start(vec![], Reply::json(200, "{}")).await;
    let body = json!({"error": {"code": 401, "message": format!("Token {GRANTED} {ASSERTION}")}});
    let rejecting = ScriptedServer::start(vec![], Reply::json(401, body.to_string())).await;
    for provider in [&granting, &refusing, &away] {
        for cdf in [&accepting, &rejecting] {
            let tokens = Arc::new(TokenCache::new());
            let client = client_with(Duration::from_secs(30), tokens.clone());
            for identity in every_kind(&provider.url, &cdf.url) {
                let sent = client.send(&identity, &datapoint()).await;
                let standing = client.standing(&identity).await;
                search("a verdict", &format!("{sent:?} {standing:?}"));
                if let Err(failure) = sent {
                    search("an error", &format!("{}", failure.reason()));
                }
                search(
                    "an identity",
                    &format!("{identity:?} {client:?} {tokens:?}"),
                );
            }
            let redeemed = client
                .redeem_nonce(&provider.url, &Secret::new(NONCE))
                .await;
            search("a redeemed nonce", &format!("{redeemed:?}"));
            if let Err(fault) = redeemed {
                search("a fault", &fault.to_string());
            }
        }
    }
    let written = log.0.lock().expect("no test panicked").clone();
    let written = String::from_utf8_lossy(&written);
    assert!(
        written.contains("TRACE"),
        "nothing was logged at the finest level"
    );
    search("the log", &written);
}
