//! Listing nodes: filters, order, pages, and time series that are nodes.

use crate::instances::{node, source};
use crate::schemas::{apply, plant};
use crate::support::{Cdf, NOON, TestResult};
use serde_json::{Value, json};

/// Ten pumps p0 to p9: even ones run, p3 and p7 have no speed.
async fn ten_pumps() -> reqwest::Result<Cdf> {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let pumps: Value = (0..10)
        .map(|number| {
            let mut properties = json!({
                "name": format!("Pump {number}"),
                "starts": number,
                "running": number % 2 == 0,
                "installedAt": format!("2024-01-0{}T00:00:00Z", number + 1 - number / 9),
                "tags": if number < 5 { json!(["low", "all"]) } else { json!(["high", "all"]) },
            });
            if number != 3 && number != 7 {
                properties["speed"] = json!(100 - number * 10);
            }
            node(&format!("p{number}"), properties)
        })
        .collect();
    apply(&cdf, "instances", pumps).await?;
    Ok(cdf)
}

async fn list(cdf: &Cdf, body: Value) -> reqwest::Result<Vec<String>> {
    let reply = cdf.post("/models/instances/list", body).await?;
    assert_eq!(reply.status, 200, "{}", reply.message());
    let items = reply.json()["items"].as_array().cloned();
    let names = items.unwrap_or_default().into_iter();
    Ok(names
        .filter_map(|item| item["externalId"].as_str().map(str::to_owned))
        .collect())
}

fn property(name: &str) -> Value {
    json!(["plant", "Pump/v1", name])
}

#[tokio::test]
async fn filters_let_through_what_they_say() -> TestResult {
    let cdf = ten_pumps().await?;
    let speed = property("speed");
    for (filter, expected) in [
        (
            json!({"equals": {"property": property("name"), "value": "Pump 4"}}),
            "p4",
        ),
        (
            json!({"equals": {"property": ["node", "externalId"], "value": "p5"}}),
            "p5",
        ),
        (json!({"equals": {"property": speed, "value": 100.0}}), "p0"),
        (
            json!({"in": {"property": property("starts"), "values": [1, 3, 11]}}),
            "p1 p3",
        ),
        (
            json!({"range": {"property": speed, "gte": 80, "lt": 100}}),
            "p1 p2",
        ),
        (
            json!({"range": {"property": property("installedAt"), "lte": "2024-01-02T01:00:00+01:00"}}),
            "p0 p1",
        ),
        (
            json!({"prefix": {"property": property("name"), "value": "Pump 8"}}),
            "p8",
        ),
        (json!({"not": {"exists": {"property": speed}}}), "p3 p7"),
        (
            json!({"and": [
                {"equals": {"property": property("running"), "value": true}},
                {"containsAny": {"property": property("tags"), "values": ["high"]}},
            ]}),
            "p6 p8",
        ),
        (
            json!({"or": [
                {"equals": {"property": property("starts"), "value": 0}},
                {"equals": {"property": property("starts"), "value": 9}},
            ]}),
            "p0 p9",
        ),
        (
            json!({"and": [
                {"containsAll": {"property": property("tags"), "values": ["all", "low"]}},
                {"hasData": [source()]},
                {"range": {"property": property("starts"), "gt": 3}},
            ]}),
            "p4",
        ),
        (
            json!({"instanceReferences": [{"space": "plant", "externalId": "p2"}]}),
            "p2",
        ),
    ] {
        let found = list(&cdf, json!({"filter": filter})).await?;
        assert_eq!(found.join(" "), expected, "{filter}");
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_follows_a_direct_relation() -> TestResult {
    let cdf = ten_pumps().await?;
    let feeds = json!({"feeds": {"space": "plant", "externalId": "p4"}});
    apply(&cdf, "instances", json!([node("p1", feeds)])).await?;
    let filter = json!({"nested": {
        "scope": property("feeds"),
        "filter": {"equals": {"property": property("starts"), "value": 4}},
    }});
    assert_eq!(list(&cdf, json!({ "filter": filter })).await?, ["p1"]);
    Ok(())
}

#[tokio::test]
async fn filters_that_cannot_be_read_are_refused() -> TestResult {
    let cdf = ten_pumps().await?;
    for filter in [
        json!({"equals": {"property": property("height"), "value": 1}}),
        json!({"equals": {"property": property("starts"), "value": "one"}}),
        json!({"equals": {"property": ["plant", "Valve/v1", "name"], "value": 1}}),
        json!({"range": {"property": property("starts")}}),
        json!({"and": []}),
        json!({"like": {"property": property("name"), "value": "P%"}}),
        json!({"overlaps": {}}),
        json!([]),
    ] {
        let body = json!({ "filter": filter });
        let reply = cdf.post("/models/instances/list", body).await?;
        assert_eq!(reply.status, 400, "{filter}");
    }
    Ok(())
}

#[tokio::test]
async fn sorted_pages_hold_everything_once_with_nulls_where_they_are_wanted() -> TestResult {
    let cdf = ten_pumps().await?;
    let order = |nulls_first: bool| json!([{"property": property("speed"), "direction": "ascending", "nullsFirst": nulls_first}]);
    let mut body = json!({"sort": order(false), "limit": 4});
    let mut seen = Vec::new();
    loop {
        let page = cdf.post("/models/instances/list", body.clone()).await?;
        let page = page.json();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        seen.extend(items.iter().map(|item| item["externalId"].clone()));
        match &page["nextCursor"] {
            Value::Null => break,
            cursor => body["cursor"] = cursor.clone(),
        }
    }
    let expected = ["p9", "p8", "p6", "p5", "p4", "p2", "p1", "p0", "p3", "p7"];
    assert_eq!(seen, expected);
    let first = list(&cdf, json!({"sort": order(true), "limit": 3})).await?;
    assert_eq!(first, ["p3", "p7", "p9"]);
    Ok(())
}

#[tokio::test]
async fn a_source_shows_properties_and_leaves_out_what_has_none() -> TestResult {
    let cdf = ten_pumps().await?;
    let plain = json!([{"instanceType": "node", "space": "plant", "externalId": "plain"}]);
    apply(&cdf, "instances", plain).await?;
    assert_eq!(list(&cdf, json!({})).await?.len(), 11);
    let body = json!({"sources": [{"source": source()}], "includeTyping": true, "limit": 1000});
    let reply = cdf.post("/models/instances/list", body).await?.json();
    assert_eq!(reply["items"].as_array().map(Vec::len), Some(10));
    let first = &reply["items"][0]["properties"]["plant"]["Pump/v1"];
    assert_eq!(first["name"], "Pump 0");
    let typing = &reply["typing"]["plant"]["Pump/v1"];
    assert_eq!(typing["speed"]["type"]["type"], "float64");
    assert_eq!(typing["name"]["nullable"], false);
    let unknown = json!({"sources": [{"source": {
        "type": "view", "space": "plant", "externalId": "Valve", "version": "v1",
    }}]});
    let refused = cdf.post("/models/instances/list", unknown).await?;
    assert_eq!(
        refused.message(),
        "One or more views do not exist: 'plant:Valve/v1'"
    );
    Ok(())
}

fn series(external_id: &str, kind: &str) -> Value {
    json!({
        "instanceType": "node", "space": "plant", "externalId": external_id,
        "sources": [{
            "source": {"type": "view", "space": "cdf_cdm", "externalId": "CogniteTimeSeries", "version": "v1"},
            "properties": {"name": "Flow", "type": kind, "isStep": true, "sourceUnit": "l/s"},
        }],
    })
}

#[tokio::test]
async fn a_node_that_is_a_time_series_takes_datapoints() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let id = json!({"space": "plant", "externalId": "flow"});
    let points = json!({"items": [{
        "instanceId": id, "datapoints": [{"timestamp": NOON, "value": 1.5}],
    }]});
    let early = cdf.post("/timeseries/data", points.clone()).await?;
    assert_eq!(early.status, 400);
    assert_eq!(
        early.json()["error"]["missing"],
        json!([{"instanceId": id}])
    );
    apply(&cdf, "instances", json!([series("flow", "numeric")])).await?;
    assert_eq!(cdf.post("/timeseries/data", points).await?.status, 200);
    let ids = json!({"items": [{"instanceId": id}]});
    let described = cdf.post("/timeseries/byids", ids.clone()).await?.json();
    let described = &described["items"][0];
    assert_eq!(described["name"], "Flow");
    assert_eq!(described["isStep"], true);
    assert_eq!(described["unit"], "l/s");
    let renamed = json!([{
        "instanceType": "node", "space": "plant", "externalId": "flow",
        "sources": [{
            "source": {"type": "container", "space": "cdf_cdm", "externalId": "CogniteDescribable"},
            "properties": {"name": "Outflow"},
        }],
    }]);
    apply(&cdf, "instances", renamed).await?;
    let described = cdf.post("/timeseries/byids", ids.clone()).await?.json();
    assert_eq!(described["items"][0]["name"], "Outflow");
    let latest = cdf.post("/timeseries/data/latest", ids.clone()).await?;
    assert_eq!(latest.json()["items"][0]["datapoints"][0]["value"], 1.5);
    let node = json!([{"instanceType": "node", "space": "plant", "externalId": "flow"}]);
    apply(&cdf, "instances/delete", node).await?;
    assert_eq!(cdf.post("/timeseries/byids", ids).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn the_type_of_a_time_series_is_needed_and_never_changes() -> TestResult {
    let cdf = Cdf::new();
    plant(&cdf).await?;
    let mut untyped = series("flow", "numeric");
    untyped["sources"][0]["properties"] = json!({"name": "Flow"});
    let described = json!({"items": [untyped]});
    // Only a name makes a node describable, not a time series.
    assert_eq!(cdf.post("/models/instances", described).await?.status, 200);
    let mut untyped = series("flow", "numeric");
    untyped["sources"][0]["properties"] = json!({"isStep": false});
    let refused = cdf
        .post("/models/instances", json!({"items": [untyped]}))
        .await?;
    assert!(
        refused.message().contains("'type'"),
        "{}",
        refused.message()
    );
    apply(&cdf, "instances", json!([series("text", "string")])).await?;
    let changed = json!({"items": [series("text", "numeric")]});
    let refused = cdf.post("/models/instances", changed).await?;
    assert!(
        refused
            .message()
            .starts_with("Cannot update immutable property 'type'"),
        "{}",
        refused.message()
    );
    Ok(())
}
