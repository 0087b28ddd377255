//! A journaled row is acknowledged once it is on disk, and ends in CDF whatever dies in between.

use super::gateway_process::GatewayProcess;
use bytes::Bytes;
use futures::SinkExt;
use serde_json::json;
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
    let rows = try_copy(client, series, values).await;
    assert_eq!(rows.expect("acknowledged"), values.len() as u64);
}

async fn try_copy(
    client: &Client,
    series: &str,
    values: &[f64],
) -> Result<u64, tokio_postgres::Error> {
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
            .await?
    );
    sink.send(Bytes::from(text)).await?;
    sink.finish().await
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
async fn statuses_and_instance_ids_survive_a_kill() {
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    let node = json!({"space": "plant", "externalId": "pump"});
    let made = json!({"items": [{"space": "plant"}]});
    gateway.post("models/spaces", made).await;
    let source = json!({"type": "view", "space": "cdf_cdm", "externalId": "CogniteTimeSeries",
                        "version": "v1"});
    let properties = json!({"type": "numeric", "isStep": false});
    gateway
        .post(
            "models/instances",
            json!({"items": [{"instanceType": "node", "space": "plant", "externalId": "pump",
                              "sources": [{"source": source, "properties": properties}]}]}),
        )
        .await;
    gateway.cdf_is_down().await;
    let client = gateway.connect().await;
    for (space, value, status) in [
        ("NULL", "1", "NULL"),
        ("'plant'", "NULL", "'BadNoData'"),
        ("'plant'", "'-Infinity'", "'Bad, Low'"),
    ] {
        let second = usize::from(status == "'Bad, Low'");
        client
            .batch_execute(&format!(
                "INSERT INTO cdf.double_datapoints \
                 (instance_space, external_id, timestamp, value, status_symbol) \
                 VALUES ({space}, 'pump', '{}', {value}, {status})",
                time(second)
            ))
            .await
            .expect("acknowledged");
    }
    gateway.kill_gateway();
    gateway.start_gateway();
    gateway.cdf_is_back().await;
    gateway.wait_for_points("pump", &points([1.0])).await;
    // A delivered statement stands behind what the journal still holds.
    let client = gateway.connect().await;
    client
        .batch_execute(
            "SET penstock.ack = 'delivered'; \
             INSERT INTO cdf.double_datapoints (instance_space, external_id, timestamp, value) \
             VALUES ('plant', 'pump', '2026-01-01 00:00:02+00', 3)",
        )
        .await
        .expect("delivered");
    let answer = gateway
        .post(
            "timeseries/data/list",
            json!({"items": [{"instanceId": node}], "start": 0, "end": 4_102_444_800_000_i64,
                   "includeStatus": true, "ignoreBadDataPoints": false,
                   "treatUncertainAsBad": false}),
        )
        .await;
    assert_eq!(
        answer["items"][0]["datapoints"],
        json!([
            {"timestamp": START_MS, "status": {"code": 0x809b_0000_u32, "symbol": "BadNoData"}},
            {"timestamp": START_MS + 1_000, "value": "-Infinity",
             "status": {"code": 0x8000_0500_u32, "symbol": "Bad, Low"}},
            {"timestamp": START_MS + 2_000, "value": 3.0},
        ])
    );
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

/// The lines of the file of rejected rows.
fn rejected(gateway: &GatewayProcess) -> Vec<serde_json::Value> {
    std::fs::read_to_string(gateway.journal().join("rejected.jsonl"))
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test]
async fn a_torn_tail_is_cut_off_and_a_flipped_bit_costs_one_record_and_is_reported() {
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    gateway.cdf_is_down().await;
    let client = gateway.connect().await;
    for second in 0..3 {
        insert(&client, "pump", second, second as f64).await;
    }
    gateway.kill_gateway();
    let segments = gateway.segments();
    let segment = segments
        .iter()
        .max_by_key(|path| path.metadata().map_or(0, |metadata| metadata.len()))
        .expect("a segment");
    let mut bytes = std::fs::read(segment).expect("readable");
    const HEADER: usize = 64;
    let record = (bytes.len() - HEADER) / 3;
    // A bit of the second record's rows, and the start of a fourth record.
    bytes[HEADER + record + record / 2] ^= 4;
    let start: Vec<u8> = bytes[HEADER..HEADER + 80].to_vec();
    bytes.extend_from_slice(&start);
    std::fs::write(segment, &bytes).expect("writable");
    let (code, report) = gateway.journal_command("verify");
    assert_eq!(code, Some(1), "{report}");
    assert!(report.contains("1 rows"), "{report}");
    assert!(report.contains("80 bytes at the end"), "{report}");
    gateway.start_gateway();
    gateway.cdf_is_back().await;
    let mut wanted = points([0.0, 1.0, 2.0]);
    wanted.remove(1);
    gateway.wait_for_points("pump", &wanted).await;
    assert_eq!(
        gateway.metric("penstock_journal_damaged_rows_total").await,
        1.0
    );
    let report = std::fs::read_to_string(gateway.journal().join("damaged/report.jsonl"))
        .expect("the damage is reported");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON, one line");
    assert_eq!(report["rows"], 1);
    assert_eq!(report["offset"], (HEADER + record) as u64);
}

#[tokio::test]
async fn at_its_bound_the_journal_refuses_or_waits_and_goes_on_by_itself() {
    let bound = "bytes_max = 4_194_304\nfeed_bytes_max = 1_048_576";
    let load: Vec<f64> = (0..86_000).map(f64::from).collect();
    for when_full in ["refuse", "wait"] {
        let gateway = GatewayProcess::start(&format!("{bound}\nwhen_full = \"{when_full}\""));
        gateway.create_series(&["pump"]).await;
        gateway.cdf_is_down().await;
        let client = gateway.connect().await;
        let mut refusal = None;
        if when_full == "refuse" {
            for _ in 0..6 {
                refusal = refusal.or(try_copy(&client, "pump", &load).await.err());
            }
            let refusal = refusal.expect("six loads do not fit");
            assert_eq!(refusal.code().map(|code| code.code()), Some("53400"));
            gateway.cdf_is_back().await;
        } else {
            let copies = tokio::spawn({
                let load = load.clone();
                async move {
                    for _ in 0..6 {
                        copy(&client, "pump", &load).await;
                    }
                }
            });
            let full = |bytes: f64| bytes > 3_000_000.0;
            gateway
                .wait_for_metric("penstock_journal_bytes ", full)
                .await;
            assert!(!copies.is_finished());
            gateway.cdf_is_back().await;
            copies.await.expect("acknowledged");
        }
        gateway.wait_for_points("pump", &points(load.clone())).await;
        gateway
            .wait_for_metric("penstock_journal_bytes ", |bytes| bytes < 1_500_000.0)
            .await;
        let client = gateway.connect().await;
        insert(&client, "pump", 0, -1.0).await;
    }
}

#[tokio::test]
async fn a_row_that_cdf_refuses_is_kept_with_its_reason_and_the_others_are_delivered() {
    let gateway = GatewayProcess::start("");
    gateway.create_series(&["pump"]).await;
    let client = gateway.connect().await;
    client
        .batch_execute(&format!(
            "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES \
             ('pump', '{at}', 1), ('nowhere', '{at}', 2)",
            at = time(0)
        ))
        .await
        .expect("acknowledged");
    gateway.wait_for_points("pump", &points([1.0])).await;
    let counted = "penstock_journal_rejected_rows_total";
    gateway.wait_for_metric(counted, |rows| rows >= 1.0).await;
    let rejected = rejected(&gateway);
    assert_eq!(rejected.len(), 1);
    assert_eq!(rejected[0]["sqlstate"], "23503");
    assert_eq!(rejected[0]["row"], 2);
    assert_eq!(rejected[0]["user"], "tester");
    assert_eq!(rejected[0]["values"]["external_id"], "nowhere");
    assert_eq!(rejected[0]["values"]["value"], 2.0);
}

#[tokio::test]
async fn rows_of_a_stopped_principal_are_parked_and_delivered_in_order_when_it_works_again() {
    let mut gateway = GatewayProcess::start("parked_retry_s = 1");
    gateway.create_series(&["pump"]).await;
    gateway
        .faults(json!([{ "operation": "datapoints.insert", "kind": "status", "status": 403 }]))
        .await;
    let client = gateway.connect().await;
    for value in 0..20 {
        insert(&client, "pump", value % 4, value as f64).await;
    }
    let stopped = "penstock_journal_identities_stopped";
    gateway
        .wait_for_metric(stopped, |stopped| stopped >= 1.0)
        .await;
    // They stay parked over a restart.
    gateway.kill_gateway();
    gateway.start_gateway();
    gateway
        .wait_for_metric(stopped, |stopped| stopped >= 1.0)
        .await;
    let client = gateway.connect().await;
    insert(&client, "pump", 4, 20.0).await;
    gateway.cdf_is_back().await;
    gateway
        .wait_for_points("pump", &points([16.0, 17.0, 18.0, 19.0, 20.0]))
        .await;
    gateway
        .wait_for_metric(stopped, |stopped| stopped == 0.0)
        .await;
    insert(&client, "pump", 0, 21.0).await;
    gateway
        .wait_for_points("pump", &points([21.0, 17.0, 18.0, 19.0, 20.0]))
        .await;
    assert_eq!(rejected(&gateway), [] as [serde_json::Value; 0]);
}

#[tokio::test]
async fn kills_in_mid_load_lose_no_acknowledged_row_and_no_order() {
    const KILLS: usize = 10;
    let mut gateway = GatewayProcess::start("");
    gateway.create_series(&["pump", "last"]).await;
    let mut acknowledged = Vec::new();
    let mut value = 0;
    for kill in 0..KILLS {
        if kill % 3 == 0 {
            gateway.cdf_is_down().await;
        } else {
            gateway.cdf_is_back().await;
        }
        let client = gateway.connect().await;
        let writer = tokio::spawn(async move {
            let mut written = Vec::new();
            loop {
                let row = format!(
                    "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES \
                     ('pump', '{}', {value}), ('last', '{}', {value})",
                    time(value),
                    time(0)
                );
                if client.batch_execute(&row).await.is_err() {
                    return (written, value);
                }
                written.push(value);
                value += 1;
            }
        });
        let received = "penstock_rows_received_total{table=\"double_datapoints\"}";
        let wanted = 40.0 * (kill + 1) as f64;
        gateway
            .wait_for_metric(received, |rows| rows >= wanted)
            .await;
        gateway.kill_gateway();
        let (written, next) = writer.await.expect("the writer ends with the gateway");
        acknowledged.extend(written);
        // The row under way may have been written or not.
        value = next + 1;
        gateway.start_gateway();
    }
    gateway.cdf_is_back().await;
    let last = *acknowledged.last().expect("something was acknowledged") as f64;
    let began = std::time::Instant::now();
    loop {
        let points = gateway.points("pump").await;
        let missing = acknowledged
            .iter()
            .filter(|value| {
                let at = START_MS + **value as i64 * 1000;
                points.binary_search_by_key(&at, |point| point.0).is_err()
            })
            .count();
        let newest = gateway
            .points("last")
            .await
            .first()
            .map_or(-1.0, |point| point.1);
        if missing == 0 && newest >= last {
            break;
        }
        assert!(
            began.elapsed().as_secs() < 60,
            "{missing} of {} acknowledged rows are missing; the last write is {newest}, not {last}",
            acknowledged.len()
        );
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_object_whose_creation_went_unanswered_is_made_once() {
    let mut gateway = GatewayProcess::start("");
    gateway
        .faults(
            json!([{ "operation": "time_series.create", "kind": "reset_after_commit",
                         "count": 1 },
                       { "operation": "time_series.create", "kind": "status", "status": 503 }]),
        )
        .await;
    let client = gateway.connect().await;
    client
        .batch_execute("INSERT INTO time_series (external_id, name) VALUES ('pump', 'A')")
        .await
        .expect("acknowledged");
    let retried = "penstock_retries_total{resource=\"time_series\",cause=\"timeout\"}";
    gateway
        .wait_for_metric(retried, |retries| retries >= 1.0)
        .await;
    gateway.kill_gateway();
    gateway.start_gateway();
    gateway.cdf_is_back().await;
    // Points that were acknowledged before the series was there find it.
    let client = gateway.connect().await;
    insert(&client, "pump", 0, 1.0).await;
    gateway.wait_for_points("pump", &points([1.0])).await;
    let settled = "penstock_rows_settled_total{resource=\"time_series\",verdict=\"accepted\"}";
    gateway.wait_for_metric(settled, |rows| rows >= 1.0).await;
    assert_eq!(rejected(&gateway), [] as [serde_json::Value; 0]);
}

#[tokio::test]
async fn points_wait_for_their_series_while_it_is_not_delivered_also_over_a_kill() {
    let mut gateway = GatewayProcess::start("");
    let down = json!([{ "operation": "time_series.create", "kind": "status", "status": 503 }]);
    gateway.faults(down).await;
    let client = gateway.connect().await;
    client
        .batch_execute("INSERT INTO time_series (external_id) VALUES ('new')")
        .await
        .expect("acknowledged");
    insert(&client, "new", 0, 1.0).await;
    let missed = "penstock_retries_total{resource=\"datapoints\",cause=\"missing\"}";
    gateway
        .wait_for_metric(missed, |retries| retries >= 1.0)
        .await;
    gateway.kill_gateway();
    gateway.start_gateway();
    gateway
        .wait_for_metric(missed, |retries| retries >= 1.0)
        .await;
    gateway.cdf_is_back().await;
    gateway.wait_for_points("new", &points([1.0])).await;
    assert_eq!(rejected(&gateway), [] as [serde_json::Value; 0]);
}

#[tokio::test]
async fn a_delivered_statement_behind_rows_that_cdf_keeps_failing_is_told_so_in_time() {
    let gateway = GatewayProcess::start("hold_max_s = 1");
    let client = gateway.connect().await;
    let raw = |table: &str| {
        format!(
            "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) \
             VALUES ('plant', '{table}', 'k', '{{}}')"
        )
    };
    gateway
        .faults(
            json!([{ "operation": "raw.rows.insert", "path_contains": "/tables/bad/",
                         "kind": "status", "status": 503 }]),
        )
        .await;
    client
        .batch_execute(&raw("bad"))
        .await
        .expect("acknowledged");
    client
        .batch_execute("SET penstock.ack = 'delivered'")
        .await
        .expect("the setting exists");
    let error = client
        .batch_execute(&raw("good"))
        .await
        .expect_err("the row before it is not in CDF");
    let error = error.as_db_error().expect("the gateway says why");
    assert_eq!(error.code().code(), "40003", "{error:?}");
    assert!(error.message().contains("journaled before"), "{error:?}");
}
