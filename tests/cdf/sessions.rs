//! Sessions: nonces redeemed, keys that rotate, and sessions that are over.
//!
//! Owns the tests of `Credentials::Session` against a scripted exchange endpoint.

use super::attempts::{client, client_with, datapoint, identity};
use super::scripted_server::{Reply, ScriptedServer};
use async_trait::async_trait;
use futures::FutureExt;
use penstock::cdf::{
    AttemptFailure, Credentials, Identity, RedeemFault, Secret, SessionCredentials, SessionKeys,
    TokenCache,
};
use penstock::diagnostic::SqlState;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;

const ID: i64 = 9_007_199_254_740_991;

fn granted(token: &str, expires_in: Value, must_refresh_in: Value, key: &str) -> Reply {
    let answer = json!({
        "id": ID, "accessToken": token, "expiresIn": expires_in,
        "mustRefreshIn": must_refresh_in, "sessionKey": key,
    });
    Reply::json(200, answer.to_string())
}

/// One that must be renewed again for the next request.
fn short(token: &str, key: &str) -> Reply {
    granted(token, json!(0.000_001), json!(3_600), key)
}

fn refused(status: u16, message: &str) -> Reply {
    let body = json!({"error": {"code": status, "message": message}});
    Reply::json(status, body.to_string())
}

fn session(exchange: &ScriptedServer, key: &str) -> SessionCredentials {
    SessionCredentials::new(
        format!("{}/sessions/token", exchange.url),
        ID,
        Secret::new(key),
    )
}

fn writing_as(cdf: &ScriptedServer, session: &SessionCredentials) -> Identity {
    Identity {
        credentials: Credentials::Session(session.clone()),
        ..identity(&cdf.url)
    }
}

async fn cdf() -> ScriptedServer {
    ScriptedServer::start(vec![], Reply::json(200, "{}")).await
}

fn posted(server: &ScriptedServer) -> Vec<Value> {
    let requests = server.requests();
    requests
        .iter()
        .map(|request| serde_json::from_str(&request.text()).expect("JSON was posted"))
        .collect()
}

/// Remembers what it was told, in order, and can be slow.
#[derive(Debug, Default)]
struct Keeper {
    keys: Mutex<Vec<String>>,
    waits: bool,
    told: Notify,
    may_go_on: Notify,
}

#[async_trait]
impl SessionKeys for Keeper {
    async fn renewed(&self, session: &SessionCredentials, key: &Secret) {
        assert_eq!(session.id, ID);
        self.told.notify_one();
        if self.waits {
            self.may_go_on.notified().await;
        }
        self.keys
            .lock()
            .expect("no test panicked")
            .push(key.expose().to_owned());
    }
}

fn kept(keeper: &Keeper) -> Vec<String> {
    keeper.keys.lock().expect("no test panicked").clone()
}

#[tokio::test]
async fn each_exchange_has_the_key_of_the_one_before_and_tells_the_next_to_its_keeper() {
    let cdf = cdf().await;
    let exchange = ScriptedServer::start(
        vec![short("first", "key 2"), short("second", "key 3")],
        granted("third", json!("3600"), json!(null), "key 4"),
    )
    .await;
    let (tokens, keeper) = (Arc::new(TokenCache::new()), Arc::new(Keeper::default()));
    tokens.keep_session_keys(keeper.clone());
    let client = client_with(Duration::from_secs(30), tokens);
    let session = session(&exchange, "key 1");
    let identity = writing_as(&cdf, &session);
    for _ in 0..4 {
        assert_eq!(client.send(&identity, &datapoint()).await, Ok(()));
    }
    let keys: Vec<Value> = posted(&exchange)
        .iter()
        .map(|body| body["sessionKey"].clone())
        .collect();
    assert_eq!(keys, ["key 1", "key 2", "key 3"]);
    assert!(posted(&exchange).iter().all(|body| body["sessionId"] == ID));
    assert_eq!(kept(&keeper), ["key 2", "key 3", "key 4"]);
    assert_eq!(session.key().expose(), "key 4");
    let last = cdf.requests()[3].header("authorization").map(str::to_owned);
    assert_eq!(last.as_deref(), Some("Bearer third"));
}

#[tokio::test]
async fn whoever_ends_can_wait_until_the_keys_of_exchanges_under_way_are_kept() {
    let cdf = cdf().await;
    let exchange =
        ScriptedServer::start(vec![], granted("token", json!(3_600), json!(3_600), "new")).await;
    let keeper = Arc::new(Keeper {
        waits: true,
        ..Keeper::default()
    });
    let tokens = Arc::new(TokenCache::new());
    tokens.keep_session_keys(keeper.clone());
    let client = client_with(Duration::from_secs(30), tokens.clone());
    let identity = writing_as(&cdf, &session(&exchange, "old"));
    let request = datapoint();
    let mut sent = Box::pin(client.send(&identity, &request));
    tokio::select! {
        _ = &mut sent => panic!("the key is not kept yet"),
        () = keeper.told.notified() => {}
    }
    drop(sent);
    let mut exchanged = Box::pin(tokens.exchanged());
    assert!((&mut exchanged).now_or_never().is_none());
    keeper.may_go_on.notify_one();
    exchanged.await;
    assert_eq!(kept(&keeper), ["new"]);
}

#[tokio::test]
async fn a_key_is_not_relied_on_before_it_is_kept_and_not_lost_with_a_caller_that_leaves() {
    let cdf = cdf().await;
    let exchange =
        ScriptedServer::start(vec![], granted("token", json!(3_600), json!(3_600), "new")).await;
    let keeper = Arc::new(Keeper {
        waits: true,
        ..Keeper::default()
    });
    let tokens = Arc::new(TokenCache::new());
    tokens.keep_session_keys(keeper.clone());
    let client = client_with(Duration::from_secs(30), tokens);
    let session = session(&exchange, "old");
    let identity = writing_as(&cdf, &session);
    let request = datapoint();
    let mut sent = Box::pin(client.send(&identity, &request));
    tokio::select! {
        _ = &mut sent => panic!("the key is not kept yet"),
        () = keeper.told.notified() => {}
    }
    // The exchange has happened, and whoever wanted the token leaves.
    assert_eq!(session.key().expose(), "old");
    drop(sent);
    keeper.may_go_on.notify_one();
    assert_eq!(client.send(&identity, &request).await, Ok(()));
    assert_eq!(session.key().expose(), "new");
    assert_eq!(kept(&keeper), ["new"]);
    assert_eq!(exchange.requests().len(), 1);
}

#[tokio::test]
async fn two_values_of_one_session_never_use_an_old_key() {
    let cdf = cdf().await;
    let exchange = ScriptedServer::start(
        vec![short("first", "key 2")],
        granted("second", json!(3_600), json!(3_600), "key 3"),
    )
    .await;
    let client = client();
    let one = writing_as(&cdf, &session(&exchange, "key 1"));
    let other = writing_as(&cdf, &session(&exchange, "key 1"));
    assert_eq!(client.send(&one, &datapoint()).await, Ok(()));
    assert_eq!(client.send(&other, &datapoint()).await, Ok(()));
    assert_eq!(posted(&exchange)[1]["sessionKey"], "key 2");
}

#[tokio::test]
async fn many_requests_at_once_exchange_a_session_once() {
    let cdf = cdf().await;
    let exchange =
        ScriptedServer::start(vec![], granted("token", json!(3_600), json!(86_400), "new")).await;
    let client = client();
    let identity = writing_as(&cdf, &session(&exchange, "old"));
    let request = datapoint();
    let sends = (0..30).map(|_| client.send(&identity, &request));
    for sent in futures::future::join_all(sends).await {
        assert_eq!(sent, Ok(()));
    }
    assert_eq!(exchange.requests().len(), 1);
}

#[tokio::test]
async fn a_token_that_cdf_rejects_is_exchanged_anew_once() {
    let cdf = ScriptedServer::start(vec![Reply::json(401, "{}")], Reply::json(200, "{}")).await;
    let exchange = ScriptedServer::start(
        vec![granted("revoked", json!(3_600), json!(3_600), "key 2")],
        granted("fresh", json!(3_600), json!(3_600), "key 3"),
    )
    .await;
    let identity = writing_as(&cdf, &session(&exchange, "key 1"));
    assert_eq!(client().send(&identity, &datapoint()).await, Ok(()));
    assert_eq!(exchange.requests().len(), 2);
}

#[tokio::test]
async fn a_session_that_has_ended_stops_with_28000_and_tells_how_to_mend_it() {
    let cdf = cdf().await;
    for reply in [
        refused(400, "Session is not active: REVOKED"),
        refused(400, "Session expired"),
        refused(401, "Unauthorized"),
        refused(403, "Forbidden"),
        Reply::json(401, ""),
    ] {
        let exchange = ScriptedServer::start(vec![], reply.clone()).await;
        let identity = writing_as(&cdf, &session(&exchange, "secret key"));
        let failure = client().send(&identity, &datapoint()).await;
        let AttemptFailure::Stop { reason } = failure.expect_err("it has ended") else {
            panic!("{reply:?}");
        };
        assert_eq!(
            reason.sqlstate,
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        );
        assert!(reason.message.contains(&ID.to_string()), "{reason:?}");
        let hint = reason.hint.as_deref().unwrap_or_default();
        assert!(hint.contains("nonce"), "{hint}");
    }
    assert!(cdf.requests().is_empty());
}

#[tokio::test]
async fn an_endpoint_that_is_away_is_a_retry_and_one_that_is_none_no_refusal() {
    let cdf = cdf().await;
    for (reply, class) in [
        (Reply::Close, "retry"),
        (Reply::json(503, ""), "retry"),
        (refused(429, "slow down"), "retry"),
        (Reply::json(404, ""), "stop"),
        (Reply::html(403, "<title>Proxy</title>"), "stop"),
        (Reply::html(200, "<html>Welcome</html>"), "stop"),
        (Reply::json(200, r#"{"accessToken":""}"#), "stop"),
    ] {
        let exchange = ScriptedServer::start(vec![], reply.clone()).await;
        let identity = writing_as(&cdf, &session(&exchange, "secret key"));
        let failure = client().send(&identity, &datapoint()).await;
        let failure = failure.expect_err("no token");
        assert_eq!(failure.class(), class, "{reply:?}: {failure:?}");
        assert_eq!(failure.reason().sqlstate, SqlState::CONNECTION_FAILURE);
    }
}

#[tokio::test]
async fn a_session_is_kept_alive_by_an_exchange_before_its_time() {
    let cdf = cdf().await;
    let exchange = ScriptedServer::start(
        vec![granted("first", json!(3_600), json!(86_400), "key 2")],
        granted("second", json!(3_600), json!(86_400), "key 3"),
    )
    .await;
    let client = client();
    let identity = writing_as(&cdf, &session(&exchange, "key 1"));
    assert!(
        client.is_session_due(&identity),
        "nobody knows how long it lives"
    );
    assert_eq!(client.renew_session(&identity).await, Ok(()));
    assert!(!client.is_session_due(&identity));
    assert_eq!(client.renew_session(&identity).await, Ok(()));
    assert_eq!(posted(&exchange)[1]["sessionKey"], "key 2");
    assert_eq!(client.send(&identity, &datapoint()).await, Ok(()));
    assert_eq!(exchange.requests().len(), 2);
}

#[tokio::test]
async fn a_nonce_is_sent_once_and_gives_id_key_and_token() {
    let exchange =
        ScriptedServer::start(vec![], granted("token", json!(3_600), json!(3_600), "key")).await;
    let url = format!("{}/exchange", exchange.url);
    let redeemed = client().redeem_nonce(&url, &Secret::new("the nonce")).await;
    let redeemed = redeemed.expect("it is good");
    assert_eq!(redeemed.id, ID);
    assert_eq!(redeemed.key.expose(), "key");
    assert_eq!(redeemed.access_token.expose(), "token");
    assert_eq!(posted(&exchange), [json!({"nonce": "the nonce"})]);
    assert!(!format!("{redeemed:?}").contains("token\""));
}

#[tokio::test]
async fn a_nonce_that_is_not_redeemed_tells_what_to_do() {
    let fault = |reply| async {
        let exchange = ScriptedServer::start(vec![], reply).await;
        let nonce = Secret::new("the nonce");
        let redeemed = client().redeem_nonce(&exchange.url, &nonce).await;
        redeemed.expect_err("no session")
    };
    let used = fault(refused(400, "Nonce 'the nonce' has already been used")).await;
    assert!(matches!(&used, RedeemFault::Refused(said) if said.contains("already been used")));
    assert!(!used.to_string().contains("the nonce'"), "{used}");
    assert!(matches!(fault(Reply::Close).await, RedeemFault::Away(_)));
    assert!(matches!(
        fault(Reply::json(503, "")).await,
        RedeemFault::Away(_)
    ));
    let elsewhere = [
        Reply::json(404, ""),
        Reply::html(200, "<html>"),
        Reply::json(200, r#"{"accessToken":"token","expiresIn":1}"#),
    ];
    for reply in elsewhere {
        assert!(matches!(fault(reply).await, RedeemFault::Unusable(_)));
    }
}
