//! Rows of custom RAW tables from outside: fields in, keys and JSON out.
//!
//! Owns what these tests share. Never looks inside the builder.

use super::value::ValueSettings;
use super::{
    Action, AnyBuilder, Assigned, Assignment, BatchBounds, ConflictUpdate, RawAction,
    RawColumnsBuilder, RowBatch, RowBuilder, WireFormat,
};
use crate::catalog::{Definition, RowShape, custom_table};
use serde_json::{Value, json};
use std::sync::Arc;

fn builder(name: &str, primary_key: Option<&str>, columns: Value) -> RawColumnsBuilder {
    let mut definition = json!({
        "type": "raw_rows", "tablename": name,
        "options": {"database": "db", "table": "t"}, "columns": columns
    });
    if let Some(key) = primary_key {
        definition["options"]["primaryKey"] = json!(key);
    }
    let definition = Definition::from_json(&definition).expect("sound");
    let table = custom_table(&definition).expect("made");
    let RowShape::RawColumns(raw) = table.shape else {
        panic!("a table of RAW rows");
    };
    let bounds = BatchBounds {
        rows: 100,
        bytes: 1 << 20,
    };
    RawColumnsBuilder::new(
        table,
        raw,
        RawAction::Insert,
        ValueSettings::default(),
        bounds,
    )
}

fn row(builder: &mut RawColumnsBuilder, values: &[(usize, &str)]) {
    for (column, value) in values {
        builder
            .field(*column, WireFormat::Text, value.as_bytes())
            .expect(value);
    }
    builder.finish_row(1).expect("whole");
}

fn written(builder: &mut RawColumnsBuilder) -> Vec<(String, String)> {
    match builder.take().as_slice() {
        [RowBatch::RawRows(batch)] => (0..batch.keys.len())
            .map(|row| {
                let (key, columns) = (batch.keys.text(row), batch.columns.text(row));
                (key.to_owned(), columns.to_owned())
            })
            .collect(),
        other => panic!("one batch: {other:?}"),
    }
}

#[test]
fn every_type_becomes_json_and_columns_stand_in_the_order_of_the_table() {
    let types = [
        "TEXT",
        "VARCHAR",
        "BOOL",
        "BIGINT",
        "DOUBLE PRECISION",
        "REAL",
        "TIMESTAMPTZ",
        "JSON",
        "BYTEA",
        "TEXT[]",
        "VARCHAR[]",
        "BOOL[]",
        "BIGINT[]",
        "DOUBLE PRECISION[]",
        "REAL[]",
        "JSON[]",
    ];
    let columns: Vec<Value> = types
        .iter()
        .enumerate()
        .map(|(index, name)| json!({"propertyName": format!("c{index}"), "type": name}))
        .collect();
    let mut builder = builder("every_type", Some("c0"), json!(columns));
    let values = [
        "k\"1",
        "é",
        "yes",
        "-7",
        "1.50",
        "0.1",
        "2026-01-02 03:04:05.06+02",
        "{\"a\": [1]}",
        "\\x0aFF",
        "{a,\"b c\"}",
        "[\"x\"]",
        "{t,f}",
        "{1,2}",
        "{1.5,2}",
        "{0.1}",
        "{\"{}\",null1}",
    ];
    let mut given: Vec<(usize, &str)> = values.iter().copied().enumerate().collect();
    given[15].1 = "{\"{}\",7}";
    // The order in which values come is the statement's.
    given.reverse();
    row(&mut builder, &given);
    let [(key, columns)] = written(&mut builder).try_into().expect("one row");
    assert_eq!(key, "k\"1");
    assert_eq!(
        columns,
        concat!(
            r#"{"c0":"k\"1","c1":"é","c2":true,"c3":-7,"c4":1.5,"c5":0.1,"#,
            r#""c6":"2026-01-02T01:04:05.060Z","c7":{"a": [1]},"c8":"\\x0aff","#,
            r#""c9":["a","b c"],"c10":["x"],"c11":[true,false],"c12":[1,2],"#,
            r#""c13":[1.5,2.0],"c14":[0.1],"c15":[{},7]}"#
        )
    );
}

#[test]
fn a_null_is_left_out_and_a_key_of_its_own_is_no_column() {
    let columns = json!({"a": {"type": "TEXT"}, "b": {"type": "BIGINT"}});
    let mut builder = builder("own_key", None, columns);
    builder.null(1).expect("may be null");
    row(&mut builder, &[(0, "k"), (2, "5")]);
    row(&mut builder, &[(0, "only")]);
    let expected = [("k", r#"{"b":5}"#), ("only", "{}")];
    let expected = expected.map(|(key, columns)| (key.to_owned(), columns.to_owned()));
    assert_eq!(written(&mut builder), expected);
}

#[test]
fn a_key_that_is_a_number_or_a_time_is_its_text() {
    for (name, type_name, value, key) in [
        ("key_bigint", "BIGINT", "007", "7"),
        ("key_bool", "BOOL", "t", "true"),
        (
            "key_time",
            "TIMESTAMPTZ",
            "2026-01-02 00:00+00",
            "2026-01-02T00:00:00.000Z",
        ),
    ] {
        let mut builder = builder(name, Some("k"), json!({"k": {"type": type_name}}));
        row(&mut builder, &[(0, value)]);
        assert_eq!(written(&mut builder)[0].0, key);
    }
}

#[test]
fn a_refused_row_leaves_no_trace() {
    let columns = json!({"k": {"type": "TEXT"}, "n": {"type": "BIGINT"}});
    let mut builder = builder("no_trace", Some("k"), columns);
    row(&mut builder, &[(0, "first"), (1, "1")]);
    builder.field(0, WireFormat::Text, b"bad").expect("text");
    let refusal = builder
        .field(1, WireFormat::Text, b"x")
        .expect_err("no number");
    assert_eq!(refusal.sqlstate.code(), "22P02");
    assert_eq!(refusal.column.as_deref(), Some("n"));
    builder.abandon_row();
    builder.field(1, WireFormat::Text, b"2").expect("a number");
    let refusal = builder.finish_row(2).expect_err("no key");
    assert_eq!(refusal.sqlstate.code(), "23502");
    assert_eq!(refusal.column.as_deref(), Some("k"));
    builder.abandon_row();
    let empty = builder
        .field(0, WireFormat::Text, b"")
        .expect_err("an empty key");
    assert_eq!(empty.sqlstate.code(), "22023");
    builder.abandon_row();
    row(&mut builder, &[(0, "last")]);
    let keys: Vec<String> = written(&mut builder)
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys, ["first", "last"]);
}

#[test]
fn an_upsert_says_what_changes_and_what_is_made() {
    let definition = json!({
        "type": "raw_rows", "tablename": "upserted",
        "options": {"database": "d", "table": "t", "primaryKey": "k"},
        "columns": {"k": {"type": "TEXT"}, "a": {"type": "TEXT"}, "b": {"type": "TEXT"},
                    "c": {"type": "TEXT"}}
    });
    let definition = Definition::from_json(&definition).expect("sound");
    let table = custom_table(&definition).expect("made");
    let column = |name: &str| table.column_index(name).expect("declared");
    let set = |column, from| Assignment {
        column,
        value: Assigned::Excluded(from),
    };
    let action = Action::Upsert(Arc::new(ConflictUpdate {
        assignments: vec![set(column("a"), column("b")), set(column("c"), column("c"))],
        constants: None,
    }));
    let bounds = BatchBounds {
        rows: 10,
        bytes: 1 << 20,
    };
    let mut builder = AnyBuilder::doing(table, action, &[], ValueSettings::default(), bounds);
    for (name, value) in [("k", "k1"), ("a", "1"), ("b", "2")] {
        builder
            .field(column(name), WireFormat::Text, value.as_bytes())
            .expect("a text");
    }
    builder.null(column("c")).expect("nullable");
    builder.finish_row(1).expect("a whole row");
    let batches = builder.take();
    let [RowBatch::RawRows(batch)] = batches.as_slice() else {
        panic!("{batches:?}");
    };
    assert_eq!(batch.action, RawAction::Upsert);
    assert_eq!(
        serde_json::from_str::<Value>(batch.columns.text(0)).expect("JSON"),
        json!({"set": {"a": "2"}, "remove": ["c"], "make": {"k": "k1", "a": "1", "b": "2"}})
    );
}
