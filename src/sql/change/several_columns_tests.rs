//! Changes of rows whose key has several columns, and of custom tables.

use super::tests::{change, change_in, read, refusal, refusal_in, rows};
use crate::catalog::{Definition, Namespace, Table, custom_table};
use crate::sql::{Bindings, ChangeKind, Statement, classify};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

fn table(definition: Value) -> &'static Table {
    custom_table(&Definition::from_json(&definition).expect("sound")).expect("made")
}

/// A RAW table with a key that is a number, and one of nodes and one of edges.
fn tables() -> Namespace {
    let raw = json!({
        "type": "raw_rows", "tablename": "pumps",
        "options": {"database": "d", "table": "t", "primaryKey": "n"},
        "columns": {"n": {"type": "BIGINT"}, "a": {"type": "TEXT"}, "b": {"type": "REAL"}}
    });
    let of_view = |kind: &str, name: &str| {
        json!({
            "type": kind, "tablename": name,
            "options": {"space": "s", "externalId": "V", "version": "1"},
            "columns": {"p": {"type": "TEXT"}, "q": {"type": "BIGINT"}}
        })
    };
    let (nodes, edges) = (of_view("nodes", "things"), of_view("edges", "links"));
    Namespace::with([table(raw), table(nodes), table(edges)])
}

#[test]
fn raw_rows_are_named_by_all_parts_of_their_key_in_any_order() {
    for condition in [
        "_raw_database = 'd' AND _raw_table = 't' AND _raw_key = 'k'",
        "_raw_key = 'k' and _raw_table IN ('t') and r._raw_database = 'd'",
        "(_raw_database = 'd') AND ((_raw_table = 't') AND (_raw_key = ANY ('{k}')))",
    ] {
        assert_eq!(
            read(&format!("DELETE FROM raw_rows r WHERE {condition}")),
            ["2=k 0=d 1=t"],
            "{condition}"
        );
    }
    assert_eq!(
        read(
            "UPDATE raw_rows SET _raw_columns = '{\"a\": 1}' WHERE _raw_key IN ('x', 'y', 'x') \
             AND _raw_database = 'd' AND _raw_table = 't'"
        ),
        ["2=x 0=d 1=t 3={\"a\": 1}", "2=y 0=d 1=t 3={\"a\": 1}"]
    );
    // Several databases, one key.
    assert_eq!(
        read(
            "DELETE FROM raw_rows WHERE _raw_database IN ('d', 'e') AND _raw_table = 't' AND _raw_key = 'k'"
        ),
        ["0=d 1=t 2=k", "0=e 1=t 2=k"]
    );
}

#[test]
fn a_part_of_the_key_may_be_a_parameter_and_null_names_nothing() {
    let statement = change(
        "DELETE FROM raw_rows WHERE _raw_database = $1 AND _raw_table = $2 AND _raw_key = ANY ($3)",
    );
    let types: Arc<[u32]> = statement.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [1043, 1043, 1009]);
    let value = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let given = |database| {
        let values = vec![database, value("t"), value("{a,b}")];
        Bindings::new("s", types.clone(), &[0], values).expect("bindings")
    };
    assert_eq!(
        rows(&statement, &given(value("d"))),
        Ok(vec!["2=a 0=d 1=t".to_owned(), "2=b 0=d 1=t".to_owned()])
    );
    assert_eq!(rows(&statement, &given(None)), Ok(Vec::new()));
}

#[test]
fn custom_tables_are_changed_by_their_own_keys() {
    let tables = tables();
    let read = |text: &str| rows(&change_in(text, &tables), &Bindings::none()).expect(text);
    assert_eq!(
        read("UPDATE pumps SET a = 'x', b = NULL WHERE n IN (1, 2)"),
        ["0=1 1=x 2 null", "0=2 1=x 2 null"]
    );
    assert_eq!(read("DELETE FROM pumps WHERE n = 7"), ["0=7"]);
    assert_eq!(
        read("UPDATE things SET p = 'x', q = NULL WHERE space = 's' AND external_id IN ('a', 'b')"),
        ["1=a 0=s 2=x 3 null", "1=b 0=s 2=x 3 null"]
    );
    assert_eq!(
        read("DELETE FROM links WHERE external_id = 'e' AND space = 's'"),
        ["1=e 0=s"]
    );
}

#[test]
fn only_a_custom_raw_table_is_emptied() {
    let tables = tables();
    for (text, kind) in [
        ("DELETE FROM pumps", ChangeKind::Delete),
        ("DELETE FROM ONLY pumps p", ChangeKind::Delete),
        ("TRUNCATE pumps", ChangeKind::Truncate),
        (
            "TRUNCATE TABLE ONLY public.pumps RESTART IDENTITY CASCADE",
            ChangeKind::Truncate,
        ),
    ] {
        let statement = change_in(text, &tables);
        assert_eq!(
            (statement.kind(), statement.is_of_all()),
            (kind, true),
            "{text}"
        );
        // One row stands for all.
        assert_eq!(
            rows(&statement, &Bindings::none()),
            Ok(vec![String::new()]),
            "{text}"
        );
    }
    for (text, expected) in [
        (
            "DELETE FROM things",
            "42501 permission denied to delete all of \"things\"",
        ),
        (
            "TRUNCATE links",
            "42501 permission denied to truncate all of \"links\"",
        ),
        (
            "TRUNCATE pumps, raw_rows",
            "42501 permission denied to truncate all of \"raw_rows\"",
        ),
        (
            "TRUNCATE pumps, pumps",
            "0A000 TRUNCATE takes one table at a time",
        ),
        (
            "DELETE FROM pumps RETURNING n",
            "0A000 RETURNING is not supported for a DELETE of all rows",
        ),
        (
            "UPDATE things SET p = 'x' WHERE external_id = 'a'",
            "0A000 this UPDATE statement is not supported",
        ),
        (
            "UPDATE things SET space = 'x' WHERE external_id = 'a' AND space = 's'",
            "0A000 column \"space\" cannot be updated: it names the object",
        ),
        (
            "UPDATE links SET start_node = '{}' WHERE external_id = 'a' AND space = 's'",
            "0A000 column \"start_node\" cannot be updated",
        ),
        (
            "UPDATE pumps SET n = 1 WHERE n = 2",
            "0A000 column \"n\" cannot be updated: it names the object",
        ),
        (
            "UPDATE things SET nope = 1 WHERE external_id = 'a' AND space = 's'",
            "42703 column \"nope\" of relation \"things\" does not exist",
        ),
    ] {
        assert_eq!(refusal_in(text, &tables), expected, "{text}");
    }
    assert_eq!(
        refusal("UPDATE raw_rows SET _raw_key = 'x' WHERE _raw_key = 'k'"),
        "0A000 column \"_raw_key\" cannot be updated: it names the object"
    );
}

#[test]
fn conditions_on_more_than_the_key_go_the_cold_road() {
    let tables = tables();
    for text in [
        "DELETE FROM raw_rows WHERE _raw_database = 'd' AND _raw_database = 'e' AND _raw_table = 't' AND _raw_key = 'k'",
        "DELETE FROM raw_rows WHERE _raw_database = 'd' AND _raw_table IN ('t', 'u') AND _raw_key IN ('k', 'l')",
        "DELETE FROM raw_rows WHERE _raw_database = 'd' AND _raw_table = 't' AND _raw_key = 'k' AND _raw_columns IS NULL",
        "DELETE FROM raw_rows WHERE _raw_database = 'd' AND _raw_table = 't' OR _raw_key = 'k'",
        "DELETE FROM raw_rows WHERE (_raw_database = 'd' AND _raw_table = 't' AND _raw_key = 'k'",
        "DELETE FROM pumps WHERE n = 1 AND a = 'x'",
        "DELETE FROM pumps WHERE a = 'x'",
        "UPDATE things SET p = q WHERE external_id = 'a' AND space = 's'",
        "UPDATE things SET p = 'x' WHERE external_id LIKE 'a%' AND space = 's'",
    ] {
        assert!(
            matches!(classify(text, &tables), Ok(Statement::Cold(_)) | Err(_)),
            "{text}"
        );
    }
}
