//! Transactions: staged until COMMIT, gone after ROLLBACK, savepoints between.

use super::dev_process::DevProcess;
use super::gateway_process::GatewayProcess;

fn point(series: &str, second: u32) -> String {
    format!(
        "INSERT INTO double_datapoints (external_id, timestamp, value) \
         VALUES ('{series}', '2026-01-01 00:00:{second:02}+00', {second})"
    )
}

#[tokio::test]
async fn rows_of_a_transaction_reach_cdf_at_commit_and_not_before() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    client.batch_execute("BEGIN").await.expect("begun");
    client
        .batch_execute(&point("pump", 1))
        .await
        .expect("staged");
    client
        .batch_execute(&point("pump", 2))
        .await
        .expect("staged");
    assert!(dev.points("pump").await.is_empty());
    client.batch_execute("COMMIT").await.expect("committed");
    assert_eq!(dev.points("pump").await.len(), 2);
}

#[tokio::test]
async fn a_rolled_back_transaction_leaves_nothing_in_cdf() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    client.batch_execute("BEGIN").await.expect("begun");
    client
        .batch_execute(&point("pump", 1))
        .await
        .expect("staged");
    client.batch_execute("ROLLBACK").await.expect("rolled back");
    client
        .batch_execute(&point("pump", 9))
        .await
        .expect("written");
    let points = dev.points("pump").await;
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].1, 9.0);
}

#[tokio::test]
async fn rolling_back_to_a_savepoint_takes_back_only_what_came_after() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    client.batch_execute("BEGIN").await.expect("begun");
    client
        .batch_execute(&point("pump", 1))
        .await
        .expect("staged");
    client.batch_execute("SAVEPOINT s").await.expect("marked");
    client
        .batch_execute(&point("pump", 2))
        .await
        .expect("staged");
    client
        .batch_execute("ROLLBACK TO SAVEPOINT s")
        .await
        .expect("back at the mark");
    client
        .batch_execute(&point("pump", 3))
        .await
        .expect("staged");
    client.batch_execute("COMMIT").await.expect("committed");
    let values: Vec<f64> = dev
        .points("pump")
        .await
        .iter()
        .filter_map(|(_, value)| value.as_f64())
        .collect();
    assert_eq!(values, [1.0, 3.0]);
}

#[tokio::test]
async fn a_failed_transaction_refuses_everything_until_rollback() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    client.batch_execute("BEGIN").await.expect("begun");
    client
        .batch_execute(&point("pump", 1))
        .await
        .expect("staged");
    client
        .batch_execute("INSERT INTO nothing VALUES (1)")
        .await
        .expect_err("no such table");
    let error = client
        .batch_execute(&point("pump", 2))
        .await
        .expect_err("the transaction has failed");
    assert_eq!(error.code().map(|code| code.code()), Some("25P02"));
    client
        .batch_execute("COMMIT")
        .await
        .expect("answers ROLLBACK");
    assert!(dev.points("pump").await.is_empty());
}

#[tokio::test]
async fn a_commit_whose_rows_cdf_refuses_reports_the_error() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    client.batch_execute("BEGIN").await.expect("begun");
    client
        .batch_execute(&point("no-such-series", 1))
        .await
        .expect("staged");
    let error = client
        .batch_execute("COMMIT")
        .await
        .expect_err("the series does not exist");
    assert_eq!(error.code().map(|code| code.code()), Some("23503"));
    let one = client
        .query_one("SELECT 1", &[])
        .await
        .expect("usable again");
    assert_eq!(one.get::<_, i32>(0), 1);
}

#[tokio::test]
async fn an_error_in_a_statement_string_discards_all_of_its_rows() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    let both = format!("{}; INSERT INTO nothing VALUES (1)", point("pump", 1));
    client
        .batch_execute(&both)
        .await
        .expect_err("no such table");
    assert!(dev.points("pump").await.is_empty());
}

const SPOOLING: &str = r#"
    [transactions]
    staged_bytes_max = 50_000
    spool_directory = "spool"
    [copy]
    batch_rows = 1000
"#;

/// So many points as one statement, of which a transaction of several passes its memory.
fn points(series: &str, seconds: std::ops::Range<u32>) -> String {
    let rows: Vec<String> = seconds
        .map(|second| {
            let (minute, second, value) = (second / 60, second % 60, second);
            let (hour, minute) = (minute / 60, minute % 60);
            format!("('{series}', '2026-01-01 {hour:02}:{minute:02}:{second:02}+00', {value})")
        })
        .collect();
    format!(
        "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES {}",
        rows.join(", ")
    )
}

#[tokio::test]
async fn a_gateway_that_dies_within_a_large_transaction_leaves_nothing_of_it() {
    let mut gateway = GatewayProcess::start(SPOOLING);
    gateway.create_series(&["pump"]).await;
    let client = gateway.connect().await;
    client.batch_execute("BEGIN").await.expect("begun");
    for start in (0..20_000).step_by(5000) {
        let statement = points("pump", start..start + 5000);
        client.batch_execute(&statement).await.expect("staged");
    }
    assert!(gateway.metric("penstock_spool_bytes").await > 100_000.0);
    let spool = gateway.journal().with_file_name("spool");
    let files = || std::fs::read_dir(&spool).expect("it was made").count();
    assert_eq!(files(), 0, "a file has no name while it is used");
    gateway.kill_gateway();
    gateway.start_gateway();
    assert_eq!(files(), 0);
    let client = gateway.connect().await;
    client
        .batch_execute(&points("pump", 70_000..70_001))
        .await
        .expect("written");
    let wanted = (1_767_225_600_000 + 70_000_000, 70_000.0);
    gateway.wait_for_points("pump", &[wanted]).await;
}

#[tokio::test]
async fn a_large_transaction_can_be_journaled_at_its_commit() {
    let gateway = GatewayProcess::start(SPOOLING);
    gateway.create_series(&["pump"]).await;
    let client = gateway.connect().await;
    gateway.cdf_is_down().await;
    client.batch_execute("BEGIN").await.expect("begun");
    for start in (0..20_000).step_by(5000) {
        let statement = points("pump", start..start + 5000);
        client.batch_execute(&statement).await.expect("staged");
    }
    // Answered though nothing can be delivered: such a client's rows are journaled.
    client.batch_execute("COMMIT").await.expect("journaled");
    gateway.cdf_is_back().await;
    let wanted: Vec<(i64, f64)> = (0..20_000)
        .map(|second| (1_767_225_600_000 + second * 1000, second as f64))
        .collect();
    gateway.wait_for_points("pump", &wanted).await;
    assert_eq!(gateway.metric("penstock_spool_bytes").await, 0.0);
}
