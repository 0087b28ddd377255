//! Literal rows: every spelling of a value, every refusal, full builders.

use super::{insert, read, refusal};
use crate::catalog::Namespace;
use crate::sql::insert::InsertProgress;
use crate::sql::insert::recorder::Recorder;
use crate::sql::{Bindings, Statement, classify};

#[test]
fn literal_rows_reach_the_builder_as_they_are_written() {
    let rows = read(
        "insert into double_datapoints (external_id, \"timestamp\", value) values \
         ('pump-1','2026-11-01 00:00:00+00',12.34), ( 'pump-2' , '2026-11-01T00:00:01Z' , -1e-3 )",
    );
    assert_eq!(
        rows,
        Ok(vec![
            vec![
                "2=pump-1".to_owned(),
                "1=2026-11-01 00:00:00+00".to_owned(),
                "0=12.34".to_owned()
            ],
            vec![
                "2=pump-2".to_owned(),
                "1=2026-11-01T00:00:01Z".to_owned(),
                "0=-1e-3".to_owned()
            ],
        ])
    );
}

#[test]
fn every_spelling_of_a_value_is_read() {
    for (value, field) in [
        ("'it''s'", "2=it's"),
        ("E'a\\tb\\'c\\u00e6'", "2=a\tb'cæ"),
        ("$$it's$$", "2=it's"),
        ("$tag$a $$ b$tag$", "2=a $$ b"),
        ("N'x'", "2=x"),
        ("'a'\n  'b'", "2=ab"),
        ("('nested')", "2=nested"),
        ("'x' /* why */", "2=x"),
        ("'x'::text", "2:25=x"),
        ("'x'::character varying(20)", "2:1043=x"),
        ("cast('x' as varchar)", "2:1043=x"),
        ("varchar 'x'", "2:1043=x"),
        ("'abcdef'::varchar(3)", "2:1043=abc"),
        ("NULL", "2 null"),
        ("null::text", "2 null"),
        ("42", "2:23=42"),
        ("007", "2:23=7"),
        ("-1.50", "2:1700=-1.50"),
        ("1e3", "2:1700=1000"),
        ("- - 5", "2:23=5"),
        ("true", "2:16=true"),
        ("'5'::bigint", "2:20=5"),
        ("5.5::int", "2:23=6"),
        ("'2.5'::float8::int", "2:23=2"),
    ] {
        let text = format!("INSERT INTO double_datapoints (external_id) VALUES ({value})");
        assert_eq!(read(&text), Ok(vec![vec![field.to_owned()]]), "{value}");
    }
}

#[test]
fn casts_tell_the_builder_the_type_of_the_text() {
    for (column, value, field) in [
        ("timestamp", "'2026-11-01'::timestamp", "1:1114=2026-11-01"),
        (
            "timestamp",
            "timestamp with time zone '2026-11-01'",
            "1:1184=2026-11-01",
        ),
        ("timestamp", "'2026-11-01'::date", "1:1082=2026-11-01"),
        ("timestamp", "now()", "1:1184=now"),
        ("timestamp", "pg_catalog.now()", "1:1184=now"),
        ("timestamp", "CURRENT_TIMESTAMP", "1:1184=now"),
        ("value", "'NaN'::float", "0:701=NaN"),
        ("value", "('1.5'::float8)", "0:701=1.5"),
        ("value", "'1.5'::numeric(10,2)", "0:1700=1.5"),
        ("id", "1.5", "3:1700=1.5"),
        ("id", "('100'::int8)", "3:20=100"),
    ] {
        let text = format!("INSERT INTO double_datapoints ({column}) VALUES ({value})");
        assert_eq!(read(&text), Ok(vec![vec![field.to_owned()]]), "{value}");
    }
    for (value, field) in [
        ("ARRAY[1,2,NULL,'3']", "10={1,2,NULL,3}"),
        ("ARRAY[]::bigint[]", "10={}"),
        ("ARRAY[1.5]", "10={2}"),
        ("array['1','2']::bigint[]", "10={1,2}"),
        ("'{1,2}'::bigint[]", "10={1,2}"),
    ] {
        let text = format!("INSERT INTO time_series (security_categories) VALUES ({value})");
        assert_eq!(read(&text), Ok(vec![vec![field.to_owned()]]), "{value}");
    }
}

#[test]
fn default_leaves_a_column_out() {
    assert_eq!(
        read("INSERT INTO time_series (id, external_id) VALUES (DEFAULT, 'a'), ((default), 'b')"),
        Ok(vec![vec!["1=a".to_owned()], vec!["1=b".to_owned()]])
    );
    assert_eq!(
        read("INSERT INTO time_series DEFAULT VALUES"),
        Ok(vec![vec![]])
    );
}

#[test]
fn fewer_values_than_columns_are_taken_without_a_column_list() {
    assert_eq!(
        read("INSERT INTO double_datapoints VALUES (1, 'now')"),
        Ok(vec![vec!["0=1".to_owned(), "1=now".to_owned()]])
    );
}

#[test]
fn refusals_are_those_of_postgresql() {
    for (rest, expected) in [
        (
            "(value,id) VALUES (1)",
            "42601 37 INSERT has more target columns than expressions",
        ),
        (
            " VALUES (1,2,3,4,5)",
            "42601 47 INSERT has more expressions than target columns",
        ),
        (
            "(value) VALUES (1,2)",
            "42601 48 INSERT has more expressions than target columns",
        ),
        (
            " VALUES (1,'now'),(1)",
            "42601 49 VALUES lists must all be the same length",
        ),
        (
            " VALUES (1,'bad'),(1,'now'),(1)",
            "42601 59 VALUES lists must all be the same length",
        ),
        (
            " VALUES (1,'bad'),(1,,2)",
            "42601 51 syntax error at or near \",\"",
        ),
        (
            "(id) VALUES (true)",
            "42804 43 column \"id\" is of type bigint but expression is of type boolean",
        ),
        (
            "(id) VALUES (now())",
            "42804 43 column \"id\" is of type bigint but expression is of type timestamp with time zone",
        ),
        (
            " VALUES (1, 5)",
            "42804 42 column \"timestamp\" is of type timestamp with time zone but expression is of type integer",
        ),
        (
            " VALUES ('1'::text)",
            "42804 39 column \"value\" is of type double precision but expression is of type text",
        ),
        (
            "(id) VALUES ('5.5'::bigint)",
            "22P02 43 invalid input syntax for type bigint: \"5.5\"",
        ),
        (
            "(id) VALUES (99999999999::int)",
            "22003 43 integer out of range",
        ),
        (
            "(id) VALUES ('1'::json)",
            "42804 43 column \"id\" is of type bigint but expression is of type json",
        ),
        (
            "(id) VALUES ('1'::bytea)",
            "42804 43 column \"id\" is of type bigint but expression is of type bytea",
        ),
        (
            "(external_id) VALUES ('\\x0'::bytea)",
            "22023 52 invalid hexadecimal data: odd number of digits",
        ),
        (
            "(id) VALUES ('1'::nonsense)",
            "42704 48 type \"nonsense\" does not exist",
        ),
        ("(id) VALUES ($1)", "42P02 43 there is no parameter $1"),
        (
            "(id) VALUES (foo)",
            "42703 43 column \"foo\" does not exist",
        ),
        (
            "(id) VALUES (\"Foo\")",
            "42703 43 column \"Foo\" does not exist",
        ),
        ("(id) VALUES ()", "42601 43 syntax error at or near \")\""),
        ("(id) VALUES (1),", "42601 46 syntax error at end of input"),
        (
            "(id) VALUES (1) (2)",
            "42601 46 syntax error at or near \"(\"",
        ),
        ("(id) VALUES (1", "42601 44 syntax error at end of input"),
        (
            "(id) VALUES ('1",
            "42601 43 unterminated quoted string at or near \"'1\"",
        ),
        ("(id,) VALUES (1)", "42601 34 syntax error at or near \")\""),
        (
            "(id,nope) VALUES (1,2)",
            "42703 34 column \"nope\" of relation \"double_datapoints\" does not exist",
        ),
        (
            "(id,id) VALUES (1,2)",
            "42701 34 column \"id\" specified more than once",
        ),
        (
            "(id) DEFAULT VALUES",
            "42601 35 syntax error at or near \"DEFAULT\"",
        ),
        (
            " t (id) VALUES (1)",
            "42601 31 syntax error at or near \"t\"",
        ),
    ] {
        let text = format!("INSERT INTO double_datapoints{rest}");
        assert_eq!(refusal(&text), expected, "{text}");
    }
    for (text, expected) in [
        (
            "INSERT INTO nope VALUES (1)",
            "42P01 13 relation \"nope\" does not exist",
        ),
        (
            "INSERT INTO x.nope VALUES (1)",
            "42P01 13 relation \"x.nope\" does not exist",
        ),
        (
            "INSERT INTO time_series(security_categories) VALUES (ARRAY[])",
            "42P18 54 cannot determine type of empty array",
        ),
        (
            "INSERT INTO time_series(security_categories) VALUES (ARRAY['1'])",
            "42804 54 column \"security_categories\" is of type bigint[] but expression is of type text[]",
        ),
        (
            "INSERT INTO time_series(metadata) VALUES ('{}'::text)",
            "42804 43 column \"metadata\" is of type json but expression is of type text",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn what_is_not_read_here_says_so_with_a_hint() {
    for text in [
        "INSERT INTO double_datapoints VALUES (1, now()) RETURNING id + 1",
        "INSERT INTO double_datapoints VALUES (1, now()) ON CONFLICT DO NOTHING",
        "INSERT INTO double_datapoints DEFAULT VALUES RETURNING lower(external_id)",
        "INSERT INTO double_datapoints VALUES (1 + 1, now())",
        "INSERT INTO double_datapoints VALUES (random(), now())",
        "INSERT INTO double_datapoints VALUES ((select 1), now())",
        "INSERT INTO double_datapoints VALUES (B'1', now())",
        "INSERT INTO double_datapoints (external_id) VALUES ('a' || 'b')",
        "INSERT INTO double_datapoints (timestamp) VALUES (now() at time zone 'UTC')",
    ] {
        let error = read(text).expect_err(text);
        assert_eq!(error.sqlstate.code(), "0A000", "{text}");
        assert!(error.hint.is_some(), "{text}");
    }
    for text in [
        "INSERT INTO double_datapoints SELECT 1",
        "INSERT INTO double_datapoints (SELECT 1)",
        "INSERT INTO double_datapoints (value) SELECT 1",
    ] {
        assert!(
            matches!(
                classify(text, &Namespace::default()),
                Ok(Statement::Cold(_))
            ),
            "{text}"
        );
    }
}

#[test]
fn an_error_in_one_of_several_rows_names_the_row() {
    let error = read(
        "INSERT INTO double_datapoints (external_id, id) VALUES ('a', 1), ('b', 2), ('bad', 3)",
    )
    .expect_err("bad");
    assert_eq!(
        error.context.as_deref(),
        Some("INSERT INTO double_datapoints, row 3, column external_id")
    );
    assert_eq!(error.position, Some(77));
    let first =
        read("INSERT INTO double_datapoints (external_id) VALUES ('bad'), ('b')").expect_err("bad");
    assert!(
        first
            .context
            .is_some_and(|context| context.contains("row 1"))
    );
    let alone =
        read("INSERT INTO double_datapoints (external_id) VALUES ('bad')").expect_err("bad");
    assert_eq!(alone.context, None);
    assert_eq!(alone.column.as_deref(), Some("external_id"));
}

#[test]
fn a_full_builder_stops_the_reader_which_goes_on_later() {
    let statement = insert("INSERT INTO double_datapoints (id) VALUES (1), (2), (3), (4), (5)");
    let bindings = Bindings::none();
    let mut reader = statement.reader(&bindings);
    let mut recorder = Recorder::new();
    recorder.rows_max = 2;
    let progress = |rows_read, finished| {
        Ok(InsertProgress {
            rows_read,
            finished,
        })
    };
    assert_eq!(reader.read(&mut recorder, 11), progress(2, false));
    assert_eq!(recorder.finished[1].0, 12);
    recorder.finished.clear();
    assert_eq!(reader.read(&mut recorder, 13), progress(2, false));
    recorder.finished.clear();
    assert_eq!(reader.read(&mut recorder, 15), progress(1, true));
    assert_eq!(recorder.finished, vec![(15, vec!["3=5".to_owned()])]);
    assert_eq!(reader.read(&mut recorder, 16), progress(0, true));
}

#[test]
fn a_syntax_error_far_behind_comes_before_the_first_batch() {
    for tail in [
        ", (3",
        ", ('a' 'b')",
        ") x",
        ", (3, 4)",
        " RETURNING",
        " ON CONFLICT",
        ", ($1)",
    ] {
        let text = format!("INSERT INTO double_datapoints (id) VALUES (1), (2){tail}");
        let Ok(Statement::Insert(statement)) = classify(&text, &Namespace::default()) else {
            continue;
        };
        let bindings = Bindings::none();
        let mut recorder = Recorder::new();
        recorder.rows_max = 1;
        let result = statement.reader(&bindings).read(&mut recorder, 1);
        assert!(result.is_err(), "{tail}");
    }
}
