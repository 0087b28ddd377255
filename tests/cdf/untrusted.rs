//! Failures that no repeat mends are told at once: certificates that nobody trusts, tokens that
//! CDF does not accept, and an identity provider that says nothing.

use super::attempts::{client, client_with, datapoint, identity};
use super::scripted_server::{Reply, ScriptedServer};
use penstock::cdf::{AttemptFailure, Credentials, Identity, Secret, TokenCache};
use penstock::diagnostic::SqlState;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server whose certificate no authority has signed. Returns its address.
async fn self_signed() -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])
        .expect("a certificate is made");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("certificate and key belong together");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // The client turns away.
            let _ = acceptor.accept(stream).await;
        }
    });
    format!("https://localhost:{port}")
}

fn signing_in(cdf: &str, provider: &str) -> Identity {
    Identity {
        credentials: Credentials::ClientCredentials {
            token_url: format!("{provider}/token"),
            client_id: "client".to_owned(),
            client_secret: Secret::new("secret"),
            scope: String::new(),
            audience: String::new(),
        },
        ..identity(cdf)
    }
}

fn assert_untrusted(failure: AttemptFailure, whose: &str) {
    let AttemptFailure::Stop { reason } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(reason.sqlstate, SqlState::CONNECTION_FAILURE);
    let opening = format!("the TLS certificate of {whose} at https://localhost:");
    assert!(reason.message.starts_with(&opening), "{reason}");
    assert!(reason.message.contains("is not trusted: "), "{reason}");
    assert!(reason.hint.is_some());
}

#[tokio::test]
async fn a_certificate_of_cdf_that_nobody_trusts_stops_at_once() {
    let url = self_signed().await;
    let failure = client()
        .send(&identity(&url), &datapoint())
        .await
        .expect_err("the certificate is self-signed");
    assert_untrusted(failure, "CDF");
}

#[tokio::test]
async fn a_certificate_of_the_identity_provider_that_nobody_trusts_stops_at_once() {
    let url = self_signed().await;
    let failure = client()
        .send(&signing_in("https://cdf.test", &url), &datapoint())
        .await
        .expect_err("the certificate is self-signed");
    assert_untrusted(failure, "the identity provider");
}

#[tokio::test]
async fn a_fixed_token_that_cdf_does_not_accept_stops_with_28000_after_one_request() {
    let cdf = ScriptedServer::start(vec![], Reply::json(401, "{}")).await;
    let failure = client()
        .send(&identity(&cdf.url), &datapoint())
        .await
        .expect_err("the token is wrong");
    let AttemptFailure::Stop { reason } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(
        reason.sqlstate,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    assert_eq!(cdf.requests().len(), 1);
}

#[tokio::test]
async fn a_wrong_secret_stops_with_28000_and_cdf_is_not_asked() {
    let cdf = ScriptedServer::start(vec![], Reply::json(200, "{}")).await;
    let refusal = Reply::json(401, r#"{"error":"invalid_client"}"#);
    let provider = ScriptedServer::start(vec![], refusal).await;
    let failure = client()
        .send(&signing_in(&cdf.url, &provider.url), &datapoint())
        .await
        .expect_err("the secret is wrong");
    let AttemptFailure::Stop { reason } = failure else {
        panic!("{failure:?}");
    };
    assert_eq!(
        reason.sqlstate,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    assert_eq!(provider.requests().len(), 1);
    assert!(cdf.requests().is_empty());
}

#[tokio::test]
async fn a_silent_identity_provider_does_not_take_the_time_of_the_whole_request() {
    let cdf = ScriptedServer::start(vec![], Reply::json(200, "{}")).await;
    let provider = ScriptedServer::start(vec![], Reply::Silence).await;
    let tokens = TokenCache::with_fetch_timeout(Duration::from_millis(100));
    let client = client_with(Duration::from_secs(600), Arc::new(tokens));
    let began = Instant::now();
    let failure = client
        .send(&signing_in(&cdf.url, &provider.url), &datapoint())
        .await
        .expect_err("there is no token");
    assert!(began.elapsed() < Duration::from_secs(300));
    let AttemptFailure::Retry {
        answered, reason, ..
    } = failure
    else {
        panic!("{failure:?}");
    };
    assert!(answered, "nothing was sent to CDF");
    assert!(reason.message.contains("no answer in time"), "{reason}");
}
