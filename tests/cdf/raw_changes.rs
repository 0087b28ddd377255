//! Bodies of changes and deletes of RAW rows and of instances, read back by serde_json.

use super::batches::{range, texts};
use penstock::catalog::{Definition, Resource, Table, custom_table};
use penstock::cdf::{
    EncodeError, EncodedRequest, Found, FoundKeys, Operation, Repeat, encode, encode_found,
    instance_names,
};
use penstock::config::BatchSettings;
use penstock::rows::value::ValueSettings;
use penstock::rows::{
    Action, AnyBuilder, BatchBounds, RawAction, RawBatch, RawDestination, RowBatch, RowBuilder,
    RowNumbers, RowRange, WireFormat, hash_key,
};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;

fn raw(action: RawAction, rows: &[(&str, &str)]) -> RowBatch {
    RowBatch::RawRows(RawBatch {
        destination: Arc::new(RawDestination {
            database: "my db".into(),
            table: "t/1".into(),
        }),
        action,
        keys: texts(rows.iter().map(|row| row.0)),
        key_hashes: rows.iter().map(|row| hash_key(row.0.as_bytes())).collect(),
        columns: texts(rows.iter().map(|row| row.1)),
        row_numbers: RowNumbers::From(1),
    })
}

fn found(values: &[Option<&str>]) -> Found {
    let value = |text: &&str| RawValue::from_string((*text).to_owned()).expect("JSON");
    Found::Rows(values.iter().map(|text| text.as_ref().map(value)).collect())
}

fn body(request: &EncodedRequest) -> Value {
    serde_json::from_slice(&request.body).expect("the body is JSON")
}

fn changed(batch: &RowBatch, found: &Found) -> Result<EncodedRequest, EncodeError> {
    let ranges: Vec<RowRange<'_>> = vec![range(batch)];
    encode_found(Resource::RawRows, &ranges, found, &BatchSettings::default())
}

#[test]
fn changes_of_one_key_are_made_one_after_the_other_upon_what_was_found() {
    let batch = raw(
        RawAction::Merge,
        &[
            ("k", r#"{"set":{"a":1},"remove":["b"]}"#),
            ("l", r#"{"set":{"a":2},"remove":[]}"#),
            ("k", r#"{"set":{"b":3},"remove":["a"]}"#),
        ],
    );
    let row = Some(r#"{"b": 0, "x": 1.50}"#);
    let request = changed(&batch, &found(&[row, Some("{}"), row])).expect("a request");
    assert_eq!(
        (request.operation, request.repeat, request.items),
        (Operation::InsertRawRows, Repeat::Harmless, 2)
    );
    assert_eq!(
        request.path,
        "/raw/dbs/my%20db/tables/t%2F1/rows?ensureParent=true"
    );
    assert_eq!(
        body(&request)["items"],
        json!([
            {"key": "k", "columns": {"x": 1.5, "b": 3}},
            {"key": "l", "columns": {"a": 2}}
        ])
    );
    assert!(request.body.windows(4).any(|bytes| bytes == b"1.50"));
    let refused = changed(&batch, &found(&[Some("[]"), None, None]));
    assert_eq!(refused, Err(EncodeError::NoObject));
}

#[test]
fn a_row_that_is_replaced_has_its_last_columns() {
    let batch = raw(
        RawAction::Replace,
        &[("k", "{\"a\":1}"), ("k", "{\"b\":2}")],
    );
    let request = changed(&batch, &found(&[Some("{}"), Some("{}")])).expect("a request");
    assert_eq!(
        body(&request)["items"],
        json!([{"key": "k", "columns": {"b": 2}}])
    );
}

#[test]
fn deletes_name_each_key_once() {
    let batch = raw(RawAction::Delete, &[("k", ""), ("l\"", ""), ("k", "")]);
    let operation = Operation::Delete(Resource::RawRows);
    let request = encode(operation, &[range(&batch)], &BatchSettings::default()).expect("one");
    assert_eq!(request.path, "/raw/dbs/my%20db/tables/t%2F1/rows/delete");
    assert_eq!((request.operation, request.items), (operation, 2));
    assert_eq!(
        body(&request),
        json!({"items": [{"key": "k"}, {"key": "l\""}]})
    );
    let all = raw(RawAction::Empty, &[("", "")]);
    let page = |keys: &[&str]| {
        Found::Keys(FoundKeys {
            keys: keys.iter().map(|key| (*key).into()).collect(),
            next: None,
        })
    };
    let request = changed(&all, &page(&["a", "b"])).expect("one");
    assert_eq!(
        body(&request),
        json!({"items": [{"key": "a"}, {"key": "b"}]})
    );
    assert_eq!(changed(&all, &page(&[])), Err(EncodeError::Empty));
}

fn table(kind: &str) -> &'static Table {
    let definition = json!({
        "type": kind, "tablename": "changed",
        "options": {"space": "s", "externalId": "V", "version": "1"},
        "columns": {"a": {"type": "BIGINT"}, "l": {"type": "TEXT[]"}, "at": {"type": "TIMESTAMPTZ"}}
    });
    custom_table(&Definition::from_json(&definition).expect("sound")).expect("a table")
}

fn instances(kind: &str, action: Action, columns: &[&str], rows: &[&[Option<&str>]]) -> RowBatch {
    let table = table(kind);
    let indexes: Vec<usize> = columns
        .iter()
        .map(|name| table.column_index(name).expect("a column"))
        .collect();
    let bounds = BatchBounds {
        rows: 100,
        bytes: 1 << 20,
    };
    let settings = ValueSettings::default();
    let mut builder = AnyBuilder::doing(table, action, &indexes, settings, bounds);
    for (number, row) in (1..).zip(rows) {
        for (index, value) in indexes.iter().zip(*row) {
            match value {
                Some(text) => builder.field(*index, WireFormat::Text, text.as_bytes()),
                None => builder.null(*index),
            }
            .expect("taken");
        }
        builder.finish_row(number).expect("whole");
    }
    builder.take().pop().expect("rows")
}

#[test]
fn an_update_of_instances_sets_and_clears_and_leaves_edges_where_they_are() {
    let columns = ["external_id", "space", "a", "l", "at"];
    let row: &[Option<&str>] = &[
        Some("x"),
        Some("s"),
        Some("7"),
        None,
        Some("2026-01-02 03:04:05+00"),
    ];
    let batch = instances("edges", Action::Update, &columns, &[row]);
    let edge = r#"{"instanceType":"edge","space":"s","externalId":"x","version":3,
        "type":{"space":"s","externalId":"t"},"startNode":{"space":"s","externalId":"a"},
        "endNode":{"space":"s","externalId":"b"}}"#;
    let ranges = [range(&batch)];
    let settings = BatchSettings::default();
    let request = encode_found(
        Resource::Instances,
        &ranges,
        &found(&[Some(edge)]),
        &settings,
    )
    .expect("one");
    assert_eq!(
        (request.operation, request.repeat),
        (Operation::Create(Resource::Instances), Repeat::Harmless)
    );
    let node = |name: &str| json!({"space": "s", "externalId": name});
    assert_eq!(
        body(&request)["items"],
        json!([{
            "instanceType": "edge", "space": "s", "externalId": "x",
            "type": node("t"), "startNode": node("a"), "endNode": node("b"),
            "sources": [{
                "source": {"type": "view", "space": "s", "externalId": "V", "version": "1"},
                "properties": {"a": 7, "l": null, "at": "2026-01-02T03:04:05.000Z"}
            }]
        }])
    );
    assert_eq!(body(&request)["replace"], json!(false));
    // What was not found is not made.
    let missing = encode_found(Resource::Instances, &ranges, &found(&[None]), &settings);
    assert_eq!(missing, Err(EncodeError::Unnamed));
}

#[test]
fn deletes_of_instances_name_their_kind_and_both_parts_of_their_key() {
    let rows: [&[Option<&str>]; 2] = [&[Some("x"), Some("s")], &[Some("y\""), Some("s")]];
    let batch = instances("nodes", Action::Delete, &["external_id", "space"], &rows);
    let operation = Operation::Delete(Resource::Instances);
    let ranges = [range(&batch)];
    let request = encode(operation, &ranges, &BatchSettings::default()).expect("one");
    assert_eq!(request.path, "/models/instances/delete");
    let node = |name: &str| json!({"instanceType": "node", "space": "s", "externalId": name});
    assert_eq!(body(&request), json!({"items": [node("x"), node("y\"")]}));
    let (_, names) = instance_names(&ranges).expect("names");
    let names: Vec<&str> = names.iter().map(|name| &*name.external_id).collect();
    assert_eq!(names, ["x", "y\""]);
}
