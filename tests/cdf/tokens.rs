//! Tokens: fetched once, shared, renewed, and never shown.
//!
//! Owns the tests of credentials against a scripted identity provider.

use super::attempts::{client, client_with, datapoint, identity};
use super::scripted_server::{Reply, ScriptedServer};
use penstock::cdf::{AttemptFailure, Credentials, Identity, Secret, TokenCache, WritingTerm};
use penstock::diagnostic::SqlState;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SECRET: &str = "s3cr&t=+/value";
const SECRET_IN_FORM: &str = "s3cr%26t%3D%2B%2Fvalue";

fn signing_in(cdf: &ScriptedServer, provider: &ScriptedServer) -> Identity {
    with_secret(cdf, provider, SECRET)
}

fn with_secret(cdf: &ScriptedServer, provider: &ScriptedServer, secret: &str) -> Identity {
    Identity {
        credentials: Credentials::ClientCredentials {
            token_url: format!("{}/oauth2/token", provider.url),
            client_id: "client one".to_owned(),
            client_secret: Secret::new(secret),
            scope: "https://cdf.example/.default".to_owned(),
            audience: String::new(),
        },
        ..identity(&cdf.url)
    }
}

async fn cdf() -> ScriptedServer {
    ScriptedServer::start(vec![], Reply::json(200, "{}")).await
}

#[tokio::test]
async fn the_provider_gets_a_form_and_cdf_gets_the_token() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(vec![], Reply::token("granted", "3600")).await;
    let sent = client()
        .send(&signing_in(&cdf, &provider), &datapoint())
        .await;
    assert_eq!(sent, Ok(()));
    let form = &provider.requests()[0];
    assert_eq!(form.path, "/oauth2/token");
    assert_eq!(
        form.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        form.text(),
        "grant_type=client_credentials&client_id=client%20one\
         &client_secret=s3cr%26t%3D%2B%2Fvalue&scope=https%3A%2F%2Fcdf.example%2F.default"
    );
    assert_eq!(
        cdf.requests()[0].header("authorization"),
        Some("Bearer granted")
    );
}

#[tokio::test]
async fn many_requests_at_once_fetch_one_token() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(vec![], Reply::token("granted", "\"3600\"")).await;
    let identity = signing_in(&cdf, &provider);
    let tokens = Arc::new(TokenCache::new());
    let clients = [
        client_with(Duration::from_secs(30), tokens.clone()),
        client_with(Duration::from_secs(30), tokens),
    ];
    let request = datapoint();
    let sends = (0..40).map(|number| clients[number % 2].send(&identity, &request));
    for sent in futures::future::join_all(sends).await {
        assert_eq!(sent, Ok(()));
    }
    assert_eq!(cdf.requests().len(), 40);
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_token_past_its_life_is_not_sent_again() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(
        vec![Reply::token("short", "0.000001")],
        Reply::token("long", "3600"),
    )
    .await;
    let identity = signing_in(&cdf, &provider);
    let client = client();
    assert_eq!(client.send(&identity, &datapoint()).await, Ok(()));
    assert_eq!(client.send(&identity, &datapoint()).await, Ok(()));
    assert_eq!(
        cdf.requests()[1].header("authorization"),
        Some("Bearer long")
    );
}

#[tokio::test]
async fn a_token_that_cdf_rejects_is_renewed_once_and_the_request_repeated() {
    let cdf = ScriptedServer::start(vec![Reply::json(401, "{}")], Reply::json(200, "{}")).await;
    let provider = ScriptedServer::start(
        vec![Reply::token("revoked", "3600")],
        Reply::token("fresh", "3600"),
    )
    .await;
    let identity = signing_in(&cdf, &provider);
    let client = client();
    assert_eq!(client.send(&identity, &datapoint()).await, Ok(()));
    assert_eq!(client.send(&identity, &datapoint()).await, Ok(()));
    let sent: Vec<String> = cdf
        .requests()
        .iter()
        .map(|request| request.header("authorization").unwrap_or("none").to_owned())
        .collect();
    assert_eq!(sent, ["Bearer revoked", "Bearer fresh", "Bearer fresh"]);
}

#[tokio::test]
async fn two_rejected_tokens_in_a_row_stop_the_identity() {
    let cdf = ScriptedServer::start(vec![], Reply::json(401, "{}")).await;
    let provider = ScriptedServer::start(vec![], Reply::token("useless", "3600")).await;
    let failure = client()
        .send(&signing_in(&cdf, &provider), &datapoint())
        .await
        .expect_err("CDF says 401");
    let AttemptFailure::Stop { reason } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(
        reason.sqlstate,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    assert_eq!(cdf.requests().len(), 2);
    assert_eq!(provider.requests().len(), 2);
}

#[tokio::test]
async fn a_fixed_token_that_cdf_rejects_is_sent_once() {
    let cdf = ScriptedServer::start(vec![], Reply::json(401, "{}")).await;
    let failure = client()
        .send(&identity(&cdf.url), &datapoint())
        .await
        .expect_err("CDF says 401");
    assert_eq!(failure.class(), "stop");
    assert_eq!(cdf.requests().len(), 1);
}

#[tokio::test]
async fn a_refused_secret_stops_and_is_shown_nowhere() {
    let cdf = cdf().await;
    let body = format!(
        r#"{{"error":"invalid_client","error_description":"Invalid: {SECRET} in {SECRET_IN_FORM}"}}"#
    );
    let provider = ScriptedServer::start(vec![], Reply::json(401, body)).await;
    let identity = signing_in(&cdf, &provider);
    let client = client();
    let failure = client
        .send(&identity, &datapoint())
        .await
        .expect_err("no token, no request");
    let AttemptFailure::Stop { reason } = &failure else {
        panic!("{failure:?}");
    };
    assert_eq!(
        reason.sqlstate,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    let detail = reason.detail.as_deref().unwrap_or_default();
    assert!(detail.contains("invalid_client"), "{detail}");
    let shown = format!("{failure:?} {identity:?}");
    assert!(
        !shown.contains(SECRET) && !shown.contains(SECRET_IN_FORM),
        "{shown}"
    );
    assert!(cdf.requests().is_empty());
}

#[tokio::test]
async fn a_refusal_is_not_asked_for_again_at_once() {
    let cdf = cdf().await;
    let provider =
        ScriptedServer::start(vec![], Reply::json(401, r#"{"error":"invalid_client"}"#)).await;
    let identity = signing_in(&cdf, &provider);
    let client = client();
    for _ in 0..5 {
        let sent = client.send(&identity, &datapoint()).await;
        assert_eq!(sent.expect_err("no token").class(), "stop");
    }
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn a_wrong_secret_does_not_get_the_token_of_the_right_one() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(
        vec![Reply::token("granted", "3600")],
        Reply::json(401, r#"{"error":"invalid_client"}"#),
    )
    .await;
    let client = client();
    let right = with_secret(&cdf, &provider, "right");
    let wrong = with_secret(&cdf, &provider, "wrong");
    assert_eq!(client.send(&right, &datapoint()).await, Ok(()));
    let sent = client.send(&wrong, &datapoint()).await;
    assert_eq!(sent.expect_err("the secret is wrong").class(), "stop");
    assert_eq!(cdf.requests().len(), 1);
}

#[tokio::test]
async fn a_provider_that_is_away_is_a_retry() {
    let cdf = cdf().await;
    for reply in [
        Reply::Close,
        Reply::json(500, ""),
        Reply::json(503, ""),
        Reply::json(429, ""),
        Reply::json(400, r#"{"error":"temporarily_unavailable"}"#),
    ] {
        let provider = ScriptedServer::start(vec![], reply.clone()).await;
        let failure = client()
            .send(&signing_in(&cdf, &provider), &datapoint())
            .await
            .expect_err("no token");
        let AttemptFailure::Retry {
            answered,
            status,
            reason,
            ..
        } = failure
        else {
            panic!("{reply:?}: {failure:?}");
        };
        assert!(answered, "nothing was sent to CDF, so nothing can land");
        assert_eq!(status, None, "it is not CDF that answered so");
        assert_eq!(reason.sqlstate, SqlState::CONNECTION_FAILURE);
    }
    assert!(cdf.requests().is_empty());
}

#[tokio::test]
async fn an_answer_without_a_token_stops() {
    let cdf = cdf().await;
    for reply in [
        Reply::html(200, "<html>Welcome</html>"),
        Reply::json(200, r#"{"access_token":""}"#),
        Reply::json(200, r#"{"access_token":"two\nlines"}"#),
        Reply::json(404, ""),
    ] {
        let provider = ScriptedServer::start(vec![], reply.clone()).await;
        let failure = client()
            .send(&signing_in(&cdf, &provider), &datapoint())
            .await
            .expect_err("no token");
        assert_eq!(failure.class(), "stop", "{reply:?}: {failure:?}");
    }
}

#[tokio::test]
async fn after_the_term_for_writing_nothing_is_sent_whatever_the_credentials_are() {
    let cdf = cdf().await;
    let provider = ScriptedServer::start(vec![], Reply::token("granted", "3600")).await;
    let (tokens, term) = (Arc::new(TokenCache::new()), WritingTerm::new());
    tokens.end_with(term.clone());
    let client = client_with(Duration::from_secs(30), tokens);
    let fixed = Identity {
        credentials: Credentials::FixedToken(Secret::new("fixed")),
        ..identity(&cdf.url)
    };
    let identities = [signing_in(&cdf, &provider), fixed];
    term.put_off(Instant::now() + Duration::from_secs(3_600));
    for identity in &identities {
        assert_eq!(client.send(identity, &datapoint()).await, Ok(()));
    }
    term.end();
    for identity in &identities {
        // The rows are kept, for whoever can still send them.
        let failure = client.send(identity, &datapoint()).await;
        let failure = failure.expect_err("nothing is sent");
        assert_eq!(failure.class(), "retry");
        assert_eq!(failure.reason().sqlstate, SqlState::ADMIN_SHUTDOWN);
    }
    assert_eq!(cdf.requests().len(), 2);
    assert_eq!(provider.requests().len(), 1);
}
