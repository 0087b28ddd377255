//! Budgets: whom they are counted for, and what a 429 says.

use crate::support::{Cdf, TestResult};
use serde_json::{Value, json};

async fn budget(cdf: &Cdf, budget: Value) -> reqwest::Result<u16> {
    // A window so long that no test outlives it.
    let budgets = json!({"window_ms": 3_600_000, "raw_window_ms": 3_600_000, "budget": [budget]});
    Ok(cdf.admin("PUT", "budgets", budgets).await?.status)
}

#[tokio::test]
async fn a_budget_of_requests_is_counted_for_each_identity() -> TestResult {
    let mut cdf = Cdf::new();
    // One request per hour.
    let rule = json!({"operations": "time_series", "requests_per_s": 1.0 / 3_600.0});
    assert_eq!(budget(&cdf, rule).await?, 200);
    assert_eq!(cdf.create_series(&["a"]).await?.status, 201);
    let refused = cdf.create_series(&["b"]).await?;
    assert_eq!(refused.status, 429);
    assert!(
        refused.message().starts_with("Identity exceeded"),
        "{}",
        refused.message()
    );
    assert_eq!(refused.header("retry-after"), None);
    assert_eq!(cdf.get("/raw/dbs").await?.status, 200);
    cdf.token = "another".to_owned();
    assert_eq!(cdf.create_series(&["b"]).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn a_refreshed_token_keeps_its_budget() -> TestResult {
    let mut cdf = Cdf::new();
    let rule = json!({"operations": "time_series", "requests_per_s": 1.0 / 3_600.0});
    budget(&cdf, rule).await?;
    for status in [201, 429] {
        let form = "grant_type=client_credentials&client_id=c&client_secret=s";
        let reply = cdf
            .send(cdf.http.post(cdf.handle.token_url()).body(form))
            .await?;
        cdf.token = reply.json()["access_token"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(
            cdf.post("/timeseries", json!({"items": [{}]}))
                .await?
                .status,
            status
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_project_budget_is_shared_by_its_identities() -> TestResult {
    let mut cdf = Cdf::new();
    budget(
        &cdf,
        json!({"scope": "project", "requests_per_s": 1.0 / 3_600.0}),
    )
    .await?;
    assert_eq!(cdf.create_series(&["a"]).await?.status, 201);
    cdf.token = "another".to_owned();
    let refused = cdf.create_series(&["b"]).await?;
    assert_eq!(refused.status, 429);
    assert!(
        refused.message().starts_with("Project exceeded"),
        "{}",
        refused.message()
    );
    Ok(())
}

#[tokio::test]
async fn items_count_before_anything_is_written() -> TestResult {
    let cdf = Cdf::new();
    // Ten items per hour.
    let rule = json!({"operations": "time_series.create", "items_per_s": 10.0 / 3_600.0});
    budget(&cdf, rule).await?;
    let names: Vec<String> = (0..11).map(|i| format!("s{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(cdf.create_series(&names).await?.status, 429);
    let all = cdf.get("/timeseries").await?.json();
    assert_eq!(all["items"], json!([]));
    // The refused items count as well.
    assert_eq!(cdf.create_series(&names[..1]).await?.status, 429);
    Ok(())
}

#[tokio::test]
async fn raw_bytes_are_counted_over_their_own_window() -> TestResult {
    let cdf = Cdf::new();
    budget(
        &cdf,
        json!({"operations": "raw", "raw_bytes_per_window": 1_000}),
    )
    .await?;
    let body = json!({"items": [{"key": "k", "columns": {"a": "x".repeat(600)}}]});
    let path = "/raw/dbs/d/tables/t/rows?ensureParent=true";
    assert_eq!(cdf.post(path, body.clone()).await?.status, 200);
    assert_eq!(cdf.post(path, body).await?.status, 429);
    assert_eq!(cdf.get("/raw/dbs/d/tables/t/rows").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn too_many_requests_at_once_are_refused_in_the_documented_words() -> TestResult {
    let cdf = Cdf::new();
    budget(&cdf, json!({"scope": "project", "concurrent_requests": 1})).await?;
    let fault = json!([{"kind": "delay", "operation": "time_series.create", "delay_ms": 60_000}]);
    cdf.admin("POST", "faults", fault).await?;
    let slow = tokio::spawn(cdf.request("/timeseries", &json!({"items": [{}]})).send());
    loop {
        let statistics = cdf.statistics().await?;
        if statistics["operations"]["time_series.create"]["in_flight"] == 1 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let refused = cdf.get("/timeseries").await?;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.message(),
        "Project exceeded maximum number='1' of concurrent requests. Please try again later."
    );
    // Stopping cuts the wait short: the slow request is still answered.
    let stopping = tokio::task::spawn_blocking(move || cdf.handle.stop());
    assert_eq!(slow.await??.status().as_u16(), 201);
    stopping.await?;
    Ok(())
}
