//! Units: a catalog to read.

use crate::support::{Cdf, TestResult};
use serde_json::json;

#[tokio::test]
async fn units_are_found_by_their_external_ids() -> TestResult {
    let cdf = Cdf::new();
    let ids = json!([{"externalId": "pressure:bar"}, {"externalId": "temperature:deg_c"}]);
    let found = cdf.post("/units/byids", json!({ "items": ids })).await?;
    let found = found.json();
    assert_eq!(found["items"][0]["symbol"], "bar");
    assert_eq!(
        found["items"][1]["conversion"],
        json!({"multiplier": 1.0, "offset": 273.15})
    );
    let one = cdf.get("/units/pressure%3Abar").await?.json();
    assert_eq!(one["items"][0]["quantity"], "Pressure");
    Ok(())
}

#[tokio::test]
async fn an_unknown_unit_is_listed_as_missing() -> TestResult {
    let cdf = Cdf::new();
    let ids = json!([{"externalId": "pressure:bar"}, {"externalId": "pressure:foot"}]);
    let refused = cdf.post("/units/byids", json!({ "items": ids })).await?;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["error"]["missing"],
        json!([{"externalId": "pressure:foot"}])
    );
    let ignoring = json!({"items": ids, "ignoreUnknownIds": true});
    let found = cdf.post("/units/byids", ignoring).await?.json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn the_catalog_can_only_be_read() -> TestResult {
    let cdf = Cdf::new();
    assert_eq!(cdf.post("/units", json!({"items": []})).await?.status, 405);
    let systems = cdf.get("/units/systems").await?.json();
    assert_eq!(systems["items"].as_array().map(Vec::len), Some(3));
    Ok(())
}
