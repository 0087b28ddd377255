//! Order per key: the later write of a datapoint, a RAW row or an object is the one that stays.

use super::dev_process::DevProcess;
use super::gateway_process::GatewayProcess;
use bytes::Bytes;
use futures::SinkExt;
use serde_json::json;
use std::pin::pin;

#[tokio::test]
async fn the_last_write_of_a_datapoint_in_one_copy_stays() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    let mut sink = pin!(
        client
            .copy_in::<_, Bytes>(
                "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
            )
            .await
            .expect("copy starts")
    );
    // 300,000 rows on 1,000 points: far more than one request, each point in every one of them.
    for round in 0..300 {
        let text: String = (0..1000)
            .map(|point| {
                let (minute, second) = (point / 60, point % 60);
                format!("pump\t2026-01-01 00:{minute:02}:{second:02}+00\t{round}\n")
            })
            .collect();
        sink.send(Bytes::from(text)).await.expect("sent");
    }
    assert_eq!(sink.finish().await.expect("copied"), 300_000);
    let points = dev.points("pump").await;
    assert_eq!(points.len(), 1000);
    assert!(points.iter().all(|(_, value)| *value == 299.0));
}

#[tokio::test]
async fn order_is_kept_when_requests_fail_and_are_repeated() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    for round in 0..6 {
        dev.faults(json!([{ "operation": "datapoints.insert", "count": 1,
                             "kind": "status", "status": 503 }]))
            .await;
        let text: String = (0..60)
            .map(|second| format!("pump\t2026-01-01 00:00:{second:02}+00\t{round}\n"))
            .collect();
        let mut sink = pin!(
            client
                .copy_in::<_, Bytes>(
                    "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
                )
                .await
                .expect("copy starts")
        );
        sink.send(Bytes::from(text)).await.expect("sent");
        assert_eq!(sink.finish().await.expect("copied"), 60);
    }
    let points = dev.points("pump").await;
    assert!(points.iter().all(|(_, value)| *value == 5.0));
}

#[tokio::test]
async fn a_series_named_by_id_and_by_external_id_is_one_key() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let id = dev.series("pump").await["id"].as_i64().expect("an id");
    let client = dev.connect().await;
    let rows: Vec<String> = (0..400)
        .map(|value| {
            if value % 2 == 0 {
                format!("('pump', NULL, '2026-01-01', {value})")
            } else {
                format!("(NULL, {id}, '2026-01-01', {value})")
            }
        })
        .collect();
    client
        .batch_execute(&format!(
            "INSERT INTO double_datapoints (external_id, id, timestamp, value) VALUES {}",
            rows.join(", ")
        ))
        .await
        .expect("written");
    assert_eq!(
        dev.points("pump").await,
        [(1_767_225_600_000, 399.0.into())]
    );
}

#[tokio::test]
async fn an_asset_named_by_id_and_by_external_id_has_one_order() {
    let gateway = GatewayProcess::start("");
    let client = gateway.connect().await;
    let say = async |statement: String| {
        client.batch_execute(&statement).await.expect(&statement);
    };
    let asset = async || {
        let named = json!({"items": [{"externalId": "a"}]});
        gateway.post("assets/byids", named).await["items"][0].clone()
    };
    say("SET penstock.ack = 'delivered'".to_owned()).await;
    say("INSERT INTO assets (external_id, name) VALUES ('a', 'new')".to_owned()).await;
    let id = asset().await["id"].clone();
    for round in 0..5 {
        // Both are acknowledged at once, and the first is refused when it comes to CDF.
        gateway
            .faults(json!([{ "operation": "assets.update", "count": 1,
                             "kind": "status", "status": 503 }]))
            .await;
        say("SET penstock.ack = 'journaled'".to_owned()).await;
        say(format!("UPDATE assets SET name = 'first' WHERE id = {id}")).await;
        say(format!(
            "UPDATE assets SET name = 'last of {round}' WHERE external_id = 'a'"
        ))
        .await;
        // Waits for what the journal holds.
        say("SET penstock.ack = 'delivered'".to_owned()).await;
        say("UPDATE assets SET description = 'seen' WHERE external_id = 'a'".to_owned()).await;
        assert_eq!(asset().await["name"], format!("last of {round}"));
    }
}

#[tokio::test]
async fn the_last_write_of_a_raw_key_stays() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    let mut sink = pin!(
        client
            .copy_in::<_, Bytes>(
                "COPY raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) FROM STDIN"
            )
            .await
            .expect("copy starts")
    );
    for round in 0..50 {
        let text: String = (0..1000)
            .map(|key| format!("d\tt\tk{key}\t{{\"round\": {round}}}\n"))
            .collect();
        sink.send(Bytes::from(text)).await.expect("sent");
    }
    assert_eq!(sink.finish().await.expect("copied"), 50_000);
    for key in ["k0", "k999"] {
        assert_eq!(dev.raw_row("d", "t", key).await, Some(json!({"round": 49})));
    }
}
