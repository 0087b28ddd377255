//! Nodes and edges: types, patches, versions, relations, deletion.

use crate::schemas::{apply, plant, pump, pump_view, refused};
use crate::support::{Cdf, Reply, TestResult};
use penstock::emulator::{Budgets, EmulatorOptions};
use serde_json::{Value, json};

pub fn source() -> Value {
    json!({"type": "view", "space": "plant", "externalId": "Pump", "version": "v1"})
}

/// A node that is a pump.
pub fn node(external_id: &str, properties: Value) -> Value {
    json!({
        "instanceType": "node",
        "space": "plant",
        "externalId": external_id,
        "sources": [{"source": source(), "properties": properties}],
    })
}

fn edge(external_id: &str, start: &str, end: &str) -> Value {
    let at = |external_id: &str| json!({"space": "plant", "externalId": external_id});
    json!({
        "instanceType": "edge",
        "space": "plant",
        "externalId": external_id,
        "type": at("Pump.pipes"),
        "startNode": at(start),
        "endNode": at(end),
    })
}

/// The properties of a pump, or null.
async fn pump_of(cdf: &Cdf, external_id: &str) -> reqwest::Result<Value> {
    let body = json!({
        "items": [{"instanceType": "node", "space": "plant", "externalId": external_id}],
        "sources": [{"source": source()}],
    });
    let reply = cdf.post("/models/instances/byids", body).await?;
    assert_eq!(reply.status, 200, "{}", reply.message());
    Ok(reply.json()["items"][0]["properties"]["plant"]["Pump/v1"].clone())
}

async fn write(cdf: &Cdf, body: Value) -> reqwest::Result<Reply> {
    cdf.post("/models/instances", body).await
}

#[tokio::test]
async fn a_node_comes_back_with_defaults_and_without_nulls() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let given = json!({
        "name": "P-1", "speed": null, "installedAt": "2024-05-01T12:00:00+02:00", "tags": ["a", "b"],
    });
    let made = apply(&cdf, "instances", json!([node("p1", given)])).await?;
    let item = &made.json()["items"][0];
    assert_eq!(item["version"], 1);
    assert_eq!(item["wasModified"], true);
    assert_eq!(made.json()["deleted"], json!([]));
    assert_eq!(
        pump_of(&cdf, "p1").await?,
        json!({
            "name": "P-1", "starts": 0, "installedAt": "2024-05-01T10:00:00.000+00:00",
            "tags": ["a", "b"],
        })
    );
    Ok(())
}

#[tokio::test]
async fn what_is_not_given_stays_and_what_is_the_same_changes_nothing() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let first = json!([node("p1", json!({"name": "P-1", "speed": 1.5}))]);
    apply(&cdf, "instances", first).await?;
    let patched = json!([node("p1", json!({"starts": 7}))]);
    let reply = apply(&cdf, "instances", patched.clone()).await?.json();
    assert_eq!(reply["items"][0]["version"], 2);
    assert_eq!(
        pump_of(&cdf, "p1").await?,
        json!({"name": "P-1", "speed": 1.5, "starts": 7})
    );
    let again = apply(&cdf, "instances", patched).await?.json();
    assert_eq!(again["items"][0]["wasModified"], false);
    assert_eq!(again["items"][0]["version"], 2);
    assert_eq!(
        again["items"][0]["lastUpdatedTime"],
        reply["items"][0]["lastUpdatedTime"]
    );
    Ok(())
}

#[tokio::test]
async fn replace_resets_what_is_not_given() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let all = json!({"name": "P-1", "speed": 1.5, "starts": 7});
    apply(&cdf, "instances", json!([node("p1", all)])).await?;
    let body = json!({"items": [node("p1", json!({"name": "P-2"}))], "replace": true});
    assert_eq!(write(&cdf, body).await?.status, 200);
    assert_eq!(
        pump_of(&cdf, "p1").await?,
        json!({"name": "P-2", "starts": 0})
    );
    Ok(())
}

#[tokio::test]
async fn values_of_the_wrong_type_are_refused_and_nothing_is_written() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    for (property, value, expected) in [
        ("speed", json!("fast"), "float64"),
        ("starts", json!(2_147_483_648_i64), "int32"),
        ("starts", json!(1.5), "int32"),
        ("running", json!(1), "boolean"),
        ("installedAt", json!("yesterday"), "timestamp"),
        ("installedAt", json!(1_700_000_000_000_i64), "timestamp"),
        ("tags", json!("a"), "a list of text"),
        ("tags", json!([1]), "a list of text"),
        ("feeds", json!("p2"), "direct"),
        ("name", json!("x".repeat(128_001)), "128000 bytes"),
    ] {
        let mut properties = json!({"name": "P-1"});
        properties[property] = value;
        let items = json!([node("good", json!({"name": "G"})), node("bad", properties)]);
        let message = refused(&cdf, "instances", items).await?;
        assert!(message.contains(expected), "{property}: {message}");
    }
    assert_eq!(pump_of(&cdf, "good").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_required_property_has_to_be_there() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    for properties in [json!({"speed": 1.0}), json!({"name": null})] {
        let message = refused(&cdf, "instances", json!([node("p1", properties)])).await?;
        assert!(message.contains("'name'"), "{message}");
        assert!(message.contains("has to have a value"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn an_immutable_property_is_set_once() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    apply(&cdf, "instances", json!([node("p1", json!({"name": "P"}))])).await?;
    let with = |serial: Value| json!([node("p1", json!({ "serial": serial }))]);
    apply(&cdf, "instances", with(json!(5))).await?;
    apply(&cdf, "instances", with(json!(5))).await?;
    let message = refused(&cdf, "instances", with(json!(6))).await?;
    assert!(
        message.starts_with("Cannot update immutable property"),
        "{message}"
    );
    Ok(())
}

#[tokio::test]
async fn what_does_not_exist_is_named() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let mut elsewhere = node("p1", json!({"name": "P"}));
    elsewhere["space"] = json!("elsewhere");
    assert_eq!(
        refused(&cdf, "instances", json!([elsewhere])).await?,
        "One or more spaces do not exist: 'elsewhere'"
    );
    let mut other = node("p1", json!({"name": "P"}));
    other["sources"][0]["source"]["version"] = json!("v9");
    assert_eq!(
        refused(&cdf, "instances", json!([other])).await?,
        "One or more views do not exist: 'plant:Pump/v9'"
    );
    let message = refused(&cdf, "instances", json!([node("p1", json!({"height": 1}))])).await?;
    assert!(message.contains("Unknown property 'height'"), "{message}");
    let message = refused(&cdf, "instances", json!([node("p1", json!({"pipes": 1}))])).await?;
    assert!(message.contains("connection"), "{message}");
    Ok(())
}

#[tokio::test]
async fn a_version_that_was_overtaken_is_a_409_for_the_whole_request() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    apply(&cdf, "instances", json!([node("p1", json!({"name": "A"}))])).await?;
    apply(&cdf, "instances", json!([node("p1", json!({"name": "B"}))])).await?;
    let versioned = |name: &str, version: i64| {
        let mut item = node("p1", json!({ "name": name }));
        item["existingVersion"] = json!(version);
        item
    };
    let late = json!({"items": [node("p2", json!({"name": "C"})), versioned("C", 1)]});
    let refused = write(&cdf, late.clone()).await?;
    assert_eq!(refused.status, 409);
    assert_eq!(
        refused.json()["error"],
        json!({"code": 409, "message": "A version conflict caused the ingest to fail."})
    );
    assert_eq!(pump_of(&cdf, "p2").await?, Value::Null);
    let mut skipping = late;
    skipping["skipOnVersionConflict"] = json!(true);
    let skipped = write(&cdf, skipping).await?;
    assert_eq!(skipped.status, 200);
    assert_eq!(skipped.json()["items"][1]["wasModified"], false);
    assert_eq!(pump_of(&cdf, "p1").await?["name"], "B");
    assert_eq!(pump_of(&cdf, "p2").await?["name"], "C");
    let timely = write(&cdf, json!({"items": [versioned("D", 2)]})).await?;
    assert_eq!(timely.json()["items"][0]["version"], 3);
    Ok(())
}

#[tokio::test]
async fn version_zero_only_creates() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let mut item = node("p1", json!({"name": "A"}));
    item["existingVersion"] = json!(0);
    let body = json!({"items": [item]});
    assert_eq!(write(&cdf, body.clone()).await?.status, 200);
    assert_eq!(write(&cdf, body).await?.status, 409);
    Ok(())
}

#[tokio::test]
async fn the_ends_of_an_edge_have_to_exist_unless_they_are_made_along() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let edges = json!([edge("e1", "a", "b")]);
    let message = refused(&cdf, "instances", edges.clone()).await?;
    assert!(message.contains("its startNode"), "{message}");
    let body = json!({"items": edges, "autoCreateStartNodes": true});
    let reply = write(&cdf, body.clone()).await?;
    assert!(
        reply.message().contains("its endNode"),
        "{}",
        reply.message()
    );
    let mut body = body;
    body["autoCreateEndNodes"] = json!(true);
    assert_eq!(write(&cdf, body).await?.status, 200);
    let nodes: Value = ["a", "b", "Pump.pipes"]
        .map(|name| json!({"instanceType": "node", "space": "plant", "externalId": name}))
        .into_iter()
        .collect();
    let nodes = json!({ "items": nodes });
    let found = cdf.post("/models/instances/byids", nodes).await?.json();
    assert_eq!(found["items"].as_array().map(Vec::len), Some(3));
    Ok(())
}

#[tokio::test]
async fn items_of_one_request_may_refer_to_each_other_in_any_order() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let plain = |external_id: &str| json!({"instanceType": "node", "space": "plant", "externalId": external_id});
    let items = json!([edge("e1", "a", "b"), plain("b"), plain("a")]);
    apply(&cdf, "instances", items).await?;
    Ok(())
}

#[tokio::test]
async fn the_target_of_a_direct_relation_is_made_along_unless_told_otherwise() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let feeds = |target: &str| {
        let target = json!({"space": "plant", "externalId": target});
        json!([node("p1", json!({"name": "P", "feeds": target}))])
    };
    let body = json!({"items": feeds("tank"), "autoCreateDirectRelations": false});
    assert_eq!(write(&cdf, body).await?.status, 400);
    apply(&cdf, "instances", feeds("tank")).await?;
    let body = json!({"items": feeds("p1"), "autoCreateDirectRelations": false});
    assert_eq!(write(&cdf, body).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_deleted_node_takes_its_edges_along() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let body = json!({
        "items": [edge("e1", "a", "b"), edge("e2", "b", "c")],
        "autoCreateStartNodes": true, "autoCreateEndNodes": true,
    });
    assert_eq!(write(&cdf, body).await?.status, 200);
    let a = json!({"instanceType": "node", "space": "plant", "externalId": "a"});
    let unknown = json!({"instanceType": "node", "space": "plant", "externalId": "unknown"});
    let deleted = apply(&cdf, "instances/delete", json!([a, unknown])).await?;
    assert_eq!(deleted.json()["items"], json!([a]));
    let edges = cdf
        .post("/models/instances/list", json!({"instanceType": "edge"}))
        .await?
        .json();
    let names: Vec<&Value> = edges["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|edge| &edge["externalId"])
        .collect();
    assert_eq!(names, ["e2"]);
    let elsewhere = json!([{"instanceType": "node", "space": "elsewhere", "externalId": "a"}]);
    let message = refused(&cdf, "instances/delete", elsewhere).await?;
    assert_eq!(message, "One or more spaces do not exist: 'elsewhere'");
    Ok(())
}

#[tokio::test]
async fn one_request_writes_and_deletes_a_thousand_at_most() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let nodes = |count: usize| -> Vec<Value> {
        let nodes = (0..count).map(|number| node(&format!("p{number}"), json!({"name": "P"})));
        nodes.collect()
    };
    let gone = |count: usize| -> Vec<Value> {
        let gone = (0..count).map(|number| {
            json!({"instanceType": "node", "space": "plant", "externalId": format!("x{number}")})
        });
        gone.collect()
    };
    let body = json!({"items": nodes(999), "delete": gone(1)});
    assert_eq!(write(&cdf, body).await?.status, 200);
    let body = json!({"items": nodes(999), "delete": gone(2)});
    assert_eq!(write(&cdf, body).await?.status, 400);
    assert_eq!(write(&cdf, json!({"items": []})).await?.status, 400);
    let twice = json!([
        node("p1", json!({"name": "P"})),
        node("p1", json!({"name": "Q"}))
    ]);
    refused(&cdf, "instances", twice).await?;
    Ok(())
}

#[tokio::test]
async fn unique_values_are_unique_over_all_instances() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let mut container = pump();
    container["constraints"] =
        json!({"names": {"constraintType": "uniqueness", "properties": ["name"]}});
    apply(&cdf, "containers", json!([container])).await?;
    let named = |external_id: &str, name: &str| node(external_id, json!({ "name": name }));
    apply(
        &cdf,
        "instances",
        json!([named("p1", "A"), named("p2", "B")]),
    )
    .await?;
    let message = refused(&cdf, "instances", json!([named("p3", "A")])).await?;
    assert!(message.contains("'names'"), "{message}");
    // Two may swap within one request.
    apply(
        &cdf,
        "instances",
        json!([named("p1", "B"), named("p2", "A")]),
    )
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_container_may_require_data_in_another() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let extra = json!([{
        "space": "plant", "externalId": "Extra",
        "properties": {"note": {"type": {"type": "text"}}},
        "constraints": {"pump": {
            "constraintType": "requires",
            "require": {"type": "container", "space": "plant", "externalId": "Pump"},
        }},
    }]);
    apply(&cdf, "containers", extra).await?;
    let noted = json!([{
        "instanceType": "node", "space": "plant", "externalId": "p1",
        "sources": [{
            "source": {"type": "container", "space": "plant", "externalId": "Extra"},
            "properties": {"note": "n"},
        }],
    }]);
    let message = refused(&cdf, "instances", noted.clone()).await?;
    assert!(message.contains("requires"), "{message}");
    apply(&cdf, "instances", json!([node("p1", json!({"name": "P"}))])).await?;
    apply(&cdf, "instances", noted).await?;
    Ok(())
}

#[tokio::test]
async fn a_view_for_nodes_takes_no_edges() -> TestResult {
    let cdf = Cdf::new();
    apply(&cdf, "spaces", json!([{"space": "plant"}])).await?;
    let mut container = pump();
    container["usedFor"] = json!("node");
    apply(&cdf, "containers", json!([container])).await?;
    apply(&cdf, "views", json!([pump_view()])).await?;
    let mut edge = edge("e1", "a", "b");
    edge["sources"] = json!([{"source": source(), "properties": {"name": "E"}}]);
    let message = refused(&cdf, "instances", json!([edge])).await?;
    assert!(message.contains("used for node only"), "{message}");
    Ok(())
}

#[tokio::test]
async fn the_published_budgets_allow_four_writes_at_once() -> TestResult {
    let cdf = Cdf::with(EmulatorOptions {
        budgets: Budgets::published(),
        ..EmulatorOptions::default()
    });
    plant(&cdf).await?;
    // Five requests that arrive and do not end: only the delay holds them.
    let delay =
        json!([{"kind": "delay", "operation": "models.instances.apply", "delay_ms": 60_000}]);
    cdf.admin("POST", "faults", delay).await?;
    let body = json!({"items": [node("p1", json!({"name": "P"}))]});
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let request = cdf.request("/models/instances", &body);
        waiting.spawn(async move { request.send().await.map(|reply| reply.status().as_u16()) });
    }
    let first = waiting.join_next().await.transpose()?.transpose()?;
    assert_eq!(first, Some(429));
    Ok(())
}

#[tokio::test]
async fn instances_come_to_the_same_sum_in_sink_and_store_however_they_are_cut() -> TestResult {
    let pumps: Vec<Value> = (0..6)
        .map(|number| {
            node(
                &format!("p{number}"),
                json!({"name": "P", "starts": number}),
            )
        })
        .collect();
    let mut sums = Vec::new();
    for (cdf, cut) in [(Cdf::new(), 6), (Cdf::new(), 4), (Cdf::sink(), 5)] {
        plant(&cdf).await?;
        for part in pumps.chunks(cut).rev() {
            apply(&cdf, "instances", json!(part)).await?;
        }
        let checksums = cdf.statistics().await?["checksums"]["items"].clone();
        sums.push(checksums["models.instances.apply"].clone());
    }
    assert_eq!(sums[0]["count"], 6);
    assert!(sums[0]["sum"].is_string());
    assert_eq!((&sums[0], &sums[0]), (&sums[1], &sums[2]));
    Ok(())
}

#[tokio::test]
async fn a_sink_counts_instances_and_keeps_none() -> TestResult {
    let cdf = Cdf::sink();
    let body = json!({"items": [node("p1", json!({"anything": 1})), node("p2", json!({}))]});
    let reply = write(&cdf, body).await?;
    assert_eq!(reply.status, 200, "{}", reply.message());
    assert_eq!(reply.json()["items"][1]["externalId"], "p2");
    let twice = json!({"items": [node("p1", json!({})), node("p1", json!({}))]});
    assert_eq!(write(&cdf, twice).await?.status, 400);
    let gone = json!([{"instanceType": "node", "space": "plant", "externalId": "p1"}]);
    let deleted = apply(&cdf, "instances/delete", gone).await?.json();
    assert_eq!(deleted, json!({"items": []}));
    let figures = &cdf.statistics().await?["operations"]["models.instances.apply"];
    assert_eq!(figures["items"], 2);
    let listed = cdf.post("/models/instances/list", json!({})).await?.json();
    assert_eq!(listed["items"], json!([]));
    Ok(())
}
