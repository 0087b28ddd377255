//! Probes of the gateway's tables, and what is not answered.

use super::{answer, answer_with, columns, query};
use crate::catalog::Namespace;
use crate::sql::{Bindings, Settings, Statement, classify};
use bytes::Bytes;
use std::sync::Arc;

#[test]
fn probes_of_a_table_have_its_columns_and_no_rows() {
    for text in [
        "SELECT * FROM double_datapoints WHERE 1=0",
        "SELECT * FROM public.double_datapoints LIMIT 0",
        "SELECT * FROM gw.public.double_datapoints WHERE false",
        "select d.* from \"double_datapoints\" as d where 1 = 2 and id > 5",
        "select * from (select * from double_datapoints) x limit 0",
        "SELECT * FROM double_datapoints WHERE NULL",
    ] {
        let answer = answer(text).expect(text);
        assert!(answer.rows.is_empty(), "{text}");
        let found: Vec<_> = answer
            .columns
            .iter()
            .map(|column| {
                (
                    column.name.as_str(),
                    column.type_oid,
                    column.type_modifier,
                    column.type_size,
                    column.table_oid,
                    column.attribute_number,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                ("value", 701, -1, 8, 16401, 1),
                ("timestamp", 1184, -1, 8, 16401, 2),
                ("external_id", 1043, 259, -1, 16401, 3),
                ("id", 20, -1, 8, 16401, 4),
            ],
            "{text}"
        );
    }
    assert_eq!(
        columns("SELECT 1 FROM time_series WHERE 1=0"),
        ["?column?:23:-1"]
    );
}

#[test]
fn a_select_that_could_have_rows_is_described_but_never_answered() {
    for text in [
        "SELECT \"external_id\", \"id\" FROM \"double_datapoints\" LIMIT 1",
        "select external_id, id from double_datapoints where id = $1",
        "select external_id, id from double_datapoints order by id",
        "select external_id, id from double_datapoints where 1 = 1",
    ] {
        assert_eq!(
            columns(text),
            ["external_id:1043:259", "id:20:-1"],
            "{text}"
        );
        let types: Arc<[u32]> = query(text).parameter_types(&[]).expect(text).into();
        let values = vec![Some(Bytes::from("1")); types.len()];
        let bindings = Bindings::new("", types, &[], values).expect("bindings");
        let mut settings = Settings::new("writer", []).expect("defaults");
        let error = answer_with(&query(text), &mut settings, &bindings).expect_err(text);
        assert_eq!(error.sqlstate.code(), "0A000", "{text}");
        assert!(error.hint.is_some());
    }
    let types = query("select * from double_datapoints where id = $1 and external_id = $2")
        .parameter_types(&[]);
    assert_eq!(types, Ok(vec![20, 1043]));
}

#[test]
fn names_that_do_not_exist_are_errors_with_a_position() {
    for (text, expected) in [
        (
            "SELECT nope FROM double_datapoints",
            "42703 8 column \"nope\" does not exist",
        ),
        (
            "SELECT\n d.nope FROM double_datapoints d",
            "42703 9 column d.nope does not exist",
        ),
        (
            "SELECT * FROM nope",
            "42P01 15 relation \"nope\" does not exist",
        ),
        (
            "SELECT * FROM public.nope",
            "42P01 15 relation \"public.nope\" does not exist",
        ),
        (
            "SELECT * FROM ds.\"Nope\"",
            "42P01 15 relation \"ds.Nope\" does not exist",
        ),
        ("select 1,", "42601 10 syntax error at end of input"),
        ("select (1", "42601 10 syntax error at end of input"),
        ("select 1)", "42601 9 syntax error at or near \")\""),
    ] {
        let error = match classify(text, &Namespace::default()) {
            Err(error) => error,
            // Where an engine is, it says so.
            Ok(Statement::Cold(cold)) => cold.otherwise.expect(text),
            Ok(other) => panic!("{text}: {other:?}"),
        };
        let said = format!(
            "{} {} {}",
            error.sqlstate.code(),
            error.position.unwrap_or(0),
            error.message
        );
        assert_eq!(said, expected, "{text}");
    }
    let missing = answer("show nope").expect_err("42704");
    assert_eq!(missing.sqlstate.code(), "42704");
    let foreign = query("SELECT * FROM x.public.raw_rows WHERE false");
    assert!(foreign.check_database("x").is_ok());
    assert!(foreign.check_database("gw").is_err());
}

#[test]
fn what_is_not_understood_whole_is_cold() {
    for text in [
        "select count(*) from double_datapoints",
        "select * from pg_type",
        "select * from pg_index",
        "select * from information_schema.tables",
        "select proname from pg_proc",
        "select p.proname from pg_type t, pg_proc p where p.oid = t.typreceive",
        "select pg_sleep(5)",
        "select 1 union select 2",
        "select 1.5",
        "select distinct on (oid) oid from pg_type",
        "select oid from pg_type for update",
        "select oid, row_number() over () from pg_type",
        "select oid into x from pg_type",
        "with recursive a as (select 1) select * from a",
        "select relname from pg_class where relname ~ '^a'",
        "select typinput from pg_type",
    ] {
        assert!(
            matches!(
                classify(text, &Namespace::default()),
                Ok(Statement::Cold(_))
            ),
            "{text}"
        );
    }
    let long = format!("select {}1", "1+".repeat(100_000));
    assert!(matches!(
        classify(&long, &Namespace::default()),
        Ok(Statement::Cold(_))
    ));
}
