//! Rows of sequences: limits, all or nothing, pages.

use crate::support::{Cdf, TestResult};
use serde_json::{Value, json};

fn items(items: Value) -> Value {
    json!({ "items": items })
}

#[tokio::test]
async fn an_insert_of_rows_is_held_to_its_limits() -> TestResult {
    for cdf in [Cdf::new(), Cdf::sink()] {
        let columns: Vec<Value> = (0..201)
            .map(|i| json!({"externalId": format!("c{i}")}))
            .collect();
        let made = items(json!([{"externalId": "q", "columns": columns}]));
        assert_eq!(cdf.post("/sequences", made).await?.status, 201);
        let insert = |columns: usize, rows: usize, values: usize| {
            let names: Vec<String> = (0..columns).map(|i| format!("c{i}")).collect();
            let row = |number| json!({"rowNumber": number, "values": vec![1; values]});
            let rows: Vec<Value> = (0..rows).map(row).collect();
            items(json!([{"externalId": "q", "columns": names, "rows": rows}]))
        };
        for (columns, rows, values, status) in [
            (1, 10_000, 1, 200),
            (1, 10_001, 1, 400),
            (200, 500, 200, 200),
            (200, 501, 200, 400),
            (201, 1, 201, 400),
            (2, 1, 1, 400),
            (0, 1, 0, 400),
            (1, 0, 1, 400),
        ] {
            let reply = cdf
                .post("/sequences/data", insert(columns, rows, values))
                .await?;
            assert_eq!(
                reply.status,
                status,
                "{columns} {rows} {values}: {}",
                reply.message()
            );
        }
        let one = json!({"externalId": "q", "columns": ["c0"], "rows": [{"rowNumber": 1, "values": [1]}]});
        let twice = cdf
            .post("/sequences/data", items(json!([one, one])))
            .await?;
        assert_eq!(twice.status, 422);
        let figures = &cdf.statistics().await?["operations"]["sequence_rows.insert"];
        assert_eq!(figures["rows"], 10_500);
    }
    Ok(())
}

#[tokio::test]
async fn a_failed_insert_of_rows_writes_nothing() -> TestResult {
    let cdf = Cdf::new();
    let made = json!([{"externalId": "q", "columns": [{"externalId": "c"}]}]);
    cdf.post("/sequences", items(made)).await?;
    let rows = |value: Value| {
        let rows = json!([{"rowNumber": 1, "values": [1]}, {"rowNumber": 2, "values": [value]}]);
        items(json!([{"externalId": "q", "columns": ["c"], "rows": rows}]))
    };
    let refused = cdf.post("/sequences/data", rows(json!("text"))).await?;
    assert_eq!(refused.status, 400);
    assert!(
        refused
            .message()
            .starts_with("error in sequence q: expected DOUBLE")
    );
    let read = cdf
        .post("/sequences/data/list", json!({"externalId": "q"}))
        .await?;
    assert_eq!(read.json()["rows"], json!([]));
    let fault =
        json!([{"kind": "reset_after_commit", "operation": "sequence_rows.insert", "count": 1}]);
    cdf.admin("POST", "faults", fault).await?;
    assert!(cdf.post("/sequences/data", rows(json!(2))).await.is_err());
    let page = cdf
        .post(
            "/sequences/data/list",
            json!({"externalId": "q", "limit": 1}),
        )
        .await?
        .json();
    assert_eq!(page["rows"], json!([{"rowNumber": 1, "values": [1]}]));
    let next = json!({"externalId": "q", "cursor": page["nextCursor"]});
    let page = cdf.post("/sequences/data/list", next).await?.json();
    assert_eq!(page["rows"], json!([{"rowNumber": 2, "values": [2]}]));
    assert_eq!(page.get("nextCursor"), None);
    Ok(())
}

#[tokio::test]
async fn rows_are_deleted_by_number_within_the_limits() -> TestResult {
    let cdf = Cdf::new();
    let sequences: Vec<Value> = ["q", "r"]
        .iter()
        .map(|name| json!({"externalId": name, "columns": [{"externalId": "c"}]}))
        .collect();
    let made = cdf.post("/sequences", items(json!(sequences))).await?;
    assert_eq!(made.status, 201);
    let rows: Vec<Value> = (0..5)
        .map(|number| json!({"rowNumber": number, "values": [number]}))
        .collect();
    let written = items(json!([{"externalId": "q", "columns": ["c"], "rows": rows}]));
    assert_eq!(cdf.post("/sequences/data", written).await?.status, 200);
    let path = "/sequences/data/delete";
    let of = |name: &str, rows: Value| json!({"externalId": name, "rows": rows});
    for (body, status) in [
        (
            items(json!([of("q", json!([1, 3, 99])), of("r", json!([1]))])),
            200,
        ),
        (items(json!([of("q", json!([]))])), 400),
        (items(json!([of("q", json!(vec![0; 10_001]))])), 400),
        (
            items(json!([of("q", json!([0])), of("q", json!([2]))])),
            400,
        ),
        (
            items(json!([of("q", json!([0])), of("none", json!([2]))])),
            400,
        ),
    ] {
        assert_eq!(cdf.post(path, body).await?.status, status);
    }
    let read = cdf
        .post("/sequences/data/list", json!({"externalId": "q"}))
        .await?
        .json();
    let numbers: Vec<_> = read["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| row["rowNumber"].clone())
        .collect();
    assert_eq!(numbers, [0, 2, 4]);
    let figures = cdf.admin("GET", "statistics", json!(null)).await?.json();
    assert_eq!(figures["operations"]["sequence_rows.delete"]["rows"], 4);
    Ok(())
}
