//! A row that COPY goes on without is a dead letter before the client is answered, and comes to
//! CDF once somebody has mended it.

use super::dev_process::DevProcess;
use super::gateway_process::GatewayProcess;
use super::letters_api::{Directory, TOKEN, call, command, json, letters, printed, start};
use bytes::Bytes;
use futures::SinkExt;
use serde_json::{Value, json};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_postgres::Client;

const COPY: &str =
    "COPY double_datapoints (external_id, timestamp, value) FROM STDIN WITH (ON_ERROR ignore)";

async fn copy(client: &Client, statement: &str, data: &str) -> Result<u64, tokio_postgres::Error> {
    let mut sink = pin!(client.copy_in::<_, Bytes>(statement).await?);
    sink.send(Bytes::from(data.to_owned())).await?;
    sink.finish().await
}

fn told(notices: &mut UnboundedReceiver<String>) -> Vec<String> {
    std::iter::from_fn(|| notices.try_recv().ok()).collect()
}

async fn values(dev: &DevProcess, series: &str) -> Vec<f64> {
    let points = dev.points(series).await;
    points
        .iter()
        .filter_map(|(_, value)| value.as_f64())
        .collect()
}

#[tokio::test]
async fn a_copy_goes_on_without_bad_rows_and_keeps_each_with_its_reason() {
    let directory = Directory::new();
    let dev = start(&directory);
    dev.create_series(&["pump"], false).await;
    let (client, mut notices) = dev.connect_with_notices().await;
    client
        .batch_execute("SET TimeZone = 'Asia/Tokyo'")
        .await
        .expect("set");
    let data = "pump\t2026-01-01\t1\n\
                pump\t2026-01-02\tmuch\n\
                nobody\t2026-01-03\t3\n\
                pump\tsomeday\t4\n\
                pump\t2026-01-05\t5\n";
    assert_eq!(copy(&client, COPY, data).await.expect("copied"), 2);
    assert_eq!(
        told(&mut notices),
        [
            "2 rows were skipped due to data type incompatibility",
            "1 row was skipped because CDF refused it",
        ]
    );
    assert_eq!(values(&dev, "pump").await, [1.0, 5.0]);
    let kept = letters(&dev.admin, "?table=double_datapoints").await;
    assert_eq!(kept.len(), 3, "{kept:?}");
    let first = &kept[0];
    assert_eq!(first["source"], "copy_ignored");
    assert_eq!(first["state"], "open");
    assert_eq!(first["user"], "tester");
    assert_eq!(
        (&first["line"], &first["column"]),
        (&json!(2), &json!("value"))
    );
    assert_eq!(first["sqlstate"], "22P02");
    assert_eq!(first["values"], json!(["pump", "2026-01-02", "much"]));
    assert_eq!(first["time_zone"], "Asia/Tokyo");
    assert_eq!(
        (&kept[1]["line"], &kept[1]["sqlstate"]),
        (&json!(4), &json!("22007"))
    );
    let refused = &kept[2];
    assert_eq!(refused["sqlstate"], "23503");
    assert_eq!(refused["cdf_code"], 400);
    assert!(refused["request_id"].is_string(), "{refused}");
    assert_eq!(refused["row_number"], 3);
    // Rows that CDF refused are rendered: their time names its zone.
    assert_eq!(
        refused["values"],
        json!(["3.0", "2026-01-02 15:00:00+00", "nobody"])
    );
}

#[tokio::test]
async fn verbosity_and_the_limit_are_those_of_postgresql() {
    let directory = Directory::new();
    let dev = start(&directory);
    dev.create_series(&["pump"], false).await;
    let (client, mut notices) = dev.connect_with_notices().await;
    let with = |options: &str| COPY.replace("ignore", &format!("ignore, {options}"));
    let csv = "external_id,timestamp,value\n\"pump\",2026-01-01,1\npump,2026-01-02,\"a\nb\"\n";
    let verbose = with("FORMAT csv, HEADER, LOG_VERBOSITY verbose");
    assert_eq!(copy(&client, &verbose, csv).await.expect("copied"), 1);
    assert_eq!(
        told(&mut notices),
        [
            "skipping row due to data type incompatibility at line 4 for column \"value\": \"a\nb\"",
            "1 row was skipped due to data type incompatibility",
        ]
    );
    let silent = with("LOG_VERBOSITY silent");
    let bad = "pump\t2026-01-01\tx\npump\t2026-01-01\ty\nnobody\t2026-01-01\t1\n";
    assert_eq!(copy(&client, &silent, bad).await.expect("copied"), 0);
    assert_eq!(told(&mut notices), Vec::<String>::new());
    let error = copy(&client, &with("REJECT_LIMIT 1"), bad)
        .await
        .expect_err("one too many");
    let error = error.as_db_error().expect("the gateway says why");
    assert_eq!(error.code().code(), "22P02");
    assert_eq!(
        error.message(),
        "skipped more than REJECT_LIMIT (1) rows due to data type incompatibility"
    );
    // What CDF refuses counts, too.
    let error = copy(&client, &with("REJECT_LIMIT 2"), bad)
        .await
        .expect_err("one too many");
    let error = error.as_db_error().expect("the gateway says why");
    assert_eq!(error.code().code(), "22P02");
    assert_eq!(
        copy(&client, &with("REJECT_LIMIT 3"), bad)
            .await
            .expect("copied"),
        0
    );
}

#[tokio::test]
async fn rows_of_a_rolled_back_block_are_no_letters_and_those_of_a_committed_one_are() {
    let directory = Directory::new();
    let dev = start(&directory);
    dev.create_series(&["pump"], false).await;
    let (client, mut notices) = dev.connect_with_notices().await;
    let data = "pump\t2026-01-01\tx\nnobody\t2026-01-02\t2\npump\t2026-01-03\t3\n";
    client.batch_execute("BEGIN").await.expect("begun");
    assert_eq!(copy(&client, COPY, data).await.expect("staged"), 2);
    client.batch_execute("ROLLBACK").await.expect("rolled back");
    assert!(letters(&dev.admin, "").await.is_empty());
    client
        .batch_execute("BEGIN; SAVEPOINT a")
        .await
        .expect("begun");
    copy(&client, COPY, data).await.expect("staged");
    client.batch_execute("ROLLBACK TO a").await.expect("back");
    copy(&client, COPY, data).await.expect("staged");
    told(&mut notices);
    client.batch_execute("COMMIT").await.expect("committed");
    assert_eq!(
        told(&mut notices),
        ["1 row was skipped because CDF refused it"]
    );
    assert_eq!(letters(&dev.admin, "").await.len(), 2);
    assert_eq!(values(&dev, "pump").await, [3.0]);
}

#[tokio::test]
async fn a_mended_letter_is_replayed_into_cdf_by_the_api() {
    let directory = Directory::new();
    let dev = start(&directory);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    client
        .batch_execute("SET TimeZone = 'Asia/Tokyo'")
        .await
        .expect("set");
    copy(&client, COPY, "pump\t2026-01-02\tmuch\n")
        .await
        .expect("copied");
    let id = letters(&dev.admin, "").await[0]["id"].clone();
    // As it is, it is refused again, and stays.
    let report = json(
        &dev.admin,
        "POST",
        "/replay",
        json!({"filter": {"ids": [id]}}),
    )
    .await;
    assert_eq!(report["letters"][0]["outcome"], "refused", "{report}");
    assert_eq!(report["letters"][0]["sqlstate"], "22P02");
    let path = format!("/{id}");
    let bad = json!({"values": ["pump", "2026-01-02", "lots"]}).to_string();
    let (status, text) = call(&dev.admin, "PUT", &path, Some(TOKEN), bad).await;
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("22P02"), "{text}");
    let edited = json(
        &dev.admin,
        "PUT",
        &path,
        json!({"values": ["pump", "2026-01-02", "7"]}),
    )
    .await;
    assert_eq!(edited["state"], "edited");
    let report = json(
        &dev.admin,
        "POST",
        "/replay",
        json!({"filter": {"ids": [id]}}),
    )
    .await;
    assert_eq!(report["letters"][0]["outcome"], "accepted", "{report}");
    // Midnight in the zone of the session that wrote it.
    assert_eq!(dev.points("pump").await, [(1_767_279_600_000, json!(7.0))]);
    let letter = json(&dev.admin, "GET", &path, Value::Null).await;
    assert_eq!(
        (&letter["state"], &letter["replays"]),
        (&json!("replayed"), &json!(2))
    );
    // A replayed letter is not replayed again, and not edited.
    let report = json(
        &dev.admin,
        "POST",
        "/replay",
        json!({"filter": {"ids": [id]}}),
    )
    .await;
    assert_eq!(report["letters"], json!([]));
    let again = json!({"values": ["pump", "2026-01-02", "8"]}).to_string();
    assert_eq!(
        call(&dev.admin, "PUT", &path, Some(TOKEN), again).await.0,
        409
    );
}

#[tokio::test]
async fn a_replay_is_held_back_where_the_key_was_written_since() {
    let directory = Directory::new();
    let dev = start(&directory);
    let client = dev.connect().await;
    copy(&client, COPY, "pump\t2026-01-01\t1\n")
        .await
        .expect("copied");
    let raw = "COPY raw_rows FROM STDIN WITH (ON_ERROR ignore)";
    copy(&client, raw, "db\tt\tk\tnot json\n")
        .await
        .expect("copied");
    let kept = letters(&dev.admin, "").await;
    let row = kept[1]["id"].clone();
    let values = json!({"values": ["db", "t", "k", "{\"a\": 1}"]});
    json(&dev.admin, "PUT", &format!("/{row}"), values).await;
    dev.create_series(&["pump"], false).await;
    client
        .batch_execute(
            "INSERT INTO double_datapoints (external_id, timestamp, value) \
             VALUES ('pump', '2026-01-01', 2); \
             INSERT INTO raw_rows VALUES ('db', 't', 'k', '{\"a\": 2}')",
        )
        .await
        .expect("written");
    let report = json(&dev.admin, "POST", "/replay", json!({})).await;
    for letter in report["letters"].as_array().expect("a list") {
        assert_eq!(letter["outcome"], "held_back", "{report}");
    }
    assert_eq!(self::values(&dev, "pump").await, [2.0]);
    let report = json(&dev.admin, "POST", "/replay", json!({"force": true})).await;
    for letter in report["letters"].as_array().expect("a list") {
        assert_eq!(letter["outcome"], "accepted", "{report}");
    }
    assert_eq!(self::values(&dev, "pump").await, [1.0]);
    assert_eq!(dev.raw_row("db", "t", "k").await, Some(json!({"a": 1})));
}

#[tokio::test]
async fn letters_are_listed_mended_and_replayed_by_the_command_line() {
    let directory = Directory::new();
    let dev = start(&directory);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    copy(
        &client,
        COPY,
        "pump\t2026-01-01\tx\nnobody\t2026-01-02\t2\n",
    )
    .await
    .expect("copied");
    let at = ["--http", dev.admin.as_str()];
    let with = |arguments: &[&str]| -> Vec<String> {
        arguments
            .iter()
            .chain(&at)
            .map(|text| (*text).to_owned())
            .collect()
    };
    let run = |arguments: &[&str]| {
        let all = with(arguments);
        printed(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let list = run(&["list"]);
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(list.contains("22P02") && list.contains("23503"), "{list}");
    assert_eq!(run(&["list", "--sqlstate", "23503"]).lines().count(), 2);
    let kept = letters(&dev.admin, "").await;
    let (bad, refused) = (kept[0]["id"].to_string(), kept[1]["id"].to_string());
    assert!(run(&["show", &refused]).contains("nobody"));
    run(&["edit", &bad, "value=1.5"]);
    // The other one is mended in an export.
    let export = run(&[
        "export",
        "--format",
        "csv",
        "--table",
        "double_datapoints",
        "--id",
        &refused,
    ]);
    let file = format!("{}/edited.csv", directory.path());
    std::fs::write(&file, export.replace("nobody", "pump")).expect("writable");
    let imported = run(&["import", "--format", "csv", &file]);
    assert_eq!(imported.trim(), "Read 1 letters, edited 1.");
    assert_eq!(run(&["replay", "--all"]).trim(), "2 replayed, 0 not.");
    assert_eq!(values(&dev, "pump").await, [1.5, 2.0]);
    // Without the gateway, on its directory.
    let lines = printed(&["export", "--directory", directory.path()]);
    assert_eq!(lines.lines().count(), 2);
    let first: Value = serde_json::from_str(lines.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["state"], "replayed");
    assert!(
        !command(&["purge", "--http", &dev.admin]).status.success(),
        "no filter"
    );
    run(&["purge", "--state", "replayed"]);
    assert_eq!(run(&["list"]).lines().count(), 1);
}

#[tokio::test]
async fn nobody_sees_or_changes_rows_without_the_token() {
    let directory = Directory::new();
    let dev = start(&directory);
    dev.create_series(&["pump"], false).await;
    let client = dev.connect().await;
    copy(&client, COPY, "pump\t2026-01-01\tsecret\n")
        .await
        .expect("copied");
    for token in [None, Some("0123456789abcdeg"), Some("")] {
        for (method, path) in [
            ("GET", ""),
            ("GET", "/1"),
            ("PUT", "/1"),
            ("GET", "/export"),
            ("POST", "/import"),
            ("POST", "/replay"),
            ("POST", "/purge"),
        ] {
            let (status, text) = call(&dev.admin, method, path, token, "{}".to_owned()).await;
            assert_eq!(status, 401, "{method} {path}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
    let (status, text) = call(&dev.admin, "POST", "/purge", Some(TOKEN), "{}".to_owned()).await;
    assert_eq!(status, 400, "{text}");
    let (status, text) = call(&dev.admin, "GET", "?tabel=x", Some(TOKEN), String::new()).await;
    assert_eq!(status, 400, "{text}");
    assert_eq!(letters(&dev.admin, "").await.len(), 1);
}

#[tokio::test]
async fn letters_outlive_a_kill_right_after_the_answer() {
    let directory = Directory::new();
    let dev = start(&directory);
    let client = dev.connect().await;
    let data: String = (0..3000)
        .map(|n| format!("pump\t2026-01-01\tx{n}\n"))
        .collect();
    assert_eq!(copy(&client, COPY, &data).await.expect("copied"), 0);
    dev.kill();
    let dev = start(&directory);
    let export = call(&dev.admin, "GET", "/export", Some(TOKEN), String::new()).await;
    assert_eq!(export.1.lines().count(), 3000);
    let metrics = reqwest::get(format!("http://{}/metrics", dev.admin))
        .await
        .expect("the gateway answers")
        .text()
        .await
        .expect("a body");
    assert!(
        metrics.contains("\npenstock_dead_letters_open 3000\n"),
        "{metrics}"
    );
    assert_eq!(dev.terminate(), Some(0));
    assert_eq!(
        printed(&["export", "--directory", directory.path()])
            .lines()
            .count(),
        3000
    );
}

#[tokio::test]
async fn without_a_store_a_copy_that_could_go_on_is_refused() {
    let dev = DevProcess::start(&[]);
    let client = dev.connect().await;
    let error = client
        .batch_execute(COPY)
        .await
        .expect_err("there is no store");
    let error = error.as_db_error().expect("the gateway says why");
    assert_eq!(error.code().code(), "0A000");
    assert!(
        error
            .hint()
            .is_some_and(|hint| hint.contains("dead_letters.directory"))
    );
    client
        .batch_execute("SELECT 1")
        .await
        .expect("the connection goes on");
}

/// Waits until there are `count` letters, which come after the client was answered.
pub async fn wait_for_letters(address: &str, count: usize) -> Vec<Value> {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let kept = letters(address, "").await;
        if kept.len() >= count {
            assert_eq!(kept.len(), count, "{kept:?}");
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
async fn a_journaled_row_that_cdf_refuses_is_one_letter_until_it_is_replayed() {
    let sections = format!("[dead_letters]\ndirectory = \"letters\"\n[admin]\ntoken = \"{TOKEN}\"");
    let mut gateway = GatewayProcess::start(&sections);
    gateway.create_series(&["pump"]).await;
    let client = gateway.connect().await;
    client
        .batch_execute("SET penstock.ack = 'journaled'")
        .await
        .expect("there is a journal");
    for (series, value) in [("pump", 1), ("nobody", 2), ("pump", 3)] {
        client
            .batch_execute(&format!(
                "INSERT INTO double_datapoints (external_id, timestamp, value) \
                 VALUES ('{series}', '2026-01-01 00:00:00+00', {value})"
            ))
            .await
            .expect("acknowledged");
    }
    let kept = wait_for_letters(gateway.http_address(), 1).await;
    assert_eq!(kept[0]["source"], "journaled");
    assert_eq!(kept[0]["sqlstate"], "23503");
    assert_eq!(kept[0]["user"], "tester");
    assert!(kept[0]["acknowledged"].is_string(), "{kept:?}");
    assert_eq!(
        kept[0]["values"],
        json!(["2.0", "2026-01-01 00:00:00+00", "nobody"])
    );
    gateway
        .wait_for_points("pump", &[(1_767_225_600_000, 3.0)])
        .await;
    gateway.kill_gateway();
    gateway.start_gateway();
    // The store is asked for what it had at its start: what comes again is the same letter.
    let kept = wait_for_letters(gateway.http_address(), 1).await;
    gateway.create_series(&["nobody"]).await;
    let filter = json!({"filter": {"ids": [kept[0]["id"]]}});
    let report = json(gateway.http_address(), "POST", "/replay", filter).await;
    assert_eq!(report["letters"][0]["outcome"], "accepted", "{report}");
    gateway
        .wait_for_points("nobody", &[(1_767_225_600_000, 2.0)])
        .await;
}
