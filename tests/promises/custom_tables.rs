//! Tables that users define: made by a command, written by a client, found in CDF.

use super::gateway_process::GatewayProcess;
use bytes::Bytes;
use futures::SinkExt;
use serde_json::{Value, json};
use std::pin::pin;
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

pub async fn copy(client: &Client, statement: &str, text: &str) -> u64 {
    let sink = client.copy_in::<_, Bytes>(statement).await;
    let mut sink = pin!(sink.expect("COPY begins"));
    let data = Bytes::copy_from_slice(text.as_bytes());
    sink.send(data).await.expect("taken");
    sink.finish().await.expect("written")
}

/// A client whose rows are in CDF when its statements return.
pub async fn client(gateway: &GatewayProcess) -> Client {
    let client = gateway.connect().await;
    let delivered = "SET penstock.ack = 'delivered'";
    client.batch_execute(delivered).await.expect("set");
    client
}

fn pumps() -> Value {
    json!({
        "type": "raw_rows", "tablename": "Pump-list",
        "options": {"database": "plant", "table": "pumps", "primaryKey": "id"},
        "columns": {
            "id": {"type": "BIGINT"}, "name": {"type": "VARCHAR"}, "seen": {"type": "TIMESTAMPTZ"},
            "limits": {"type": "REAL[]"}, "notes": {"type": "JSON"}, "raw": {"type": "BYTEA"}
        }
    })
}

async fn raw_row(gateway: &GatewayProcess, key: &str) -> Value {
    gateway
        .get(&format!("raw/dbs/plant/tables/pumps/rows/{key}"))
        .await["columns"]
        .clone()
}

#[tokio::test]
async fn rows_of_a_custom_raw_table_are_rows_of_its_raw_table() {
    let gateway = GatewayProcess::start("");
    let (made, said) = gateway.create_table(&pumps());
    assert!(made, "{said}");
    gateway.wait_for_table("Pump-list").await;
    let client = client(&gateway).await;
    let listed = client
        .query(
            "SELECT a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relname = $1 ORDER BY a.attnum",
            &[&"Pump-list"],
        )
        .await
        .expect("the system catalog answers");
    let listed: Vec<&str> = listed.iter().map(|row| row.get(0)).collect();
    assert_eq!(listed, ["id", "name", "seen", "limits", "notes", "raw"]);
    let rows = copy(
        &client,
        "COPY \"Pump-list\" FROM STDIN",
        "7\tnorth\t2026-01-02 03:04:05+00\t{0.1,2}\t{\"a\": 1}\t\\\\x0aff\n8\t\\N\t\\N\t\\N\t\\N\t\\N\n",
    )
    .await;
    assert_eq!(rows, 2);
    assert_eq!(
        raw_row(&gateway, "7").await,
        json!({
            "id": 7, "name": "north", "seen": "2026-01-02T03:04:05.000Z", "limits": [0.1, 2.0],
            "notes": {"a": 1}, "raw": "\\x0aff"
        })
    );
    assert_eq!(raw_row(&gateway, "8").await, json!({"id": 8}));
    // An existing key is replaced whole.
    client
        .execute(
            "INSERT INTO \"Pump-list\" (id, limits) VALUES ($1, $2)",
            &[&7i64, &vec![1.5f32]],
        )
        .await
        .expect("written");
    assert_eq!(
        raw_row(&gateway, "7").await,
        json!({"id": 7, "limits": [1.5]})
    );
    let refused = client
        .batch_execute("INSERT INTO \"Pump-list\" (name) VALUES ('keyless')")
        .await
        .expect_err("no key");
    assert_eq!(refused.code(), Some(&SqlState::NOT_NULL_VIOLATION));
}

#[tokio::test]
async fn commands_show_delete_and_refuse_tables_and_a_session_keeps_those_it_began_with() {
    let gateway = GatewayProcess::start("");
    assert!(gateway.create_table(&pumps()).0);
    let (made, said) = gateway.create_table(&pumps());
    assert!(!made && said.contains("already"), "{said}");
    let mut taken = pumps();
    taken["tablename"] = json!("assets");
    let (made, said) = gateway.create_table(&taken);
    assert!(!made && said.contains("gateway's own"), "{said}");
    let (listed, list) = gateway.table_command("list", &[]);
    assert!(listed);
    assert_eq!(list, "Pump-list  RAW table plant.pumps, 6 columns\n");
    let (shown, definition) = gateway.table_command("show", &["Pump-list"]);
    assert!(shown);
    let definition: Value = serde_json::from_str(&definition).expect("JSON");
    assert_eq!(definition["options"], pumps()["options"]);
    assert_eq!(definition["columns"], pumps()["columns"]);
    gateway.wait_for_table("Pump-list").await;
    let client = client(&gateway).await;
    assert!(gateway.table_command("delete", &["Pump-list"]).0);
    assert!(!gateway.table_command("delete", &["Pump-list"]).0);
    client
        .batch_execute("INSERT INTO \"Pump-list\" (id) VALUES (1)")
        .await
        .expect("the session keeps its tables");
    assert_eq!(raw_row(&gateway, "1").await, json!({"id": 1}));
}

/// A space with a view for nodes and one for edges.
pub async fn model(gateway: &GatewayProcess) {
    let space = json!({"items": [{"space": "plant"}]});
    gateway.post("models/spaces", space).await;
    let property =
        |kind: &str, list: bool| json!({"type": {"type": kind, "list": list}, "nullable": true});
    let container = |external_id: &str, used_for: &str, properties: Value| {
        json!({"space": "plant", "externalId": external_id, "usedFor": used_for,
               "properties": properties})
    };
    let pump = json!({
        "name": property("text", false), "power": property("float32", false),
        "installed": property("timestamp", false), "tags": property("text", true),
        "maker": {"type": {"type": "direct"}, "nullable": true}
    });
    let flow = json!({"rate": property("float64", false)});
    let containers = [
        container("Pump", "node", pump),
        container("Flow", "edge", flow),
    ];
    gateway
        .post("models/containers", json!({"items": containers}))
        .await;
    let view = |external_id: &str, names: &[&str]| {
        let properties: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| {
                let source =
                    json!({"type": "container", "space": "plant", "externalId": external_id});
                let property = json!({"container": source, "containerPropertyIdentifier": name});
                ((*name).to_owned(), property)
            })
            .collect();
        json!({"space": "plant", "externalId": external_id, "version": "v1",
               "properties": properties})
    };
    let views = [
        view("Pump", &["name", "power", "installed", "tags", "maker"]),
        view("Flow", &["rate"]),
    ];
    gateway.post("models/views", json!({"items": views})).await;
}

pub async fn instance(
    gateway: &GatewayProcess,
    kind: &str,
    view: &str,
    external_id: &str,
) -> Value {
    let source = json!({"type": "view", "space": "plant", "externalId": view, "version": "v1"});
    let asked = json!({
        "items": [{"instanceType": kind, "space": "plant", "externalId": external_id}],
        "sources": [{"source": source}]
    });
    gateway.post("models/instances/byids", asked).await["items"][0].clone()
}

#[tokio::test]
async fn rows_of_a_table_of_a_view_are_nodes_and_a_second_insert_changes_what_it_names() {
    let gateway = GatewayProcess::start("");
    model(&gateway).await;
    let (made, said) = gateway.create_table(&json!({
        "type": "view", "tablename": "pumps",
        "options": {"space": "plant", "externalId": "Pump"}
    }));
    assert!(made, "{said}");
    gateway.wait_for_table("pumps").await;
    let client = client(&gateway).await;
    let rows = copy(
        &client,
        "COPY pumps (space, external_id, name, power, installed, tags, maker) FROM STDIN",
        "plant\tp1\tnorth\t0.1\t2026-01-02 03:04:05+00\t{a,b}\t{\"space\":\"plant\",\"externalId\":\"m\"}\n\
         plant\tp2\tsouth\t\\N\t\\N\t\\N\t\\N\nplant\tp2\t\\N\t2.5\t\\N\t\\N\t\\N\n",
    )
    .await;
    assert_eq!(rows, 3);
    let properties = |item: &Value| item["properties"]["plant"]["Pump/v1"].clone();
    let p1 = properties(&instance(&gateway, "node", "Pump", "p1").await);
    assert_eq!(p1["name"], json!("north"));
    assert_eq!(p1["power"], json!(0.1));
    assert_eq!(p1["tags"], json!(["a", "b"]));
    assert_eq!(p1["maker"], json!({"space": "plant", "externalId": "m"}));
    assert!(
        p1["installed"]
            .as_str()
            .is_some_and(|time| time.starts_with("2026-01-02T03:04:05"))
    );
    // Two rows of one instance are one write, with the last value of each property.
    let p2 = properties(&instance(&gateway, "node", "Pump", "p2").await);
    assert_eq!((&p2["name"], &p2["power"]), (&json!("south"), &json!(2.5)));
    client
        .batch_execute("INSERT INTO pumps (space, external_id, name) VALUES ('plant', 'p1', 'new')")
        .await
        .expect("changed");
    client
        .batch_execute(
            "INSERT INTO pumps (space, external_id, name) VALUES ('plant', 'p1', 'late'), \
             ('plant', 'p3', 'first') ON CONFLICT DO NOTHING",
        )
        .await
        .expect("only what is missing is made");
    let p1 = properties(&instance(&gateway, "node", "Pump", "p1").await);
    assert_eq!((&p1["name"], &p1["power"]), (&json!("new"), &json!(0.1)));
    let p3 = properties(&instance(&gateway, "node", "Pump", "p3").await);
    assert_eq!(p3["name"], json!("first"));
    let refused = client
        .batch_execute("INSERT INTO pumps (space, external_id) VALUES ('nowhere', 'p4')")
        .await
        .expect_err("no such space");
    assert!(refused.code().is_some(), "{refused}");
}

#[tokio::test]
async fn rows_of_a_table_of_edges_make_the_nodes_that_they_connect() {
    let gateway = GatewayProcess::start("");
    model(&gateway).await;
    let (made, said) = gateway.create_table(&json!({"items": [{
        "type": "view", "tablename": "flows",
        "options": {"space": "plant", "externalId": "Flow", "version": "v1"}
    }]}));
    assert!(made, "{said}");
    gateway.wait_for_table("flows").await;
    let client = client(&gateway).await;
    let node = |name: &str| json!({"space": "plant", "externalId": name}).to_string();
    client
        .batch_execute(&format!(
            "INSERT INTO flows VALUES ('plant', 'f1', '{}', '{}', '{}', 1.25)",
            node("flows-to"),
            node("a"),
            node("b")
        ))
        .await
        .expect("made");
    let edge = instance(&gateway, "edge", "Flow", "f1").await;
    assert_eq!(
        edge["startNode"],
        json!({"space": "plant", "externalId": "a"})
    );
    assert_eq!(edge["properties"]["plant"]["Flow/v1"]["rate"], json!(1.25));
}

#[tokio::test]
async fn journaled_rows_of_a_table_outlive_the_gateway_and_the_table() {
    let mut gateway = GatewayProcess::start("");
    model(&gateway).await;
    let (made, said) = gateway.create_table(&json!({
        "type": "view", "tablename": "pumps",
        "options": {"space": "plant", "externalId": "Pump", "version": "v1"}
    }));
    assert!(made, "{said}");
    gateway.wait_for_table("pumps").await;
    let client = gateway.connect().await;
    let fault = json!([{"operation": "models.instances.apply", "kind": "status", "status": 503}]);
    gateway.faults(fault).await;
    client
        .batch_execute("INSERT INTO pumps (space, external_id, name) VALUES ('plant', 'p', 'kept')")
        .await
        .expect("acknowledged");
    gateway.kill_gateway();
    assert!(gateway.table_command("delete", &["pumps"]).0);
    gateway.start_gateway();
    gateway.cdf_is_back().await;
    let began = Instant::now();
    let node = loop {
        let node = instance(&gateway, "node", "Pump", "p").await;
        if !node.is_null() {
            break node;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the row never arrives"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(
        node["properties"]["plant"]["Pump/v1"]["name"],
        json!("kept")
    );
}
