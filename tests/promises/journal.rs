//! A journaled row is acknowledged once it is on disk, and ends in CDF whatever dies in between.

use super::gateway_process::GatewayProcess;
use bytes::Bytes;
use futures::SinkExt;
use std::fmt::Write;
use std::pin::pin;
use tokio_postgres::Client;

/// 2026-01-01 in milliseconds.
const START_MS: i64 = 1_767_225_600_000;

/// One point a second from [`START_MS`] on, with these values.
fn points(values: impl IntoIterator<Item = f64>) -> Vec<(i64, f64)> {
    values
        .into_iter()
        .enumerate()
        .map(|(second, value)| (START_MS + second as i64 * 1000, value))
        .collect()
}

async fn insert(client: &Client, series: &str, second: usize, value: f64) {
    client
        .batch_execute(&format!(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES \
             ('{series}', '{}', {value})",
            time(second)
        ))
        .await
        .expect("acknowledged");
}

/// The literal of a second of 2026-01-01.
fn time(second: usize) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("2026-01-01 {hour:02}:{minute:02}:{second:02}+00")
}

async fn copy(client: &Client, series: &str, values: &[f64]) {
    let mut text = String::new();
    for (second, value) in values.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{series}\t{}\t{value}", time(second));
    }
    let mut sink = pin!(
        client
            .copy_in::<_, Bytes>(
                "COPY double_datapoints (external_id, timestamp, value) FROM STDIN"
            )
            .await
            .expect("copy starts")
    );
    sink.send(Bytes::from(text)).await.expect("sent");
    assert_eq!(
        sink.finish().await.expect("acknowledged"),
        values.len() as u64
    );
}

#[tokio::test]
async fn rows_are_acknowledged_while_cdf_is_down_and_survive_a_kill() {
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump", "tank"]).await;
    gateway.cdf_is_down().await;
    let client = gateway.connect().await;
    insert(&client, "pump", 0, 1.0).await;
    insert(&client, "pump", 1, 2.0).await;
    let load: Vec<f64> = (0..50_000).map(f64::from).collect();
    copy(&client, "tank", &load).await;
    // The last write of a key wins, whatever the order of delivery has been through.
    insert(&client, "pump", 0, 3.0).await;
    gateway.kill_gateway();
    gateway.start_gateway();
    gateway.cdf_is_back().await;
    gateway.wait_for_points("pump", &points([3.0, 2.0])).await;
    gateway.wait_for_points("tank", &points(load)).await;
}

#[tokio::test]
async fn what_was_delivered_is_not_delivered_again_after_a_restart() {
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    let client = gateway.connect().await;
    insert(&client, "pump", 0, 1.0).await;
    gateway.wait_for_points("pump", &points([1.0])).await;
    assert_eq!(gateway.end_gateway(), Some(0));
    let (code, report) = gateway.journal_command("inspect");
    assert_eq!(code, Some(0));
    assert!(!report.contains("1 records not settled"), "{report}");
    // Another writer changes the point meanwhile; the gateway must not undo that.
    gateway.start_gateway();
    let client = gateway.connect().await;
    insert(&client, "pump", 1, 2.0).await;
    gateway.wait_for_points("pump", &points([1.0, 2.0])).await;
}

#[tokio::test]
async fn both_modes_keep_the_order_of_one_key() {
    let gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    let client = gateway.connect().await;
    gateway.cdf_is_down().await;
    for value in 0..20 {
        insert(&client, "pump", 0, f64::from(value)).await;
    }
    // A delivered row waits behind what was acknowledged before it.
    let delivered = gateway.connect().await;
    delivered
        .batch_execute("SET penstock.ack = 'delivered'")
        .await
        .expect("the setting exists");
    let waiting = tokio::spawn(async move { insert(&delivered, "pump", 0, 100.0).await });
    let received = "penstock_rows_received_total{table=\"double_datapoints\"}";
    gateway.wait_for_metric(received, |rows| rows >= 21.0).await;
    assert!(!waiting.is_finished());
    gateway.cdf_is_back().await;
    waiting.await.expect("acknowledged");
    assert_eq!(gateway.points("pump").await, points([100.0]));
    insert(&client, "pump", 0, 101.0).await;
    gateway.wait_for_points("pump", &points([101.0])).await;
}

#[tokio::test]
async fn a_drained_gateway_leaves_nothing_behind() {
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    let client = gateway.connect().await;
    let load: Vec<f64> = (0..20_000).map(f64::from).collect();
    copy(&client, "pump", &load).await;
    assert_eq!(gateway.end_gateway(), Some(0));
    assert_eq!(gateway.points("pump").await.len(), load.len());
    assert_eq!(gateway.journal_command("verify").0, Some(0));
}
