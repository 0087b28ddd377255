//! Sink mode: the same checks, nothing stored, sums that prove completeness.

use crate::messages::{Request, numeric_item, text_item};
use crate::support::{Cdf, NOON, TestResult, gzip};
use penstock::emulator::checksum;
use prost::Message;
use serde_json::{Value, json};

const DATA: &str = "/timeseries/data";
const ROWS: &str = "/raw/dbs/db/tables/t/rows?ensureParent=true";

fn insertion() -> Request {
    Request {
        items: vec![
            numeric_item("n", (0..1_000).map(|i| (NOON + i, i as f64 / 3.0))),
            text_item("text", (0..100).map(|i| (NOON + i, format!("value {i} é")))),
        ],
    }
}

/// The sum that the insertion has to come to.
fn insertion_sum() -> u64 {
    let numbers = (0..1_000).fold(0_u64, |sum, i| {
        sum.wrapping_add(checksum::point(NOON + i, (i as f64 / 3.0).to_bits(), 0))
    });
    let texts = (0..100).fold(0_u64, |sum, i| {
        let bits = checksum::bytes(format!("value {i} é").as_bytes());
        sum.wrapping_add(checksum::point(NOON + i, bits, 0))
    });
    let n = checksum::series_by_external_id(b"n").wrapping_mul(numbers);
    n.wrapping_add(checksum::series_by_external_id(b"text").wrapping_mul(texts))
}

async fn sum_of(cdf: &Cdf, kind: &str) -> reqwest::Result<(Value, Value)> {
    let sum = cdf.statistics().await?["checksums"][kind].clone();
    Ok((sum["count"].clone(), sum["sum"].clone()))
}

#[tokio::test]
async fn sink_and_store_come_to_the_same_sum_in_every_format() -> TestResult {
    let expected = (json!(1_100), json!(format!("{:016x}", insertion_sum())));
    let body = insertion().encode_to_vec();
    for cdf in [Cdf::new(), Cdf::sink()] {
        cdf.create_series(&["n", "text"]).await?;
        assert_eq!(cdf.post_protobuf(DATA, body.clone()).await?.status, 200);
        assert_eq!(sum_of(&cdf, "points").await?, expected);

        cdf.admin("DELETE", "statistics", Value::Null).await?;
        let request = cdf
            .http
            .post(cdf.url(DATA))
            .bearer_auth("x")
            .header("content-type", "application/protobuf")
            .header("content-encoding", "gzip")
            .body(gzip(&body));
        assert_eq!(cdf.send(request).await?.status, 200);
        assert_eq!(sum_of(&cdf, "points").await?, expected);

        cdf.admin("DELETE", "statistics", Value::Null).await?;
        let points = |count: i64, value: &dyn Fn(i64) -> Value| {
            let point = |i| json!({"timestamp": NOON + i, "value": value(i)});
            (0..count).map(point).collect::<Vec<_>>()
        };
        let items = json!([
            {"externalId": "n", "datapoints": points(1_000, &|i| json!(i as f64 / 3.0))},
            {"externalId": "text", "datapoints": points(100, &|i| json!(format!("value {i} é")))},
        ]);
        assert_eq!(cdf.post(DATA, json!({ "items": items })).await?.status, 200);
        assert_eq!(sum_of(&cdf, "points").await?, expected);
    }
    Ok(())
}

#[tokio::test]
async fn rows_come_to_the_same_sum_in_sink_and_store() -> TestResult {
    let row = |i: usize| {
        let columns = format!(r#"{{"i":{i},"text":"é \" {i}","nested":{{"a":[1,null]}}}}"#);
        (format!("key {i}"), columns)
    };
    let items: Vec<String> = (0..500)
        .map(row)
        .map(|(key, columns)| format!(r#"{{"key":"{key}","columns":{columns}}}"#))
        .collect();
    let body = format!(r#"{{"items":[{}]}}"#, items.join(","));
    let rows = (0..500).map(row).fold(0_u64, |sum, (key, columns)| {
        sum.wrapping_add(checksum::row(key.as_bytes(), columns.as_bytes()))
    });
    let sum = checksum::table(b"db", b"t").wrapping_mul(rows);
    for cdf in [Cdf::new(), Cdf::sink()] {
        let request = cdf
            .http
            .post(cdf.url(ROWS))
            .bearer_auth("x")
            .body(body.clone());
        assert_eq!(cdf.send(request).await?.status, 200);
        let expected = (json!(500), json!(format!("{sum:016x}")));
        assert_eq!(sum_of(&cdf, "rows").await?, expected);
    }
    Ok(())
}

#[tokio::test]
async fn in_a_sink_every_series_and_table_exists_and_holds_nothing() -> TestResult {
    let cdf = Cdf::sink();
    assert_eq!(
        cdf.post_protobuf(DATA, insertion().encode_to_vec())
            .await?
            .status,
        200
    );
    let byids = json!({"items": [{"externalId": "anything"}, {"id": 17}]});
    let found = cdf.post("/timeseries/byids", byids).await?;
    assert_eq!(found.status, 200);
    assert_eq!(found.json()["items"][0]["externalId"], "anything");
    assert_eq!(found.json()["items"][0]["isString"], false);
    assert_eq!(found.json()["items"][1]["id"], 17);
    let list = json!({"items": [{"externalId": "n", "start": 0}]});
    let read = cdf.post("/timeseries/data/list", list).await?;
    assert_eq!(read.json()["items"][0]["datapoints"], json!([]));
    let rows = json!({"items": [{"key": "k", "columns": {}}]});
    assert_eq!(
        cdf.post("/raw/dbs/x/tables/y/rows", rows).await?.status,
        200
    );
    assert_eq!(
        cdf.get("/raw/dbs/x/tables/y/rows").await?.json()["items"],
        json!([])
    );
    Ok(())
}

#[tokio::test]
async fn a_series_created_in_a_sink_keeps_its_type() -> TestResult {
    let cdf = Cdf::sink();
    cdf.create_series(&["text"]).await?;
    let found = cdf
        .post(
            "/timeseries/byids",
            json!({"items": [{"externalId": "text"}]}),
        )
        .await?;
    assert_eq!(found.json()["items"][0]["isString"], true);
    Ok(())
}

#[tokio::test]
async fn a_sink_refuses_what_a_store_refuses() -> TestResult {
    let store = Cdf::new();
    store.create_series(&["n", "text", "m"]).await?;
    let sink = Cdf::sink();
    let one = |item| Request { items: vec![item] }.encode_to_vec();
    let long = "é".repeat(512);
    let bodies = [
        Vec::new(),
        b"not protobuf".to_vec(),
        one(numeric_item("n", [(-2_208_988_800_001, 1.0)])),
        one(numeric_item("n", [(4_102_444_800_000, 1.0)])),
        one(numeric_item("n", [(NOON, 1e100)])),
        one(numeric_item("n", [(NOON, f64::NAN)])),
        one(text_item("text", [(NOON, long)])),
        one(numeric_item(&"x".repeat(256), [(NOON, 1.0)])),
        one(crate::messages::Item::default()),
        one(numeric_item("n", (0..100_001).map(|i| (NOON + i, 1.0)))),
        Request {
            items: vec![
                numeric_item("n", []),
                numeric_item("m", []),
                numeric_item("n", []),
            ],
        }
        .encode_to_vec(),
        one(numeric_item("n", [(0, 0.0), (-1, -0.5), (NOON, -9.9e99)])),
    ];
    for (number, body) in bodies.into_iter().enumerate() {
        let stored = store.post_protobuf(DATA, body.clone()).await?;
        let sunk = sink.post_protobuf(DATA, body).await?;
        assert_eq!(
            stored.status,
            sunk.status,
            "body {number}: {}",
            sunk.message()
        );
    }
    assert_eq!(
        sum_of(&store, "points").await?,
        sum_of(&sink, "points").await?
    );
    Ok(())
}

#[tokio::test]
async fn a_refused_body_adds_nothing_to_the_sum() -> TestResult {
    let cdf = Cdf::sink();
    let mut request = insertion();
    request.items.push(numeric_item("m", [(NOON, 1e100)]));
    assert_eq!(
        cdf.post_protobuf(DATA, request.encode_to_vec())
            .await?
            .status,
        400
    );
    assert_eq!(sum_of(&cdf, "points").await?.0, json!(0));
    Ok(())
}
