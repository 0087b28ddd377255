//! RAW: tables found by name or not, rows by key or not, custom tables.

use super::world::{ROWS_MAX, World, column, table};
use penstock::catalog::{self, Definition, Table};
use penstock::scan::{Bound, Condition, Scan, ScanFault};
use serde_json::{Value, json};

async fn insert(world: &World, place: &str, rows: &[Value]) {
    let path = format!("/raw/dbs/{place}/rows?ensureParent=true");
    for chunk in rows.chunks(10_000) {
        world.post(&path, json!({"items": chunk})).await;
    }
}

fn numbered(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| json!({"key": format!("k{number:05}"), "columns": {"n": number}}))
        .collect()
}

fn custom(value: &Value) -> &'static Table {
    let definition = Definition::from_json(value).expect("the definition is sound");
    catalog::custom_table(&definition).expect("the table is made")
}

#[tokio::test]
async fn every_row_of_every_table_comes_back_once() {
    let world = World::new();
    insert(&world, "plant/tables/pumps", &numbered(12_000)).await;
    insert(&world, "plant/tables/t%2F1%20%22x%22", &numbered(3)).await;
    insert(&world, "other/tables/pumps", &numbered(2)).await;
    let raw = table("raw_rows");
    let rows = world.select(raw, &[]).await;
    assert_eq!(rows.len(), 12_005);
    let mut names: Vec<_> = rows.iter().map(|row| row[..3].to_vec()).collect();
    names.dedup();
    assert_eq!(names.len(), 12_005);
    let of = |name: &str| column(raw, name);
    let odd = [
        Condition::equals(of("_raw_database"), "plant"),
        Condition::equals(of("_raw_table"), "t/1 \"x\""),
    ];
    assert_eq!(
        world.select_exactly(raw, "_raw_columns", &odd).await,
        ["{\"n\":0}", "{\"n\":1}", "{\"n\":2}"]
    );
    let in_any = [Condition::equals(of("_raw_table"), "pumps")];
    assert_eq!(
        world.select_exactly(raw, "_raw_key", &in_any).await.len(),
        12_002
    );
    let in_one = [Condition::equals(of("_raw_database"), "other")];
    assert_eq!(
        world.select_exactly(raw, "_raw_key", &in_one).await,
        ["k00000", "k00001"]
    );
    let gone = [Condition::equals(of("_raw_database"), "gone")];
    assert!(
        world
            .select_exactly(raw, "_raw_key", &gone)
            .await
            .is_empty()
    );
    let tables = table("raw_tables");
    let found = world.select_exactly(tables, "_raw_table", &[]).await;
    assert_eq!(found, ["pumps", "pumps", "t/1 \"x\""]);
    let prefix = [Condition::Prefix {
        column: column(tables, "_raw_table"),
        text: "t".to_owned(),
    }];
    assert_eq!(
        world.select_exactly(tables, "_raw_database", &prefix).await,
        ["plant"]
    );
}

#[tokio::test]
async fn rows_by_key_are_read_alone() {
    let world = World::new();
    insert(&world, "plant/tables/pumps", &numbered(100)).await;
    let raw = table("raw_rows");
    let of = |name: &str| column(raw, name);
    let keys = [
        Condition::equals(of("_raw_database"), "plant"),
        Condition::equals(of("_raw_table"), "pumps"),
        Condition::OneOf {
            column: of("_raw_key"),
            values: ["k00003", "gone", "k00099"].map(str::to_owned).to_vec(),
        },
    ];
    let found = world.select_exactly(raw, "_raw_key", &keys).await;
    assert_eq!(found, ["k00003", "k00099"]);
    assert!(world.statuses("raw.rows.list").await.is_empty());
    // No address leads to it alone: the table is read.
    insert(
        &world,
        "plant/tables/pumps",
        &[json!({"key": "..", "columns": {}})],
    )
    .await;
    let dots = [
        keys[0].clone(),
        keys[1].clone(),
        Condition::equals(of("_raw_key"), ".."),
    ];
    assert_eq!(world.select(raw, &dots).await.len(), 101);
}

#[tokio::test]
async fn rows_are_narrowed_by_the_time_of_their_last_write() {
    let world = World::new();
    insert(&world, "plant/tables/pumps", &numbered(10)).await;
    let raw = table("raw_rows");
    let of = |name: &str| column(raw, name);
    let range = |from: Option<Bound>, to: Option<Bound>| Condition::Range {
        column: of("_raw_last_updated_time"),
        from,
        to,
    };
    let place = [
        Condition::equals(of("_raw_database"), "plant"),
        Condition::equals(of("_raw_table"), "pumps"),
    ];
    let all = world.select(raw, &place).await;
    let last = all
        .iter()
        .filter_map(|row| row[of("_raw_last_updated_time")].clone())
        .max()
        .expect("there are rows");
    for (condition, expected) in [
        (range(None, Some(Bound::inclusive(&last))), 10),
        (range(Some(Bound::exclusive(&last)), None), 0),
        (
            range(Some(Bound::inclusive("1970-01-01 00:00:00+00")), None),
            10,
        ),
        (
            range(None, Some(Bound::exclusive("1970-01-01 00:00:00+00"))),
            0,
        ),
    ] {
        let conditions = [place[0].clone(), place[1].clone(), condition.clone()];
        let found = world.select_exactly(raw, "_raw_key", &conditions).await;
        assert_eq!(found.len(), expected, "{condition:?}");
    }
    let written = range(Some(Bound::exclusive(&last)), None);
    let by_key = Condition::equals(of("_raw_key"), "k00001");
    let conditions = [place[0].clone(), place[1].clone(), by_key, written];
    assert!(
        world
            .select_exactly(raw, "_raw_key", &conditions)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_custom_table_has_the_key_and_the_declared_columns() {
    let world = World::new();
    let pumps = custom(&json!({
        "type": "raw_rows", "tablename": "scan_pumps",
        "options": {"database": "plant", "table": "pumps", "primaryKey": "id"},
        "columns": {"id": {"type": "BIGINT"}, "name": {"type": "TEXT"}, "at": {"type": "TIMESTAMPTZ"},
                    "list": {"type": "REAL[]"}, "any": {"type": "JSON"}}
    }));
    let rows = [
        json!({"key": "7", "columns": {"id": 7, "name": "a", "at": "2026-01-02T03:04:05.060Z",
               "list": [0.5, null], "any": null, "more": 1}}),
        json!({"key": "8", "columns": {"name": 5, "at": 1767323045060_i64, "any": {"a": [1]}}}),
    ];
    insert(&world, "plant/tables/pumps", &rows).await;
    let found = world.select(pumps, &[]).await;
    let text = |value: &str| Some(value.to_owned());
    let time = || text("2026-01-02 03:04:05.06+00");
    assert_eq!(
        found,
        [
            vec![
                text("7"),
                text("a"),
                time(),
                text("{0.5,NULL}"),
                text("null")
            ],
            vec![text("8"), text("5"), time(), None, text("{\"a\":[1]}")],
        ]
    );
    let by_key = [Condition::equals(column(pumps, "id"), "8")];
    assert_eq!(world.select_exactly(pumps, "name", &by_key).await, ["5"]);
    assert_eq!(world.statuses("raw.rows.get").await, [200]);
}

#[tokio::test]
async fn a_value_that_is_none_of_its_columns_type_names_row_and_column() {
    let world = World::new();
    let pumps = custom(&json!({
        "type": "raw_rows", "tablename": "scan_misfits",
        "options": {"database": "plant", "table": "misfits"},
        "columns": {"n": {"type": "BIGINT"}}
    }));
    insert(
        &world,
        "plant/tables/misfits",
        &[json!({"key": "k1", "columns": {"n": "many"}})],
    )
    .await;
    let fault = world
        .scan(&Scan::of(pumps, ROWS_MAX))
        .await
        .expect_err("it is no number");
    let ScanFault::Unfit(diagnostic) = fault else {
        panic!("{fault:?}");
    };
    assert_eq!(diagnostic.sqlstate.code(), "22P02");
    assert_eq!(diagnostic.column.as_deref(), Some("n"));
    let message = &diagnostic.message;
    assert!(
        message.contains("\"k1\"") && message.contains("\"many\""),
        "{message}"
    );
}

#[tokio::test]
async fn a_key_that_the_gateway_writes_otherwise_is_said() {
    let world = World::new();
    let pumps = custom(&json!({
        "type": "raw_rows", "tablename": "scan_keys",
        "options": {"database": "plant", "table": "keys", "primaryKey": "id"},
        "columns": {"id": {"type": "BIGINT"}}
    }));
    insert(
        &world,
        "plant/tables/keys",
        &[json!({"key": "007", "columns": {}})],
    )
    .await;
    let fault = world
        .scan(&Scan::of(pumps, ROWS_MAX))
        .await
        .expect_err("the key is 7 otherwise");
    assert_eq!(fault.diagnostic().sqlstate.code(), "22P02");
}
