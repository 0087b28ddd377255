//! Rows of custom tables, and RAW rows, changed and deleted by their keys.

use super::custom_tables::{client, copy, instance, model};
use super::dead_letters::wait_for_letters;
use super::gateway_process::GatewayProcess;
use super::letters_api::{TOKEN, json as admin};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// The columns of a RAW row; null where there is none.
async fn row(gateway: &GatewayProcess, key: &str) -> Value {
    let page = gateway
        .get("raw/dbs/plant/tables/pumps/rows?limit=10000")
        .await;
    let rows = page["items"].as_array().expect("a page of rows");
    let row = rows.iter().find(|row| row["key"] == json!(key));
    row.map_or(Value::Null, |row| row["columns"].clone())
}

/// A table of RAW rows with `id BIGINT`, `name` and `notes JSON`, and a client that writes it.
async fn notes(gateway: &GatewayProcess) -> Client {
    let (made, said) = gateway.create_table(&json!({
        "type": "raw_rows", "tablename": "notes",
        "options": {"database": "plant", "table": "pumps", "primaryKey": "id"},
        "columns": {"id": {"type": "BIGINT"}, "name": {"type": "TEXT"}, "notes": {"type": "JSON"}}
    }));
    assert!(made, "{said}");
    gateway.wait_for_table("notes").await;
    client(gateway).await
}

/// Counts of statements, from their tags.
async fn counts(client: &Client, statements: &[&str]) -> Vec<u64> {
    let mut counts = Vec::new();
    for statement in statements {
        let count = client.execute(*statement, &[]).await;
        counts.push(count.unwrap_or_else(|error| panic!("{statement}: {error:?}")));
    }
    counts
}

#[tokio::test]
async fn an_update_of_a_raw_row_sets_cells_and_keeps_those_that_no_column_names() {
    let gateway = GatewayProcess::start("");
    let client = notes(&gateway).await;
    gateway
        .post(
            "raw/dbs/plant/tables/pumps/rows?ensureParent=true",
            json!({"items": [{"key": "1", "columns": {"other": [1], "id": 1, "name": "old", "notes": 5}}]}),
        )
        .await;
    assert_eq!(
        counts(
            &client,
            &[
                "UPDATE notes SET name = 'new', notes = NULL WHERE id = 1",
                "UPDATE notes SET name = 'x' WHERE id IN (1, 2)",
                "UPDATE notes SET notes = 'null' WHERE id = ANY ('{1}')",
                "UPDATE notes SET name = 'x' WHERE id = 7",
                "UPDATE notes SET name = 'x' WHERE id = NULL",
            ]
        )
        .await,
        [1, 1, 1, 0, 0]
    );
    assert_eq!(
        row(&gateway, "1").await,
        json!({"other": [1], "id": 1, "name": "x", "notes": null})
    );
    let returned = client
        .query(
            "UPDATE notes SET name = 'y' WHERE id IN (1, 7) RETURNING id, name",
            &[],
        )
        .await
        .expect("updated");
    let returned: Vec<(i64, String)> = returned
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert_eq!(returned, [(1, "y".to_owned())]);
    let refused = client
        .query(
            "UPDATE notes SET name = 'y' WHERE id = 1 RETURNING notes",
            &[],
        )
        .await
        .expect_err("nobody sent it");
    assert_eq!(refused.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED));
    assert_eq!(
        counts(
            &client,
            &[
                "DELETE FROM notes WHERE id IN (1, 2)",
                "DELETE FROM notes WHERE id = 1"
            ]
        )
        .await,
        [2, 1]
    );
    assert_eq!(row(&gateway, "1").await, Value::Null);
}

#[tokio::test]
async fn all_raw_rows_are_replaced_and_deleted_by_their_whole_key() {
    let gateway = GatewayProcess::start("");
    let client = client(&gateway).await;
    let key = "_raw_database = 'plant' AND _raw_table = 'pumps' AND _raw_key";
    assert_eq!(
        counts(
            &client,
            &[
                // Neither the database nor the table is there.
                &format!("DELETE FROM raw_rows WHERE {key} = 'k'"),
                &format!("UPDATE raw_rows SET _raw_columns = '{{}}' WHERE {key} = 'k'"),
                "INSERT INTO raw_rows VALUES ('plant', 'pumps', 'k', '{\"a\": 1}')",
                &format!(
                    "UPDATE raw_rows SET _raw_columns = '{{\"b\": 2}}' WHERE {key} IN ('k', 'l')"
                ),
            ]
        )
        .await,
        [1, 0, 1, 1]
    );
    assert_eq!(row(&gateway, "k").await, json!({"b": 2}));
    assert_eq!(
        counts(
            &client,
            &[&format!(
                "DELETE FROM raw_rows WHERE {key} = ANY ('{{k,l}}')"
            )]
        )
        .await,
        [2]
    );
    assert_eq!(row(&gateway, "k").await, Value::Null);
    let refused = client
        .batch_execute("DELETE FROM raw_rows WHERE _raw_key = 'k'")
        .await
        .expect_err("in which table?");
    assert_eq!(refused.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED));
    assert!(
        refused
            .as_db_error()
            .is_some_and(|error| error.hint().is_some())
    );
}

#[tokio::test]
async fn a_custom_raw_table_is_emptied_between_the_writes_around_it() {
    let gateway = GatewayProcess::start("");
    let client = notes(&gateway).await;
    let lines: String = (0..2500).map(|id| format!("{id}\tn\t\\N\n")).collect();
    assert_eq!(copy(&client, "COPY notes FROM STDIN", &lines).await, 2500);
    assert_eq!(counts(&client, &["DELETE FROM notes"]).await, [2500]);
    client
        .batch_execute("TRUNCATE notes")
        .await
        .expect("nothing is there");
    copy(
        &client,
        "COPY notes FROM STDIN",
        "1\told\t\\N\n2\told\t\\N\n",
    )
    .await;
    // A loader that empties its table first, in one transaction.
    client
        .batch_execute(
            "BEGIN; TRUNCATE TABLE notes; INSERT INTO notes (id, name) VALUES (2, 'new'), (3, 'new'); \
             UPDATE notes SET name = 'newer' WHERE id IN (1, 3); DELETE FROM notes WHERE id = 2; COMMIT",
        )
        .await
        .expect("committed");
    for (key, expected) in [
        ("1", Value::Null),
        ("2", Value::Null),
        ("3", json!({"id": 3, "name": "newer"})),
    ] {
        assert_eq!(row(&gateway, key).await, expected, "{key}");
    }
    client
        .batch_execute("BEGIN; DELETE FROM notes; ROLLBACK")
        .await
        .expect("rolled back");
    assert_eq!(row(&gateway, "3").await["name"], json!("newer"));
}

#[tokio::test]
async fn journaled_changes_take_effect_in_their_order_after_a_crash() {
    let mut gateway = GatewayProcess::start("");
    drop(notes(&gateway).await);
    let client = gateway.connect().await;
    gateway
        .post(
            "raw/dbs/plant/tables/pumps/rows?ensureParent=true",
            json!({"items": [{"key": "1", "columns": {"other": 1}}, {"key": "9", "columns": {}}]}),
        )
        .await;
    let down = |operation: &str| json!({"operation": operation, "kind": "status", "status": 503});
    let operations = [
        "raw.rows.insert",
        "raw.rows.get",
        "raw.rows.list",
        "raw.rows.delete",
    ];
    gateway
        .faults(operations.map(down).into_iter().collect())
        .await;
    client
        .batch_execute(
            "INSERT INTO notes (id, name) VALUES (2, 'a'); UPDATE notes SET name = 'b' WHERE id IN (1, 2); \
             DELETE FROM notes WHERE id = 1",
        )
        .await
        .expect("acknowledged");
    client
        .batch_execute("TRUNCATE notes")
        .await
        .expect("acknowledged");
    client
        .batch_execute("INSERT INTO notes (id, name) VALUES (3, 'c'), (4, 'd')")
        .await
        .expect("acknowledged");
    client
        .batch_execute("UPDATE notes SET name = 'e' WHERE id = 3")
        .await
        .expect("acknowledged");
    client
        .batch_execute("DELETE FROM notes WHERE id = 4")
        .await
        .expect("acknowledged");
    gateway.kill_gateway();
    gateway.start_gateway();
    gateway.cdf_is_back().await;
    let began = Instant::now();
    while row(&gateway, "3").await != json!({"id": 3, "name": "e"})
        || row(&gateway, "4").await != Value::Null
    {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the rows never arrive"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for key in ["1", "2", "9"] {
        assert_eq!(row(&gateway, key).await, Value::Null, "{key}");
    }
}

#[tokio::test]
async fn instances_are_changed_cleared_and_deleted_by_space_and_external_id() {
    let gateway = GatewayProcess::start("");
    model(&gateway).await;
    let view = |name: &str, view: &str| json!({"type": "view", "tablename": name, "options": {"space": "plant", "externalId": view}});
    for (name, of) in [("pumps", "Pump"), ("flows", "Flow")] {
        let (made, said) = gateway.create_table(&view(name, of));
        assert!(made, "{said}");
        gateway.wait_for_table(name).await;
    }
    let client = client(&gateway).await;
    let node = |name: &str| json!({"space": "plant", "externalId": name}).to_string();
    let edge = format!(
        "INSERT INTO flows VALUES ('plant', 'f1', '{}', '{}', '{}', 1.25)",
        node("flows-to"),
        node("a"),
        node("b")
    );
    assert_eq!(
        counts(
            &client,
            &[
                "INSERT INTO pumps (space, external_id, name, power) VALUES ('plant', 'p1', 'n', 1), ('plant', 'p2', 'n', 2)",
                &edge,
                "UPDATE pumps SET name = NULL, power = 3 WHERE space = 'plant' AND external_id IN ('p1', 'none')",
                "UPDATE flows SET rate = 2 WHERE external_id = 'f1' AND space = 'plant'",
                "UPDATE pumps SET name = 'x' WHERE space = 'plant' AND external_id = 'none'",
                "INSERT INTO pumps (space, external_id, name) VALUES ('plant', 'p1', 'late'), ('plant', 'p3', 'new') ON CONFLICT DO NOTHING",
                "INSERT INTO pumps (space, external_id, name) VALUES ('plant', 'p2', 'm'), ('plant', 'p4', 'm') \
                 ON CONFLICT (space, external_id) DO UPDATE SET name = excluded.name",
                // A null leaves what is there.
                "INSERT INTO pumps (space, external_id, name, power) VALUES ('plant', 'p2', NULL, 4)",
            ]
        )
        .await,
        [2, 1, 1, 1, 0, 1, 2, 1]
    );
    let properties = |item: &Value, view: &str| item["properties"]["plant"][view].clone();
    for (name, expected) in [
        ("p1", json!({"power": 3.0})),
        ("p2", json!({"name": "m", "power": 4.0})),
        ("p3", json!({"name": "new"})),
        ("p4", json!({"name": "m"})),
    ] {
        let pump = instance(&gateway, "node", "Pump", name).await;
        assert_eq!(properties(&pump, "Pump/v1"), expected, "{name}");
    }
    assert!(instance(&gateway, "node", "Pump", "none").await.is_null());
    let flow = instance(&gateway, "edge", "Flow", "f1").await;
    assert_eq!(properties(&flow, "Flow/v1"), json!({"rate": 2.0}));
    assert_eq!(
        flow["endNode"],
        json!({"space": "plant", "externalId": "b"})
    );
    let rows = client
        .query(
            "UPDATE pumps SET name = 'r' WHERE space = 'plant' AND external_id IN ('p1', 'none') \
             RETURNING external_id, name",
            &[],
        )
        .await
        .expect("updated");
    let rows: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows, [("p1".to_owned(), "r".to_owned())]);
    assert_eq!(
        counts(
            &client,
            &[
                "DELETE FROM pumps WHERE space = 'plant' AND external_id = ANY ('{p1,p2,none}')",
                "DELETE FROM flows WHERE space = 'plant' AND external_id = 'f1'",
                "DELETE FROM flows WHERE space = 'plant' AND external_id = 'f1'",
            ]
        )
        .await,
        [2, 1, 0]
    );
    assert!(instance(&gateway, "node", "Pump", "p1").await.is_null());
    assert!(instance(&gateway, "edge", "Flow", "f1").await.is_null());
    for refused in [
        "UPDATE pumps SET name = 'x' WHERE external_id = 'p3'",
        "UPDATE pumps SET space = 'x' WHERE external_id = 'p3' AND space = 'plant'",
        "UPDATE flows SET start_node = '{}' WHERE external_id = 'f1' AND space = 'plant'",
        "UPDATE pumps SET name = 'x' WHERE name = 'y'",
    ] {
        let error = client.batch_execute(refused).await.expect_err(refused);
        assert_eq!(
            error.code(),
            Some(&SqlState::FEATURE_NOT_SUPPORTED),
            "{refused}"
        );
    }
    for refused in ["DELETE FROM pumps", "TRUNCATE flows"] {
        let error = client.batch_execute(refused).await.expect_err(refused);
        assert_eq!(
            error.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn doing_nothing_on_raw_rows_wants_a_setting_and_then_skips_what_exists() {
    let gateway = GatewayProcess::start("");
    let strict = notes(&gateway).await;
    let statement = "INSERT INTO notes (id, name) VALUES (1, 'late'), (2, 'new'), (2, 'newer') \
                     ON CONFLICT (id) DO NOTHING";
    let refused = strict
        .batch_execute(statement)
        .await
        .expect_err("nobody reads");
    assert_eq!(refused.code(), Some(&SqlState::FEATURE_NOT_SUPPORTED));
    let gateway = GatewayProcess::start("[statements]\non_conflict_reads = true\n");
    let client = notes(&gateway).await;
    let returning = format!("{statement} RETURNING id, name");
    assert_eq!(
        counts(&client, &["INSERT INTO notes (id, name) VALUES (1, 'old')"]).await,
        [1]
    );
    let rows = client.query(returning.as_str(), &[]).await.expect("made");
    let rows: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(rows, [(2, "new".to_owned())]);
    assert_eq!(row(&gateway, "1").await["name"], json!("old"));
    assert_eq!(row(&gateway, "2").await["name"], json!("new"));
    assert_eq!(
        counts(
            &client,
            &["INSERT INTO raw_rows VALUES ('plant', 'pumps', '1', '{}'), ('plant', 'pumps', '5', '{}') ON CONFLICT DO NOTHING"]
        )
        .await,
        [1]
    );
}

#[tokio::test]
async fn a_refused_change_is_a_letter_that_changes_the_row_when_it_is_replayed() {
    let sections = format!("[dead_letters]\ndirectory = \"letters\"\n[admin]\ntoken = \"{TOKEN}\"");
    let gateway = GatewayProcess::start(&sections);
    drop(notes(&gateway).await);
    let client = gateway.connect().await;
    gateway
        .post(
            "raw/dbs/plant/tables/pumps/rows?ensureParent=true",
            json!({"items": [{"key": "1", "columns": {"other": 1, "notes": 2}}, {"key": "2", "columns": {}}]}),
        )
        .await;
    let refuse = |operation: &str| json!({"operation": operation, "kind": "status", "status": 400});
    let operations = ["raw.rows.insert", "raw.rows.delete"];
    gateway
        .faults(operations.map(refuse).into_iter().collect())
        .await;
    client
        .batch_execute("UPDATE notes SET name = 'new', notes = NULL WHERE id = 1")
        .await
        .expect("acknowledged");
    client
        .batch_execute("DELETE FROM notes WHERE id = 2")
        .await
        .expect("acknowledged");
    let letters = wait_for_letters(gateway.http_address(), 2).await;
    let mut told: Vec<(&str, &str, usize)> = letters
        .iter()
        .map(|letter| {
            let text = |name: &str| letter[name].as_str().unwrap_or_default();
            let columns = letter["columns"].as_array().map_or(0, Vec::len);
            (text("table"), text("action"), columns)
        })
        .collect();
    // They are of two keys, which have no order.
    told.sort_unstable();
    assert_eq!(told, [("raw_rows", "delete", 3), ("raw_rows", "merge", 4)]);
    gateway.cdf_is_back().await;
    // The rows were written by the test within the difference that clocks may have.
    let all = json!({"filter": {}, "force": true});
    let report = admin(gateway.http_address(), "POST", "/replay", all).await;
    for letter in report["letters"].as_array().expect("letters") {
        assert_eq!(letter["outcome"], "accepted", "{report}");
    }
    assert_eq!(row(&gateway, "1").await, json!({"other": 1, "name": "new"}));
    assert_eq!(row(&gateway, "2").await, Value::Null);
}
