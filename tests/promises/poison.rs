//! Rows that CDF fails with again and again while it takes others.

use super::gateway_process::GatewayProcess;
use super::letters_api::{TOKEN, letters};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_row_that_cdf_fails_with_while_it_takes_others_becomes_a_letter() {
    let sections = format!("[dead_letters]\ndirectory = \"letters\"\n[admin]\ntoken = \"{TOKEN}\"");
    let gateway = GatewayProcess::start(&sections);
    gateway
        .faults(
            json!([{ "operation": "raw.rows.insert", "path_contains": "/tables/bad/",
                         "kind": "status", "status": 500 }]),
        )
        .await;
    let client = gateway.connect().await;
    client
        .batch_execute("SET penstock.ack = 'journaled'")
        .await
        .expect("there is a journal");
    let insert = |table: &str, key: u64| {
        format!(
            "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) \
             VALUES ('plant', '{table}', '{key}', '{{}}')"
        )
    };
    for key in 0..2 {
        client
            .batch_execute(&insert("bad", key))
            .await
            .expect("acknowledged");
    }
    // Others get through meanwhile: that is what tells a bad row from a CDF that is down.
    let patience = Instant::now() + Duration::from_secs(60);
    let mut key = 0;
    while letters(gateway.http_address(), "").await.len() < 2 {
        assert!(Instant::now() < patience, "the rows are still repeated");
        key += 1;
        client
            .batch_execute(&insert("good", key))
            .await
            .expect("acknowledged");
    }
    let kept = letters(gateway.http_address(), "").await;
    assert_eq!(kept[0]["sqlstate"], "HV000", "{kept:?}");
    assert_eq!(kept[0]["cdf_code"], 500, "{kept:?}");
}
