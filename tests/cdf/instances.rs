//! Bodies of instance writes, read back by serde_json.

use penstock::catalog::{Definition, Resource, Table, custom_table};
use penstock::cdf::{EncodedRequest, Operation, Repeat, encode};
use penstock::config::BatchSettings;
use penstock::rows::value::ValueSettings;
use penstock::rows::{Action, AnyBuilder, BatchBounds, RowBatch, RowBuilder, RowRange, WireFormat};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn table(kind: &str) -> &'static Table {
    let definition = json!({
        "type": kind, "tablename": "encoded",
        "options": {"space": "plant", "externalId": "Pump", "version": "v1"},
        "columns": {"a": {"type": "BIGINT"}, "b": {"type": "TEXT"}, "at": {"type": "TIMESTAMPTZ"}}
    });
    custom_table(&Definition::from_json(&definition).expect("sound")).expect("a table")
}

/// One row: per column its text, or NULL.
type Texts = Vec<Option<String>>;

fn batch(table: &'static Table, action: Action, columns: &[usize], rows: &[Texts]) -> RowBatch {
    let bounds = BatchBounds {
        rows: 10_000,
        bytes: 1 << 20,
    };
    let settings = ValueSettings::default();
    let mut builder = AnyBuilder::of_objects(table, action, columns, settings, bounds);
    for (number, row) in (1..).zip(rows) {
        for (column, value) in columns.iter().zip(row) {
            match value {
                Some(text) => builder.field(*column, WireFormat::Text, text.as_bytes()),
                None => builder.null(*column),
            }
            .expect("the column takes it");
        }
        builder.finish_row(number).expect("the row is whole");
    }
    builder.take().pop().expect("there are rows")
}

fn encoded(batches: &[RowBatch]) -> (EncodedRequest, Value) {
    let ranges: Vec<RowRange<'_>> = batches
        .iter()
        .map(|batch| RowRange {
            batch,
            rows: 0..batch.rows(),
        })
        .collect();
    let operation = Operation::Create(Resource::Instances);
    let request =
        encode(operation, &ranges, &BatchSettings::default()).expect("the rows are right");
    let body: Value = serde_json::from_slice(&request.body).expect("the body is JSON");
    let items = body["items"].as_array().map(Vec::len);
    assert_eq!(items, Some(request.items));
    (request, body)
}

fn texts(values: &[&str]) -> Texts {
    values
        .iter()
        .map(|value| Some((*value).to_owned()))
        .collect()
}

#[test]
fn an_edge_has_its_ends_and_its_properties_through_the_view() {
    let node = |name: &str| json!({"space": "plant", "externalId": name}).to_string();
    let (kind, from, to) = (node("flows-to"), node("a"), node("b"));
    let row = texts(&[
        "plant",
        "e\"1",
        &kind,
        &from,
        &to,
        "7",
        "2026-01-02 03:04:05+00",
    ]);
    let batch = batch(
        table("edges"),
        Action::Create,
        &[0, 1, 2, 3, 4, 5, 7],
        &[row],
    );
    let (request, body) = encoded(&[batch]);
    assert_eq!(request.path, "/models/instances");
    assert_eq!(request.repeat, Repeat::Harmless);
    assert_eq!(
        body,
        json!({
            "items": [{
                "instanceType": "edge", "space": "plant", "externalId": "e\"1",
                "type": {"space": "plant", "externalId": "flows-to"},
                "startNode": {"space": "plant", "externalId": "a"},
                "endNode": {"space": "plant", "externalId": "b"},
                "sources": [{
                    "source": {"type": "view", "space": "plant", "externalId": "Pump", "version": "v1"},
                    "properties": {"a": 7, "at": "2026-01-02T03:04:05.000Z"}
                }]
            }],
            "autoCreateDirectRelations": true, "autoCreateStartNodes": true,
            "autoCreateEndNodes": true, "replace": false
        })
    );
}

#[test]
fn what_is_to_be_made_only_where_it_is_missing_says_so_and_the_first_of_two_rows_counts() {
    let rows = [texts(&["plant", "p", "1"]), texts(&["plant", "p", "2"])];
    let batch = batch(table("nodes"), Action::CreateMissing, &[0, 1, 2], &rows);
    let (request, body) = encoded(&[batch]);
    assert_eq!(request.items, 1);
    assert_eq!(body["skipOnVersionConflict"], json!(true));
    assert_eq!(body["items"][0]["existingVersion"], json!(0));
    assert_eq!(
        body["items"][0]["sources"][0]["properties"],
        json!({"a": 1})
    );
}

#[test]
fn an_instance_without_properties_names_no_view() {
    let batch = batch(
        table("nodes"),
        Action::Create,
        &[0, 1],
        &[texts(&["plant", "p"])],
    );
    let (_, body) = encoded(&[batch]);
    let node = json!({"instanceType": "node", "space": "plant", "externalId": "p"});
    assert_eq!(body["items"], json!([node]));
}

/// Rows of few instances, some of whose values are missing.
fn rows() -> impl Strategy<Value = Vec<Texts>> {
    let row = (
        0..4u8,
        prop::option::of(-5..5i64),
        prop::option::of("[a-c\"]{0,2}"),
    );
    let row = row.prop_map(|(name, a, b)| {
        let name = format!("p{name}");
        vec![
            Some("plant".to_owned()),
            Some(name),
            a.map(|a| a.to_string()),
            b,
        ]
    });
    prop::collection::vec(row, 1..12)
}

proptest! {
    #[test]
    fn each_instance_is_written_once_with_the_last_value_of_each_property(
        first in rows(), second in rows(),
    ) {
        let table = table("nodes");
        let mut wanted: BTreeMap<String, BTreeMap<&str, Value>> = BTreeMap::new();
        for row in first.iter().chain(&second) {
            let properties = wanted.entry(row[1].clone().expect("named")).or_default();
            if let Some(a) = &row[2] {
                properties.insert("a", json!(a.parse::<i64>().expect("a number")));
            }
            if let Some(b) = &row[3] {
                properties.insert("b", json!(b));
            }
        }
        // The columns of two statements need not be in one order.
        let swapped: Vec<Texts> = second
            .iter()
            .map(|row| vec![row[3].clone(), row[0].clone(), row[2].clone(), row[1].clone()])
            .collect();
        let batches = [
            batch(table, Action::Create, &[0, 1, 2, 3], &first),
            batch(table, Action::Create, &[3, 0, 2, 1], &swapped),
        ];
        let (_, body) = encoded(&batches);
        let items = body["items"].as_array().expect("a list");
        prop_assert_eq!(items.len(), wanted.len());
        for item in items {
            let name = item["externalId"].as_str().expect("a name");
            let properties = &item["sources"][0]["properties"];
            let properties = if properties.is_null() { json!({}) } else { properties.clone() };
            prop_assert_eq!(properties, json!(wanted[name]));
        }
    }
}
