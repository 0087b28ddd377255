//! Faults: what a client meets, and what has taken effect.

use crate::messages::{Request, numeric_item};
use crate::support::{Cdf, NOON, TestResult};
use prost::Message;
use serde_json::{Value, json};

const ROWS: &str = "/raw/dbs/d/tables/t/rows";

async fn order(cdf: &Cdf, fault: Value) -> reqwest::Result<u16> {
    Ok(cdf.admin("POST", "faults", json!([fault])).await?.status)
}

async fn exists(cdf: &Cdf, series: &str) -> reqwest::Result<bool> {
    let body = json!({"items": [{"externalId": series}]});
    Ok(cdf.post("/timeseries/byids", body).await?.status == 200)
}

#[tokio::test]
async fn a_status_comes_with_its_headers_as_often_as_ordered() -> TestResult {
    let cdf = Cdf::new();
    let headers = json!({"Retry-After": "3", "cdf-is-auto-retryable": "true"});
    let fault = json!({"kind": "status", "status": 503, "count": 2, "headers": headers});
    assert_eq!(order(&cdf, fault).await?, 200);
    for _ in 0..2 {
        let reply = cdf.create_series(&["a"]).await?;
        assert_eq!(reply.status, 503);
        assert_eq!(reply.header("retry-after"), Some("3"));
        assert_eq!(reply.header("cdf-is-auto-retryable"), Some("true"));
        assert!(reply.header("x-request-id").is_some());
    }
    assert_eq!(cdf.create_series(&["a"]).await?.status, 201);
    let listed = cdf.admin("GET", "faults", Value::Null).await?.json();
    assert_eq!(listed["items"][0]["hits"], 2);
    Ok(())
}

#[tokio::test]
async fn a_status_after_commit_hides_a_write_that_happened() -> TestResult {
    let cdf = Cdf::new();
    let fault = json!({"kind": "status", "status": 500, "count": 1, "after_commit": true});
    order(&cdf, fault).await?;
    assert_eq!(cdf.create_series(&["a"]).await?.status, 500);
    assert!(exists(&cdf, "a").await?);
    Ok(())
}

#[tokio::test]
async fn a_reset_before_commit_writes_nothing_and_one_after_does() -> TestResult {
    let cdf = Cdf::new();
    for (kind, series, written) in [
        ("reset_before_commit", "before", false),
        ("reset_after_commit", "after", true),
    ] {
        let fault = json!({"kind": kind, "count": 1, "operation": "time_series.create"});
        order(&cdf, fault).await?;
        assert!(cdf.create_series(&[series]).await.is_err(), "{kind}");
        assert_eq!(exists(&cdf, series).await?, written, "{kind}");
    }
    let statistics = cdf.statistics().await?;
    let creates = &statistics["operations"]["time_series.create"];
    assert_eq!(
        (&creates["resets"], &creates["accepted"]),
        (&json!(2), &json!(1))
    );
    Ok(())
}

#[tokio::test]
async fn a_delayed_request_takes_effect_after_its_client_has_left() -> TestResult {
    let cdf = Cdf::new();
    let fault = json!({"kind": "delay", "delay_ms": 300, "count": 1});
    order(&cdf, fault).await?;
    let hasty = cdf
        .request("/timeseries", &json!({"items": [{"externalId": "late"}]}))
        .timeout(std::time::Duration::from_millis(50))
        .send()
        .await;
    assert!(hasty.is_err_and(|error| error.is_timeout()));
    while cdf.requests("time_series.create").await?.is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(exists(&cdf, "late").await?);
    Ok(())
}

#[tokio::test]
async fn a_late_answer_comes_after_a_write_that_was_made_at_once() -> TestResult {
    let cdf = Cdf::new();
    let fault =
        json!({"kind": "late_answer", "delay_ms": 60_000, "operation": "time_series.create"});
    order(&cdf, fault).await?;
    let waiting = tokio::spawn(
        cdf.request("/timeseries", &json!({"items": [{"externalId": "a"}]}))
            .send(),
    );
    while !exists(&cdf, "a").await? {
        tokio::task::yield_now().await;
    }
    assert!(!waiting.is_finished());
    waiting.abort();
    Ok(())
}

#[tokio::test]
async fn an_expired_token_is_a_401_until_a_new_one_is_fetched() -> TestResult {
    let mut cdf = Cdf::new();
    order(&cdf, json!({"kind": "expire_token", "count": 1})).await?;
    assert_eq!(cdf.create_series(&["a"]).await?.status, 401);
    assert_eq!(cdf.create_series(&["a"]).await?.status, 401);
    cdf.token = "another".to_owned();
    assert_eq!(cdf.create_series(&["a"]).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn a_partial_write_leaves_the_first_rows() -> TestResult {
    let cdf = Cdf::new();
    let fault = json!({"kind": "partial_write", "rows": 2, "status": 500, "count": 1});
    order(&cdf, fault).await?;
    let items: Vec<Value> = (0..5)
        .map(|i| json!({"key": i.to_string(), "columns": {}}))
        .collect();
    let path = format!("{ROWS}?ensureParent=true");
    let body = json!({ "items": items });
    assert_eq!(cdf.post(&path, body.clone()).await?.status, 500);
    let read = cdf.get(ROWS).await?.json();
    assert_eq!(read["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(cdf.post(&path, body).await?.status, 200);
    let read = cdf.get(ROWS).await?.json();
    assert_eq!(read["items"].as_array().map(Vec::len), Some(5));
    Ok(())
}

#[tokio::test]
async fn a_fault_of_the_token_endpoint_looks_like_one() -> TestResult {
    let cdf = Cdf::new();
    order(
        &cdf,
        json!({"kind": "status", "operation": "token.issue", "status": 503}),
    )
    .await?;
    let form = "grant_type=client_credentials&client_id=c&client_secret=s";
    let reply = cdf
        .send(cdf.http.post(cdf.handle.token_url()).body(form))
        .await?;
    assert_eq!(reply.status, 503);
    cdf.admin("DELETE", "faults", Value::Null).await?;
    let reply = cdf
        .send(cdf.http.post(cdf.handle.token_url()).body(form))
        .await?;
    assert_eq!(reply.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_fault_strikes_only_the_identity_and_path_that_it_names() -> TestResult {
    let mut cdf = Cdf::new();
    let claims = "eyJzdWIiOiJ4In0"; // {"sub":"x"}
    let fault =
        json!({"kind": "status", "status": 429, "identity": "x", "path_contains": "/byids"});
    order(&cdf, fault).await?;
    cdf.token = format!("h.{claims}.s");
    assert_eq!(cdf.create_series(&["a"]).await?.status, 201);
    let byids = json!({"items": [{"externalId": "a"}]});
    assert_eq!(
        cdf.post("/timeseries/byids", byids.clone()).await?.status,
        429
    );
    cdf.token = "y".to_owned();
    assert_eq!(cdf.post("/timeseries/byids", byids).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn data_statistics_and_log_are_cleared_by_themselves() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["a"]).await?;
    let body = Request {
        items: vec![numeric_item("a", [(NOON, 1.0)])],
    }
    .encode_to_vec();
    cdf.post_protobuf("/timeseries/data", body).await?;
    cdf.admin("DELETE", "statistics", Value::Null).await?;
    assert_eq!(cdf.statistics().await?["checksums"]["points"]["count"], 0);
    assert_eq!(cdf.requests("").await?.len(), 2);
    cdf.admin("DELETE", "requests", Value::Null).await?;
    assert!(cdf.requests("").await?.is_empty());
    assert!(exists(&cdf, "a").await?);
    cdf.admin("DELETE", "data", Value::Null).await?;
    assert!(!exists(&cdf, "a").await?);
    Ok(())
}
