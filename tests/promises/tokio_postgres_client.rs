//! tokio-postgres as a client: prepared statements, pipelines, COPY in the extended protocol.

use super::dev_process::DevProcess;
use bytes::Bytes;
use futures::SinkExt;
use std::pin::pin;
use std::time::{Duration, SystemTime};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

const EPOCH_MS: i64 = 1_767_225_600_000;

fn instant(ms: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(ms as u64)
}

#[tokio::test]
async fn a_prepared_insert_writes_one_datapoint_an_execution() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    let statement = client
        .prepare(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)",
        )
        .await
        .expect("prepared");
    assert_eq!(
        statement.params(),
        [Type::VARCHAR, Type::TIMESTAMPTZ, Type::FLOAT8]
    );
    for index in 0..3_i64 {
        let written = client
            .execute(
                &statement,
                &[&"pump", &instant(EPOCH_MS + index), &(index as f64 + 0.5)],
            )
            .await
            .expect("written");
        assert_eq!(written, 1);
    }
    let points = dev.points("pump").await;
    assert_eq!(points.len(), 3);
    assert_eq!(points[2], (EPOCH_MS + 2, 2.5.into()));
}

#[tokio::test]
async fn pipelined_executions_are_all_written_and_share_requests() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    let statement = client
        .prepare(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)",
        )
        .await
        .expect("prepared");
    let rows: Vec<(SystemTime, f64)> = (0..500)
        .map(|index| (instant(EPOCH_MS + index), index as f64))
        .collect();
    let executions = rows.iter().map(|(timestamp, value)| {
        let (client, statement) = (&client, &statement);
        async move {
            client
                .execute(statement, &[&"pump", timestamp, value])
                .await
        }
    });
    for result in futures::future::join_all(executions).await {
        assert_eq!(result.expect("written"), 1);
    }
    assert_eq!(dev.points("pump").await.len(), 500);
}

#[tokio::test]
async fn a_binary_copy_in_the_extended_protocol_is_written() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    let sink = client
        .copy_in("COPY double_datapoints (external_id, timestamp, value) FROM STDIN BINARY")
        .await
        .expect("copy starts");
    let mut writer = pin!(BinaryCopyInWriter::new(
        sink,
        &[Type::VARCHAR, Type::TIMESTAMPTZ, Type::FLOAT8]
    ));
    for index in 0..20_000_i64 {
        writer
            .as_mut()
            .write(&[&"pump", &instant(EPOCH_MS + index), &(index as f64)])
            .await
            .expect("row written");
    }
    assert_eq!(writer.finish().await.expect("copied"), 20_000);
    let points = dev.points("pump").await;
    assert_eq!(points.len(), 20_000);
    assert_eq!(points[19_999], (EPOCH_MS + 19_999, 19_999.0.into()));
}

#[tokio::test]
async fn a_text_copy_of_raw_rows_is_written_as_the_client_wrote_it() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    let mut sink = pin!(
        client
            .copy_in::<_, Bytes>(
                "COPY raw_rows (_raw_key, _raw_database, _raw_table, _raw_columns) FROM STDIN"
            )
            .await
            .expect("copy starts")
    );
    for index in 0..25_000 {
        let line = format!("k{index}\tplant\tpumps\t{{\"n\": {index}, \"s\": \"a\\\\\"b\"}}\n");
        sink.send(Bytes::from(line)).await.expect("sent");
    }
    assert_eq!(sink.finish().await.expect("copied"), 25_000);
    for key in ["k0", "k12345", "k24999"] {
        let columns = dev
            .raw_row("plant", "pumps", key)
            .await
            .expect("the row exists");
        let number: i64 = key[1..].parse().expect("a number");
        assert_eq!(columns, serde_json::json!({"n": number, "s": "a\"b"}));
    }
}

#[tokio::test]
async fn a_failed_statement_leaves_the_connection_usable() {
    let dev = DevProcess::start(&[]);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    let error = client
        .execute("INSERT INTO no_such_table (a) VALUES (1)", &[])
        .await
        .expect_err("no such table");
    assert_eq!(error.code().map(|code| code.code()), Some("42P01"));
    let error = client
        .execute("INSERT INTO double_datapoints (nothing) VALUES (1)", &[])
        .await
        .expect_err("no such column");
    assert_eq!(error.code().map(|code| code.code()), Some("42703"));
    let one = client.query_one("SELECT 1", &[]).await.expect("answered");
    assert_eq!(one.get::<_, i32>(0), 1);
}

#[tokio::test]
async fn what_was_written_is_read_back_in_binary() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    let written = client
        .execute(
            "INSERT INTO time_series (external_id, name, is_string, security_categories) \
             VALUES ($1, $2, $3, $4)",
            &[&"pump", &"Ærlig \"pumpe\"", &false, &vec![1_i64, 1 << 40]],
        )
        .await
        .expect("written");
    assert_eq!(written, 1);
    let at = instant(EPOCH_MS + 123);
    client
        .execute(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ($1, $2, $3)",
            &[&"pump", &at, &0.1],
        )
        .await
        .expect("written");
    let row = client
        .query_one(
            "SELECT s.id, s.name, s.is_string, s.security_categories, p.timestamp, p.value, \
             s.unit, s.created_time > $2 AS is_new FROM time_series s \
             JOIN double_datapoints p ON p.external_id = s.external_id \
             WHERE s.external_id = $1 AND p.external_id = $1",
            &[&"pump", &instant(EPOCH_MS)],
        )
        .await
        .expect("read");
    let types: Vec<Type> = row
        .columns()
        .iter()
        .map(|column| column.type_().clone())
        .collect();
    assert_eq!(
        types,
        [
            Type::INT8,
            Type::VARCHAR,
            Type::BOOL,
            Type::INT8_ARRAY,
            Type::TIMESTAMPTZ,
            Type::FLOAT8,
            Type::VARCHAR,
            Type::BOOL
        ]
    );
    assert!(row.get::<_, i64>(0) > 0);
    assert_eq!(row.get::<_, &str>(1), "Ærlig \"pumpe\"");
    assert!(!row.get::<_, bool>(2));
    assert_eq!(row.get::<_, Vec<i64>>(3), [1, 1 << 40]);
    assert_eq!(row.get::<_, SystemTime>(4), at);
    assert_eq!(row.get::<_, f64>(5).to_bits(), 0.1_f64.to_bits());
    assert_eq!(row.get::<_, Option<&str>>(6), None);
    assert!(row.get::<_, bool>(7));
}

#[tokio::test]
async fn a_client_whose_connection_was_ended_knows_it_and_another_one_is_had() {
    let dev = DevProcess::start(&[]);
    let (client, mut notices) = dev.connect_with_notices().await;
    client
        .batch_execute("SET idle_session_timeout = 100")
        .await
        .expect("set");
    // The other side of the channel goes with the connection.
    while notices.recv().await.is_some() {}
    assert!(client.is_closed());
    assert!(client.query("SELECT 1", &[]).await.is_err());
    let again = dev.connect().await;
    let one = again.query_one("SELECT 1", &[]).await.expect("answered");
    assert_eq!(one.get::<_, i32>(0), 1);
}
