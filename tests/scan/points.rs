//! Datapoints of every kind, by every way to their series.

use super::world::{ROWS_MAX, World, column, table};
use penstock::scan::{Bound, Condition, Scan, ScanFault};
use serde_json::{Value, json};

/// Points of a series at 0, 1, 2 … seconds.
fn points(external_id: &str, count: i64, value: impl Fn(i64) -> Value) -> Value {
    let points: Vec<Value> = (0..count)
        .map(|second| json!({"timestamp": second * 1000, "value": value(second)}))
        .collect();
    json!({"externalId": external_id, "datapoints": points})
}

async fn series(world: &World) {
    let series: Vec<Value> = (0..250)
        .map(|number| json!({"externalId": format!("n{number:03}"), "isString": number == 249}))
        .collect();
    world.make("/timeseries", &series).await;
}

#[tokio::test]
async fn points_of_many_series_come_back_to_the_last_bit() {
    let world = World::new();
    series(&world).await;
    let values: [f64; 6] = [0.0, 0.1, -1e99, 5e-324, 1.0 / 3.0, 123_456_789.123_456_79];
    let items: Vec<Value> = (0..249)
        .map(|number: usize| {
            points(&format!("n{number:03}"), 20, move |second| {
                json!(values[(number + second as usize) % values.len()])
            })
        })
        .collect();
    world.make("/timeseries/data", &items).await;
    world
        .make(
            "/timeseries/data",
            &[points("n249", 3, |second| json!(format!("w{second}")))],
        )
        .await;
    let doubles = table("double_datapoints");
    let rows = world.select(doubles, &[]).await;
    assert_eq!(rows.len(), 249 * 20);
    for row in &rows {
        let cell = |name: &str| row[column(doubles, name)].clone().expect("all are there");
        let number: usize = cell("external_id")[1..].parse().expect("a number");
        let time = cell("timestamp");
        let second: usize = time[17..19].parse().expect("seconds");
        let value: f64 = cell("value").parse().expect("a double");
        let expected = values[(number + second) % values.len()];
        assert_eq!(value.to_bits(), expected.to_bits(), "{row:?}");
    }
    let strings = table("string_datapoints");
    let rows = world.select(strings, &[]).await;
    let values: Vec<_> = rows.iter().filter_map(|row| row[0].as_deref()).collect();
    assert_eq!(values, ["w0", "w1", "w2"]);
}

#[tokio::test]
async fn a_series_with_more_points_than_a_page_is_read_to_its_end() {
    let world = World::new();
    series(&world).await;
    for part in 0..3 {
        let list: Vec<Value> = (0..70_000)
            .map(|second: i64| {
                json!({"timestamp": (part * 70_000 + second) * 1000, "value": second})
            })
            .collect();
        world
            .make(
                "/timeseries/data",
                &[json!({"externalId": "n000", "datapoints": list})],
            )
            .await;
    }
    let doubles = table("double_datapoints");
    let named = [Condition::equals(column(doubles, "external_id"), "n000")];
    let rows = world.select(doubles, &named).await;
    assert_eq!(rows.len(), 210_000);
    let timestamp = column(doubles, "timestamp");
    let mut times: Vec<&str> = rows
        .iter()
        .filter_map(|row| row[timestamp].as_deref())
        .collect();
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 210_000, "each point comes once");
}

#[tokio::test]
async fn series_and_times_narrow_what_is_read() {
    let world = World::new();
    series(&world).await;
    let items: Vec<Value> = ["n001", "n002", "n010"]
        .map(|name| points(name, 10, |second| json!(second)))
        .to_vec();
    world.make("/timeseries/data", &items).await;
    let doubles = table("double_datapoints");
    let of = |name: &str| column(doubles, name);
    let at = |second: u32| format!("1970-01-01 00:00:0{second}+00");
    let series = Condition::OneOf {
        column: of("external_id"),
        values: ["n001", "n010", "gone", "n249"].map(str::to_owned).to_vec(),
    };
    let times = Condition::Range {
        column: of("timestamp"),
        from: Some(Bound::inclusive(at(2))),
        to: Some(Bound::exclusive(at(4))),
    };
    let found = world
        .select_exactly(doubles, "value", &[series.clone(), times.clone()])
        .await;
    assert_eq!(found, ["2", "2", "3", "3"]);
    assert!(world.statuses("time_series.list").await.is_empty());
    let prefix = Condition::Prefix {
        column: of("external_id"),
        text: "n00".to_owned(),
    };
    let found = world
        .select_exactly(doubles, "value", &[prefix, times])
        .await;
    assert_eq!(found, ["2", "2", "3", "3"]);
    let one = Condition::equals(of("timestamp"), at(9));
    let found = world
        .select_exactly(doubles, "external_id", &[series.clone(), one])
        .await;
    assert_eq!(found, ["n001", "n010"]);
    let id = world.select(doubles, &[series]).await[0][of("id")]
        .clone()
        .expect("it has one");
    let by_id = [Condition::equals(of("id"), id)];
    assert_eq!(
        world
            .select_exactly(doubles, "external_id", &by_id)
            .await
            .len(),
        10
    );
}

#[tokio::test]
async fn points_before_1970_and_beyond_today_are_read() {
    let world = World::new();
    series(&world).await;
    let list = [-2_208_988_800_000_i64, -1, 4_102_444_799_999]
        .map(|timestamp| json!({"timestamp": timestamp, "value": 1}));
    world
        .make(
            "/timeseries/data",
            &[json!({"externalId": "n000", "datapoints": list})],
        )
        .await;
    let doubles = table("double_datapoints");
    let found = world.select_exactly(doubles, "timestamp", &[]).await;
    assert_eq!(
        found,
        [
            "1900-01-01 00:00:00+00",
            "1969-12-31 23:59:59.999+00",
            "2099-12-31 23:59:59.999+00"
        ]
    );
}

#[tokio::test]
async fn the_wide_tables_show_statuses_and_nodes() {
    let world = World::new();
    series(&world).await;
    world
        .post("/models/spaces", json!({"items": [{"space": "plant"}]}))
        .await;
    let view = json!({"type": "view", "space": "cdf_cdm", "externalId": "CogniteTimeSeries", "version": "v1"});
    let source = json!({"source": view, "properties": {"type": "numeric", "isStep": false}});
    world
        .post(
            "/models/instances",
            json!({"items": [{"instanceType": "node", "space": "plant",
              "externalId": "n000", "sources": [source]}]}),
        )
        .await;
    let bad = json!({"timestamp": 0, "status": {"code": 2147483648_u32}});
    let uncertain = json!({"timestamp": 1000, "value": 7, "status": {"symbol": "Uncertain"}});
    let good = json!({"timestamp": 2000, "value": 8});
    let nan = json!({"timestamp": 3000, "value": "NaN", "status": {"code": 2147483648_u32}});
    world
        .make(
            "/timeseries/data",
            &[
                json!({"externalId": "n000", "datapoints": [bad, uncertain, good, nan]}),
                json!({"instanceId": {"space": "plant", "externalId": "n000"},
                       "datapoints": [{"timestamp": 5000, "value": 9}]}),
            ],
        )
        .await;
    let wide = table("cdf.double_datapoints");
    let of = |name: &str| column(wide, name);
    let named = Condition::equals(of("external_id"), "n000");
    let all = world
        .select_exactly(wide, "timestamp", std::slice::from_ref(&named))
        .await;
    assert_eq!(
        all.len(),
        5,
        "the classic series and the node of that name: {all:?}"
    );
    let classic = Condition::IsNull {
        column: of("instance_space"),
    };
    let rows = world.select(wide, &[named.clone(), classic]).await;
    let mut shown: Vec<_> = rows
        .iter()
        .map(|row| {
            let cell = |name: &str| row[of(name)].as_deref().unwrap_or("NULL");
            let time = &cell("timestamp")[17..19];
            format!(
                "{time} {} {} {}",
                cell("value"),
                cell("status_code"),
                cell("status_symbol")
            )
        })
        .collect();
    shown.sort();
    assert_eq!(
        shown,
        [
            "00 NULL 2147483648 Bad",
            "01 7 1073741824 Uncertain",
            "02 8 0 Good",
            "03 NaN 2147483648 Bad"
        ]
    );
    let space = Condition::equals(of("instance_space"), "plant");
    for conditions in [vec![named, space.clone()], vec![space]] {
        let rows = world.select(wide, &conditions).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0][of("value")].as_deref(), Some("9"));
        assert_eq!(rows[0][of("instance_space")].as_deref(), Some("plant"));
    }
    // What is not Good is no row of the plain table, as CDF itself leaves it out.
    let doubles = table("double_datapoints");
    let named = [Condition::equals(column(doubles, "external_id"), "n000")];
    assert_eq!(world.select_exactly(doubles, "value", &named).await, ["8"]);
}

#[tokio::test]
async fn a_string_that_the_column_cannot_hold_is_said() {
    let world = World::new();
    series(&world).await;
    let long = "x".repeat(300);
    world
        .make("/timeseries/data", &[points("n249", 1, |_| json!(long))])
        .await;
    let fault = world
        .scan(&Scan::of(table("string_datapoints"), ROWS_MAX))
        .await
        .expect_err("255 characters are all");
    let ScanFault::Unfit(diagnostic) = fault else {
        panic!("{fault:?}");
    };
    assert_eq!(diagnostic.sqlstate.code(), "22001");
    assert_eq!(diagnostic.column.as_deref(), Some("value"));
    let wide = table("cdf.string_datapoints");
    assert_eq!(world.select(wide, &[]).await.len(), 1);
}
