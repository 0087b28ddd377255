//! Sessions: from a nonce to a token, its renewal and its end.

use crate::support::{Cdf, Fallible, Reply, TestResult};
use penstock::emulator::{Application, EmulatorOptions};
use serde_json::{Value, json};

/// An emulator with one application, and its token.
async fn with_loader() -> Fallible<Cdf> {
    let mut cdf = Cdf::with(EmulatorOptions {
        accept_any_token: false,
        applications: vec![Application {
            client_id: "loader".to_owned(),
            secrets: vec!["old secret".to_owned(), "new secret".to_owned()],
            ..Application::default()
        }],
        ..EmulatorOptions::default()
    });
    cdf.token = cdf.sign_in("loader", "old secret").await?;
    Ok(cdf)
}

async fn create(cdf: &Cdf, item: Value) -> Fallible<Value> {
    let reply = cdf.post("/sessions", json!({"items": [item]})).await?;
    assert_eq!(reply.status, 200, "{}", reply.json());
    Ok(reply.json()["items"][0].clone())
}

async fn by_secret(cdf: &Cdf) -> Fallible<Value> {
    create(
        cdf,
        json!({"clientId": "loader", "clientSecret": "new secret"}),
    )
    .await
}

/// Exchanges without a bearer token, as a service does that has none yet.
async fn exchange(cdf: &Cdf, body: Value) -> reqwest::Result<Reply> {
    let request = cdf
        .http
        .post(cdf.url("/sessions/token"))
        .header("content-type", "application/json")
        .body(body.to_string());
    cdf.send(request).await
}

/// A session that was bound, as the exchange gave it.
async fn bound(cdf: &Cdf) -> Fallible<Value> {
    let created = by_secret(cdf).await?;
    let reply = exchange(cdf, json!({"nonce": created["nonce"]})).await?;
    assert_eq!(reply.status, 200, "{}", reply.json());
    Ok(reply.json())
}

async fn renew(cdf: &Cdf, session: &Value, key: &Value) -> reqwest::Result<Reply> {
    exchange(cdf, json!({"sessionId": session["id"], "sessionKey": key})).await
}

async fn status(cdf: &Cdf, session: &Value) -> Fallible<String> {
    let body = json!({"items": [{"id": session["id"]}]});
    let reply = cdf.post("/sessions/byids", body).await?;
    let status = reply.json()["items"][0]["status"].clone();
    Ok(status.as_str().ok_or("no status")?.to_owned())
}

async fn opens(cdf: &Cdf, session: &Value) -> reqwest::Result<u16> {
    cdf.opens(session["accessToken"].as_str().unwrap_or_default())
        .await
}

#[tokio::test]
async fn a_nonce_becomes_a_token_and_a_key_that_renews_it() -> TestResult {
    let cdf = with_loader().await?;
    let created = by_secret(&cdf).await?;
    assert_eq!(created["status"], "READY");
    assert_eq!(created["type"], "CLIENT_CREDENTIALS");
    assert_eq!(created["clientId"], "loader");
    let session = exchange(&cdf, json!({"nonce": created["nonce"]}))
        .await?
        .json();
    assert_eq!(session["id"], created["id"]);
    assert_eq!(session["expiresIn"], 3_600);
    assert!(session["mustRefreshIn"].is_u64());
    assert_eq!(opens(&cdf, &session).await?, 200);
    assert_eq!(status(&cdf, &session).await?, "ACTIVE");
    let renewed = renew(&cdf, &session, &session["sessionKey"]).await?.json();
    assert_ne!(renewed["accessToken"], session["accessToken"]);
    assert_ne!(renewed["sessionKey"], session["sessionKey"]);
    assert_eq!(opens(&cdf, &renewed).await?, 200);
    Ok(())
}

#[tokio::test]
async fn a_nonce_is_good_once() -> TestResult {
    let cdf = with_loader().await?;
    let created = by_secret(&cdf).await?;
    let nonce = json!({"nonce": created["nonce"]});
    assert_eq!(exchange(&cdf, nonce.clone()).await?.status, 200);
    let replayed = exchange(&cdf, nonce).await?;
    assert_eq!(replayed.status, 400);
    assert_eq!(replayed.json()["error"]["code"], 400);
    assert_eq!(replayed.message(), "Nonce has already been used");
    let unknown = exchange(&cdf, json!({"nonce": "guessed"})).await?;
    assert_eq!(
        (unknown.status, unknown.message().as_str()),
        (400, "Nonce not found")
    );
    Ok(())
}

#[tokio::test]
async fn a_nonce_is_good_for_a_minute() -> TestResult {
    let cdf = with_loader().await?;
    let (early, late) = (by_secret(&cdf).await?, by_secret(&cdf).await?);
    cdf.handle.advance_clock_ms(59_000);
    assert_eq!(
        exchange(&cdf, json!({"nonce": early["nonce"]}))
            .await?
            .status,
        200
    );
    cdf.handle.advance_clock_ms(1_001);
    let refused = exchange(&cdf, json!({"nonce": late["nonce"]})).await?;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (400, "Nonce has expired")
    );
    assert_eq!(status(&cdf, &late).await?, "CANCELLED");
    Ok(())
}

#[tokio::test]
async fn the_key_before_is_good_once_more_when_an_answer_was_lost() -> TestResult {
    let cdf = with_loader().await?;
    let session = bound(&cdf).await?;
    let first = &session["sessionKey"];
    // The answer with the second key never arrives.
    assert_eq!(renew(&cdf, &session, first).await?.status, 200);
    let again = renew(&cdf, &session, first).await?;
    assert_eq!(again.status, 200);
    let third = renew(&cdf, &session, first).await?;
    assert_eq!(
        (third.status, third.message().as_str()),
        (400, "Session not found")
    );
    let next = renew(&cdf, &session, &again.json()["sessionKey"]).await?;
    assert_eq!(next.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_wrong_key_or_a_wrong_session_is_not_found() -> TestResult {
    let cdf = with_loader().await?;
    let (one, other) = (bound(&cdf).await?, bound(&cdf).await?);
    for refused in [
        renew(&cdf, &one, &other["sessionKey"]).await?,
        renew(&cdf, &json!({"id": 17}), &one["sessionKey"]).await?,
    ] {
        assert_eq!(
            (refused.status, refused.message().as_str()),
            (400, "Session not found")
        );
    }
    let both = json!({"nonce": "n", "sessionId": 1, "sessionKey": "k"});
    assert_eq!(exchange(&cdf, both).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn a_revoked_session_ends_with_its_tokens() -> TestResult {
    let cdf = with_loader().await?;
    let session = bound(&cdf).await?;
    let body = json!({"items": [{"id": session["id"]}]});
    for _ in 0..2 {
        let revoked = cdf.post("/sessions/revoke", body.clone()).await?;
        assert_eq!(revoked.json()["items"][0]["status"], "REVOKED");
    }
    assert_eq!(opens(&cdf, &session).await?, 401);
    let refused = renew(&cdf, &session, &session["sessionKey"]).await?;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.message(), "Session is not active: REVOKED");
    // The application itself still signs in.
    assert_eq!(cdf.opens(&cdf.token).await?, 200);
    Ok(())
}

#[tokio::test]
async fn revocation_may_take_its_time() -> TestResult {
    let cdf = with_loader().await?;
    let settings = json!({"revocation_delay_s": 600});
    let set = cdf.admin("PUT", "sessions", settings).await?;
    assert_eq!(set.json()["nonce_lifetime_s"], 60);
    let session = bound(&cdf).await?;
    let body = json!({"items": [{"id": session["id"]}]});
    cdf.post("/sessions/revoke", body).await?;
    cdf.handle.advance_clock_ms(599_000);
    assert_eq!(opens(&cdf, &session).await?, 200);
    cdf.handle.advance_clock_ms(1_001);
    assert_eq!(opens(&cdf, &session).await?, 401);
    assert_eq!(status(&cdf, &session).await?, "REVOKED");
    Ok(())
}

#[tokio::test]
async fn a_session_dies_with_the_secret_that_made_it() -> TestResult {
    let cdf = with_loader().await?;
    let session = bound(&cdf).await?;
    let kept = json!({"client_id": "loader", "secrets": ["old secret"]});
    cdf.admin("PUT", "identity/applications", kept).await?;
    assert_eq!(opens(&cdf, &session).await?, 401);
    assert_eq!(status(&cdf, &session).await?, "ACCESS_LOST");
    let refused = renew(&cdf, &session, &session["sessionKey"]).await?;
    assert_eq!(refused.message(), "Session is not active: ACCESS_LOST");
    // One by a secret that is still there lives.
    let item = json!({"clientId": "loader", "clientSecret": "old secret"});
    assert_eq!(create(&cdf, item).await?["status"], "READY");
    Ok(())
}

#[tokio::test]
async fn a_session_that_is_not_renewed_expires_with_its_tokens() -> TestResult {
    let cdf = with_loader().await?;
    cdf.admin("PUT", "sessions", json!({"lifetime_s": 600}))
        .await?;
    let session = bound(&cdf).await?;
    assert_eq!(session["mustRefreshIn"], 600);
    cdf.handle.advance_clock_ms(599_000);
    assert_eq!(opens(&cdf, &session).await?, 200);
    cdf.handle.advance_clock_ms(1_001);
    assert_eq!(opens(&cdf, &session).await?, 401);
    let refused = renew(&cdf, &session, &session["sessionKey"]).await?;
    assert_eq!(refused.message(), "Session is not active: EXPIRED");
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_makes_no_session() -> TestResult {
    let cdf = with_loader().await?;
    let items = json!({"items": [{"clientId": "loader", "clientSecret": "wrong"}]});
    let refused = cdf.post("/sessions", items).await?;
    assert_eq!(refused.status, 403);
    assert_eq!(
        refused.message(),
        "Resource not found. This may also be due to insufficient access rights."
    );
    for items in [
        json!({"items": []}),
        json!({"items": [{"tokenExchange": true}, {"tokenExchange": true}]}),
        json!({"items": [{"clientId": "loader"}]}),
        json!({"items": [{"tokenExchange": true, "oneshotTokenExchange": true}]}),
    ] {
        assert_eq!(cdf.post("/sessions", items).await?.status, 400);
    }
    Ok(())
}

#[tokio::test]
async fn a_users_token_becomes_a_session_that_follows_the_user() -> TestResult {
    let mut cdf = with_loader().await?;
    let alice = |groups: Value| json!({"upn": "alice@plant", "object_id": "a1", "groups": groups});
    cdf.admin("PUT", "identity/users", alice(json!(["g1"])))
        .await?;
    let service = std::mem::take(&mut cdf.token);
    cdf.token = cdf.mint(json!({"user": "alice@plant"})).await?;
    let created = create(&cdf, json!({"tokenExchange": true})).await?;
    assert_eq!(created["type"], "TOKEN_EXCHANGE");
    let session = exchange(&cdf, json!({"nonce": created["nonce"]}))
        .await?
        .json();
    assert_eq!(opens(&cdf, &session).await?, 200);
    cdf.admin("PUT", "identity/users", alice(json!(["g2"])))
        .await?;
    assert_eq!(opens(&cdf, &session).await?, 200);
    let bob = json!({"upn": "bob@plant"});
    cdf.admin("PUT", "identity/users", bob).await?;
    cdf.admin("DELETE", "identity/users/alice@plant", Value::Null)
        .await?;
    assert_eq!(opens(&cdf, &session).await?, 401);
    cdf.token = service;
    assert_eq!(status(&cdf, &session).await?, "ACCESS_LOST");
    Ok(())
}

#[tokio::test]
async fn a_one_shot_session_gets_one_token() -> TestResult {
    let cdf = with_loader().await?;
    let created = create(&cdf, json!({"oneshotTokenExchange": true})).await?;
    let session = exchange(&cdf, json!({"nonce": created["nonce"]}))
        .await?
        .json();
    assert_eq!(session["sessionKey"], Value::Null);
    assert_eq!(session["mustRefreshIn"], Value::Null);
    assert_eq!(opens(&cdf, &session).await?, 200);
    assert_eq!(renew(&cdf, &session, &json!("any")).await?.status, 400);
    cdf.handle.advance_clock_ms(3_600_001);
    let cdf = Cdf {
        token: cdf.sign_in("loader", "old secret").await?,
        ..cdf
    };
    assert_eq!(status(&cdf, &session).await?, "EXPIRED");
    Ok(())
}

#[tokio::test]
async fn sessions_are_listed_in_pages_and_by_status() -> TestResult {
    let cdf = with_loader().await?;
    for _ in 0..5 {
        by_secret(&cdf).await?;
    }
    let active = bound(&cdf).await?;
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = cdf
            .get(&format!("/sessions?limit=4&cursor={cursor}"))
            .await?
            .json();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        ids.extend(items.iter().filter_map(|item| item["id"].as_i64()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 6);
    let found = cdf.get("/sessions?status=active").await?.json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["items"][0]["id"], active["id"]);
    let unknown = json!({"items": [{"id": active["id"]}, {"id": 17}]});
    let refused = cdf.post("/sessions/byids", unknown).await?;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["missing"], json!([{"id": 17}]));
    Ok(())
}

#[tokio::test]
async fn neither_figures_nor_the_log_show_a_secret() -> TestResult {
    let cdf = with_loader().await?;
    let created = by_secret(&cdf).await?;
    let session = exchange(&cdf, json!({"nonce": created["nonce"]}))
        .await?
        .json();
    let renewed = renew(&cdf, &session, &session["sessionKey"]).await?.json();
    opens(&cdf, &renewed).await?;
    exchange(&cdf, json!({"nonce": "a wrong nonce"})).await?;
    let fixed = cdf
        .http
        .get(cdf.url("/timeseries"))
        .bearer_auth("a fixed token");
    cdf.send(fixed).await?;
    let mut shown = String::new();
    for what in [
        "requests",
        "statistics",
        "sessions",
        "identity/applications",
    ] {
        let reply = cdf.admin("GET", what, Value::Null).await?;
        shown.push_str(&String::from_utf8_lossy(&reply.bytes));
    }
    assert!(shown.contains("sessions.token"));
    let secrets = [
        &created["nonce"],
        &session["accessToken"],
        &session["sessionKey"],
        &renewed["accessToken"],
        &renewed["sessionKey"],
    ];
    let texts = [
        "new secret",
        "old secret",
        "a wrong nonce",
        "a fixed token",
        &cdf.token,
    ];
    for secret in secrets
        .iter()
        .filter_map(|secret| secret.as_str())
        .chain(texts)
    {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
    Ok(())
}
