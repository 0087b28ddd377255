//! Time series: identifiers, limits, all or nothing.

use crate::support::{Cdf, TestResult};
use serde_json::{Value, json};

#[tokio::test]
async fn every_answer_carries_a_request_id() -> TestResult {
    let cdf = Cdf::new();
    let made = cdf.create_series(&["a"]).await?;
    let refused = cdf.create_series(&["a"]).await?;
    let unknown = cdf.get("/nothing").await?;
    assert_eq!(
        (made.status, refused.status, unknown.status),
        (201, 409, 404)
    );
    let ids: std::collections::HashSet<_> = [&made, &refused, &unknown]
        .iter()
        .filter_map(|reply| reply.header("x-request-id"))
        .collect();
    assert_eq!(ids.len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_taken_external_id_refuses_the_whole_request() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["a"]).await?;
    let refused = cdf.create_series(&["b", "a"]).await?;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["error"]["code"], 409);
    assert_eq!(
        refused.json()["error"]["duplicated"],
        json!([{"externalId": "a"}])
    );
    let b = cdf
        .post("/timeseries/byids", json!({"items": [{"externalId": "b"}]}))
        .await?;
    assert_eq!(b.status, 400);
    assert_eq!(b.json()["error"]["missing"], json!([{"externalId": "b"}]));
    Ok(())
}

#[tokio::test]
async fn an_external_id_twice_in_one_request_is_a_422() -> TestResult {
    let cdf = Cdf::new();
    let refused = cdf.create_series(&["a", "b", "a"]).await?;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.json()["error"]["duplicated"],
        json!([{"externalId": "a"}])
    );
    Ok(())
}

#[tokio::test]
async fn at_most_a_thousand_series_are_created_at_once() -> TestResult {
    let cdf = Cdf::new();
    let items = |count: usize| json!({"items": vec![json!({}); count]});
    assert_eq!(cdf.post("/timeseries", items(0)).await?.status, 400);
    assert_eq!(cdf.post("/timeseries", items(1_000)).await?.status, 201);
    assert_eq!(cdf.post("/timeseries", items(1_001)).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn fields_are_held_to_their_lengths() -> TestResult {
    let cdf = Cdf::new();
    let long = |count: usize| Value::String("ü".repeat(count));
    let metadata = |key: usize, value: usize| json!({ "k".repeat(key): "v".repeat(value) });
    for (field, fits, too_long) in [
        ("externalId", long(255), long(256)),
        ("name", long(255), long(256)),
        ("description", long(1_000), long(1_001)),
        ("unit", long(32), long(33)),
        ("unitExternalId", long(64), long(65)),
        ("metadata", metadata(128, 0), metadata(129, 0)),
        ("metadata", metadata(1, 9_999), metadata(1, 10_000)),
    ] {
        let made = cdf
            .post("/timeseries", json!({"items": [{field: fits}]}))
            .await?;
        assert_eq!(made.status, 201, "{field}: {}", made.message());
        let refused = cdf
            .post("/timeseries", json!({"items": [{field: too_long}]}))
            .await?;
        assert_eq!(refused.status, 400, "{field}");
        assert!(refused.message().contains(field), "{}", refused.message());
    }
    Ok(())
}

#[tokio::test]
async fn a_request_without_items_names_the_missing_field_without_an_envelope() -> TestResult {
    let cdf = Cdf::new();
    let refused = cdf.post("/timeseries", json!({})).await?;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["missingFields"], json!(["items"]));
    assert_eq!(refused.json()["code"], 400);
    assert_eq!(refused.json().get("error"), None);
    Ok(())
}

#[tokio::test]
async fn a_data_set_has_to_exist() -> TestResult {
    let cdf = Cdf::new();
    let with_set = |id: i64| json!({"items": [{"dataSetId": id}]});
    let refused = cdf.post("/timeseries", with_set(5)).await?;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (400, "Invalid dataSetIds: 5")
    );
    let set = cdf
        .post("/datasets", json!({"items": [{"name": "set"}]}))
        .await?;
    assert_eq!(set.status, 200);
    let id = set.json()["items"][0]["id"].as_i64().unwrap_or_default();
    assert_eq!(cdf.post("/timeseries", with_set(id)).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn an_asset_has_to_exist() -> TestResult {
    let cdf = Cdf::new();
    let with_asset =
        |name: &str, id: i64| json!({"items": [{"externalId": name, "assetId": id}, {}]});
    let refused = cdf.post("/timeseries", with_asset("a", 6)).await?;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (400, "Asset ids not found")
    );
    let missing = |id: i64| json!([{ "id": id }]);
    assert_eq!(refused.json()["error"]["missing"], missing(6));
    let items = json!({"items": [{"assetId": 9}, {"assetId": 8}, {"assetId": 9}]});
    let refused = cdf.post("/timeseries", items).await?;
    assert_eq!(
        refused.json()["error"]["missing"],
        json!([{"id": 8}, {"id": 9}])
    );
    let asset = cdf
        .post("/assets", json!({"items": [{"name": "pump"}]}))
        .await?;
    let id = asset.json()["items"][0]["id"].as_i64().unwrap_or_default();
    // Nothing was made of the request that was refused: the external id is free.
    let made = cdf.post("/timeseries", with_asset("a", id)).await?;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["items"][0]["assetId"], id);
    Ok(())
}

#[tokio::test]
async fn an_update_refers_to_what_exists() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["a"]).await?;
    let update = |field: &str, change: Value| {
        cdf.post(
            "/timeseries/update",
            json!({"items": [{"externalId": "a", "update": {"name": {"set": "n"}, field: change}}]}),
        )
    };
    let refused = update("assetId", json!({"set": 6})).await?;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (400, "Asset ids not found")
    );
    assert_eq!(refused.json()["error"]["missing"], json!([{"id": 6}]));
    let refused = update("dataSetId", json!({"set": 5})).await?;
    assert_eq!(
        (refused.status, refused.message().as_str()),
        (400, "Invalid dataSetIds: 5")
    );
    let found = cdf
        .post("/timeseries/byids", json!({"items": [{"externalId": "a"}]}))
        .await?;
    assert_eq!(found.json()["items"][0].get("name"), None);
    let asset = cdf
        .post("/assets", json!({"items": [{"name": "pump"}]}))
        .await?;
    let id = asset.json()["items"][0]["id"].as_i64().unwrap_or_default();
    let changed = update("assetId", json!({ "set": id })).await?;
    assert_eq!(changed.json()["items"][0]["assetId"], id);
    let emptied = update("assetId", json!({"setNull": true})).await?;
    assert_eq!(emptied.json()["items"][0].get("assetId"), None);
    Ok(())
}

#[tokio::test]
async fn at_most_ten_data_sets_are_created_at_once() -> TestResult {
    let cdf = Cdf::new();
    let sets = |count: usize| json!({"items": vec![json!({"name": "set"}); count]});
    assert_eq!(cdf.post("/datasets", sets(11)).await?.status, 400);
    let made = cdf.post("/datasets", sets(10)).await?;
    assert_eq!(made.status, 200);
    assert_eq!(made.json()["items"][9]["writeProtected"], false);
    assert_eq!(made.json()["items"][9]["metadata"], json!({}));
    Ok(())
}

#[tokio::test]
async fn a_failed_update_changes_nothing() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["a", "b"]).await?;
    let rename =
        |from: &str, to: &str| json!({"externalId": from, "update": {"externalId": {"set": to}}});
    let update = |items: Value| cdf.post("/timeseries/update", json!({ "items": items }));
    let taken = update(json!([rename("a", "c"), rename("b", "c")])).await?;
    assert_eq!(taken.status, 409);
    let missing = update(json!([rename("a", "c"), rename("x", "d")])).await?;
    assert_eq!(
        missing.json()["error"]["missing"],
        json!([{"externalId": "x"}])
    );
    let fixed = update(json!([{"externalId": "a", "update": {"isString": {"set": true}}}])).await?;
    assert_eq!(fixed.status, 400);
    // Names may change hands within one request.
    let swapped = update(json!([rename("a", "b"), rename("b", "a")])).await?;
    assert_eq!(swapped.status, 200, "{}", swapped.message());
    assert_eq!(swapped.json()["items"][0]["externalId"], "b");
    Ok(())
}

#[tokio::test]
async fn two_references_to_one_series_are_a_422() -> TestResult {
    let cdf = Cdf::new();
    let made = cdf.create_series(&["a"]).await?;
    let id = &made.json()["items"][0]["id"];
    let items = json!({"items": [{"externalId": "a"}, {"id": id}]});
    assert_eq!(cdf.post("/timeseries/byids", items).await?.status, 422);
    Ok(())
}

#[tokio::test]
async fn pages_follow_the_cursor_until_it_is_absent() -> TestResult {
    let cdf = Cdf::new();
    let names: Vec<String> = (0..25).map(|i| format!("s{i}")).collect();
    cdf.create_series(&names.iter().map(String::as_str).collect::<Vec<_>>())
        .await?;
    let mut seen = std::collections::HashSet::new();
    let mut path = "/timeseries?limit=10".to_owned();
    let mut pages = 0;
    loop {
        let page = cdf.get(&path).await?.json();
        pages += 1;
        for item in page["items"].as_array().into_iter().flatten() {
            assert!(seen.insert(item["id"].to_string()), "twice: {item}");
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("/timeseries?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 25));
    let refused = cdf
        .post("/timeseries/list", json!({"cursor": "made up"}))
        .await?;
    assert_eq!(refused.status, 400);
    Ok(())
}

#[tokio::test]
async fn the_same_name_lives_in_each_project_by_itself() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["a"]).await?;
    let url = format!("{}/api/v1/projects/other/timeseries", cdf.handle.base_url());
    let body = json!({"items": [{"externalId": "a"}]}).to_string();
    let other = cdf
        .send(cdf.http.post(url).bearer_auth("x").body(body))
        .await?;
    assert_eq!(other.status, 201);
    Ok(())
}
