//! The journal in rare company: a stop in the middle of a replay, a drain while CDF is away,
//! objects without a name, and COPY that goes on without bad rows.

use super::gateway_process::GatewayProcess;
use super::letters_api::{TOKEN, letters};
use bytes::Bytes;
use futures::SinkExt;
use serde_json::json;
use std::pin::pin;
use std::time::{Duration, Instant};

/// 2026-01-01 in milliseconds.
const START_MS: i64 = 1_767_225_600_000;

fn insert(second: usize) -> String {
    format!(
        "INSERT INTO double_datapoints (external_id, timestamp, value) \
         VALUES ('pump', '2026-01-01 00:{:02}:{:02}+00', {second})",
        second / 60,
        second % 60
    )
}

fn points(seconds: usize) -> Vec<(i64, f64)> {
    (0..seconds)
        .map(|second| (START_MS + second as i64 * 1000, second as f64))
        .collect()
}

fn with_letters() -> String {
    format!("[dead_letters]\ndirectory = \"letters\"\n[admin]\ntoken = \"{TOKEN}\"")
}

/// Waits until there are `count` letters.
async fn wait_for_letters(gateway: &GatewayProcess, count: usize) -> Vec<serde_json::Value> {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let kept = letters(gateway.http_address(), "").await;
        if kept.len() >= count {
            return kept;
        }
        assert!(
            Instant::now() < patience,
            "there are {} letters",
            kept.len()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_drain_while_cdf_is_away_ends_in_time_and_loses_nothing() {
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    gateway.cdf_is_down().await;
    let client = gateway.connect().await;
    for second in 0..20 {
        client
            .batch_execute(&insert(second))
            .await
            .expect("acknowledged");
    }
    drop(client);
    assert_eq!(gateway.end_gateway(), Some(0));
    gateway.cdf_is_back().await;
    gateway.start_gateway();
    gateway.wait_for_points("pump", &points(20)).await;
}

#[tokio::test]
async fn a_gateway_that_is_stopped_in_the_middle_of_a_replay_goes_on_with_it() {
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    gateway.cdf_is_down().await;
    let client = gateway.connect().await;
    for second in 0..600 {
        client
            .batch_execute(&insert(second))
            .await
            .expect("acknowledged");
    }
    gateway.kill_gateway();
    gateway.cdf_is_back().await;
    // CDF takes longer than a drain may: each start is ended with its first request under way.
    gateway
        .faults(json!([{ "operation": "datapoints.insert", "kind": "delay",
                         "delay_ms": 10_000 }]))
        .await;
    for by_force in [true, false, true] {
        gateway.start_gateway();
        gateway
            .wait_for_metric(
                "penstock_requests_in_flight{resource=\"datapoints\"}",
                |calls| calls >= 1.0,
            )
            .await;
        if by_force {
            gateway.kill_gateway();
        } else {
            assert_eq!(gateway.end_gateway(), Some(0));
        }
    }
    gateway.cdf_is_back().await;
    gateway.start_gateway();
    gateway.wait_for_points("pump", &points(600)).await;
}

#[tokio::test]
async fn an_object_without_a_name_is_not_made_twice_after_a_crash() {
    let mut gateway = GatewayProcess::start(&with_letters());
    let client = gateway.connect().await;
    // CDF makes the event and the answer is long in coming: the gateway dies meanwhile.
    gateway
        .faults(
            json!([{ "operation": "events.create", "kind": "late_answer",
                         "delay_ms": 5_000, "count": 1 }]),
        )
        .await;
    client
        .batch_execute("INSERT INTO events (type, description) VALUES ('stop', 'nameless')")
        .await
        .expect("acknowledged");
    let patience = Instant::now() + Duration::from_secs(60);
    while gateway.get("events").await["items"]
        .as_array()
        .is_none_or(Vec::is_empty)
    {
        assert!(Instant::now() < patience, "the event is not made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    gateway.kill_gateway();
    gateway.start_gateway();
    let kept = wait_for_letters(&gateway, 1).await;
    assert_eq!(kept[0]["sqlstate"], "40003", "{kept:?}");
    let events = gateway.get("events").await;
    assert_eq!(
        events["items"].as_array().map(Vec::len),
        Some(1),
        "{events}"
    );
}

#[tokio::test]
async fn a_journaled_copy_goes_on_without_bad_rows_and_keeps_all_of_them() {
    let gateway = GatewayProcess::start(&with_letters());
    gateway.create_series(&["pump"]).await;
    let client = gateway.connect().await;
    let data = "pump\t2026-01-01 00:00:00+00\t0\n\
                pump\tsomeday\t1\n\
                nobody\t2026-01-01 00:00:00+00\t2\n\
                pump\t2026-01-01 00:00:01+00\t1\n";
    let mut sink = pin!(
        client
            .copy_in::<_, Bytes>(
                "COPY double_datapoints (external_id, timestamp, value) FROM STDIN \
                 WITH (ON_ERROR ignore)"
            )
            .await
            .expect("it copies")
    );
    sink.send(Bytes::from(data)).await.expect("taken");
    // What the gateway can see is left out at once; what only CDF knows comes later.
    assert_eq!(sink.finish().await.expect("acknowledged"), 3);
    gateway.wait_for_points("pump", &points(2)).await;
    let kept = wait_for_letters(&gateway, 2).await;
    let mut states: Vec<&str> = kept
        .iter()
        .filter_map(|letter| letter["sqlstate"].as_str())
        .collect();
    states.sort_unstable();
    assert_eq!(states, ["22007", "23503"], "{kept:?}");
}

#[tokio::test]
async fn journaled_rows_wait_for_the_sequence_the_label_and_the_pipeline_that_they_name() {
    let gateway = GatewayProcess::start(&with_letters());
    gateway
        .post(
            "datasets",
            json!({"items": [{"externalId": "set", "name": "set"}]}),
        )
        .await;
    let sets = gateway
        .post("datasets/byids", json!({"items": [{"externalId": "set"}]}))
        .await;
    let set = &sets["items"][0]["id"];
    // What is named comes into CDF later than what names it.
    let slow =
        |operation: &str| json!({"operation": operation, "kind": "delay", "delay_ms": 1_500});
    gateway
        .faults(json!([
            slow("sequences.create"),
            slow("labels.create"),
            slow("extraction_pipelines.create")
        ]))
        .await;
    let client = gateway.connect().await;
    for statement in [
        "INSERT INTO sequences (external_id, columns) \
         VALUES ('q', '[{\"externalId\": \"c\", \"valueType\": \"DOUBLE\"}]')"
            .to_owned(),
        "INSERT INTO labels (external_id, name) VALUES ('l', 'L')".to_owned(),
        format!(
            "INSERT INTO extraction_pipelines (external_id, name, data_set_id) \
             VALUES ('p', 'P', {set})"
        ),
        "INSERT INTO sequence_rows (\"values\", external_id, row_number) \
         VALUES ('{\"c\": 1.5}', 'q', 7)"
            .to_owned(),
        "INSERT INTO events (external_id, type) VALUES ('e', 'stop')".to_owned(),
        "INSERT INTO assets (external_id, name, labels) VALUES ('a', 'A', '{l}')".to_owned(),
        "INSERT INTO extraction_pipeline_runs (external_id, status) VALUES ('p', 'success')"
            .to_owned(),
    ] {
        client
            .batch_execute(&statement)
            .await
            .expect("acknowledged");
    }
    let patience = Instant::now() + Duration::from_secs(60);
    while !has_all(&gateway).await {
        assert!(Instant::now() < patience, "something is not in CDF");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(letters(gateway.http_address(), "").await.is_empty());
}

/// Whether the row of the sequence, the asset with its label and the run are in CDF.
async fn has_all(gateway: &GatewayProcess) -> bool {
    let assets = gateway.get("assets").await;
    let pipelines = gateway.get("extpipes").await;
    let sequences = gateway.get("sequences").await;
    if assets["items"][0]["externalId"] != "a"
        || pipelines["items"][0]["lastSuccess"].as_i64().unwrap_or(0) == 0
        || sequences["items"][0]["externalId"] != "q"
    {
        return false;
    }
    let query = json!({"externalId": "q", "limit": 10});
    let rows = gateway.post("sequences/data/list", query).await;
    rows["rows"][0]["rowNumber"] == 7
}
