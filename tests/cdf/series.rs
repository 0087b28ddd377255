//! Looking series up, making them, and settling whose a conflict was.
//!
//! Owns the tests of the calls that the pipeline makes on its own account.

use super::attempts::{client, identity};
use super::batches::external_id;
use super::scripted_server::{Reply, ScriptedServer};
use penstock::catalog::Resource;
use penstock::cdf::{Operation, Reference, SettledCreates};
use penstock::rows::{InstanceName, SeriesReference};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("the clock is before the year 292 million")
}

fn series(id: i64, name: &str, created_time_ms: i64) -> Value {
    json!({
        "id": id,
        "externalId": name,
        "isString": id % 2 == 0,
        "isStep": false,
        "metadata": {"any": "thing"},
        "createdTime": created_time_ms,
        "lastUpdatedTime": created_time_ms,
    })
}

fn page(items: &[Value]) -> Reply {
    Reply::json(200, json!({ "items": items }).to_string())
}

#[tokio::test]
async fn a_look_up_names_each_series_once_and_leaves_unknown_ones_out() {
    let server = ScriptedServer::start(
        vec![page(&[series(8, "by id", 5)]), page(&[series(7, "a", 6)])],
        page(&[]),
    )
    .await;
    let facts = client()
        .lookup_series(
            &identity(&server.url),
            &[external_id("a"), SeriesReference::Id(8), external_id("a")],
        )
        .await
        .expect("CDF answers");
    let names: Vec<_> = facts
        .iter()
        .map(|facts| (facts.id, facts.external_id.as_deref(), facts.is_string))
        .collect();
    assert_eq!(names, [(8, Some("by id"), true), (7, Some("a"), false)]);
    let bodies: Vec<Value> = server
        .requests()
        .iter()
        .map(|request| serde_json::from_slice(&request.body).expect("a body is JSON"))
        .collect();
    assert_eq!(
        bodies,
        [
            json!({"items": [{"id": 8}], "ignoreUnknownIds": true}),
            json!({"items": [{"externalId": "a"}], "ignoreUnknownIds": true}),
        ]
    );
    let path = &server.requests()[0].path;
    assert!(path.ends_with("/timeseries/byids"), "{path}");
}

#[tokio::test]
async fn a_look_up_by_instance_id_goes_apart_and_tells_the_other_names() {
    let mut of_node = series(7, "a", 6);
    of_node["instanceId"] = json!({"space": "plant", "externalId": "pump \"1\""});
    let server = ScriptedServer::start(vec![page(&[]), page(&[of_node])], page(&[])).await;
    let node = SeriesReference::instance("plant", "pump \"1\"");
    let facts = client()
        .lookup_series(
            &identity(&server.url),
            &[node.clone(), external_id("a"), node.clone()],
        )
        .await
        .expect("CDF answers");
    assert_eq!(
        facts[0].names(),
        [external_id("a"), node, SeriesReference::Id(7)]
    );
    let last = server.requests().pop().expect("two requests");
    let body: Value = serde_json::from_slice(&last.body).expect("a body is JSON");
    assert_eq!(
        body["items"],
        json!([{"instanceId": {"space": "plant", "externalId": "pump \"1\""}}])
    );
}

#[tokio::test]
async fn nodes_are_made_only_where_there_are_none() {
    let server = ScriptedServer::start(vec![], Reply::json(200, r#"{"items":[]}"#)).await;
    let nodes: Vec<InstanceName> = (0..1_001)
        .map(|number| InstanceName {
            space: "plant".into(),
            external_id: format!("pump {number}").into(),
        })
        .collect();
    client()
        .create_series_nodes(&identity(&server.url), &nodes, true)
        .await
        .expect("they are made");
    let requests = server.requests();
    assert_eq!(requests.len(), 2, "CDF takes a thousand at a time");
    assert!(requests[1].path.ends_with("/models/instances"));
    let body: Value = serde_json::from_slice(&requests[1].body).expect("a body is JSON");
    assert_eq!(
        body,
        json!({
            "items": [{
                "instanceType": "node",
                "existingVersion": 0,
                "space": "plant",
                "externalId": "pump 1000",
                "sources": [{
                    "source": {
                        "type": "view", "space": "cdf_cdm",
                        "externalId": "CogniteTimeSeries", "version": "v1",
                    },
                    "properties": {"type": "string", "isStep": false},
                }],
            }],
            "skipOnVersionConflict": true,
        })
    );
}

#[tokio::test]
async fn a_long_look_up_is_cut_into_requests_of_a_thousand() {
    let server = ScriptedServer::start(vec![], page(&[])).await;
    let references: Vec<SeriesReference> = (1..=2_500).map(SeriesReference::Id).collect();
    let facts = client()
        .lookup_series(&identity(&server.url), &references)
        .await
        .expect("CDF answers");
    assert!(facts.is_empty());
    let sizes: Vec<usize> = server
        .requests()
        .iter()
        .map(|request| {
            let body: Value = serde_json::from_slice(&request.body).expect("a body is JSON");
            body["items"].as_array().map_or(0, Vec::len)
        })
        .collect();
    assert_eq!(sizes, [1_000, 1_000, 500]);
}

#[tokio::test]
async fn series_that_somebody_else_made_meanwhile_do_not_fail_the_others() {
    let conflict = json!({"error": {
        "code": 409,
        "message": "exists",
        "duplicated": [{"externalId": "b"}],
    }});
    let server = ScriptedServer::start(
        vec![Reply::json(409, conflict.to_string())],
        Reply::json(201, r#"{"items":[]}"#),
    )
    .await;
    client()
        .create_series(&identity(&server.url), &["a", "b", "c\"\\"], true)
        .await
        .expect("the rest is made");
    let last = server.requests().pop().expect("two requests");
    let body: Value = serde_json::from_slice(&last.body).expect("a body is JSON");
    assert_eq!(
        body,
        json!({"items": [
            {"externalId": "a", "isString": true},
            {"externalId": "c\"\\", "isString": true},
        ]})
    );
}

#[tokio::test]
async fn a_conflict_that_names_nothing_new_is_handed_on() {
    let server = ScriptedServer::start(vec![], Reply::json(409, "{}")).await;
    let failure = client()
        .create_series(&identity(&server.url), &["a"], false)
        .await
        .expect_err("CDF refuses");
    assert_eq!(failure.class(), "split");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_series_made_since_the_first_attempt_is_ours_and_an_older_one_is_not() {
    let first_sent = SystemTime::now();
    let hour_ago = now_ms() - 3_600_000;
    let server = ScriptedServer::start(
        vec![],
        page(&[series(1, "new", now_ms()), series(2, "old", hour_ago)]),
    )
    .await;
    let duplicated = [
        Reference::ExternalId("new".into()),
        Reference::ExternalId("old".into()),
    ];
    let settled = client()
        .settle_creates(
            &identity(&server.url),
            Operation::Create(Resource::TimeSeries),
            &duplicated,
            first_sent,
        )
        .await
        .expect("CDF answers");
    assert_eq!(
        settled,
        SettledCreates {
            ours: vec![Reference::ExternalId("new".into())],
            theirs: vec![Reference::ExternalId("old".into())],
        }
    );
}

#[tokio::test]
async fn creation_times_are_compared_on_the_clock_of_cdf() {
    // CDF's clock is an hour behind: its Date says so, and what it made just now looks old.
    let behind = SystemTime::now() - Duration::from_secs(3_600);
    let date = jiff::fmt::rfc2822::to_string(
        &jiff::Timestamp::try_from(behind)
            .expect("a time of today")
            .to_zoned(jiff::tz::TimeZone::UTC),
    )
    .expect("a date of today can be written");
    let reply = page(&[series(1, "new", now_ms() - 3_600_000)]).with_header("date", &date);
    let server = ScriptedServer::start(vec![], reply).await;
    let client = client();
    let settled = client
        .settle_creates(
            &identity(&server.url),
            Operation::Create(Resource::TimeSeries),
            &[Reference::ExternalId("new".into())],
            SystemTime::now(),
        )
        .await
        .expect("CDF answers");
    assert_eq!(settled.ours.len(), 1);
}

#[tokio::test]
async fn a_raw_table_that_exists_is_what_was_asked_for() {
    let server = ScriptedServer::start(vec![], Reply::Close).await;
    let tables = [Reference::Name("orders".into())];
    let settled = client()
        .settle_creates(
            &identity(&server.url),
            Operation::CreateRawTables,
            &tables,
            SystemTime::now(),
        )
        .await
        .expect("nothing needs to be asked");
    assert_eq!(settled.ours, tables);
    assert!(server.requests().is_empty());
}
