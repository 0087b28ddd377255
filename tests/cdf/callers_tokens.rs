//! Tokens that clients bring: used as they are, or exchanged in their name.
//!
//! Owns the tests of `Credentials::CallerToken` and `Credentials::OnBehalfOf`.

use super::attempts::{client, client_with, datapoint, identity};
use super::scripted_server::{Reply, ScriptedServer};
use penstock::cdf::{AttemptFailure, Credentials, Identity, Secret, TokenCache};
use penstock::diagnostic::SqlState;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// So many seconds from now, as a token says it.
fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(now.as_millis()).expect("not that late") + seconds * 1_000
}

fn with_own_token(cdf: &ScriptedServer, expires_at_ms: i64) -> Identity {
    Identity {
        credentials: Credentials::CallerToken {
            token: Secret::new("callers-own"),
            expires_at_ms,
        },
        ..identity(&cdf.url)
    }
}

fn on_behalf_of(
    cdf: &ScriptedServer,
    provider: &ScriptedServer,
    assertion: &str,
    expires_at_ms: i64,
) -> Identity {
    Identity {
        credentials: Credentials::OnBehalfOf {
            token_url: format!("{}/token", provider.url),
            client_id: "gateway".to_owned(),
            client_secret: Secret::new("s3cret"),
            scope: "https://cdf.example/.default".to_owned(),
            assertion: Secret::new(assertion),
            expires_at_ms,
        },
        ..identity(&cdf.url)
    }
}

async fn cdf() -> ScriptedServer {
    ScriptedServer::start(vec![], Reply::json(200, "{}")).await
}

fn stopped(failure: AttemptFailure) -> Box<penstock::diagnostic::Diagnostic> {
    let AttemptFailure::Stop { reason } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(
        reason.sqlstate,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    reason
}

#[tokio::test]
async fn the_callers_own_token_is_sent_as_it_is_until_it_expires() {
    let cdf = cdf().await;
    let client = client();
    let good = with_own_token(&cdf, in_seconds(3_600));
    assert_eq!(client.send(&good, &datapoint()).await, Ok(()));
    assert_eq!(
        cdf.requests()[0].header("authorization"),
        Some("Bearer callers-own")
    );
    let over = with_own_token(&cdf, in_seconds(-1));
    let failure = client.send(&over, &datapoint()).await;
    let reason = stopped(failure.expect_err("it is over"));
    assert!(reason.message.contains("expired"), "{reason:?}");
    assert_eq!(cdf.requests().len(), 1);
}

#[tokio::test]
async fn one_401_ends_the_callers_own_token() {
    let cdf = ScriptedServer::start(vec![], Reply::json(401, "{}")).await;
    let caller = with_own_token(&cdf, in_seconds(3_600));
    let failure = client().send(&caller, &datapoint()).await;
    stopped(failure.expect_err("CDF says 401"));
    assert_eq!(cdf.requests().len(), 1);
}

#[tokio::test]
async fn the_provider_gets_the_assertion_and_cdf_gets_what_it_gives_for_it() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(vec![], Reply::token("exchanged", "3600")).await;
    let caller = on_behalf_of(&cdf, &provider, "callers.token", in_seconds(3_600));
    let client = client();
    assert_eq!(client.send(&caller, &datapoint()).await, Ok(()));
    assert_eq!(client.send(&caller, &datapoint()).await, Ok(()));
    assert_eq!(
        provider.requests()[0].text(),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
         &requested_token_use=on_behalf_of&client_id=gateway&client_secret=s3cret\
         &scope=https%3A%2F%2Fcdf.example%2F.default&assertion=callers.token"
    );
    assert_eq!(provider.requests().len(), 1);
    assert_eq!(
        cdf.requests()[1].header("authorization"),
        Some("Bearer exchanged")
    );
}

#[tokio::test]
async fn each_assertion_has_its_own_token() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(
        vec![Reply::token("of-one", "3600")],
        Reply::token("of-other", "3600"),
    )
    .await;
    let client = client();
    for assertion in ["one", "other", "one"] {
        let caller = on_behalf_of(&cdf, &provider, assertion, in_seconds(3_600));
        assert_eq!(client.send(&caller, &datapoint()).await, Ok(()));
    }
    let sent: Vec<String> = cdf
        .requests()
        .iter()
        .map(|request| request.header("authorization").unwrap_or("none").to_owned())
        .collect();
    assert_eq!(sent, ["Bearer of-one", "Bearer of-other", "Bearer of-one"]);
}

#[tokio::test]
async fn a_token_in_somebodys_name_is_not_used_beyond_their_own() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(vec![], Reply::token("exchanged", "3600")).await;
    let client = client();
    let caller = on_behalf_of(&cdf, &provider, "callers.token", in_seconds(-1));
    let failure = client.send(&caller, &datapoint()).await;
    stopped(failure.expect_err("the assertion is over"));
    assert!(provider.requests().is_empty() && cdf.requests().is_empty());
}

#[tokio::test]
async fn a_refused_exchange_stops_and_shows_neither_secret_nor_assertion() {
    let cdf = cdf().await;
    let body =
        r#"{"error":"invalid_grant","error_description":"AADSTS500131: callers.token s3cret"}"#;
    let provider = ScriptedServer::start(vec![], Reply::json(400, body)).await;
    let caller = on_behalf_of(&cdf, &provider, "callers.token", in_seconds(3_600));
    let failure = client().send(&caller, &datapoint()).await;
    let reason = stopped(failure.expect_err("no token"));
    let shown = format!("{reason:?} {caller:?}");
    assert!(shown.contains("invalid_grant"), "{shown}");
    assert!(
        !shown.contains("callers.token") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[tokio::test]
async fn what_ended_connections_brought_is_dropped_and_what_others_need_is_kept() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(vec![], Reply::token("granted", "3600")).await;
    let tokens = Arc::new(TokenCache::new());
    let client = client_with(Duration::from_secs(30), tokens.clone());
    let callers: Vec<Identity> = (0..20)
        .map(|number| on_behalf_of(&cdf, &provider, &format!("{number}"), in_seconds(3_600)))
        .collect();
    let configured = Identity {
        credentials: Credentials::ClientCredentials {
            token_url: format!("{}/token", provider.url),
            client_id: "client".to_owned(),
            client_secret: Secret::new("s3cret"),
            scope: String::new(),
            audience: String::new(),
        },
        ..identity(&cdf.url)
    };
    for identity in callers.iter().chain([&configured]) {
        assert_eq!(client.send(identity, &datapoint()).await, Ok(()));
    }
    assert_eq!(tokens.len(), 21);
    tokens.sweep(|credentials| *credentials == callers[3].credentials);
    assert_eq!(tokens.len(), 2);
    for identity in [&callers[3], &configured] {
        assert_eq!(client.send(identity, &datapoint()).await, Ok(()));
    }
    assert_eq!(provider.requests().len(), 21);
}
