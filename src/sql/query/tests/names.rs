//! What the system catalog says of the tables, by whose names the user writes.
//!
//! Owns the agreement of its relations with each other, with regclass, and with the descriptions
//! of answers, for users of both versions and for those with tables of their own.

use super::{answer_in, query_in, rows_in};
use crate::catalog::{Definition, Dialect, Namespace, Table, custom_table};
use crate::sql::{Bindings, Settings, classify};
use bytes::Bytes;
use serde_json::json;
use std::sync::Arc;

fn own_tables() -> Vec<&'static Table> {
    let raw = json!({
        "type": "raw_rows", "tablename": "Pump State",
        "options": {"database": "d", "table": "t"},
        "columns": {"level": {"type": "REAL"}}
    });
    let view = json!({
        "type": "nodes", "tablename": "own_pumps",
        "options": {"space": "s", "externalId": "Pump", "version": "1"},
        "columns": {"rate": {"type": "REAL"}}
    });
    [raw, view]
        .iter()
        .map(|json| {
            custom_table(&Definition::from_json(json).expect("a definition")).expect("a table")
        })
        .collect()
}

/// Users of both versions, with tables of their own.
fn namespaces() -> [Namespace; 2] {
    [Dialect::First, Dialect::Second].map(|dialect| Namespace::with_dialect(dialect, own_tables()))
}

fn names(namespace: &Namespace, condition: &str) -> Vec<String> {
    let text = format!(
        "SELECT c.relname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {condition}"
    );
    let rows = rows_in(&text, namespace);
    rows.into_iter().map(|mut row| row.remove(0)).collect()
}

const PUBLIC: &str = "n.nspname = 'public'";

#[test]
fn a_user_of_the_first_version_is_shown_its_tables_and_no_others() {
    let first = Namespace::with_dialect(Dialect::First, []);
    assert_eq!(
        names(&first, PUBLIC),
        [
            "assets",
            "datapoints",
            "events",
            "extraction_pipeline_runs",
            "extraction_pipelines",
            "files",
            "labels",
            "raw",
            "relationships",
            "sequence_rows",
            "sequences",
            "timeseries"
        ]
    );
    let second = names(&Namespace::default(), PUBLIC);
    assert_eq!(second.len(), 19);
    for name in ["time_series", "double_datapoints", "raw_rows", "views"] {
        assert!(second.iter().any(|other| other == name), "{name}");
    }
    let cdf = "n.nspname = 'cdf'";
    assert_eq!(names(&first, cdf).len(), 3);
    assert_eq!(names(&first, cdf), names(&Namespace::default(), cdf));
}

#[test]
fn tables_of_the_users_own_are_shown_beside_those_of_either_version() {
    for namespace in namespaces() {
        let found = names(&namespace, PUBLIC);
        assert_eq!(found[found.len() - 2..], ["Pump State", "own_pumps"]);
        let columns = rows_in(
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute \
             WHERE attrelid = 'own_pumps'::regclass ORDER BY attnum",
            &namespace,
        );
        assert_eq!(
            columns,
            [
                ["space", "character varying(43)"],
                ["external_id", "character varying(255)"],
                ["rate", "real"]
            ]
        );
    }
}

#[test]
fn every_table_has_one_oid_and_one_number_a_column_wherever_it_is_named() {
    for namespace in namespaces() {
        for table in namespace.tables() {
            let name = format!("\"{}\".\"{}\"", table.schema, table.name);
            let oid = table.oid.to_string();
            let asked = rows_in(
                &format!(
                    "SELECT '{name}'::regclass::oid, to_regclass('{name}')::oid, \
                     (SELECT c.oid FROM pg_class c WHERE c.relname = '{}' AND c.relnamespace = {})",
                    table.name,
                    table.schema_oid()
                ),
                &namespace,
            );
            assert_eq!(asked, [[oid.clone(), oid.clone(), oid]], "{name}");
            let mut settings = Settings::new("writer", []).expect("defaults");
            let probe = query_in(&format!("SELECT * FROM {name} WHERE 1=0"), &namespace);
            let described = answer_in(&probe, &namespace, &mut settings, &Bindings::none())
                .expect("a probe has an answer");
            let described: Vec<Vec<String>> = described
                .columns
                .iter()
                .map(|column| {
                    vec![
                        column.table_oid.to_string(),
                        column.attribute_number.to_string(),
                        column.name.clone(),
                        column.type_oid.to_string(),
                        column.type_modifier.to_string(),
                        column.type_size.to_string(),
                    ]
                })
                .collect();
            let listed = rows_in(
                &format!(
                    "SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attlen \
                     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                     JOIN pg_type t ON t.oid = a.atttypid \
                     WHERE a.attrelid = '{name}'::regclass AND a.attnum > 0 ORDER BY a.attnum"
                ),
                &namespace,
            );
            assert_eq!(listed, described, "{name}");
            let counted = rows_in(
                &format!("SELECT relnatts FROM pg_class WHERE oid = {}", table.oid),
                &namespace,
            );
            assert_eq!(counted, [[described.len().to_string()]], "{name}");
        }
    }
}

#[test]
fn no_two_tables_of_a_user_share_an_oid_or_a_name() {
    for namespace in namespaces() {
        let all: Vec<&Table> = namespace.tables().collect();
        for (place, table) in all.iter().enumerate() {
            for other in &all[..place] {
                assert_ne!(table.oid, other.oid, "{} and {}", table.name, other.name);
                assert_ne!((table.schema, table.name), (other.schema, other.name));
            }
        }
    }
}

#[test]
fn an_oid_is_shown_as_the_name_that_the_user_writes() {
    let [first, second] = namespaces();
    let own = own_tables()[0].oid;
    for (namespace, name, shown) in [
        (&first, "timeseries", "timeseries"),
        (&first, "public.raw", "raw"),
        (&first, "\"public\" . \"datapoints\"", "datapoints"),
        (&first, "cdf.double_datapoints", "cdf.double_datapoints"),
        (&first, "\"Pump State\"", "\"Pump State\""),
        (&second, "time_series", "time_series"),
        (&second, "cdf.data_sets", "cdf.data_sets"),
        (&second, "\"Pump State\"", "\"Pump State\""),
    ] {
        let text = format!("SELECT '{name}'::regclass::text, to_regclass('{name}')::text");
        assert_eq!(rows_in(&text, namespace), [[shown, shown]], "{name}");
    }
    let text =
        format!("SELECT {own}::regclass::text, 17401::regclass::text, 16401::regclass::text");
    assert_eq!(
        rows_in(&text, &first),
        [["\"Pump State\"", "datapoints", "16401"]]
    );
    assert_eq!(
        rows_in(&text, &second),
        [["\"Pump State\"", "17401", "double_datapoints"]]
    );
}

#[test]
fn a_table_of_the_other_version_does_not_exist() {
    let [first, second] = namespaces();
    for (namespace, name, other) in [
        (&first, "time_series", "timeseries"),
        (&second, "timeseries", "time_series"),
    ] {
        assert_eq!(
            rows_in(&format!("SELECT to_regclass('{name}')"), namespace),
            [["~"]]
        );
        let mut settings = Settings::new("writer", []).expect("defaults");
        let text = format!("SELECT '{name}'::regclass");
        let error = answer_in(
            &query_in(&text, namespace),
            namespace,
            &mut settings,
            &Bindings::none(),
        )
        .expect_err(name);
        assert_eq!(error.sqlstate.code(), "42P01");
        assert!(
            error.hint.as_ref().is_some_and(|hint| hint.contains(other)),
            "{error:?}"
        );
        let text = format!("SELECT * FROM {name} WHERE false");
        assert!(classify(&text, namespace).is_err(), "{text}");
    }
}

#[test]
fn tables_are_visible_that_need_no_schema() {
    for namespace in namespaces() {
        let visible = names(&namespace, "pg_catalog.pg_table_is_visible(c.oid)");
        assert_eq!(visible, names(&namespace, PUBLIC));
        let unknown = rows_in("SELECT pg_table_is_visible(1)", &namespace);
        assert_eq!(unknown, [["false"]]);
    }
    let first = Namespace::with_dialect(Dialect::First, []);
    let text = "SELECT pg_table_is_visible(16401), pg_table_is_visible(17401)";
    assert_eq!(rows_in(text, &first), [["false", "true"]]);
}

#[test]
fn a_parameter_names_a_table_in_the_words_of_the_user() {
    let text = "SELECT attr.attname, attr.atttypid FROM pg_catalog.pg_attribute AS attr \
                INNER JOIN pg_catalog.pg_type AS typ ON attr.atttypid = typ.oid \
                WHERE attr.attrelid = $1::regclass::oid AND attr.attnum > 0 \
                AND NOT attr.attisdropped ORDER BY attr.attnum";
    let [first, second] = namespaces();
    for (namespace, name, expected) in [
        (
            &first,
            "\"public\" . \"raw\"",
            Some(&["database", "table", "key", "columns"][..]),
        ),
        (&first, "raw_rows", None),
        (
            &second,
            "raw_rows",
            Some(
                &[
                    "_raw_database",
                    "_raw_table",
                    "_raw_key",
                    "_raw_columns",
                    "_raw_last_updated_time",
                ][..],
            ),
        ),
        (&second, "raw", None),
    ] {
        let query = query_in(text, namespace);
        let types: Arc<[u32]> = query.parameter_types(&[]).expect("types").into();
        let bindings =
            Bindings::new("", types, &[], vec![Some(Bytes::from(name))]).expect("bindings");
        let mut settings = Settings::new("writer", []).expect("defaults");
        let found = answer_in(&query, namespace, &mut settings, &bindings);
        match expected {
            Some(expected) => {
                let found = found.expect(name);
                let columns: Vec<String> = found
                    .rows
                    .iter()
                    .map(|row| row[0].as_ref().map(super::text_of).unwrap_or_default())
                    .collect();
                assert_eq!(columns, expected, "{name}");
            }
            None => assert_eq!(found.expect_err(name).sqlstate.code(), "42P01"),
        }
    }
}

#[test]
fn statements_describe_their_returned_columns_as_the_catalog_lists_them() {
    for (namespace, text) in [
        (
            Namespace::with_dialect(Dialect::First, []),
            "INSERT INTO timeseries (external_id) VALUES ('a') RETURNING unit, external_id",
        ),
        (
            Namespace::default(),
            "INSERT INTO time_series (external_id) VALUES ('a') RETURNING unit, external_id",
        ),
    ] {
        let statement = classify(text, &namespace).expect(text);
        let described: Vec<Vec<String>> = statement
            .returning()
            .expect("it returns columns")
            .described()
            .iter()
            .map(|column| {
                vec![
                    column.table_oid.to_string(),
                    column.attribute_number.to_string(),
                ]
            })
            .collect();
        let table = if text.contains("timeseries") {
            "timeseries"
        } else {
            "time_series"
        };
        let listed = rows_in(
            &format!(
                "SELECT attrelid, attnum FROM pg_attribute WHERE attrelid = '{table}'::regclass \
                 AND attname IN ('unit', 'external_id') ORDER BY attname DESC"
            ),
            &namespace,
        );
        assert_eq!(described, listed, "{table}");
    }
}
