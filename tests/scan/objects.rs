//! Objects: what was written to each list comes back, whole and filtered.

use super::world::{ROWS_MAX, World, column, table};
use penstock::scan::{Bound, Condition, Scan, Taken};
use serde_json::{Value, json};

async fn plant_of_assets(world: &World) {
    let asset = |number: usize| {
        json!({
            "externalId": format!("pump-{number:04}"),
            "name": if number.is_multiple_of(2) { "even" } else { "odd" },
            "description": "a\ttab, a \\ and\na line",
            "metadata": {"number": number.to_string()},
        })
    };
    let assets: Vec<Value> = (0..2_500).map(asset).collect();
    world.make("/assets", &assets).await;
}

#[tokio::test]
async fn more_assets_than_a_page_holds_come_back_once_each() {
    let world = World::new();
    plant_of_assets(&world).await;
    let assets = table("assets");
    let rows = world.select(assets, &[]).await;
    assert_eq!(rows.len(), 2_500);
    let named = column(assets, "external_id");
    let mut names: Vec<&str> = rows
        .iter()
        .filter_map(|row| row[named].as_deref())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 2_500);
    let first = rows
        .iter()
        .find(|row| row[named].as_deref() == Some("pump-0007"))
        .expect("it is there");
    let cell = |name: &str| first[column(assets, name)].as_deref();
    assert_eq!(cell("name"), Some("odd"));
    assert_eq!(cell("description"), Some("a\ttab, a \\ and\na line"));
    assert_eq!(cell("metadata"), Some("{\"number\":\"7\"}"));
    assert_eq!(cell("source"), None);
    assert!(cell("created_time").is_some_and(|time| time.ends_with("+00")));
}

#[tokio::test]
async fn conditions_that_cdf_takes_leave_out_all_other_assets() {
    let world = World::new();
    plant_of_assets(&world).await;
    let assets = table("assets");
    let of = |name: &str| column(assets, name);
    let shown = "external_id";
    let even = [Condition::equals(of("name"), "even")];
    assert_eq!(
        world.select_exactly(assets, shown, &even).await.len(),
        1_250
    );
    let prefix = [Condition::Prefix {
        column: of("external_id"),
        text: "pump-000".to_owned(),
    }];
    assert_eq!(world.select_exactly(assets, shown, &prefix).await.len(), 10);
    let both = [prefix[0].clone(), even[0].clone()];
    assert_eq!(world.select_exactly(assets, shown, &both).await.len(), 5);
    let named = [Condition::OneOf {
        column: of("external_id"),
        values: ["pump-0001", "gone", "pump-0002", "pump-0001"]
            .map(str::to_owned)
            .to_vec(),
    }];
    assert_eq!(
        world.select_exactly(assets, shown, &named).await,
        ["pump-0001", "pump-0002"]
    );
    let never = [Condition::OneOf {
        column: of("name"),
        values: Vec::new(),
    }];
    assert!(world.select_exactly(assets, shown, &never).await.is_empty());
    let ids = [Condition::equals(of("id"), "0")];
    assert!(world.select_exactly(assets, shown, &ids).await.is_empty());
}

#[tokio::test]
async fn more_names_than_a_call_takes_are_read_in_several() {
    let world = World::new();
    plant_of_assets(&world).await;
    let assets = table("assets");
    let named = [Condition::OneOf {
        column: column(assets, "external_id"),
        values: (0..2_500)
            .map(|number| format!("pump-{number:04}"))
            .collect(),
    }];
    assert_eq!(world.select(assets, &named).await.len(), 2_500);
    assert_eq!(world.statuses("assets.byids").await, [200, 200, 200]);
    assert!(world.statuses("assets.list").await.is_empty());
}

#[tokio::test]
async fn trees_of_assets_are_found_by_parent_and_root() {
    let world = World::new();
    let tree = [
        json!({"externalId": "root", "name": "root"}),
        json!({"externalId": "child", "name": "child", "parentExternalId": "root"}),
        json!({"externalId": "grandchild", "name": "grandchild", "parentExternalId": "child"}),
        json!({"externalId": "other", "name": "other"}),
    ];
    world.make("/assets", &tree).await;
    let assets = table("assets");
    let of = |name: &str| column(assets, name);
    let roots = [Condition::IsNull {
        column: of("parent_id"),
    }];
    assert_eq!(
        world.select_exactly(assets, "name", &roots).await,
        ["other", "root"]
    );
    let children = [Condition::equals(of("parent_external_id"), "root")];
    assert_eq!(
        world.select_exactly(assets, "name", &children).await,
        ["child"]
    );
    let root = world
        .select(assets, &[Condition::equals(of("external_id"), "root")])
        .await;
    let id = root[0][of("id")].clone().expect("CDF made it");
    let under = [Condition::equals(of("root_id"), &id)];
    assert_eq!(world.select(assets, &under).await.len(), 3);
    let children = [Condition::equals(of("parent_id"), id)];
    assert_eq!(
        world.select_exactly(assets, "name", &children).await,
        ["child"]
    );
}

#[tokio::test]
async fn events_are_narrowed_by_times() {
    let world = World::new();
    let events: Vec<Value> = (0..10)
        .map(|second: i64| {
            let mut event = json!({"externalId": format!("e{second}"), "startTime": second * 1000});
            if second < 5 {
                event["endTime"] = json!(second * 1000 + 1);
            }
            event
        })
        .collect();
    world.make("/events", &events).await;
    let events = table("events");
    let of = |name: &str| column(events, name);
    let range = |from: Option<Bound>, to: Option<Bound>| {
        vec![Condition::Range {
            column: of("start_time"),
            from,
            to,
        }]
    };
    let second = |second: u32| format!("1970-01-01 00:00:0{second}+00");
    for (conditions, expected) in [
        (range(Some(Bound::inclusive(second(7))), None), "e7 e8 e9"),
        (range(Some(Bound::exclusive(second(7))), None), "e8 e9"),
        (range(None, Some(Bound::inclusive(second(1)))), "e0 e1"),
        (range(None, Some(Bound::exclusive(second(1)))), "e0"),
        (
            range(
                Some(Bound::inclusive(second(2))),
                Some(Bound::exclusive(second(4))),
            ),
            "e2 e3",
        ),
        (
            range(Some(Bound::inclusive("1970-01-01 00:00:08.0005+00")), None),
            "e9",
        ),
        (vec![Condition::equals(of("start_time"), second(3))], "e3"),
        (
            range(
                Some(Bound::inclusive(second(4))),
                Some(Bound::exclusive(second(4))),
            ),
            "",
        ),
        (
            vec![Condition::IsNull {
                column: of("end_time"),
            }],
            "e5 e6 e7 e8 e9",
        ),
        (
            vec![Condition::IsNotNull {
                column: of("end_time"),
            }],
            "e0 e1 e2 e3 e4",
        ),
    ] {
        let found = world
            .select_exactly(events, "external_id", &conditions)
            .await;
        assert_eq!(found.join(" "), expected, "{conditions:?}");
    }
    let shown = world
        .select(events, &[Condition::equals(of("external_id"), "e2")])
        .await;
    assert_eq!(
        shown[0][of("start_time")].as_deref(),
        Some("1970-01-01 00:00:02+00")
    );
    assert_eq!(
        shown[0][of("end_time")].as_deref(),
        Some("1970-01-01 00:00:02.001+00")
    );
}

#[tokio::test]
async fn a_limit_reads_one_page() {
    let world = World::new();
    plant_of_assets(&world).await;
    let assets = table("assets");
    let scan = Scan {
        limit: Some(7),
        ..Scan::of(assets, ROWS_MAX)
    };
    assert_eq!(scan.plan().limit, Some(7));
    assert_eq!(world.scan(&scan).await.expect("it is read").len(), 7);
    assert_eq!(world.statuses("assets.list").await, [200]);
    // A condition that CDF does not take could leave none of them.
    let scan = Scan {
        limit: Some(7),
        conditions: vec![Condition::equals(column(assets, "description"), "x")],
        ..Scan::of(assets, ROWS_MAX)
    };
    assert_eq!(scan.plan().limit, None);
    assert_eq!(scan.plan().conditions[0].taken, Taken::No);
    assert_eq!(world.scan(&scan).await.expect("it is read").len(), 2_500);
}

#[tokio::test]
async fn all_other_objects_come_back() {
    let world = World::new();
    let made = world
        .post(
            "/datasets",
            json!({"items": [{"externalId": "set", "name": "a set"}]}),
        )
        .await;
    let set = made["items"][0]["id"].as_i64().expect("it has an id");
    world
        .make(
            "/labels",
            &[json!({"externalId": "l", "name": "label", "dataSetId": set})],
        )
        .await;
    world
        .make(
            "/timeseries",
            &[
                json!({"externalId": "t", "name": "flow", "unit": "bar", "isStep": true, "dataSetId": set}),
                json!({"externalId": "u", "isString": true, "metadata": {"a": "b"}}),
            ],
        )
        .await;
    world
        .post(
            "/files",
            json!({"externalId": "f", "name": "a.txt", "mimeType": "text/plain",
              "directory": "/plant/docs", "labels": [{"externalId": "l"}]}),
        )
        .await;
    world
        .make(
            "/sequences",
            &[json!({"externalId": "q", "name": "curve",
              "columns": [{"externalId": "c", "valueType": "DOUBLE"}]})],
        )
        .await;
    world
        .make(
            "/relationships",
            &[json!({"externalId": "r", "sourceExternalId": "a",
              "sourceType": "asset", "targetExternalId": "t", "targetType": "timeSeries",
              "confidence": 0.25, "labels": [{"externalId": "l"}]})],
        )
        .await;
    world
        .make(
            "/extpipes",
            &[json!({"externalId": "p", "name": "pipe", "dataSetId": set})],
        )
        .await;
    world
        .post(
            "/extpipes/runs",
            json!({"items": [{"externalId": "p", "status": "success",
              "message": "done", "createdTime": 1000}]}),
        )
        .await;
    world
        .post(
            "/extpipes/runs",
            json!({"items": [{"externalId": "p", "status": "failure",
              "createdTime": 2000}]}),
        )
        .await;
    let set = set.to_string();
    for (name, by, value, shown, expected) in [
        ("cdf.data_sets", "external_id", "set", "name", "a set"),
        ("cdf.data_sets", "write_protected", "f", "name", "a set"),
        (
            "labels",
            "name",
            "label",
            "data_set_id",
            &*format!("{{{set}}}"),
        ),
        ("labels", "external_id", "l", "name", "label"),
        ("time_series", "unit", "bar", "name", "flow"),
        ("time_series", "is_step", "true", "is_string", "f"),
        ("time_series", "is_string", "t", "metadata", "{\"a\":\"b\"}"),
        ("time_series", "data_set_id", &*set, "external_id", "t"),
        ("files", "mime_type", "text/plain", "labels", "{l}"),
        ("files", "uploaded", "false", "directory", "/plant/docs"),
        ("sequences", "name", "curve", "external_id", "q"),
        (
            "relationships",
            "source_external_id",
            "a",
            "confidence",
            "0.25",
        ),
        (
            "relationships",
            "target_type",
            "timeSeries",
            "labels",
            "{l}",
        ),
        ("extraction_pipelines", "data_set_id", &*set, "name", "pipe"),
        (
            "extraction_pipelines",
            "external_id",
            "p",
            "last_success",
            "1970-01-01 00:00:01+00",
        ),
        (
            "extraction_pipeline_runs",
            "status",
            "success",
            "message",
            "done",
        ),
        (
            "extraction_pipeline_runs",
            "status",
            "failure",
            "external_id",
            "p",
        ),
    ] {
        let table = table(name);
        let condition = [Condition::equals(column(table, by), value)];
        let found = world.select_exactly(table, shown, &condition).await;
        assert_eq!(found, [expected], "{name} by {by}");
    }
    let runs = table("extraction_pipeline_runs");
    assert_eq!(world.select(runs, &[]).await.len(), 2);
    let gone = [Condition::equals(column(runs, "external_id"), "gone")];
    assert!(world.select_exactly(runs, "status", &gone).await.is_empty());
    let files = table("files");
    let docs = [Condition::Prefix {
        column: column(files, "directory"),
        text: "/plant".to_owned(),
    }];
    assert_eq!(world.select_exactly(files, "name", &docs).await, ["a.txt"]);
}
