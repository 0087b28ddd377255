//! Bodies of RAW inserts and of creates, read back by serde_json.
//!
//! Owns the tests of the JSON encoders. Promises that what is compared is JSON, not its bytes,
//! but for RAW columns, which are to arrive as they were written.

use super::batches::{deletes, named_time_series, objects, range, raw_rows, raw_tables, texts};
use penstock::catalog::Resource;
use penstock::cdf::{EncodeError, EncodedRequest, Operation, Repeat, encode};
use penstock::config::BatchSettings;
use penstock::rows::{ObjectValues, RowBatch, RowRange, SeriesReference};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn encode_all(resource: Resource, batches: &[RowBatch]) -> Result<EncodedRequest, EncodeError> {
    let ranges: Vec<RowRange<'_>> = batches.iter().map(range).collect();
    encode(
        Operation::writing(resource),
        &ranges,
        &BatchSettings::default(),
    )
}

fn items(request: &EncodedRequest) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&request.body).expect("the body is JSON");
    let items = body["items"].as_array().expect("a body has items").clone();
    assert_eq!(items.len(), request.items);
    assert_eq!(request.uncompressed_bytes, request.body.len());
    items
}

fn row(key: &str, columns: &str) -> (String, String) {
    (key.to_owned(), columns.to_owned())
}

#[test]
fn a_raw_row_keeps_its_columns_as_written() {
    let columns = r#"{"b" : 1.50, "a":[ 1e2,"\u00e9\n"] }"#;
    let batch = raw_rows("db", "t", &[row("k", columns)]);
    let request = encode_all(Resource::RawRows, &[batch]).expect("the rows are right");
    let expected = format!(r#"{{"items":[{{"key":"k","columns":{columns}}}]}}"#);
    assert_eq!(request.body, expected.as_bytes());
    assert_eq!(request.operation, Operation::InsertRawRows);
    assert_eq!(request.repeat, Repeat::Harmless);
    assert_eq!(request.points, 0);
}

#[test]
fn names_with_slashes_and_spaces_are_one_path_segment_each() {
    let batch = raw_rows("my db", "a/b?c#ø%2F", &[row("k", "{}")]);
    let request = encode_all(Resource::RawRows, &[batch]).expect("the rows are right");
    assert_eq!(
        request.path,
        "/raw/dbs/my%20db/tables/a%2Fb%3Fc%23%C3%B8%252F/rows?ensureParent=true"
    );
}

#[test]
fn a_name_that_would_be_a_step_in_the_path_is_refused() {
    for (database, table) in [("..", "t"), ("db", ".."), ("db", "."), (".", "t")] {
        let batch = raw_rows(database, table, &[row("k", "{}")]);
        let refused = encode_all(Resource::RawRows, &[batch]);
        assert_eq!(refused, Err(EncodeError::UnusableName));
    }
    let refused = encode_all(Resource::RawTables, &[raw_tables(&[("..", "t")])]);
    assert_eq!(refused, Err(EncodeError::UnusableName));
}

#[test]
fn raw_rows_of_two_tables_are_no_single_request() {
    let refused = encode_all(
        Resource::RawRows,
        &[
            raw_rows("db", "t", &[row("k", "{}")]),
            raw_rows("db", "u", &[row("k", "{}")]),
        ],
    );
    assert_eq!(refused, Err(EncodeError::SeveralDestinations));
}

#[test]
fn raw_tables_name_their_database_in_the_path_only() {
    let batch = raw_tables(&[("my db", "orders"), ("my db", "parts")]);
    let request = encode_all(Resource::RawTables, &[batch]).expect("the rows are right");
    assert_eq!(request.path, "/raw/dbs/my%20db/tables?ensureParent=true");
    assert_eq!(
        items(&request),
        [json!({"name": "orders"}), json!({"name": "parts"})]
    );
    assert_eq!(request.operation, Operation::CreateRawTables);
    assert_eq!(request.repeat, Repeat::Conflicts);
}

#[test]
fn raw_tables_of_two_databases_are_no_single_request() {
    let refused = encode_all(
        Resource::RawTables,
        &[raw_tables(&[("db", "t"), ("other", "t")])],
    );
    assert_eq!(refused, Err(EncodeError::SeveralDestinations));
}

#[test]
fn an_object_has_the_fields_of_cdf_and_none_for_a_null() {
    let batch = objects(
        "time_series",
        2,
        vec![
            (
                "external_id",
                ObjectValues::Text(texts(["pump \"7\"", ""])),
                vec![true, false],
            ),
            (
                "is_string",
                ObjectValues::Bool(vec![true, false]),
                vec![true, false],
            ),
            (
                "metadata",
                ObjectValues::Json(texts([r#"{"site": "north"}"#, ""])),
                vec![true, false],
            ),
            (
                "asset_id",
                ObjectValues::BigInt(vec![9_007_199_254_740_991, 0]),
                vec![true, false],
            ),
            (
                "security_categories",
                ObjectValues::BigIntArray(vec![vec![1, 2], vec![]]),
                vec![true, true],
            ),
            (
                "description",
                ObjectValues::Text(texts(["", "kept"])),
                vec![true, true],
            ),
        ],
    );
    let request = encode_all(Resource::TimeSeries, &[batch]).expect("the rows are right");
    assert_eq!(request.path, "/timeseries");
    assert_eq!(request.operation, Operation::Create(Resource::TimeSeries));
    assert_eq!(
        items(&request),
        [
            json!({
                "externalId": "pump \"7\"",
                "isString": true,
                "metadata": {"site": "north"},
                "assetId": 9_007_199_254_740_991_i64,
                "securityCategories": [1, 2],
                "description": "",
            }),
            json!({"securityCategories": [], "description": "kept"}),
        ]
    );
}

#[test]
fn a_time_is_milliseconds_and_a_double_reads_back_the_same() {
    let batch = objects(
        "time_series",
        1,
        vec![
            (
                "created_time",
                ObjectValues::TimestampMs(vec![1_763_769_600_123]),
                vec![true],
            ),
            (
                "description",
                ObjectValues::Double(vec![0.1 + 0.2]),
                vec![true],
            ),
        ],
    );
    let request = encode_all(Resource::TimeSeries, &[batch]).expect("the rows are right");
    let items = items(&request);
    assert_eq!(items[0]["createdTime"], json!(1_763_769_600_123_i64));
    assert_eq!(items[0]["description"].as_f64(), Some(0.1 + 0.2));
}

#[test]
fn creates_can_be_repeated_only_where_every_row_has_an_external_id() {
    let named = encode_all(
        Resource::TimeSeries,
        &[named_time_series(&[Some("a"), Some("b")])],
    );
    assert_eq!(named.expect("the rows are right").repeat, Repeat::Conflicts);
    let partly = encode_all(
        Resource::TimeSeries,
        &[named_time_series(&[Some("a"), None])],
    );
    assert_eq!(partly.expect("the rows are right").repeat, Repeat::Doubles);
}

proptest! {
    #[test]
    fn serde_reads_of_raw_rows_what_the_last_row_of_each_key_says(
        batches in prop::collection::vec(
            prop::collection::vec(
                (prop_oneof!["[a-c]".boxed(), any::<String>().boxed()], any::<i64>()),
                0..30,
            ),
            1..4,
        ),
    ) {
        prop_assume!(batches.iter().any(|batch| !batch.is_empty()));
        let mut expected = BTreeMap::new();
        for (key, value) in batches.iter().flatten() {
            expected.insert(key.clone(), json!({"value": value}));
        }
        let batches: Vec<RowBatch> = batches
            .iter()
            .map(|rows| {
                let rows: Vec<(String, String)> = rows
                    .iter()
                    .map(|(key, value)| (key.clone(), format!("{{\"value\": {value}}}")))
                    .collect();
                raw_rows("db", "t", &rows)
            })
            .collect();
        let request = encode_all(Resource::RawRows, &batches).expect("the rows are right");
        let read = items(&request);
        prop_assert_eq!(read.len(), expected.len());
        for item in read {
            let key = item["key"].as_str().expect("a key is a string");
            prop_assert_eq!(&item["columns"], &expected[key]);
        }
    }

    #[test]
    fn serde_reads_any_text_as_it_was(names in prop::collection::vec(any::<String>(), 1..10)) {
        let batch = objects(
            "time_series",
            names.len(),
            vec![(
                "name",
                ObjectValues::Text(texts(&names)),
                vec![true; names.len()],
            )],
        );
        let request = encode_all(Resource::TimeSeries, &[batch]).expect("the rows are right");
        for (item, name) in items(&request).iter().zip(&names) {
            prop_assert_eq!(item["name"].as_str(), Some(name.as_str()));
        }
    }

    #[test]
    fn any_finite_double_is_written_so_that_it_reads_back_the_same(
        doubles in prop::collection::vec(any::<f64>().prop_filter("finite", |v| v.is_finite()), 1..50),
    ) {
        let batch = objects(
            "time_series",
            doubles.len(),
            vec![(
                "description",
                ObjectValues::Double(doubles.clone()),
                vec![true; doubles.len()],
            )],
        );
        let request = encode_all(Resource::TimeSeries, &[batch]).expect("the rows are right");
        // The text is read by the standard library, which rounds exactly; serde_json's own
        // reading of doubles may be off by the last bit.
        #[derive(serde::Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            items: Vec<std::collections::HashMap<&'a str, &'a RawValue>>,
        }
        let body: Body<'_> = serde_json::from_slice(&request.body).expect("the body is JSON");
        prop_assert_eq!(body.items.len(), doubles.len());
        for (item, double) in body.items.iter().zip(&doubles) {
            let read: f64 = item["description"].get().parse().expect("a number");
            prop_assert_eq!(read.to_bits(), double.to_bits());
        }
    }
}

#[test]
fn a_delete_of_points_names_each_range_with_its_series_and_a_single_time_without_an_end() {
    let name = |name: &str| SeriesReference::ExternalId(name.into());
    let batches = [
        deletes(&[(name("a\"b"), 5, 6), (SeriesReference::Id(7), -3, 9)]),
        deletes(&[(name("a\"b"), 20, 30)]),
    ];
    let ranges: Vec<RowRange<'_>> = batches.iter().map(range).collect();
    let operation = Operation::Delete(Resource::Datapoints);
    let request = encode(operation, &ranges, &BatchSettings::default()).expect("sound");
    assert_eq!(request.path, "/timeseries/data/delete");
    assert_eq!(request.operation, operation);
    assert_eq!(request.operation.name(), "delete_datapoints");
    assert_eq!(request.repeat, Repeat::Harmless);
    assert_eq!(
        items(&request),
        [
            json!({"externalId": "a\"b", "inclusiveBegin": 5}),
            json!({"id": 7, "inclusiveBegin": -3, "exclusiveEnd": 9}),
            json!({"externalId": "a\"b", "inclusiveBegin": 20, "exclusiveEnd": 30}),
        ]
    );
}
