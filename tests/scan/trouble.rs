//! What goes wrong on the way: throttling, faults in the middle, too many rows.

use super::world::{ROWS_MAX, World, column, table};
use penstock::scan::{Condition, Scan, ScanFault};
use serde_json::{Value, json};

async fn events(world: &World, count: usize) {
    let events: Vec<Value> = (0..count)
        .map(|number| json!({"externalId": format!("e{number:05}")}))
        .collect();
    world.make("/events", &events).await;
}

#[tokio::test]
async fn refusals_in_the_middle_lose_no_row_and_double_none() {
    let world = World::new();
    events(&world, 6_000).await;
    for (status, headers) in [
        (429, json!({})),
        (503, json!({"Retry-After": "0"})),
        (500, json!({})),
    ] {
        world
            .order(
                "faults",
                json!([{"kind": "status", "status": status, "operation": "events.list",
                        "skip": 3, "count": 2, "headers": headers}]),
            )
            .await;
    }
    for kind in ["reset_before_commit", "reset_after_commit"] {
        let rule = json!([{"kind": kind, "operation": "events.list", "skip": 6, "count": 1}]);
        world.order("faults", rule).await;
    }
    let table = table("events");
    let rows = world.select(table, &[]).await;
    let named = column(table, "external_id");
    let mut names: Vec<_> = rows.iter().filter_map(|row| row[named].clone()).collect();
    names.sort_unstable();
    let expected: Vec<String> = (0..6_000).map(|number| format!("e{number:05}")).collect();
    assert_eq!(names, expected);
    let statuses = world.statuses("events.list").await;
    assert!(
        statuses.contains(&429) && statuses.contains(&503),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn an_expired_token_is_no_end() {
    let world = World::new();
    events(&world, 10).await;
    // A token that nobody can renew ends the scan with what CDF said.
    let rule = json!([{"kind": "status", "status": 401, "operation": "events.list"}]);
    world.order("faults", rule).await;
    let fault = world
        .scan(&Scan::of(table("events"), ROWS_MAX))
        .await
        .expect_err("nobody renews it");
    let ScanFault::Cdf(diagnostic) = fault else {
        panic!("{fault:?}");
    };
    assert_eq!(diagnostic.sqlstate.code(), "28000");
}

#[tokio::test]
async fn what_cdf_does_not_allow_is_said_as_it_says_it() {
    let world = World::new();
    let rule = json!([{"kind": "status", "status": 403, "operation": "assets.list"}]);
    world.order("faults", rule).await;
    let mut rows = world.rows_of(&Scan::of(table("assets"), ROWS_MAX));
    for _ in 0..2 {
        let fault = rows
            .next_chunk()
            .await
            .expect_err("it is forbidden, and stays so");
        assert_eq!(fault.diagnostic().sqlstate.code(), "42501");
    }
}

#[tokio::test]
async fn more_rows_than_may_be_read_are_refused_with_what_would_help() {
    let world = World::new();
    events(&world, 3_000).await;
    let scan = Scan::of(table("events"), 2_999);
    let fault = world.scan(&scan).await.expect_err("one row too many");
    let ScanFault::TooManyRows(diagnostic) = fault else {
        panic!("{fault:?}");
    };
    assert_eq!(diagnostic.sqlstate.code(), "53400");
    let hint = diagnostic.hint.unwrap_or_default();
    assert!(
        hint.contains("external_id") && hint.contains("start_time"),
        "{hint}"
    );
    let all = world.scan(&Scan::of(table("events"), 3_000)).await;
    assert_eq!(all.expect("these are just as many").len(), 3_000);
}

#[tokio::test]
async fn series_count_against_the_bound_as_well() {
    let world = World::new();
    let series: Vec<Value> = (0..50)
        .map(|number| json!({"externalId": format!("s{number}")}))
        .collect();
    world.make("/timeseries", &series).await;
    let doubles = table("double_datapoints");
    let fault = world
        .scan(&Scan::of(doubles, 49))
        .await
        .expect_err("fifty series");
    assert!(matches!(fault, ScanFault::TooManyRows(_)), "{fault:?}");
    assert!(
        world
            .scan(&Scan::of(doubles, 50))
            .await
            .expect("no points")
            .is_empty()
    );
}

#[tokio::test]
async fn a_condition_that_cdf_refuses_is_left_to_postgresql() {
    let world = World::new();
    let set = world
        .post("/datasets", json!({"items": [{"name": "a set"}]}))
        .await;
    let pipelines: Vec<Value> = (0..10)
        .map(|number| {
            json!({"externalId": format!("p{number}"), "name": "pipe",
                   "dataSetId": set["items"][0]["id"]})
        })
        .collect();
    world.make("/extpipes", &pipelines).await;
    let operation = "extraction_pipelines.list";
    let rule = json!([{"kind": "status", "status": 400, "operation": operation, "count": 1,
                       "message": "Datasets ids not found"}]);
    world.order("faults", rule).await;
    let pipelines = table("extraction_pipelines");
    let scan = Scan {
        conditions: vec![Condition::equals(column(pipelines, "data_set_id"), "7")],
        limit: Some(1),
        ..Scan::of(pipelines, ROWS_MAX)
    };
    let rows = world.scan(&scan).await.expect("all of them are read");
    assert_eq!(rows.len(), 10, "the limit went with the condition");
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_asked_for_in_parts() {
    let world = World::new();
    // Two such rows are too long together, and CDF takes no longer value.
    let text = "x".repeat(2_300_000);
    let rows: Vec<Value> = (0..5)
        .map(|number| json!({"key": number.to_string(), "columns": {"a": text, "b": text}}))
        .collect();
    for row in rows {
        world
            .post(
                "/raw/dbs/d/tables/t/rows?ensureParent=true",
                json!({"items": [row]}),
            )
            .await;
    }
    let found = world.select(table("raw_rows"), &[]).await;
    assert_eq!(found.len(), 5);
    assert!(
        found
            .iter()
            .all(|row| row[3].as_ref().is_some_and(|json| json.len() > 4_600_000))
    );
}
