//! What statements say of a table, and the traps in them.

use super::{BoundStatement, Needed, Parameter};
use crate::catalog::{self, Table};
use crate::rows::value::ValueSettings;
use crate::scan::condition::Condition;
use jiff::Timestamp;
use jiff::tz::TimeZone;

fn settings() -> ValueSettings {
    ValueSettings {
        time_zone: TimeZone::get("Europe/Berlin").expect("the zone is known"),
        started: Timestamp::from_second(1_700_000_000).expect("a time"),
        ..ValueSettings::default()
    }
}

fn table(name: &str) -> &'static Table {
    catalog::table_of_full_name(name).expect("the table exists")
}

fn needs_of(name: &str, sql: &str, parameters: &[Parameter]) -> Needed {
    let settings = settings();
    let statement = BoundStatement {
        sql,
        parameters,
        settings: &settings,
    };
    statement.needs(table(name), "public", name)
}

/// The conditions on `name` as SQL, and the limit.
fn said_of(name: &str, sql: &str, parameters: &[Parameter]) -> (Vec<String>, Option<u64>) {
    let needed = needs_of(name, sql, parameters);
    let in_words =
        |condition: &Condition| condition.in_words(table(name).columns[condition.column()].name);
    let mut said: Vec<String> = needed.conditions.iter().map(in_words).collect();
    said.sort();
    (said, needed.limit)
}

fn assets(sql: &str) -> Vec<String> {
    said_of("assets", sql, &[]).0
}

fn text(value: &str) -> Parameter {
    Parameter {
        type_oid: 0,
        text: Some(value.to_owned()),
    }
}

#[test]
fn comparisons_with_constants_are_conditions() {
    for (condition, said) in [
        ("name = 'pump'", "name = 'pump'"),
        ("'pump' = name", "name = 'pump'"),
        ("assets.name = 'pump'", "name = 'pump'"),
        ("public.assets.name = 'pump'", "name = 'pump'"),
        ("\"name\" = 'pump'", "name = 'pump'"),
        ("NAME = 'pump'", "name = 'pump'"),
        ("(name)::text = 'pump'::text", "name = 'pump'"),
        ("name = CAST('pump' AS varchar)", "name = 'pump'"),
        ("name = $$pump$$", "name = 'pump'"),
        ("name IN ('a', 'b')", "name IN ('a', 'b')"),
        ("name IN ('a', NULL)", "name = 'a'"),
        ("name = ANY (ARRAY['a', 'b'])", "name IN ('a', 'b')"),
        ("name = ANY ('{a,\"b c\"}'::text[])", "name IN ('a', 'b c')"),
        ("name LIKE 'pump%'", "starts_with(name, 'pump')"),
        ("name LIKE 'pump'", "name = 'pump'"),
        ("starts_with(name, 'pump')", "starts_with(name, 'pump')"),
        ("parent_id IS NULL", "parent_id IS NULL"),
        ("parent_id IS NOT NULL", "parent_id IS NOT NULL"),
        ("parent_id = 7", "parent_id = '7'"),
        ("parent_id = -7", "parent_id = '-7'"),
        ("parent_id = '7'::bigint", "parent_id = '7'"),
        ("1 < parent_id", "parent_id > '1'"),
        ("name = NULL", "name IN ()"),
        (
            "created_time >= '2026-01-02 03:04:05'",
            "created_time >= '2026-01-02 02:04:05.000000+00'",
        ),
        (
            "created_time < TIMESTAMPTZ '2026-07-02T00:00:00.123456Z'",
            "created_time < '2026-07-02 00:00:00.123456+00'",
        ),
        (
            "created_time < '2026-07-02 00:00:00+09'::timestamp",
            "created_time < '2026-07-01 22:00:00.000000+00'",
        ),
        (
            "created_time >= DATE '2026-07-02'",
            "created_time >= '2026-07-01 22:00:00.000000+00'",
        ),
    ] {
        let sql = format!("SELECT count(*) FROM assets WHERE {condition}");
        assert_eq!(assets(&sql), [said], "{condition}");
    }
}

#[test]
fn every_part_of_an_and_is_read() {
    let sql = "SELECT * FROM assets WHERE name = 'a' AND (source = 'b' AND description = 'c') \
               AND parent_id BETWEEN 1 AND 3 AND true";
    assert_eq!(
        assets(sql),
        [
            "description = 'c'",
            "name = 'a'",
            "parent_id <= '3'",
            "parent_id >= '1'",
            "source = 'b'"
        ]
    );
}

#[test]
fn flags_are_conditions_by_themselves() {
    for (condition, said) in [
        ("is_string", "is_string = 'true'"),
        ("NOT is_string", "is_string = 'false'"),
        ("is_string = false", "is_string = 'false'"),
        ("is_string IS TRUE", "is_string = 'true'"),
        ("is_string = 'yes'", "is_string = 'true'"),
    ] {
        let sql = format!("SELECT * FROM time_series WHERE {condition}");
        assert_eq!(said_of("time_series", &sql, &[]).0, [said], "{condition}");
    }
    let three_valued = "SELECT * FROM time_series WHERE is_string IS NOT TRUE";
    assert!(said_of("time_series", three_valued, &[]).0.is_empty());
}

#[test]
fn what_could_be_something_else_says_nothing() {
    for condition in [
        "name = 'a' OR name = 'b'",
        "NOT (name = 'a')",
        "NOT name = 'a'",
        "name <> 'a'",
        "name NOT IN ('a')",
        "name NOT LIKE 'a%'",
        "name LIKE 'a_b%'",
        "name LIKE '%a%'",
        "name LIKE 'a\\%%'",
        "name LIKE 'a%' ESCAPE 'x'",
        "name ILIKE 'a%'",
        "name > 'a'",
        "name BETWEEN 'a' AND 'b'",
        "lower(name) = 'a'",
        "name || '' = 'a'",
        "name = 'a' COLLATE \"C\"",
        "name COLLATE \"de-x-icu\" = 'a'",
        "name = 'a '::char(2)",
        "name = 'abc'::varchar(2)",
        "name = 'back\\slash'",
        "name = description",
        "name = lower('A')",
        "name = (SELECT 'a')",
        "CASE WHEN true THEN name = 'a' ELSE true END",
        "(name = 'a') IS NOT FALSE",
        "coalesce(name, 'a') = 'a'",
        "name IS DISTINCT FROM 'a'",
        "name IS NOT DISTINCT FROM NULL",
        "name IN (SELECT 'a')",
        "name = ALL (ARRAY['a'])",
        "parent_id = 7.5",
        "parent_id::int = 7",
        "parent_id + 1 = 7",
        "created_time > '2026-01-02 03:04:05'::timestamptz(0)",
        "created_time > '2026-01-02 12:00:00'::date",
        "created_time > 'yesterday'",
        "created_time::date = '2026-01-02'",
        "created_time > random() * now()",
        "created_time > clock_timestamp()",
        "created_time > now() - interval '1 month'",
        "metadata ->> 'k' = 'a'",
        "no_such_column = 'a'",
    ] {
        let sql = format!("SELECT * FROM assets WHERE {condition}");
        assert!(assets(&sql).is_empty(), "{condition}: {:?}", assets(&sql));
    }
}

#[test]
fn one_part_that_is_not_understood_leaves_the_others() {
    let sql = "SELECT * FROM assets WHERE name = 'a' AND (source = 'b' OR source = 'c')";
    assert_eq!(assets(sql), ["name = 'a'"]);
}

#[test]
fn a_table_that_is_named_twice_is_read_whole() {
    for sql in [
        "SELECT * FROM assets a JOIN assets b ON a.id = b.parent_id WHERE a.name = 'x'",
        "SELECT * FROM assets WHERE name = 'x' AND id IN (SELECT parent_id FROM assets)",
        "SELECT * FROM assets WHERE name = 'x' UNION SELECT * FROM public.assets",
        "SELECT * FROM assets WHERE name = 'x' UNION SELECT * FROM \"assets\"",
        "SELECT (SELECT count(*) FROM Assets) FROM assets WHERE name = 'x'",
        "WITH assets AS (SELECT * FROM events) SELECT * FROM assets WHERE name = 'x'",
        "SELECT query_to_xml('select * from assets', true, true, '') FROM assets WHERE name = 'x'",
        "SELECT * FROM assets, U&\"\\0061ssets\" AS b WHERE assets.name = 'x'",
        "INSERT INTO assets (name) SELECT name FROM assets a JOIN assets b ON a.name = 'x'",
    ] {
        assert_eq!(needs_of("assets", sql, &[]), Needed::default(), "{sql}");
    }
    // A name in a text, a comment or before a dot is no second use.
    let sql = "SELECT assets.name /* assets */ FROM assets WHERE source = 'assets'";
    assert_eq!(assets(sql), ["source = 'assets'"]);
}

#[test]
fn columns_of_other_tables_are_not_taken_for_ours() {
    for sql in [
        "SELECT * FROM assets a, events e WHERE e.source = 'x'",
        "SELECT * FROM assets, events WHERE source = 'x'",
        "SELECT * FROM events AS a WHERE a.source = 'x'",
        "SELECT * FROM assets a WHERE assets.source = 'x'",
        "SELECT * FROM assets AS a (name, source) WHERE a.source = 'x'",
        "SELECT * FROM cdf.assets WHERE source = 'x'",
        "SELECT * FROM (assets JOIN events ON true) AS a WHERE a.source = 'x'",
        "SELECT * FROM assets TABLESAMPLE SYSTEM (10) WHERE source = 'x'",
    ] {
        assert!(assets(sql).is_empty(), "{sql}: {:?}", assets(sql));
    }
}

#[test]
fn joins_are_looked_through() {
    for (sql, said) in [
        (
            "SELECT * FROM events e JOIN assets a ON a.id = e.id AND a.name = 'x' WHERE a.source = 's'",
            &["name = 'x'", "source = 's'"][..],
        ),
        (
            "SELECT * FROM events e, assets AS a WHERE a.source = 's' AND e.source = 't'",
            &["source = 's'"],
        ),
        (
            "SELECT * FROM events e CROSS JOIN (assets a JOIN labels l ON a.name = 'x')",
            &["name = 'x'"],
        ),
    ] {
        assert_eq!(assets(sql), said, "{sql}");
    }
}

#[test]
fn outer_joins_keep_rows_that_do_not_match() {
    for (sql, said) in [
        // The condition of the join decides who is joined, not who is there.
        (
            "SELECT * FROM assets a LEFT JOIN events e ON a.name = 'x'",
            &[][..],
        ),
        (
            "SELECT * FROM events e LEFT JOIN assets a ON a.name = 'x'",
            &["name = 'x'"],
        ),
        (
            "SELECT * FROM events e LEFT JOIN assets a ON a.name IS NULL",
            &[],
        ),
        // A row of NULLs does not meet it: whoever is missing changes nothing.
        (
            "SELECT * FROM events e LEFT JOIN assets a ON a.id = e.id WHERE a.name = 'x'",
            &["name = 'x'"],
        ),
        // Whoever is missing would make a row of NULLs, which meets it.
        (
            "SELECT * FROM events e LEFT JOIN assets a ON a.id = e.id WHERE a.name IS NULL",
            &[],
        ),
        (
            "SELECT * FROM assets a FULL JOIN events e ON a.id = e.id WHERE a.parent_id IS NULL",
            &[],
        ),
    ] {
        assert_eq!(assets(sql), said, "{sql}");
    }
}

#[test]
fn the_table_is_found_below_the_top() {
    for sql in [
        "SELECT count(*) FROM (SELECT * FROM assets WHERE name = 'x') AS a",
        "WITH pumps AS (SELECT * FROM assets WHERE name = 'x') SELECT * FROM pumps",
        "SELECT * FROM events WHERE id IN (SELECT id FROM assets WHERE name = 'x')",
        "SELECT * FROM events e WHERE NOT EXISTS (SELECT 1 FROM assets a WHERE a.name = 'x')",
        "SELECT id FROM events UNION ALL SELECT id FROM assets WHERE name = 'x'",
        "EXPLAIN ANALYZE SELECT * FROM assets WHERE name = 'x'",
        "DECLARE c CURSOR FOR SELECT * FROM assets WHERE name = 'x'",
        "COPY (SELECT * FROM assets WHERE name = 'x') TO STDOUT",
        "CREATE TEMP TABLE t AS SELECT * FROM assets WHERE name = 'x'",
        "INSERT INTO labels (name) SELECT name FROM assets WHERE name = 'x'",
        // Those that are made are none that are read.
        "INSERT INTO assets (name) SELECT name FROM assets WHERE name = 'x'",
        "UPDATE assets SET source = 'y' WHERE name = 'x'",
        "DELETE FROM assets WHERE name = 'x'",
        "DELETE FROM assets AS a USING events e WHERE a.id = e.id AND a.name = 'x'",
    ] {
        assert_eq!(assets(sql), ["name = 'x'"], "{sql}");
    }
}

#[test]
fn parameters_are_constants_once_they_are_bound() {
    let sql = "SELECT * FROM assets WHERE name = $1 AND parent_id = $2 AND created_time < $3";
    let parameters = [
        text("pump"),
        Parameter {
            type_oid: 23,
            text: Some("7".to_owned()),
        },
        Parameter {
            type_oid: 1114,
            text: Some("2026-07-02 00:00:00".to_owned()),
        },
    ];
    assert_eq!(
        said_of("assets", sql, &parameters).0,
        [
            "created_time < '2026-07-01 22:00:00.000000+00'",
            "name = 'pump'",
            "parent_id = '7'"
        ]
    );
    let sql = "SELECT * FROM assets WHERE name = ANY ($1) AND source = $2";
    let parameters = [text("{a,b}"), Parameter::default()];
    assert_eq!(
        said_of("assets", sql, &parameters).0,
        ["name IN ('a', 'b')", "source IN ()"]
    );
}

#[test]
fn parameters_of_other_types_say_nothing() {
    for (sql, type_oid) in [
        ("SELECT * FROM assets WHERE name = $1", 1042),
        ("SELECT * FROM assets WHERE parent_id = $1", 1700),
        ("SELECT * FROM assets WHERE created_time = $1", 25),
        ("SELECT * FROM assets WHERE name = ANY ($1)", 1014),
    ] {
        let parameter = Parameter {
            type_oid,
            text: Some("7".to_owned()),
        };
        assert!(said_of("assets", sql, &[parameter]).0.is_empty(), "{sql}");
    }
    assert!(
        assets("SELECT * FROM assets WHERE name = $1").is_empty(),
        "nothing is bound"
    );
}

#[test]
fn times_that_count_from_now_are_wide() {
    let sql = "SELECT * FROM assets WHERE created_time > now() - interval '1 hour' LIMIT 5";
    let (said, limit) = said_of("assets", sql, &[]);
    // 2023-11-14 22:13:20, an hour and ten minutes before.
    assert_eq!(said, ["created_time > '2023-11-14 21:03:20.000000+00'"]);
    assert_eq!(limit, None, "rows come that are not wanted");
    let sql = "SELECT * FROM assets WHERE created_time <= current_timestamp - '2 days'::interval";
    assert_eq!(
        assets(sql),
        ["created_time <= '2023-11-13 00:23:20.000000+00'"]
    );
}

#[test]
fn a_limit_counts_where_each_row_is_one_of_the_result() {
    for (sql, limit) in [
        ("SELECT * FROM assets LIMIT 5", Some(5)),
        (
            "SELECT id, name || 'x' AS n FROM assets a WHERE a.name = 'x' LIMIT 5 OFFSET 3",
            Some(8),
        ),
        (
            "SELECT * FROM (SELECT * FROM assets LIMIT 5) AS a WHERE name = 'x'",
            Some(5),
        ),
        ("SELECT * FROM assets", None),
        ("SELECT * FROM assets LIMIT ALL", None),
        ("SELECT * FROM assets ORDER BY id LIMIT 5", None),
        ("SELECT DISTINCT name FROM assets LIMIT 5", None),
        ("SELECT count(*) FROM assets LIMIT 5", None),
        ("SELECT unnest(labels) FROM assets LIMIT 5", None),
        (
            "SELECT name, row_number() OVER () FROM assets LIMIT 5",
            None,
        ),
        ("SELECT name FROM assets GROUP BY name LIMIT 5", None),
        ("SELECT assets.* FROM assets, events LIMIT 5", None),
        (
            "SELECT * FROM assets WHERE name = 'a' OR name = 'b' LIMIT 5",
            None,
        ),
        (
            "SELECT id FROM assets UNION SELECT id FROM events LIMIT 5",
            None,
        ),
        ("SELECT * FROM assets FETCH FIRST 5 ROWS WITH TIES", None),
        ("WITH a AS (SELECT 1) SELECT * FROM assets LIMIT 5", None),
    ] {
        assert_eq!(said_of("assets", sql, &[]).1, limit, "{sql}");
    }
    let parameter = [text("5")];
    let sql = "SELECT * FROM assets LIMIT $1";
    assert_eq!(said_of("assets", sql, &parameter).1, Some(5));
}

#[test]
fn what_is_no_single_statement_says_nothing() {
    for sql in [
        "",
        "SELECT * FROM assets WHERE name = 'x'; SELECT 1",
        "SELECT * FROM assets WHERE name = 'x",
        "TABLE assets",
        "TRUNCATE assets",
    ] {
        assert_eq!(needs_of("assets", sql, &[]), Needed::default(), "{sql}");
    }
}
