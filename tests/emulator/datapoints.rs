//! Datapoints: both formats, the limits, what is read back.

use crate::messages::{ListResponse, Numeric, Request, Status, numeric_item, text_item};
use crate::support::{Cdf, NOON, Reply, TestResult, gzip};
use prost::Message;
use serde_json::{Value, json};

const DATA: &str = "/timeseries/data";

async fn insert(cdf: &Cdf, items: Vec<crate::messages::Item>) -> reqwest::Result<Reply> {
    cdf.post_protobuf(DATA, Request { items }.encode_to_vec())
        .await
}

async fn insert_one(cdf: &Cdf, series: &str, point: Value) -> reqwest::Result<Reply> {
    let body = json!({"items": [{"externalId": series, "datapoints": [point]}]});
    cdf.post(DATA, body).await
}

async fn list(cdf: &Cdf, item: Value) -> reqwest::Result<Value> {
    let reply = cdf
        .post("/timeseries/data/list", json!({"items": [item]}))
        .await?;
    Ok(reply.json()["items"][0].clone())
}

#[tokio::test]
async fn points_written_in_protobuf_are_read_back_in_json_and_protobuf() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n", "text"]).await?;
    let numbers = [(NOON, 1.5), (NOON + 1, 0.0), (NOON + 2, -9.9e99)];
    let texts = [(NOON, "é".to_owned()), (NOON + 1, String::new())];
    let written = insert(
        &cdf,
        vec![numeric_item("n", numbers), text_item("text", texts.clone())],
    );
    let written = written.await?;
    assert_eq!((written.status, written.json()), (200, json!({})));

    let query = json!({"externalId": "n", "start": NOON, "end": NOON + 10});
    let read = list(&cdf, query.clone()).await?;
    assert_eq!(read["type"], "numeric");
    assert_eq!(
        read["datapoints"][2],
        json!({"timestamp": NOON + 2, "value": -9.9e99})
    );

    let both = json!({"items": [query, {"externalId": "text"}], "end": NOON + 10});
    let request = cdf
        .request("/timeseries/data/list", &both)
        .header("accept", "application/protobuf");
    let reply = cdf.send(request).await?;
    assert_eq!(reply.header("content-type"), Some("application/protobuf"));
    let answer = ListResponse::decode(reply.bytes.as_slice())?;
    let numeric = answer.items[0].numeric.clone().unwrap_or_default();
    let read: Vec<_> = numeric
        .points
        .iter()
        .map(|p| (p.timestamp, p.value))
        .collect();
    assert_eq!(read, numbers);
    let text = answer.items[1].text.clone().unwrap_or_default();
    let read: Vec<_> = text
        .points
        .iter()
        .map(|p| (p.timestamp, p.value.clone()))
        .collect();
    assert_eq!(read, texts);
    assert_eq!((answer.items[0].kind, answer.items[1].kind), (1, 2));
    assert!(answer.items[1].is_string);
    Ok(())
}

#[tokio::test]
async fn a_negative_zero_keeps_its_sign() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    let points = json!([{"timestamp": NOON, "value": -0.0}, {"timestamp": NOON + 1, "value": 0.0}]);
    let body = json!({"items": [{"externalId": "n", "datapoints": points}]});
    assert_eq!(cdf.post(DATA, body).await?.status, 200);
    let query = json!({"items": [{"externalId": "n"}]});
    let request = cdf
        .request("/timeseries/data/list", &query)
        .header("accept", "application/protobuf");
    let answer = ListResponse::decode(cdf.send(request).await?.bytes.as_slice())?;
    let numeric = answer.items[0].numeric.clone().unwrap_or_default();
    let bits: Vec<u64> = numeric
        .points
        .iter()
        .map(|point| point.value.to_bits())
        .collect();
    assert_eq!(bits, [(-0.0_f64).to_bits(), 0.0_f64.to_bits()]);
    Ok(())
}

#[tokio::test]
async fn gzip_is_opened_and_other_encodings_are_refused_by_name() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    let json_body =
        json!({"items": [{"externalId": "n", "datapoints": [{"timestamp": NOON, "value": 1}]}]});
    let protobuf_body = Request {
        items: vec![numeric_item("n", [(NOON + 1, 2.0)])],
    };
    let post = |content_type: &str, encoding: &str, body: Vec<u8>| {
        let request = cdf
            .http
            .post(cdf.url(DATA))
            .bearer_auth("x")
            .header("content-type", content_type)
            .header("content-encoding", encoding)
            .body(body);
        cdf.send(request)
    };
    let json_body = json_body.to_string().into_bytes();
    let protobuf_body = protobuf_body.encode_to_vec();
    assert_eq!(
        post("application/json", "gzip", gzip(&json_body))
            .await?
            .status,
        200
    );
    assert_eq!(
        post("application/protobuf", "gzip", gzip(&protobuf_body))
            .await?
            .status,
        200
    );
    let refused = post("application/json", "br", json_body.clone()).await?;
    assert_eq!(refused.status, 415);
    assert!(refused.message().contains("'br'"), "{}", refused.message());
    assert_eq!(
        post("application/json", "gzip", json_body).await?.status,
        400
    );
    assert_eq!(
        post("text/csv", "identity", protobuf_body).await?.status,
        415
    );
    let read = list(&cdf, json!({"externalId": "n"})).await?;
    assert_eq!(read["datapoints"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn a_request_carries_at_most_100000_points_and_10000_series() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    let points = |count: i64| vec![numeric_item("n", (0..count).map(|i| (NOON + i, 1.0)))];
    assert_eq!(insert(&cdf, points(100_000)).await?.status, 200);
    let refused = insert(&cdf, points(100_001)).await?;
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("100000"),
        "{}",
        refused.message()
    );
    let items = (0..10_001).map(|i| numeric_item(&format!("s{i}"), []));
    let refused = insert(&cdf, items.collect()).await?;
    assert_eq!(refused.status, 400);
    assert!(refused.message().contains("10000"), "{}", refused.message());
    assert_eq!(insert(&cdf, Vec::new()).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn timestamps_are_of_the_years_1900_to_2099() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    for (timestamp, status) in [
        (-2_208_988_800_001, 400),
        (-2_208_988_800_000, 200),
        (4_102_444_799_999, 200),
        (4_102_444_800_000, 400),
    ] {
        let point = json!({"timestamp": timestamp, "value": 1});
        assert_eq!(
            insert_one(&cdf, "n", point).await?.status,
            status,
            "{timestamp}"
        );
        let item = numeric_item("n", [(timestamp, 1.0)]);
        assert_eq!(
            insert(&cdf, vec![item]).await?.status,
            status,
            "{timestamp}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn numbers_lie_strictly_between_minus_and_plus_1e100_unless_bad() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    let bad = || {
        Some(Status {
            code: 0x8000_0000,
            symbol: String::new(),
        })
    };
    for (value, good) in [
        (9.999999999999999e99, 200),
        (1e100, 400),
        (-1e100, 400),
        (f64::NAN, 400),
        (f64::INFINITY, 400),
    ] {
        let mut item = numeric_item("n", [(NOON, value)]);
        assert_eq!(
            insert(&cdf, vec![item.clone()]).await?.status,
            good,
            "{value}"
        );
        if let Some(list) = &mut item.numeric {
            list.points[0].status = bad();
        }
        assert_eq!(insert(&cdf, vec![item]).await?.status, 200, "bad {value}");
    }
    for (value, status) in [
        ("\"NaN\"", 400),
        ("1e400", 400),
        ("null", 400),
        ("true", 400),
    ] {
        let body = format!(
            r#"{{"items":[{{"externalId":"n","datapoints":[{{"timestamp":{NOON},"value":{value}}}]}}]}}"#
        );
        let request = cdf.http.post(cdf.url(DATA)).bearer_auth("x").body(body);
        assert_eq!(cdf.send(request).await?.status, status, "{value}");
    }
    Ok(())
}

#[tokio::test]
async fn a_point_without_a_value_has_to_be_bad() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    let mut item = numeric_item("n", []);
    let point = Numeric {
        timestamp: NOON,
        null_value: true,
        ..Numeric::default()
    };
    if let Some(list) = &mut item.numeric {
        list.points.push(point);
    }
    assert_eq!(insert(&cdf, vec![item.clone()]).await?.status, 400);
    if let Some(list) = &mut item.numeric {
        list.points[0].status = Some(Status {
            code: 0,
            symbol: "Bad".to_owned(),
        });
    }
    assert_eq!(insert(&cdf, vec![item]).await?.status, 200);
    let query = json!({"externalId": "n", "ignoreBadDataPoints": false, "includeStatus": true});
    let read = list(&cdf, query).await?;
    let status = json!({"code": 0x8000_0000_u32, "symbol": "Bad"});
    assert_eq!(
        read["datapoints"],
        json!([{"timestamp": NOON, "status": status}])
    );
    Ok(())
}

#[tokio::test]
async fn strings_are_measured_in_bytes() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["text"]).await?;
    for (text, status) in [("a".repeat(1_023), 200), ("é".repeat(512), 400)] {
        let item = text_item("text", [(NOON, text.clone())]);
        assert_eq!(insert(&cdf, vec![item]).await?.status, status);
        let point = json!({"timestamp": NOON, "value": text});
        assert_eq!(insert_one(&cdf, "text", point).await?.status, status);
    }
    Ok(())
}

#[tokio::test]
async fn the_wrong_type_is_refused_without_a_list() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n", "text"]).await?;
    let refused = insert(&cdf, vec![text_item("n", [(NOON, "a".to_owned())])]).await?;
    assert_eq!(refused.status, 400);
    assert!(refused.message().starts_with("Expected numeric value"));
    assert_eq!(refused.json()["error"].get("missing"), None);
    let refused = insert_one(&cdf, "text", json!({"timestamp": NOON, "value": 1})).await?;
    assert!(refused.message().starts_with("Expected string value"));
    Ok(())
}

#[tokio::test]
async fn one_unknown_series_refuses_the_whole_request() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    let items = vec![
        numeric_item("n", [(NOON, 1.0)]),
        numeric_item("x", [(NOON, 1.0)]),
    ];
    let refused = insert(&cdf, items).await?;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["error"]["missing"],
        json!([{"externalId": "x"}])
    );
    assert_eq!(
        list(&cdf, json!({"externalId": "n"})).await?["datapoints"],
        json!([])
    );
    Ok(())
}

#[tokio::test]
async fn a_series_twice_in_one_request_is_a_422() -> TestResult {
    let cdf = Cdf::new();
    let made = cdf.create_series(&["n"]).await?;
    let n = || numeric_item("n", [(NOON, 1.0)]);
    let refused = insert(&cdf, vec![n(), n()]).await?;
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.json()["error"]["duplicated"],
        json!([{"externalId": "n"}])
    );
    let mut by_id = n();
    by_id.external_id = None;
    by_id.id = made.json()["items"][0]["id"].as_i64();
    assert_eq!(insert(&cdf, vec![n(), by_id]).await?.status, 422);
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_protobuf_is_a_400() -> TestResult {
    let cdf = Cdf::new();
    let refused = cdf.post_protobuf(DATA, b"{\"items\":[]}".to_vec()).await?;
    assert_eq!(refused.status, 400);
    assert!(
        refused.message().contains("protobuf"),
        "{}",
        refused.message()
    );
    Ok(())
}

#[tokio::test]
async fn bad_and_uncertain_points_are_hidden_unless_asked_for() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    for (offset, code) in [(0, 0), (1, 0x4000_0000_u32), (2, 0x8000_0000)] {
        let point = json!({"timestamp": NOON + offset, "value": 1, "status": {"code": code}});
        assert_eq!(insert_one(&cdf, "n", point).await?.status, 200);
    }
    let count = |ignore_bad: bool, uncertain_is_bad: bool| {
        let query = json!({
            "externalId": "n",
            "ignoreBadDataPoints": ignore_bad,
            "treatUncertainAsBad": uncertain_is_bad,
        });
        let cdf = &cdf;
        async move {
            let read = list(cdf, query).await?;
            Ok::<_, reqwest::Error>(read["datapoints"].as_array().map(Vec::len))
        }
    };
    assert_eq!(count(true, true).await?, Some(1));
    assert_eq!(count(true, false).await?, Some(2));
    assert_eq!(count(false, true).await?, Some(3));
    let disagree = json!({"timestamp": NOON, "value": 1, "status": {"code": 0, "symbol": "Bad"}});
    assert_eq!(insert_one(&cdf, "n", disagree).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn pages_of_points_follow_their_cursor() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    insert(
        &cdf,
        vec![numeric_item("n", (0..25).map(|i| (NOON + i, i as f64)))],
    )
    .await?;
    let mut values = Vec::new();
    let mut cursor = Value::Null;
    loop {
        let query = json!({"externalId": "n", "start": NOON, "end": NOON + 24, "limit": 10, "cursor": cursor});
        let page = list(&cdf, query).await?;
        let points = page["datapoints"].as_array().cloned().unwrap_or_default();
        values.extend(points.iter().filter_map(|point| point["value"].as_f64()));
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(values, (0..24).map(f64::from).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn what_is_not_served_says_so() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    for (option, value) in [
        ("aggregates", json!(["average"])),
        ("granularity", json!("1d")),
        ("targetUnit", json!("temperature:deg_c")),
    ] {
        let body = json!({"items": [{"externalId": "n"}], option: value});
        let refused = cdf.post("/timeseries/data/list", body).await?;
        assert_eq!(refused.status, 400);
        assert!(
            refused.message().contains("not served"),
            "{}",
            refused.message()
        );
    }
    for (start, end) in [(NOON, NOON), (NOON + 1, NOON)] {
        let body = json!({"items": [{"externalId": "n", "start": start, "end": end}]});
        assert_eq!(cdf.post("/timeseries/data/list", body).await?.status, 400);
    }
    Ok(())
}

#[tokio::test]
async fn a_hundred_queries_and_ten_thousand_ranges_are_the_most() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    let items = |count: usize, item: Value| json!({"items": vec![item; count]});
    let n = || json!({"externalId": "n"});
    for path in ["/timeseries/data/list", "/timeseries/data/latest"] {
        assert_eq!(cdf.post(path, items(100, n())).await?.status, 200, "{path}");
        assert_eq!(cdf.post(path, items(101, n())).await?.status, 400, "{path}");
    }
    let range = || json!({"externalId": "n", "inclusiveBegin": NOON});
    let path = "/timeseries/data/delete";
    assert_eq!(cdf.post(path, items(10_000, range())).await?.status, 200);
    assert_eq!(cdf.post(path, items(10_001, range())).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn a_delete_without_an_end_takes_a_single_timestamp() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n"]).await?;
    insert(
        &cdf,
        vec![numeric_item("n", (0..3).map(|i| (NOON + i, 1.0)))],
    )
    .await?;
    let delete = json!({"items": [{"externalId": "n", "inclusiveBegin": NOON + 1}]});
    let deleted = cdf.post("/timeseries/data/delete", delete).await?;
    assert_eq!((deleted.status, deleted.json()), (200, json!({})));
    let read = list(&cdf, json!({"externalId": "n"})).await?;
    let times: Vec<_> = read["datapoints"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|point| point["timestamp"].as_i64())
        .collect();
    assert_eq!(times, [NOON, NOON + 2]);
    Ok(())
}

#[tokio::test]
async fn the_log_tells_keys_counts_and_time_range_of_an_insert() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["a", "b"]).await?;
    let items = vec![
        numeric_item("a", [(NOON + 5, 1.0), (NOON, 2.0)]),
        numeric_item("b", [(NOON + 9, 3.0)]),
    ];
    insert(&cdf, items).await?;
    let log = cdf.requests("datapoints.insert").await?;
    assert_eq!(log.len(), 1);
    assert_eq!(log[0]["keys"], json!(["a", "b"]));
    assert_eq!(
        (&log[0]["items"], &log[0]["points"]),
        (&json!(2), &json!(3))
    );
    assert_eq!(log[0]["timestamp_min"], NOON);
    assert_eq!(log[0]["timestamp_max"], NOON + 9);
    assert_eq!(log[0]["content_type"], "application/protobuf");
    let statistics = cdf.statistics().await?;
    assert_eq!(statistics["operations"]["datapoints.insert"]["points"], 3);
    assert_eq!(
        statistics["operations"]["datapoints.insert"]["answers"]["200"],
        1
    );
    Ok(())
}

#[tokio::test]
async fn deletes_meet_faults_and_count_in_statistics_and_log() -> TestResult {
    let cdf = Cdf::new();
    cdf.create_series(&["n", "m"]).await?;
    insert(
        &cdf,
        vec![numeric_item("n", (0..9).map(|i| (NOON + i, 1.0)))],
    )
    .await?;
    let delete = || {
        json!({"items": [
            {"externalId": "n", "inclusiveBegin": NOON + 2, "exclusiveEnd": NOON + 5},
            {"externalId": "n", "inclusiveBegin": NOON + 8},
            {"externalId": "m", "inclusiveBegin": NOON},
        ]})
    };
    let path = "/timeseries/data/delete";
    let fault = json!([
        {"kind": "status", "status": 503, "operation": "datapoints.delete", "count": 1},
        {"kind": "reset_after_commit", "operation": "datapoints.delete", "count": 1},
    ]);
    cdf.admin("POST", "faults", fault).await?;
    assert_eq!(cdf.post(path, delete()).await?.status, 503);
    assert!(cdf.post(path, delete()).await.is_err());
    // The second was done: what it took away is gone, and taking it away again is no error.
    let read = list(&cdf, json!({"externalId": "n"})).await?;
    assert_eq!(read["datapoints"].as_array().map(Vec::len), Some(5));
    assert_eq!(cdf.post(path, delete()).await?.status, 200);
    let figures = cdf.admin("GET", "statistics", json!(null)).await?.json();
    let figures = &figures["operations"]["datapoints.delete"];
    assert_eq!(figures["requests"], 3);
    assert_eq!(figures["accepted"], 2);
    assert_eq!(figures["items"], 6);
    assert_eq!(figures["resets"], 1);
    // An unknown series keeps all of a request from being done.
    let mixed = json!({"items": [
        {"externalId": "n", "inclusiveBegin": NOON},
        {"externalId": "none", "inclusiveBegin": NOON},
    ]});
    let refused = cdf.post(path, mixed).await?;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.json()["error"]["missing"],
        json!([{"externalId": "none"}])
    );
    let read = list(&cdf, json!({"externalId": "n"})).await?;
    assert_eq!(read["datapoints"].as_array().map(Vec::len), Some(5));
    Ok(())
}
