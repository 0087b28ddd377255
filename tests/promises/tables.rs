//! The tables: what is written through each is what CDF then has.

use super::dev_process::DevProcess;
use serde_json::json;

#[tokio::test]
async fn a_string_datapoint_keeps_every_character() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["note"], true).await;
    let client = dev.connect().await;
    client
        .batch_execute(
            "INSERT INTO string_datapoints (timestamp, external_id, value) VALUES \
             ('2026-01-01 12:00+01', 'note', 'Ölstand ''ok'' ✓')",
        )
        .await
        .expect("written");
    assert_eq!(
        dev.points("note").await,
        [(1_767_265_200_000, json!("Ölstand 'ok' ✓"))]
    );
}

#[tokio::test]
async fn a_time_series_row_becomes_a_time_series_with_its_metadata() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    client
        .batch_execute(
            "INSERT INTO time_series (external_id, name, is_string, is_step, metadata, unit, \
             description) VALUES ('pump', 'Pump', false, true, '{\"area\": \"7\"}', 'bar', NULL)",
        )
        .await
        .expect("written");
    let series = dev.series("pump").await;
    assert_eq!(series["name"], "Pump");
    assert_eq!(series["isStep"], true);
    assert_eq!(series["metadata"], json!({"area": "7"}));
    assert_eq!(series["unit"], "bar");
    assert!(series.get("description").is_none());
}

#[tokio::test]
async fn a_second_time_series_of_the_same_external_id_is_refused() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    let statement = "INSERT INTO time_series (external_id) VALUES ('pump')";
    client.batch_execute(statement).await.expect("written");
    let error = client
        .batch_execute(statement)
        .await
        .expect_err("it exists");
    assert_eq!(error.code().map(|code| code.code()), Some("23505"));
    let twice = "INSERT INTO time_series (external_id) VALUES ('twin'), ('twin')";
    let error = client
        .batch_execute(twice)
        .await
        .expect_err("it is doubled");
    assert_eq!(error.code().map(|code| code.code()), Some("23505"));
}

#[tokio::test]
async fn inserting_a_raw_table_makes_it_and_its_database() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    client
        .batch_execute(
            "INSERT INTO raw_tables (_raw_database, _raw_table) VALUES ('plant a', 'pumps/1')",
        )
        .await
        .expect("written");
    client
        .batch_execute(
            "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) \
             VALUES ('plant a', 'pumps/1', 'k/1', '{\"a\": [1, null, \"x\"]}')",
        )
        .await
        .expect("written");
    assert_eq!(
        dev.raw_row("plant%20a", "pumps%2F1", "k%2F1").await,
        Some(json!({"a": [1, null, "x"]}))
    );
}

#[tokio::test]
async fn a_read_only_column_cannot_be_written() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    let error = client
        .batch_execute("INSERT INTO time_series (id, external_id) VALUES (7, 'pump')")
        .await
        .expect_err("id is CDF's");
    assert_eq!(error.code().map(|code| code.code()), Some("428C9"));
}
