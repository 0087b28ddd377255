//! Deletes and changes of points that are journaled: they survive a kill in their order, and one
//! that CDF refuses is a letter.

use super::gateway_process::GatewayProcess;
use super::letters_api::{TOKEN, json, letters};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// 2026-01-01 in milliseconds.
const START_MS: i64 = 1_767_225_600_000;

async fn run(client: &Client, statement: &str) {
    client.batch_execute(statement).await.expect(statement);
}

/// A point each second, with one value.
async fn write(client: &Client, series: &str, seconds: std::ops::Range<u32>, value: u32) {
    let rows: Vec<String> = seconds
        .map(|second| format!("('{series}', '2026-01-01 00:00:{second:02}+00', {value})"))
        .collect();
    let statement = format!(
        "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES {}",
        rows.join(", ")
    );
    run(client, &statement).await;
}

fn point(second: i64, value: f64) -> (i64, f64) {
    (START_MS + second * 1000, value)
}

async fn journaled(gateway: &GatewayProcess) -> Client {
    let client = gateway.connect().await;
    run(&client, "SET penstock.ack = 'journaled'").await;
    client
}

#[tokio::test]
async fn writes_changes_and_deletes_keep_their_order_through_a_kill() {
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    gateway.cdf_is_down().await;
    let client = journaled(&gateway).await;
    for value in 1..=5 {
        write(&client, "pump", 0..10, value).await;
        run(
            &client,
            "DELETE FROM double_datapoints WHERE external_id = 'pump' \
             AND timestamp >= '2026-01-01 00:00:03+00'",
        )
        .await;
        write(&client, "pump", 7..8, value).await;
        run(
            &client,
            "UPDATE double_datapoints SET value = 70 WHERE external_id = 'pump' \
             AND timestamp IN ('2026-01-01 00:00:07+00', '2026-01-01 00:00:08+00')",
        )
        .await;
        run(
            &client,
            "BEGIN; DELETE FROM double_datapoints WHERE external_id = 'pump' \
             AND timestamp = '2026-01-01 00:00:01+00'; COMMIT",
        )
        .await;
    }
    gateway.kill_gateway();
    gateway.start_gateway();
    gateway.cdf_is_back().await;
    // The last of the journal: what comes before it is settled when this is there.
    let client = journaled(&gateway).await;
    write(&client, "pump", 20..21, 1).await;
    let wanted = [point(0, 5.0), point(2, 5.0), point(7, 70.0), point(20, 1.0)];
    gateway.wait_for_points("pump", &wanted).await;
}

async fn wait_for_letter(address: &str) -> Value {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(letter) = letters(address, "").await.into_iter().next() {
            return letter;
        }
        assert!(Instant::now() < patience, "there is no letter");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_journaled_delete_that_cdf_refuses_is_a_letter_that_can_be_replayed() {
    let sections = format!("[dead_letters]\ndirectory = \"letters\"\n[admin]\ntoken = \"{TOKEN}\"");
    let gateway = GatewayProcess::start(&sections);
    gateway.create_series(&["pump"]).await;
    let client = journaled(&gateway).await;
    write(&client, "pump", 0..6, 1).await;
    let all: Vec<_> = (0..6).map(|second| point(second, 1.0)).collect();
    gateway.wait_for_points("pump", &all).await;
    gateway
        .faults(json!([{ "operation": "datapoints.delete", "kind": "status", "status": 400 }]))
        .await;
    run(
        &client,
        "DELETE FROM double_datapoints WHERE external_id = 'pump' \
         AND timestamp BETWEEN '2026-01-01 00:00:02+00' AND '2026-01-01 00:00:04+00'",
    )
    .await;
    let letter = wait_for_letter(gateway.http_address()).await;
    assert_eq!(letter["action"], "delete");
    assert_eq!(letter["table"], "double_datapoints");
    assert_eq!(
        letter["columns"],
        json!(["timestamp", "last_timestamp", "external_id"])
    );
    assert_eq!(
        letter["values"],
        json!(["2026-01-01 00:00:02+00", "2026-01-01 00:00:04+00", "pump"])
    );
    gateway.cdf_is_back().await;
    // Points that were written since would go, too: somebody has to say that they may.
    let filter = json!({"filter": {"ids": [letter["id"]]}});
    let report = json(gateway.http_address(), "POST", "/replay", filter).await;
    assert_eq!(report["letters"][0]["outcome"], "held_back", "{report}");
    let filter = json!({"filter": {"ids": [letter["id"]]}, "force": true});
    let report = json(gateway.http_address(), "POST", "/replay", filter).await;
    assert_eq!(report["letters"][0]["outcome"], "accepted", "{report}");
    let left = [point(0, 1.0), point(1, 1.0), point(5, 1.0)];
    gateway.wait_for_points("pump", &left).await;
}
