//! The text forms of values: what is read from CDF, the gateway's own COPY reads back.

use super::world::{ROWS_MAX, World};
use penstock::catalog::{self, Definition, Table};
use penstock::rows::value::ValueSettings;
use penstock::rows::{AnyBuilder, BatchBounds, RowBatch};
use penstock::scan::Scan;
use penstock::sql::{
    CopyEncoding, CopyFormat, CopyHeader, CopyOptions, CopyStatement, LogVerbosity, OnError,
};
use penstock::wire::copy::CopyDecoder;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

const ROWS: usize = 300;

fn any_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => prop::char::range('a', 'e'),
        3 => prop::sample::select(vec!['\\', '"', ',', '\t', '\n', '\r', '{', '}', ' ', 'N', '\u{b}']),
        1 => prop::sample::select(vec!['\u{e0}', '\u{1F600}', '\u{20ac}']),
    ];
    prop::collection::vec(character, 0..8).prop_map(String::from_iter)
}

fn any_double() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("JSON has no others", |value| value.is_finite()),
        prop::sample::select(vec![0.0, 0.1, 1e15, 1e-5, 123_456.789, -1e100, 5e-324]),
    ]
}

/// A double with the digits of a real.
fn any_real() -> impl Strategy<Value = f64> {
    any::<f32>()
        .prop_filter("JSON has no others", |value| value.is_finite())
        .prop_map(|real| format!("{real:e}").parse().unwrap_or(0.0))
}

fn any_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
        any_text().prop_map(|text| json!({"a\tb": [text, {"c": null}]})),
    ]
}

/// A time as custom tables hold it.
fn any_time() -> impl Strategy<Value = String> {
    (-62_135_596_800_000_i64..253_402_000_000_000).prop_map(|ms| {
        let at = jiff::Timestamp::from_millisecond(ms).expect("in range");
        format!("{at:.3}")
    })
}

fn list<T: std::fmt::Debug + Into<Value>>(
    element: impl Strategy<Value = T>,
) -> impl Strategy<Value = Value> {
    let element = element.prop_map(|value| -> Value { value.into() });
    prop::collection::vec(element, 0..4).prop_map(Value::Array)
}

/// Columns by name, the type of each and its values.
fn columns() -> Vec<(&'static str, &'static str, BoxedStrategy<Value>)> {
    let bytes = prop::collection::vec(any::<u8>(), 0..6).prop_map(|bytes| {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Value::from(format!("\\x{}", digits.concat()))
    });
    vec![
        ("text", "TEXT", any_text().prop_map(Value::from).boxed()),
        ("flag", "BOOL", any::<bool>().prop_map(Value::from).boxed()),
        (
            "whole",
            "BIGINT",
            any::<i64>().prop_map(Value::from).boxed(),
        ),
        (
            "double",
            "DOUBLE PRECISION",
            any_double().prop_map(Value::from).boxed(),
        ),
        ("real", "REAL", any_real().prop_map(Value::from).boxed()),
        (
            "time",
            "TIMESTAMPTZ",
            any_time().prop_map(Value::from).boxed(),
        ),
        ("json", "JSON", any_json().boxed()),
        ("bytes", "BYTEA", bytes.boxed()),
        ("texts", "TEXT[]", list(any_text()).boxed()),
        ("flags", "BOOL[]", list(any::<bool>()).boxed()),
        ("wholes", "BIGINT[]", list(any::<i64>()).boxed()),
        ("doubles", "DOUBLE PRECISION[]", list(any_double()).boxed()),
        ("reals", "REAL[]", list(any_real()).boxed()),
    ]
}

fn table_of(columns: &[(&'static str, &'static str, BoxedStrategy<Value>)]) -> &'static Table {
    let declared: Vec<Value> = columns
        .iter()
        .map(|(name, kind, _)| json!({"propertyName": name, "type": kind}))
        .collect();
    let definition = json!({
        "type": "raw_rows", "tablename": "scan_texts",
        "options": {"database": "plant", "table": "texts"},
        "columns": declared
    });
    let definition = Definition::from_json(&definition).expect("the definition is sound");
    catalog::custom_table(&definition).expect("the table is made")
}

/// Rows with a value in most columns, by key.
fn rows(columns: &[(&'static str, &'static str, BoxedStrategy<Value>)]) -> Vec<(String, Value)> {
    let mut runner = TestRunner::deterministic();
    let mut draw = |strategy: &BoxedStrategy<Value>| {
        let tree = strategy.new_tree(&mut runner).expect("there are values");
        tree.current()
    };
    (0..ROWS)
        .map(|number| {
            let mut cells = Map::new();
            for (place, (name, _, values)) in columns.iter().enumerate() {
                if (number + place) % 7 != 0 {
                    cells.insert((*name).to_owned(), draw(values));
                }
            }
            (format!("k{number:03}"), Value::Object(cells))
        })
        .collect()
}

fn copy_of(table: &'static Table) -> CopyStatement {
    CopyStatement {
        table,
        database: None,
        columns: (0..table.columns.len()).collect(),
        options: CopyOptions {
            format: CopyFormat::Text,
            delimiter: b'\t',
            null: b"\\N".to_vec(),
            default: None,
            header: CopyHeader::Absent,
            quote: b'"',
            escape: b'"',
            force_null: Vec::new(),
            force_not_null: Vec::new(),
            encoding: CopyEncoding::Utf8,
            on_error: OnError::Stop,
            log_verbosity: LogVerbosity::Default,
        },
        names_encoding: false,
    }
}

#[tokio::test]
async fn values_of_every_type_are_read_back_as_they_were() {
    let world = World::new();
    let columns = columns();
    let table = table_of(&columns);
    let written = rows(&columns);
    let items: Vec<Value> = written
        .iter()
        .map(|(key, columns)| json!({"key": key, "columns": columns}))
        .collect();
    world
        .post(
            "/raw/dbs/plant/tables/texts/rows?ensureParent=true",
            json!({"items": items}),
        )
        .await;
    let all: Vec<usize> = (0..table.columns.len()).collect();
    let bounds = BatchBounds {
        rows: ROWS,
        bytes: 64 << 20,
    };
    let mut builder = AnyBuilder::new(table, &all, ValueSettings::default(), bounds);
    let mut decoder = CopyDecoder::new(&copy_of(table), 16 << 20);
    let mut scanned = world.rows_of(&Scan::of(table, ROWS_MAX));
    while let Some(chunk) = scanned.next_chunk().await.expect("the rows are read") {
        let fed = decoder.feed(&chunk, &mut builder).expect("COPY takes them");
        assert_eq!(fed.consumed, chunk.len());
    }
    decoder
        .finish(&mut builder)
        .expect("the last line is whole");
    let batches = penstock::rows::RowBuilder::take(&mut builder);
    let [RowBatch::RawRows(batch)] = batches.as_slice() else {
        panic!("{} batches", batches.len());
    };
    let mut found: Vec<(String, Value)> = (0..batch.keys.len())
        .map(|row| {
            let columns = serde_json::from_str(batch.columns.text(row)).expect("JSON");
            (batch.keys.text(row).to_owned(), columns)
        })
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert_eq!(found.len(), written.len());
    for (found, (key, columns)) in found.iter().zip(&written) {
        // Read as what was found is: the reader may miss a double by its last digit.
        let columns: Value = serde_json::from_str(&columns.to_string()).expect("JSON");
        assert_eq!(*found, (key.clone(), columns));
    }
}
