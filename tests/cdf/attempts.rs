//! One attempt: what goes out, and what is made of answers that do not come.
//!
//! Owns the tests of `CdfClient::send` below the failure table.

use super::batches::{doubles, external_id, named_time_series, range};
use super::scripted_server::{Reply, ScriptedServer};
use penstock::catalog::Resource;
use penstock::cdf::{
    AttemptFailure, CdfClient, Credentials, EncodedRequest, Identity, Operation, Project, Secret,
    TokenCache, encode,
};
use penstock::config::BatchSettings;
use penstock::diagnostic::SqlState;
use std::sync::Arc;
use std::time::Duration;

pub fn client() -> CdfClient {
    client_with(Duration::from_secs(30), Arc::new(TokenCache::new()))
}

pub fn client_with(request_timeout: Duration, tokens: Arc<TokenCache>) -> CdfClient {
    CdfClient::new(request_timeout, tokens).expect("the HTTP client starts")
}

pub fn identity(base_url: &str) -> Identity {
    Identity {
        project: Project {
            base_url: base_url.to_owned(),
            name: "my plant".to_owned(),
        },
        name: "tester".to_owned(),
        credentials: Credentials::FixedToken(Secret::new("fixed")),
        create_missing_time_series: false,
        required_access: Default::default(),
    }
}

/// A datapoint: harmless to repeat.
pub fn datapoint() -> EncodedRequest {
    let batch = doubles(&[(external_id("pump"), 1, 1.0)]);
    encode(
        Operation::writing(Resource::Datapoints),
        &[range(&batch)],
        &BatchSettings::default(),
    )
    .expect("the rows are right")
}

/// A time series; without a name a repeat would make a second one.
pub fn time_series(name: Option<&str>) -> EncodedRequest {
    let batch = named_time_series(&[name]);
    encode(
        Operation::writing(Resource::TimeSeries),
        &[range(&batch)],
        &BatchSettings::default(),
    )
    .expect("the rows are right")
}

#[tokio::test]
async fn a_request_goes_to_the_project_with_token_and_names() {
    let server = ScriptedServer::start(vec![], Reply::json(200, "{}")).await;
    let request = datapoint();
    let sent = client().send(&identity(&server.url), &request).await;
    assert_eq!(sent, Ok(()));
    let seen = &server.requests()[0];
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.path, "/api/v1/projects/my%20plant/timeseries/data");
    assert_eq!(seen.header("authorization"), Some("Bearer fixed"));
    assert_eq!(seen.header("content-type"), Some("application/protobuf"));
    assert_eq!(seen.header("content-encoding"), None);
    assert_eq!(seen.header("x-cdp-app"), Some("penstock"));
    let version = concat!("penstock/", env!("CARGO_PKG_VERSION"));
    assert_eq!(seen.header("x-cdp-sdk"), Some(version));
    assert_eq!(seen.header("user-agent"), Some(version));
    assert_eq!(seen.body, request.body);
}

#[tokio::test]
async fn a_compressed_body_says_so() {
    let server = ScriptedServer::start(vec![], Reply::json(200, "{}")).await;
    let batch = doubles(&[(external_id("pump"), 1, 1.0)]);
    let settings = BatchSettings {
        gzip_bytes_min: 1,
        ..BatchSettings::default()
    };
    let request = encode(
        Operation::writing(Resource::Datapoints),
        &[range(&batch)],
        &settings,
    )
    .expect("the rows are right");
    let sent = client().send(&identity(&server.url), &request).await;
    assert_eq!(sent, Ok(()));
    assert_eq!(
        server.requests()[0].header("content-encoding"),
        Some("gzip")
    );
}

#[tokio::test]
async fn attempts_in_turn_share_a_connection_and_its_answers_do_not_mix() {
    let server = ScriptedServer::start(
        vec![Reply::json(200, "{}"), Reply::json(503, "{}")],
        Reply::json(200, "{}"),
    )
    .await;
    let client = client();
    let identity = identity(&server.url);
    assert_eq!(client.send(&identity, &datapoint()).await, Ok(()));
    assert!(client.send(&identity, &datapoint()).await.is_err());
    assert_eq!(client.send(&identity, &datapoint()).await, Ok(()));
}

#[tokio::test]
async fn a_refused_connection_is_a_retry_of_which_nothing_was_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    for request in [datapoint(), time_series(None)] {
        let failure = client()
            .send(&identity(&url), &request)
            .await
            .expect_err("nobody listens");
        let AttemptFailure::Retry {
            answered, reason, ..
        } = failure
        else {
            panic!("{failure:?}");
        };
        assert!(answered, "nothing can land later");
        assert_eq!(reason.sqlstate, SqlState::CONNECTION_FAILURE);
        assert!(reason.message.contains("refused"), "{reason}");
        assert!(reason.hint.is_some());
    }
}

#[tokio::test]
async fn a_write_whose_connection_broke_may_still_land() {
    for reply in [Reply::Close, Reply::Silence] {
        let server = ScriptedServer::start(vec![], reply).await;
        let client = client_with(Duration::from_millis(200), Arc::default());
        for request in [datapoint(), time_series(Some("pump"))] {
            let failure = client
                .send(&identity(&server.url), &request)
                .await
                .expect_err("no answer came");
            let AttemptFailure::Retry {
                answered, status, ..
            } = failure
            else {
                panic!("{failure:?}");
            };
            assert!(!answered);
            assert_eq!(status, None);
        }
    }
}

#[tokio::test]
async fn a_create_without_a_name_and_without_an_answer_is_unknown() {
    for reply in [
        Reply::Close,
        Reply::Silence,
        Reply::json(500, "{}"),
        Reply::json(502, "{}"),
        Reply::json(503, "{}"),
        Reply::json(504, "{}"),
    ] {
        let server = ScriptedServer::start(vec![], reply.clone()).await;
        let client = client_with(Duration::from_millis(200), Arc::default());
        let failure = client
            .send(&identity(&server.url), &time_series(None))
            .await
            .expect_err("no answer came");
        let AttemptFailure::Unknown { reason } = failure else {
            panic!("{reply:?}: {failure:?}");
        };
        assert_eq!(reason.sqlstate, SqlState::STATEMENT_COMPLETION_UNKNOWN);
    }
}

#[tokio::test]
async fn the_head_of_an_answer_is_enough_for_a_write() {
    let server = ScriptedServer::start(vec![], Reply::BrokenBody(201)).await;
    let sent = client()
        .send(&identity(&server.url), &time_series(Some("pump")))
        .await;
    assert_eq!(sent, Ok(()));
}

#[tokio::test]
async fn an_address_that_is_none_stops_the_identity() {
    let failure = client()
        .send(&identity("westeurope-1.cognitedata.com"), &datapoint())
        .await
        .expect_err("there is no scheme");
    let AttemptFailure::Stop { reason } = failure else {
        panic!("{failure:?}");
    };
    assert!(reason.message.contains("base_url"), "{reason}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = ScriptedServer::start(vec![], Reply::json(200, "{}")).await;
    let server = ScriptedServer::start(
        vec![],
        Reply::json(302, "").with_header("location", &target.url),
    )
    .await;
    let failure = client()
        .send(&identity(&server.url), &datapoint())
        .await
        .expect_err("a redirect is no success");
    assert_eq!(failure.class(), "stop");
    assert!(target.requests().is_empty(), "the rows went elsewhere");
}
