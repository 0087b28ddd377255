//! RAW: names, limits, replacing, pages and cursors.

use crate::support::{Cdf, TestResult};
use serde_json::{Value, json};
use std::collections::HashSet;

const ROWS: &str = "/raw/dbs/db/tables/t/rows";

fn rows(count: usize) -> Value {
    let items: Vec<Value> = (0..count)
        .map(|i| json!({"key": format!("k{i:06}"), "columns": {"i": i}}))
        .collect();
    json!({ "items": items })
}

#[tokio::test]
async fn an_unknown_table_is_a_404_unless_parents_are_ensured() -> TestResult {
    let cdf = Cdf::new();
    let refused = cdf.post(ROWS, rows(1)).await?;
    assert_eq!(refused.status, 404);
    assert!(
        refused
            .message()
            .starts_with("Following databases not found: db")
    );
    let made = cdf
        .post("/raw/dbs", json!({"items": [{"name": "db"}]}))
        .await?;
    assert_eq!(
        (made.status, made.json()),
        (201, json!({"items": [{"name": "db"}]}))
    );
    let refused = cdf.post(ROWS, rows(1)).await?;
    assert!(
        refused
            .message()
            .starts_with("Following tables not found: t")
    );
    let written = cdf
        .post(&format!("{ROWS}?ensureParent=true"), rows(1))
        .await?;
    assert_eq!((written.status, written.json()), (200, json!({})));
    assert_eq!(
        cdf.get("/raw/dbs/db/tables").await?.json()["items"],
        json!([{"name": "t"}])
    );
    Ok(())
}

#[tokio::test]
async fn at_most_ten_thousand_rows_are_inserted_at_once() -> TestResult {
    let cdf = Cdf::new();
    let path = format!("{ROWS}?ensureParent=true");
    assert_eq!(cdf.post(&path, rows(0)).await?.status, 400);
    assert_eq!(cdf.post(&path, rows(10_000)).await?.status, 200);
    assert_eq!(cdf.post(&path, rows(10_001)).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn keys_names_and_columns_are_held_to_their_sizes() -> TestResult {
    let cdf = Cdf::new();
    let path = format!("{ROWS}?ensureParent=true");
    let row = |key: String, columns: Value| json!({"items": [{"key": key, "columns": columns}]});
    let key = |count: usize| row("ü".repeat(count), json!({}));
    let column = |name: usize, value: usize| {
        row(
            "k".to_owned(),
            json!({ "n".repeat(name): "v".repeat(value) }),
        )
    };
    for (what, body, status) in [
        ("key", key(1_024), 200),
        ("key", key(1_025), 400),
        ("no key", key(0), 400),
        ("value", column(1, 2_621_440), 200),
        ("value", column(1, 2_621_441), 400),
        ("name", column(2_621_441, 1), 400),
        ("columns", row("k".to_owned(), json!([1])), 400),
        (
            "all columns",
            row(
                "k".to_owned(),
                json!({"a": "v".repeat(2_600_000), "b": "v".repeat(2_700_000)}),
            ),
            400,
        ),
    ] {
        let reply = cdf.post(&path, body).await?;
        assert_eq!(reply.status, status, "{what}: {}", reply.message());
    }
    for (database, table, status) in [(32, 64, 200), (33, 64, 400), (32, 65, 400)] {
        let (database, table) = ("d".repeat(database), "t".repeat(table));
        let path = format!("/raw/dbs/{database}/tables/{table}/rows?ensureParent=true");
        assert_eq!(cdf.post(&path, rows(1)).await?.status, status);
    }
    Ok(())
}

#[tokio::test]
async fn a_row_without_columns_names_the_missing_field_without_an_envelope() -> TestResult {
    let cdf = Cdf::new();
    let path = format!("{ROWS}?ensureParent=true");
    let refused = cdf.post(&path, json!({"items": [{"key": "k"}]})).await?;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["missingFields"], json!(["columns"]));
    assert_eq!(refused.json().get("error"), None);
    Ok(())
}

#[tokio::test]
async fn the_last_of_two_rows_with_one_key_stays() -> TestResult {
    let cdf = Cdf::new();
    let path = format!("{ROWS}?ensureParent=true");
    let body = json!({"items": [
        {"key": "k/1", "columns": {"a": 1, "b": 1}},
        {"key": "k/1", "columns": {"a": 2}},
    ]});
    assert_eq!(cdf.post(&path, body).await?.status, 200);
    let row = cdf.get(&format!("{ROWS}/k%2F1")).await?;
    assert_eq!(row.json()["columns"], json!({"a": 2}));
    assert_eq!(row.json()["key"], "k/1");
    assert!(row.json()["lastUpdatedTime"].is_i64());
    let unknown = cdf.get(&format!("{ROWS}/x")).await?;
    assert_eq!(unknown.status, 404);
    Ok(())
}

#[tokio::test]
async fn numbers_keep_all_their_digits() -> TestResult {
    let cdf = Cdf::new();
    let columns = r#"{"n":12345678901234567890.123456789,"z":1.0}"#;
    let body = format!(r#"{{"items":[{{"key":"k","columns":{columns}}}]}}"#);
    let url = cdf.url(&format!("{ROWS}?ensureParent=true"));
    assert_eq!(
        cdf.send(cdf.http.post(url).bearer_auth("x").body(body))
            .await?
            .status,
        200
    );
    let row = cdf.get(&format!("{ROWS}/k")).await?;
    let text = String::from_utf8(row.bytes)?;
    assert!(text.contains(columns), "{text}");
    Ok(())
}

#[tokio::test]
async fn pages_default_to_25_rows_and_end_without_a_cursor() -> TestResult {
    let cdf = Cdf::new();
    cdf.post(&format!("{ROWS}?ensureParent=true"), rows(60))
        .await?;
    let mut keys = Vec::new();
    let mut path = ROWS.to_owned();
    loop {
        let page = cdf.get(&path).await?.json();
        let items = page["items"].as_array().cloned().unwrap_or_default();
        assert!(items.len() <= 25);
        keys.extend(
            items
                .iter()
                .filter_map(|row| row["key"].as_str().map(str::to_owned)),
        );
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("{ROWS}?cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(keys.len(), 60);
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 60);
    for limit in ["0", "10001", "x"] {
        assert_eq!(
            cdf.get(&format!("{ROWS}?limit={limit}")).await?.status,
            400,
            "{limit}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn parallel_cursors_cover_every_row_once() -> TestResult {
    let cdf = Cdf::new();
    cdf.post(&format!("{ROWS}?ensureParent=true"), rows(1_003))
        .await?;
    for wanted in [1, 7, 1_000] {
        let path = format!("/raw/dbs/db/tables/t/cursors?numberOfCursors={wanted}");
        let cursors = cdf.get(&path).await?.json();
        let cursors = cursors["items"].as_array().cloned().unwrap_or_default();
        assert!(!cursors.is_empty() && cursors.len() <= wanted);
        let mut seen = HashSet::new();
        for cursor in cursors.iter().filter_map(Value::as_str) {
            let mut next = Some(cursor.to_owned());
            while let Some(cursor) = next {
                let page = cdf
                    .get(&format!("{ROWS}?limit=100&cursor={cursor}"))
                    .await?
                    .json();
                for row in page["items"].as_array().into_iter().flatten() {
                    assert!(seen.insert(row["key"].to_string()), "twice: {row}");
                }
                next = page["nextCursor"].as_str().map(str::to_owned);
            }
        }
        assert_eq!(seen.len(), 1_003, "{wanted} cursors");
    }
    Ok(())
}

#[tokio::test]
async fn a_comma_alone_asks_for_keys_only() -> TestResult {
    let cdf = Cdf::new();
    cdf.post(&format!("{ROWS}?ensureParent=true"), rows(1))
        .await?;
    let columns = |text: &'static str| {
        let cdf = &cdf;
        async move {
            let page = cdf.get(&format!("{ROWS}?columns={text}")).await?.json();
            Ok::<_, reqwest::Error>(page["items"][0]["columns"].clone())
        }
    };
    assert_eq!(columns("").await?, json!({"i": 0}));
    assert_eq!(columns("%2C").await?, json!({}));
    assert_eq!(columns("i,unknown").await?, json!({"i": 0}));
    Ok(())
}

#[tokio::test]
async fn a_database_with_tables_is_deleted_only_recursively() -> TestResult {
    let cdf = Cdf::new();
    cdf.post(&format!("{ROWS}?ensureParent=true"), rows(1))
        .await?;
    let delete = |recursive: bool| {
        let body = json!({"items": [{"name": "db"}], "recursive": recursive});
        cdf.post("/raw/dbs/delete", body)
    };
    assert_eq!(delete(false).await?.status, 400);
    assert_eq!(delete(true).await?.status, 200);
    assert_eq!(delete(true).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn names_are_unique_and_bounded() -> TestResult {
    let cdf = Cdf::new();
    let create = |names: Vec<String>| {
        let items: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        cdf.post("/raw/dbs", json!({ "items": items }))
    };
    assert_eq!(create(vec!["a".into(), "a".into()]).await?.status, 422);
    assert_eq!(create(vec![String::new()]).await?.status, 400);
    assert_eq!(create(vec!["d".repeat(33)]).await?.status, 400);
    assert_eq!(create(vec!["a".into()]).await?.status, 201);
    let refused = create(vec!["b".into(), "a".into()]).await?;
    assert_eq!(refused.status, 409);
    assert_eq!(
        refused.json()["error"]["duplicated"],
        json!([{"name": "a"}])
    );
    Ok(())
}
