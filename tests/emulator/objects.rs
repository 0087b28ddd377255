//! Assets, events, labels and relationships: rules that an SDK never breaks, and faults.

use crate::support::{Cdf, TestResult};
use serde_json::{Value, json};

fn items(items: Value) -> Value {
    json!({ "items": items })
}

async fn names(cdf: &Cdf, path: &str) -> reqwest::Result<Vec<String>> {
    let listed = cdf.post(path, json!({"limit": 1_000})).await?.json();
    let items = listed["items"].as_array().cloned().unwrap_or_default();
    let names = items.iter().filter_map(|item| item["externalId"].as_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

#[tokio::test]
async fn at_most_a_thousand_objects_are_created_at_once() -> TestResult {
    let cdf = Cdf::new();
    let events = |count: usize| items(vec![json!({}); count].into());
    assert_eq!(cdf.post("/events", events(0)).await?.status, 400);
    assert_eq!(cdf.post("/events", events(1_000)).await?.status, 201);
    assert_eq!(cdf.post("/events", events(1_001)).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn an_absent_name_is_a_missing_field_without_an_envelope() -> TestResult {
    let cdf = Cdf::new();
    for item in [json!({}), json!({"name": null})] {
        let refused = cdf.post("/assets", items(json!([item]))).await?;
        assert_eq!(refused.status, 400);
        assert_eq!(refused.json()["missingFields"], json!(["name"]));
    }
    Ok(())
}

#[tokio::test]
async fn values_of_another_type_are_refused_with_the_name_of_their_field() -> TestResult {
    let cdf = Cdf::new();
    for (field, value) in [
        ("externalId", json!(5)),
        ("startTime", json!("now")),
        ("startTime", json!(1.5)),
        ("assetIds", json!([0])),
        ("assetIds", json!({})),
        ("metadata", json!({"a": 1})),
        ("metadata", json!([])),
        ("dataSetId", json!("set")),
    ] {
        let refused = cdf
            .post("/events", items(json!([{ field: value }])))
            .await?;
        assert_eq!(refused.status, 400, "{field}: {value}");
        let message = refused.message();
        assert!(message.contains(field), "{field}: {value}: {message}");
    }
    let array = cdf.post("/events", items(json!([["x"]]))).await?;
    assert_eq!(array.status, 400);
    Ok(())
}

#[tokio::test]
async fn an_external_id_twice_in_one_request_is_a_422_and_a_409_for_relationships() -> TestResult {
    let cdf = Cdf::new();
    let twice = |item: Value| items(json!([item, item]));
    let events = cdf
        .post("/events", twice(json!({"externalId": "a"})))
        .await?;
    assert_eq!(events.status, 422);
    let link = json!({
        "externalId": "a", "sourceExternalId": "s", "sourceType": "asset",
        "targetExternalId": "t", "targetType": "event",
    });
    let links = cdf.post("/relationships", twice(link)).await?;
    assert_eq!(links.status, 409);
    for refused in [events, links] {
        let duplicated = &refused.json()["error"]["duplicated"];
        assert_eq!(*duplicated, json!([{"externalId": "a"}]));
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_update_changes_nothing() -> TestResult {
    let cdf = Cdf::new();
    let made = json!([{"externalId": "a", "name": "a"}, {"externalId": "b", "name": "b"}]);
    cdf.post("/assets", items(made)).await?;
    let rename =
        |from: &str, to: &str| json!({"externalId": from, "update": {"externalId": {"set": to}}});
    for (changes, status) in [
        (json!([rename("a", "c"), rename("b", "c")]), 409),
        (json!([rename("a", "c"), rename("x", "d")]), 400),
        (
            json!([rename("a", "c"), {"externalId": "b", "update": {"name": {"setNull": true}}}]),
            400,
        ),
        (
            json!([rename("a", "c"), {"externalId": "b", "update": {"rootId": {"set": 1}}}]),
            400,
        ),
        (
            json!([rename("a", "c"), {"externalId": "b", "update": {"name": {"set": ""}}}]),
            400,
        ),
    ] {
        let refused = cdf.post("/assets/update", items(changes)).await?;
        assert_eq!(refused.status, status, "{}", refused.message());
        assert_eq!(names(&cdf, "/assets/list").await?, ["a", "b"]);
    }
    let swapped = items(json!([rename("a", "b"), rename("b", "a")]));
    let swapped = cdf.post("/assets/update", swapped).await?;
    assert_eq!(swapped.status, 200, "{}", swapped.message());
    assert_eq!(swapped.json()["items"][0]["externalId"], "b");
    Ok(())
}

#[tokio::test]
async fn two_references_to_one_object_are_a_422() -> TestResult {
    let cdf = Cdf::new();
    let made = cdf
        .post("/events", items(json!([{"externalId": "a"}])))
        .await?;
    let both = json!([{"externalId": "a"}, {"id": made.json()["items"][0]["id"]}]);
    for path in ["/events/byids", "/events/delete"] {
        assert_eq!(
            cdf.post(path, items(both.clone())).await?.status,
            422,
            "{path}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn an_asset_has_one_parent_in_one_form() -> TestResult {
    let cdf = Cdf::new();
    let both = json!([{"name": "a", "parentId": 1, "parentExternalId": "b"}]);
    assert_eq!(cdf.post("/assets", items(both)).await?.status, 400);
    cdf.post("/assets", items(json!([{"name": "a", "externalId": "a"}])))
        .await?;
    let both = json!({"parentId": {"set": 1}, "parentExternalId": {"set": "b"}});
    let update = items(json!([{"externalId": "a", "update": both}]));
    assert_eq!(cdf.post("/assets/update", update).await?.status, 400);
    let root = json!([{"externalId": "a", "update": {"parentId": {"setNull": true}}}]);
    assert_eq!(cdf.post("/assets/update", items(root)).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn labels_have_no_id_and_no_update() -> TestResult {
    let cdf = Cdf::new();
    let made = cdf
        .post("/labels", items(json!([{"externalId": "a", "name": "A"}])))
        .await?;
    assert_eq!(made.status, 201);
    let label = &made.json()["items"][0];
    assert_eq!(label.get("id"), None);
    assert_eq!(label.get("lastUpdatedTime"), None);
    assert!(label["createdTime"].as_i64() > Some(0));
    let update = items(json!([{"externalId": "a", "update": {"name": {"set": "b"}}}]));
    assert_eq!(cdf.post("/labels/update", update).await?.status, 404);
    let again = cdf
        .post("/labels", items(json!([{"externalId": "a", "name": "B"}])))
        .await?;
    assert_eq!(again.status, 409);
    assert_eq!(
        again.json()["error"]["duplicated"],
        json!([{"externalId": "a"}])
    );
    let by_id = items(json!([{"id": 1}]));
    assert_eq!(cdf.post("/labels/byids", by_id).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn a_filter_or_a_key_that_is_not_served_is_refused_by_name() -> TestResult {
    let cdf = Cdf::new();
    let filter = cdf
        .post("/events/list", json!({"filter": {"nmae": "a"}}))
        .await?;
    assert_eq!(filter.status, 400);
    assert!(filter.message().contains("nmae"), "{}", filter.message());
    let key = cdf
        .post("/events/list", json!({"advancedFilter": {}}))
        .await?;
    assert!(
        key.message().contains("advancedFilter"),
        "{}",
        key.message()
    );
    let parts = cdf
        .post("/events/list", json!({"partition": "1/11"}))
        .await?;
    assert_eq!(parts.status, 400);
    let cursor = cdf
        .post("/assets/list", json!({"cursor": "made up"}))
        .await?;
    assert_eq!(cursor.status, 400);
    Ok(())
}

#[tokio::test]
async fn a_create_whose_answer_was_lost_is_a_duplicate_when_it_is_repeated() -> TestResult {
    let cdf = Cdf::new();
    let fault = json!([{"kind": "reset_after_commit", "operation": "assets.create", "count": 1}]);
    cdf.admin("POST", "faults", fault).await?;
    let body = items(json!([{"externalId": "a", "name": "a"}]));
    assert!(cdf.post("/assets", body.clone()).await.is_err());
    let again = cdf.post("/assets", body).await?;
    assert_eq!(again.status, 409);
    assert_eq!(
        again.json()["error"]["duplicated"],
        json!([{"externalId": "a"}])
    );
    let logged = cdf.requests("assets.create").await?;
    assert_eq!(
        (&logged[0]["committed"], &logged[1]["committed"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(logged[0]["keys"], json!(["a"]));
    Ok(())
}

#[tokio::test]
async fn a_budget_of_creates_leaves_the_other_calls_alone() -> TestResult {
    let cdf = Cdf::new();
    let budget = json!({
        "window_ms": 600_000,
        "budget": [{"operations": "assets.create assets.update", "requests_per_s": 0.001}],
    });
    cdf.admin("PUT", "budgets", budget).await?;
    let body = items(json!([{"name": "a"}]));
    assert_eq!(cdf.post("/assets", body.clone()).await?.status, 201);
    assert_eq!(cdf.post("/assets", body).await?.status, 429);
    let update = items(json!([{"externalId": "a", "update": {}}]));
    assert_eq!(cdf.post("/assets/update", update).await?.status, 429);
    assert_eq!(cdf.post("/assets/list", json!({})).await?.status, 200);
    assert_eq!(cdf.post("/events", items(json!([{}]))).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn sink_and_store_come_to_the_same_sum_of_items() -> TestResult {
    let events: Vec<Value> = (0..100)
        .map(|i| json!({"externalId": format!("é \" {i}"), "startTime": i, "metadata": {"a": "b"}}))
        .collect();
    let sum = events.iter().try_fold(0_u64, |sum, event| {
        let hash = penstock::emulator::checksum::object(&event.to_string())?;
        serde_json::Result::Ok(sum.wrapping_add(hash))
    })?;
    // Written another way: the members in another order, with blanks and escapes.
    let texts: Vec<String> = (0..100)
        .map(|i| {
            format!(
                r#"{{ "metadata": {{"a":"b"}}, "startTime":{i}, "externalId":"\u00e9 \" {i}", "type":null }}"#
            )
        })
        .collect();
    for cdf in [Cdf::new(), Cdf::sink()] {
        for body in [
            items(events.clone().into()).to_string(),
            format!(r#"{{"items":[{}]}}"#, texts.join(",")),
        ] {
            cdf.admin("DELETE", "statistics", Value::Null).await?;
            cdf.admin("DELETE", "data", Value::Null).await?;
            let request = cdf
                .http
                .post(cdf.url("/events"))
                .bearer_auth("x")
                .body(body);
            let made = cdf.send(request).await?;
            assert_eq!(made.status, 201, "{}", made.message());
            assert_eq!(made.json()["items"][99]["externalId"], "é \" 99");
            assert!(made.json()["items"][99]["id"].as_i64() > Some(0));
            let statistics = cdf.statistics().await?;
            let counted = &statistics["checksums"]["items"]["events.create"];
            assert_eq!(
                *counted,
                json!({"count": 100, "sum": format!("{sum:016x}")})
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_sink_refuses_what_a_store_refuses_and_keeps_nothing() -> TestResult {
    let (store, sink) = (Cdf::new(), Cdf::sink());
    let long = "x".repeat(141);
    for (path, list) in [
        ("/assets", json!([])),
        ("/assets", json!([{}])),
        ("/assets", json!([{"name": long}])),
        (
            "/assets",
            json!([{"name": "a", "externalId": "a"}, {"name": "b", "externalId": "a"}]),
        ),
        (
            "/assets",
            json!([{"name": "a", "parentId": 1, "parentExternalId": "b"}]),
        ),
        ("/assets", json!([{"name": "a", "dataSetId": 0}])),
        (
            "/assets",
            json!([{"name": "a", "geoLocation": {"type": "Point"}}]),
        ),
        ("/assets", json!([{"name": "good", "externalId": "good"}])),
        ("/events", json!([{"startTime": 2, "endTime": 1}])),
        ("/events", json!([{"metadata": {"k": "v".repeat(128_001)}}])),
        ("/events", json!([{"externalId": "good"}])),
        (
            "/assets/update",
            json!([{"externalId": "good", "update": {"name": {"set": long}}}]),
        ),
        (
            "/assets/update",
            json!([{"externalId": "good", "update": {"id": {"set": 1}}}]),
        ),
        (
            "/assets/update",
            json!([{"externalId": "good", "update": {"name": {"set": "b"}}}]),
        ),
        (
            "/events/delete",
            json!([{"externalId": "good"}, {"externalId": "good"}]),
        ),
        ("/events/delete", json!([{"externalId": "good"}])),
    ] {
        let stored = store.post(path, items(list.clone())).await?;
        let sunk = sink.post(path, items(list.clone())).await?;
        assert_eq!(
            stored.status,
            sunk.status,
            "{path} {list}: {}",
            sunk.message()
        );
    }
    assert_eq!(names(&store, "/assets/list").await?, ["good"]);
    assert_eq!(names(&sink, "/assets/list").await?.len(), 0);
    let any = sink
        .post("/assets/byids", items(json!([{"externalId": "any"}])))
        .await?;
    assert_eq!(any.json()["items"][0]["externalId"], "any");
    Ok(())
}

#[tokio::test]
async fn the_content_of_a_file_goes_to_the_place_that_was_named_without_a_token() -> TestResult {
    let cdf = Cdf::new();
    let made = cdf
        .post("/files", json!({"name": "a.txt", "externalId": "a"}))
        .await?;
    assert_eq!(made.status, 201);
    let made = made.json();
    assert_eq!(made["uploaded"], false);
    let url = made["uploadUrl"].as_str().unwrap_or_default();
    let put = cdf
        .http
        .put(url)
        .header("content-type", "text/plain")
        .body("content");
    assert_eq!(cdf.send(put).await?.status, 200);
    let read = cdf.get(&format!("/files/{}", made["id"])).await?.json();
    assert_eq!(read["uploaded"], true);
    let nowhere = cdf.http.put(format!("{url}9")).body("content");
    assert_eq!(cdf.send(nowhere).await?.status, 404);
    let list = cdf.post("/files", items(json!([{"name": "a"}]))).await?;
    assert_eq!(list.json()["missingFields"], json!(["name"]));
    Ok(())
}

#[tokio::test]
async fn one_run_of_an_extraction_pipeline_is_taken_at_once() -> TestResult {
    let cdf = Cdf::new();
    let set = cdf
        .post("/datasets", items(json!([{"name": "set"}])))
        .await?;
    let pipeline =
        json!({"externalId": "p", "name": "p", "dataSetId": set.json()["items"][0]["id"]});
    let made = cdf.post("/extpipes", items(json!([pipeline]))).await?;
    assert_eq!(made.status, 200, "{}", made.message());
    let run = json!({"externalId": "p", "status": "seen"});
    assert_eq!(
        cdf.post("/extpipes/runs", items(json!([run, run])))
            .await?
            .status,
        400
    );
    assert_eq!(
        cdf.post("/extpipes/runs", items(json!([run])))
            .await?
            .status,
        200
    );
    let listed = cdf.get("/extpipes/runs?externalId=p&limit=5").await?;
    assert_eq!(listed.json()["items"].as_array().map(Vec::len), Some(1));
    let update = items(json!([{"externalId": "p", "update": {"description": {"setNull": true}}}]));
    assert_eq!(cdf.post("/extpipes/update", update).await?.status, 400);
    Ok(())
}
