//! CDF in trouble: what is retried, what is refused, and what the client is told.

use super::dev_process::DevProcess;
use serde_json::{Value, json};
use tokio_postgres::Client;

const INSERT: &str = "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ";

fn status_fault(count: u32, status: u16) -> Value {
    json!([{ "operation": "datapoints.insert", "count": count, "kind": "status",
             "status": status }])
}

async fn insert(client: &Client, rows: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute(&format!("{INSERT}{rows}")).await
}

fn code(error: &tokio_postgres::Error) -> &str {
    error.code().map_or("no code", |code| code.code())
}

#[tokio::test]
async fn a_429_and_a_503_are_retried_until_the_rows_are_in() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    for status in [429, 503] {
        dev.faults(status_fault(2, status)).await;
        insert(&client, &format!("('pump', '2026-01-01', {status})"))
            .await
            .expect("written in the end");
        assert_eq!(
            dev.points("pump").await.last().map(|point| point.1.clone()),
            Some(json!(f64::from(status)))
        );
    }
}

#[tokio::test]
async fn a_connection_reset_after_cdf_wrote_is_repeated_without_harm() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    dev.faults(json!([{ "operation": "datapoints.insert", "count": 1,
                         "kind": "reset_after_commit" }]))
        .await;
    insert(
        &client,
        "('pump', '2026-01-01', 1), ('pump', '2026-01-02', 2)",
    )
    .await
    .expect("written");
    assert_eq!(dev.points("pump").await.len(), 2);
}

#[tokio::test]
async fn a_missing_series_is_named_and_the_other_rows_are_written() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    let error = insert(
        &client,
        "('pump', '2026-01-01', 1), ('ghost', '2026-01-01', 2), ('pump', '2026-01-02', 3)",
    )
    .await
    .expect_err("ghost does not exist");
    assert_eq!(code(&error), "23503");
    let error = error.as_db_error().expect("from the server");
    assert!(error.message().contains("ghost"), "{error:?}");
    assert!(
        error.detail().is_some_and(|detail| detail.contains('2')),
        "{error:?}"
    );
    assert_eq!(dev.points("pump").await.len(), 2);
}

#[tokio::test]
async fn missing_series_are_made_where_the_operator_wants_it() {
    let dev = DevProcess::start(&["--create-missing-time-series"]);
    let client = dev.connect().await;
    insert(
        &client,
        "('new-1', '2026-01-01', 1), ('new-2', '2026-01-01', 2)",
    )
    .await
    .expect("written");
    assert_eq!(dev.points("new-1").await.len(), 1);
    assert_eq!(dev.series("new-2").await["isString"], json!(false));
}

#[tokio::test]
async fn a_number_for_a_string_series_is_a_type_mismatch_that_names_it() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["text"], true).await;
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    let error = insert(
        &client,
        "('pump', '2026-01-01', 1), ('text', '2026-01-01', 2)",
    )
    .await
    .expect_err("text is a string series");
    assert_eq!(code(&error), "42804");
    assert!(error.to_string().contains("text") || format!("{error:?}").contains("text"));
    assert_eq!(dev.points("pump").await.len(), 1);
}

#[tokio::test]
async fn a_forbidden_write_fails_once_and_is_not_repeated() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    dev.faults(status_fault(1, 403)).await;
    let error = insert(&client, "('pump', '2026-01-01', 1)")
        .await
        .expect_err("forbidden");
    assert_eq!(code(&error), "42501");
    assert!(dev.points("pump").await.is_empty());
}

#[tokio::test]
async fn values_outside_cdfs_range_are_refused_before_anything_is_sent() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    for (row, expected) in [
        ("('pump', '2026-01-01', 1e100)", "22003"),
        ("('pump', '2026-01-01', 'NaN')", "22003"),
        ("('pump', '1899-12-31 23:59:59+00', 1)", "22008"),
        ("('pump', '2100-01-01 00:00:00+00', 1)", "22008"),
        ("('pump', 'yesterday-ish', 1)", "22007"),
        ("('pump', '2026-01-01', 'twelve')", "22P02"),
        ("(NULL, '2026-01-01', 1)", "23502"),
        ("('pump', NULL, 1)", "23502"),
    ] {
        let rows = format!("('pump', '2026-01-01', 1), {row}");
        let error = insert(&client, &rows).await.expect_err(row);
        assert_eq!(code(&error), expected, "{row}: {error:?}");
    }
    assert!(
        dev.requests()
            .await
            .iter()
            .all(|request| request["operation"] != "datapoints.insert"),
        "nothing was sent"
    );
}
