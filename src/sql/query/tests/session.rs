//! Questions about the session, constants and expressions.

use super::{answer, answer_with, columns, query, rows};
use crate::sql::{Bindings, Cell, Settings};
use bytes::Bytes;
use std::sync::Arc;

#[test]
fn a_setting_changes_for_each_row_of_all_settings_that_is_looked_for() {
    let change = |name: &str| {
        format!(
            "SELECT set_config('bytea_output','escape',false) FROM pg_show_all_settings() \
             WHERE name = '{name}'"
        )
    };
    let mut settings = Settings::new("writer", []).expect("defaults");
    let none = Bindings::none();
    let answered = answer_with(&query(&change("no_such")), &mut settings, &none).expect("no rows");
    assert!(answered.rows.is_empty());
    assert_eq!(settings.get("bytea_output"), Ok("hex"));
    let answered = answer_with(&query(&change("bytea_output")), &mut settings, &none);
    assert_eq!(answered.expect("one row").rows.len(), 1);
    assert_eq!(settings.get("bytea_output"), Ok("escape"));
    let shown =
        "select s.setting from pg_catalog.pg_show_all_settings() s where s.name = 'DateStyle'";
    assert_eq!(rows(shown), [["ISO, MDY"]]);
}

#[test]
fn the_questions_of_a_connect_are_answered() {
    for (text, column, value) in [
        ("select 1", "?column?:23:-1", "1"),
        ("SELECT 1+1 AS result", "result:23:-1", "2"),
        ("select 1::int4", "int4:23:-1", "1"),
        ("select -5", "?column?:23:-1", "-5"),
        ("select 99999999999", "?column?:20:-1", "99999999999"),
        ("select true", "?column?:16:-1", "true"),
        ("select null", "?column?:25:-1", "~"),
        ("SELECT 'x' AS \"some label\"", "some label:25:-1", "x"),
        (
            "SELECT CAST('test plain returns' AS VARCHAR(60)) AS anon_1",
            "anon_1:1043:64",
            "test plain returns",
        ),
        (
            "SELECT length(repeat('1234567890', 1000)::NAME);",
            "length:23:-1",
            "63",
        ),
        ("select current_database()", "current_database:19:-1", "gw"),
        ("select current_catalog", "current_catalog:19:-1", "gw"),
        ("SELECT CURRENT_SCHEMA()", "current_schema:19:-1", "public"),
        (
            "SELECT * FROM current_schema()",
            "current_schema:19:-1",
            "public",
        ),
        ("select current_user", "current_user:19:-1", "writer"),
        ("select session_user", "session_user:19:-1", "writer"),
        ("select pg_backend_pid()", "pg_backend_pid:23:-1", "42"),
        (
            "select inet_server_port()",
            "inet_server_port:23:-1",
            "5432",
        ),
        ("select inet_client_port()", "inet_client_port:23:-1", "~"),
        (
            "SELECT pg_cancel_backend(43);",
            "pg_cancel_backend:16:-1",
            "true",
        ),
        (
            "select pg_catalog.pg_cancel_backend(45)",
            "pg_cancel_backend:16:-1",
            "false",
        ),
        (
            "select pg_is_in_recovery()",
            "pg_is_in_recovery:16:-1",
            "false",
        ),
        (
            "select current_setting('jit')",
            "current_setting:25:-1",
            "off",
        ),
        (
            "SELECT CURRENT_SETTING('TIMEZONE')",
            "current_setting:25:-1",
            "UTC",
        ),
        (
            "select current_setting('nope', true)",
            "current_setting:25:-1",
            "~",
        ),
        ("select now()", "now:1184:-1", "1970-01-01 00:00:00+00"),
        ("select 'a' || 'b'", "?column?:25:-1", "ab"),
        ("select coalesce(null, 'x')", "coalesce:25:-1", "x"),
        (
            "select case when 1 = 2 then 'a' else 'b' end",
            "case:25:-1",
            "b",
        ),
        (
            "show standard_conforming_strings",
            "standard_conforming_strings:25:-1",
            "on",
        ),
        (
            "show transaction isolation level",
            "transaction_isolation:25:-1",
            "read committed",
        ),
        ("SHOW timezone", "TimeZone:25:-1", "UTC"),
        (
            "show penstock.version",
            "penstock.version:25:-1",
            env!("CARGO_PKG_VERSION"),
        ),
        ("(select 1)", "?column?:23:-1", "1"),
    ] {
        assert_eq!(columns(text), [column], "{text}");
        assert_eq!(rows(text), [[value]], "{text}");
    }
    let version = &rows("select pg_catalog.version()")[0][0];
    assert!(
        version.starts_with("PostgreSQL 17.5 (Penstock "),
        "{version}"
    );
}

#[test]
fn void_is_no_text() {
    let answer = answer("SELECT pg_advisory_unlock_all();").expect("void");
    assert_eq!(answer.rows, vec![vec![Some(Cell::Void)]]);
    assert_eq!(answer.columns[0].type_oid, 2278);
}

#[test]
fn now_is_in_the_time_zone_of_the_session() {
    let mut settings = Settings::new("writer", [("TimeZone", "America/St_Johns")]).expect("zone");
    let answer =
        answer_with(&query("select now()"), &mut settings, &Bindings::none()).expect("now");
    assert_eq!(
        answer.rows[0][0],
        Some(Cell::TimestampTz {
            microseconds: -946_684_800_000_000,
            text: "1969-12-31 20:30:00-03:30".to_owned(),
        })
    );
}

#[test]
fn set_config_sets_and_returns_the_value() {
    let mut settings = Settings::new("writer", []).expect("defaults");
    let query =
        query("select current_setting('jit') as cur, set_config('jit', 'on', false) as new");
    let answer = answer_with(&query, &mut settings, &Bindings::none()).expect("set_config");
    assert_eq!(
        answer.rows,
        vec![vec![
            Some(Cell::Text("off".to_owned())),
            Some(Cell::Text("on".to_owned()))
        ]]
    );
    assert_eq!(settings.get("jit"), Ok("on"));
}

#[test]
fn values_lists_are_tables() {
    assert_eq!(
        columns("VALUES (1, 'a'), (2, NULL)"),
        ["column1:23:-1", "column2:25:-1"]
    );
    assert_eq!(rows("VALUES (1, 'a'), (2, NULL)"), [["1", "a"], ["2", "~"]]);
    let described = "SELECT name AS \"Column\", pg_catalog.format_type(tp, tpm) AS \"Type\" FROM \
         (VALUES ('a', '23'::pg_catalog.oid, -1), ('b', '1043'::pg_catalog.oid, 259)) s(name, tp, tpm)";
    assert_eq!(
        rows(described),
        [["a", "integer"], ["b", "character varying(255)"]]
    );
}

#[test]
fn parameters_take_the_declared_types() {
    let query = query("select $1, $2::text");
    assert_eq!(query.parameter_types(&[21, 0]), Ok(vec![21, 25]));
    let columns = query.columns().expect("columns");
    assert_eq!((columns[0].type_oid, columns[1].type_oid), (21, 25));
    let types: Arc<[u32]> = Arc::new([21, 25]);
    let values = vec![Some(Bytes::from_static(&[0, 7])), None];
    let bindings = Bindings::new("", types, &[1, 0], values).expect("bindings");
    let mut settings = Settings::new("writer", []).expect("defaults");
    let answer = answer_with(&query, &mut settings, &bindings).expect("row");
    assert_eq!(answer.rows, vec![vec![Some(Cell::Int2(7)), None]]);
}

#[test]
fn three_valued_logic_holds() {
    for (condition, expected) in [
        ("null and false", "false"),
        ("null and true", "~"),
        ("null or true", "true"),
        ("not null", "~"),
        ("1 in (2, null)", "~"),
        ("1 in (1, null)", "true"),
        ("1 not in (2, 3)", "true"),
        ("null is null", "true"),
        ("null is distinct from null", "false"),
        ("(1 = null) is not true", "true"),
        ("'abc' like 'a%'", "true"),
        ("'a' <> 'b' and 2 >= 1", "true"),
        ("exists (select oid from pg_enum)", "false"),
    ] {
        assert_eq!(
            rows(&format!("select {condition}")),
            [[expected]],
            "{condition}"
        );
    }
}
