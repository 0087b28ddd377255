//! Queries from outside: SQL in, columns and rows out. Expectations are PostgreSQL's answers.

use super::QueryContext;
use super::value::text_of;
use crate::diagnostic::Diagnostic;
use crate::sql::{Answer, Bindings, Cell, Query, Settings, Statement, classify};
use bytes::Bytes;
use jiff::Timestamp;
use std::sync::Arc;

fn query(text: &str) -> Query {
    match classify(text) {
        Ok(Statement::Query(query)) => query,
        other => panic!("{text} is {other:?}"),
    }
}

fn answer_with(
    query: &Query,
    settings: &mut Settings,
    bindings: &Bindings,
) -> Result<Answer, Box<Diagnostic>> {
    let mut context = QueryContext {
        settings,
        user: "writer",
        database: "gw",
        backend_pid: 42,
        transaction_started: Timestamp::UNIX_EPOCH,
        in_transaction: false,
    };
    query.answer(&mut context, bindings)
}

fn answer(text: &str) -> Result<Answer, Box<Diagnostic>> {
    let mut settings = Settings::new("writer", []).expect("defaults");
    answer_with(&query(text), &mut settings, &Bindings::none())
}

/// Rows as text, NULL as `~`.
fn rows(text: &str) -> Vec<Vec<String>> {
    let answer = answer(text).expect(text);
    assert!(
        answer
            .rows
            .iter()
            .all(|row| row.len() == answer.columns.len())
    );
    answer
        .rows
        .iter()
        .map(|row| {
            row.iter()
                .map(|cell| cell.as_ref().map_or("~".to_owned(), text_of))
                .collect()
        })
        .collect()
}

/// `name:type:modifier` of the columns.
fn columns(text: &str) -> Vec<String> {
    query(text)
        .columns()
        .expect(text)
        .iter()
        .map(|column| {
            format!(
                "{}:{}:{}",
                column.name, column.type_oid, column.type_modifier
            )
        })
        .collect()
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
        let error = classify(text).expect_err(text);
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
        assert!(matches!(classify(text), Ok(Statement::Cold(_))), "{text}");
    }
    let long = format!("select {}1", "1+".repeat(100_000));
    assert!(matches!(classify(&long), Ok(Statement::Cold(_))));
}

#[test]
fn extension_types_are_looked_up_in_vain() {
    for (text, width) in [
        (
            "select oid, typbasetype from pg_type where typname = 'lo'",
            2,
        ),
        (
            "SELECT t.oid, typarray FROM pg_type t JOIN pg_namespace ns ON typnamespace = ns.oid WHERE typname = 'hstore'",
            2,
        ),
        ("select oid, enumlabel from pg_enum", 2),
    ] {
        let answer = answer(text).expect(text);
        assert_eq!(
            (answer.columns.len(), answer.rows.len()),
            (width, 0),
            "{text}"
        );
    }
}

#[test]
fn a_type_is_looked_up_by_its_name() {
    let text = "SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, \
                typdelim AS delimiter FROM pg_type t WHERE t.oid = to_regtype($1) ORDER BY t.oid";
    let query = query(text);
    assert_eq!(
        columns(text),
        [
            "name:19:-1",
            "oid:26:-1",
            "array_oid:26:-1",
            "regtype:25:-1",
            "delimiter:18:-1"
        ]
    );
    let types: Arc<[u32]> = query.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [25]);
    let mut settings = Settings::new("writer", []).expect("defaults");
    for (name, expected) in [
        ("hstore", None),
        ("int8", Some(("int8", 20, 1016, "bigint"))),
        (
            "timestamp with time zone",
            Some(("timestamptz", 1184, 1185, "timestamp with time zone")),
        ),
    ] {
        let bindings =
            Bindings::new("", types.clone(), &[], vec![Some(Bytes::from(name))]).expect("bindings");
        let answer = answer_with(&query, &mut settings, &bindings).expect(name);
        let expected: Vec<Vec<Option<Cell>>> = expected
            .into_iter()
            .map(|(name, oid, array, shown)| {
                vec![
                    Some(Cell::Text(name.to_owned())),
                    Some(Cell::Oid(oid)),
                    Some(Cell::Oid(array)),
                    Some(Cell::Text(shown.to_owned())),
                    Some(Cell::Char(b',')),
                ]
            })
            .collect();
        assert_eq!(answer.rows, expected, "{name}");
    }
}

#[test]
fn the_columns_of_a_table_are_looked_up_by_its_name() {
    let text = "SELECT attr.attname, attr.atttypid FROM pg_catalog.pg_attribute AS attr WHERE \
                attr.attrelid = $1::regclass::oid AND attr.attnum > 0 AND NOT attr.attisdropped";
    let query = query(text);
    let types: Arc<[u32]> = query.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [2205]);
    let mut settings = Settings::new("writer", []).expect("defaults");
    let name = Bytes::from("\"public\" . \"raw_tables\"");
    let bindings = Bindings::new("", types.clone(), &[], vec![Some(name)]).expect("bindings");
    let answer = answer_with(&query, &mut settings, &bindings).expect("columns");
    assert_eq!(answer.rows.len(), 2);
    assert_eq!(
        answer.rows[1],
        [
            Some(Cell::Text("_raw_table".to_owned())),
            Some(Cell::Oid(1043))
        ]
    );
    let bindings =
        Bindings::new("", types, &[], vec![Some(Bytes::from("nope"))]).expect("bindings");
    let missing = answer_with(&query, &mut settings, &bindings).expect_err("42P01");
    assert_eq!(missing.sqlstate.code(), "42P01");
}

#[test]
fn a_table_is_found_among_the_relations() {
    let text = |name: &str| {
        format!(
            "SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace \
             ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace \
             WHERE pg_catalog.pg_class.relname = '{name}' \
             AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) \
             AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) \
             AND pg_catalog.pg_namespace.nspname != 'pg_catalog'"
        )
    };
    assert_eq!(rows(&text("raw_rows")), [["raw_rows"]]);
    assert!(rows(&text("pandas_new")).is_empty());
}

#[test]
fn array_types_name_their_elements() {
    let found = rows(
        "select b.oid, b.typarray from pg_catalog.pg_type a left join pg_catalog.pg_type b \
         on b.oid = a.typelem where a.typcategory = 'A' group by b.oid, b.typarray order by b.oid",
    );
    assert_eq!(found[0], ["16", "1000"]);
    for pair in [
        ["20", "1016"],
        ["701", "1022"],
        ["1184", "1185"],
        ["1043", "1015"],
        ["114", "199"],
    ] {
        assert!(found.iter().any(|row| row == &pair), "{pair:?}");
    }
}

/// What a driver that loads types asks, with all its joins.
const TYPE_LOADING: &str = "
    SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid
    FROM (
        SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.relkind, typ.typnotnull,
            elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname,
            CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype
        FROM (
            SELECT typ.oid, typnamespace, typname, typnotnull, relkind,
                CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype,
                CASE
                    WHEN proc.proname = 'array_recv' THEN typ.typelem
                    WHEN typ.typtype = 'r' THEN rngsubtype
                    WHEN typ.typtype = 'm' THEN (SELECT rngtypid FROM pg_range WHERE rngmultitypid = typ.oid)
                    WHEN typ.typtype = 'd' THEN typ.typbasetype
                END AS elemtypoid
            FROM pg_type AS typ
            LEFT JOIN pg_class AS cls ON (cls.oid = typ.typrelid)
            LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive
            LEFT JOIN pg_range ON (pg_range.rngtypid = typ.oid)
        ) AS typ
        LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = elemtypoid
        LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive
    ) AS t
    JOIN pg_namespace AS ns ON (ns.oid = typnamespace)
    WHERE typtype IN ('b', 'r', 'm', 'e', 'd') OR (typtype = 'c' AND relkind = 'c')
        OR (typtype = 'p' AND typname IN ('record', 'void', 'unknown'))
        OR (typtype = 'a' AND (elemtyptype IN ('b', 'r', 'm', 'e', 'd')
            OR (elemtyptype = 'p' AND elemtypname IN ('record', 'void'))))
    ORDER BY CASE WHEN typtype IN ('b', 'e', 'p') THEN 0 WHEN typtype = 'r' THEN 2
        WHEN typtype = 'm' THEN 3 WHEN typtype = 'a' THEN 5 END";

#[test]
fn drivers_load_the_types_of_postgresql() {
    assert_eq!(
        columns(TYPE_LOADING),
        [
            "nspname:19:-1",
            "oid:26:-1",
            "typname:19:-1",
            "typtype:18:-1",
            "typnotnull:16:-1",
            "elemtypoid:26:-1"
        ]
    );
    let found = rows(TYPE_LOADING);
    for (oid, name, kind, element) in [
        ("16", "bool", "b", "~"),
        ("20", "int8", "b", "~"),
        ("25", "text", "b", "~"),
        ("701", "float8", "b", "~"),
        ("114", "json", "b", "~"),
        ("1043", "varchar", "b", "~"),
        ("1184", "timestamptz", "b", "~"),
        ("1700", "numeric", "b", "~"),
        ("705", "unknown", "p", "~"),
        ("2249", "record", "p", "~"),
        ("2278", "void", "p", "~"),
        ("22", "int2vector", "b", "~"),
        ("3904", "int4range", "r", "23"),
        ("3910", "tstzrange", "r", "1184"),
        ("4451", "int4multirange", "m", "3904"),
        ("1016", "_int8", "a", "20"),
        ("1006", "_int2vector", "a", "22"),
        ("2287", "_record", "a", "2249"),
        ("6150", "_int4multirange", "a", "4451"),
    ] {
        let row = ["pg_catalog", oid, name, kind, "false", element];
        assert!(found.iter().any(|found| found == &row), "{name}");
    }
    // Base types first, arrays last: their elements are known by then.
    let place = |name: &str| found.iter().position(|row| row[2] == name);
    assert!(place("int8") < place("int4range"));
    assert!(place("int4range") < place("int4multirange"));
    assert!(place("int4multirange") < place("_int8"));
    assert!(
        !found
            .iter()
            .any(|row| row[2] == "trigger" || row[2] == "anyelement")
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
