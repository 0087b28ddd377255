//! Changes by position from outside: statements in, rows of key, position and values out.
//!
//! Owns what the tests share. Promises to read every statement to its end.

use super::RangedChange;
use crate::catalog::Namespace;
use crate::diagnostic::Diagnostic;
use crate::rows::value::{DateOrder, ValueSettings};
use crate::sql::insert::recorder::Recorder;
use crate::sql::{Bindings, RowReader, Statement, classify};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::Arc;

/// 1900-01-01 and 2100-01-01, UTC, in ms.
const BOUNDS: &str = "-2208988800000..4102444800000";

fn change(text: &str) -> RangedChange {
    match classify(text, &Namespace::default()) {
        Ok(Statement::Ranged(statement)) => statement,
        other => panic!("{text} is {other:?}"),
    }
}

fn settings() -> ValueSettings {
    ValueSettings {
        time_zone: TimeZone::get("Europe/Oslo").expect("the zone exists"),
        date_order: DateOrder::MonthDayYear,
        started: Timestamp::from_millisecond(1_000_000).expect("in range"),
    }
}

fn rows(statement: &RangedChange, bindings: &Bindings) -> Result<Vec<String>, Box<Diagnostic>> {
    let mut recorder = Recorder::new();
    let mut reader = statement.reader(bindings, settings())?;
    let announced = reader.rows() as u64;
    let progress = reader.read(&mut recorder, 1)?;
    assert!(progress.finished);
    assert_eq!(progress.rows_read, announced);
    Ok(recorder
        .rows()
        .iter()
        .map(|fields| fields.join(" "))
        .collect())
}

fn read(text: &str) -> Vec<String> {
    rows(&change(text), &Bindings::none()).expect(text)
}

/// `code message` of the error, at Parse or when its values are read, or without an engine.
fn refusal(text: &str) -> String {
    let error = match classify(text, &Namespace::default()) {
        Ok(Statement::Ranged(statement)) => rows(&statement, &Bindings::none()).expect_err(text),
        // What is said where there is no engine.
        Ok(Statement::Cold(cold)) => cold.refusal(),
        Ok(other) => panic!("{text} is {other:?}"),
        Err(error) => error,
    };
    assert!(
        error.sqlstate.code() != "0A000" || error.hint.is_some(),
        "{text} says what to do"
    );
    format!("{} {}", error.sqlstate.code(), error.message)
}

/// The times that a DELETE of series `a` takes, with that condition.
fn times(condition: &str) -> Vec<String> {
    let text = format!("DELETE FROM double_datapoints WHERE external_id = 'a' AND {condition}");
    read(&text)
        .iter()
        .map(|row| row.strip_prefix("2=a ").expect("the series").to_owned())
        .collect()
}

#[test]
fn every_comparison_becomes_a_range_with_an_end_that_is_not_included() {
    let at = "'1970-01-01 00:00:01Z'";
    for (condition, expected) in [
        (format!("timestamp = {at}"), "1000..1001".to_owned()),
        (
            format!("timestamp >= {at}"),
            "1000..4102444800000".to_owned(),
        ),
        (
            format!("timestamp > {at}"),
            "1001..4102444800000".to_owned(),
        ),
        (
            format!("timestamp < {at}"),
            "-2208988800000..1000".to_owned(),
        ),
        (
            format!("timestamp <= {at}"),
            "-2208988800000..1001".to_owned(),
        ),
        (
            format!("timestamp BETWEEN {at} AND '1970-01-01 00:00:02Z'"),
            "1000..2001".to_owned(),
        ),
        (
            format!("timestamp >= {at} AND (timestamp < timestamptz '1970-01-01 00:00:02Z')"),
            "1000..2000".to_owned(),
        ),
        (
            // The session's zone holds where a literal names none.
            "timestamp >= '1970-01-01 01:00:01' AND timestamp < '1970-01-01 01:00:02'".to_owned(),
            "1000..2000".to_owned(),
        ),
        (
            "timestamp < now()".to_owned(),
            "-2208988800000..1000000".to_owned(),
        ),
        ("timestamp < 'infinity'".to_owned(), BOUNDS.to_owned()),
        (
            "timestamp > '-infinity'::timestamptz".to_owned(),
            BOUNDS.to_owned(),
        ),
        ("timestamp <= '2999-01-01'".to_owned(), BOUNDS.to_owned()),
        (
            // Fractions of a millisecond are rounded, as they are in rows.
            "timestamp >= '1970-01-01 00:00:01.0006Z' AND timestamp < '1970-01-01 00:00:02.0004Z'"
                .to_owned(),
            "1001..2000".to_owned(),
        ),
    ] {
        assert_eq!(times(&condition), [expected], "{condition}");
    }
}

#[test]
fn spans_are_added_to_times() {
    // The clock of these tests stands at 1,000,000 ms.
    for (condition, expected) in [
        (
            "timestamp < now() - interval '10 minutes'",
            "-2208988800000..400000",
        ),
        (
            "timestamp < now() - '10 minutes'::interval",
            "-2208988800000..400000",
        ),
        (
            "timestamp < (now() - cast('10 minutes' as interval))",
            "-2208988800000..400000",
        ),
        (
            "timestamp < CURRENT_TIMESTAMP - interval '10' minute AND timestamp >= \
             timestamptz '1970-01-01 00:00:00Z' + interval '1 s' + interval '1 s'",
            "2000..400000",
        ),
        (
            "timestamp BETWEEN now() - 2 * interval '5 minutes' AND now() + interval '1 day'",
            "400000..87400001",
        ),
        // Days are those of Oslo, where the statement begins at 01:16:40.
        ("timestamp >= current_date", "-3600000..4102444800000"),
        (
            "timestamp >= current_date - interval '1 day'",
            "-90000000..4102444800000",
        ),
        (
            "timestamp >= date '1970-01-02' AND timestamp < '1970-01-03'::date",
            "82800000..169200000",
        ),
        (
            "timestamp > '-infinity'::timestamptz + interval '1 day'",
            BOUNDS,
        ),
    ] {
        assert_eq!(times(condition), [expected], "{condition}");
    }
    assert_eq!(
        times("timestamp = now() - interval '1000 s'"),
        ["0..1"],
        "one point"
    );
    for (condition, expected) in [
        (
            "timestamp < now() - interval 'a while'",
            "22007 invalid input syntax for type interval: \"a while\"",
        ),
        (
            "timestamp < now() + interval '99999 years'",
            "22008 timestamp out of range",
        ),
        (
            "timestamp < '2026-01-01' - interval '1 day'",
            "0A000 DELETE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "timestamp < now() * interval '1 day'",
            "0A000 DELETE of \"double_datapoints\" is not supported with this condition",
        ),
    ] {
        let text = format!("DELETE FROM double_datapoints WHERE external_id = 'a' AND {condition}");
        assert_eq!(refusal(&text), expected, "{condition}");
    }
}

#[test]
fn a_span_may_be_a_parameter() {
    let statement = change(
        "DELETE FROM double_datapoints WHERE external_id = 'a' AND timestamp >= now() - $1 \
         AND timestamp < $2::timestamptz + $3::interval",
    );
    let types: Arc<[u32]> = statement.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [1186, 1184, 1186]);
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let span = text("0:10:00");
    let values = vec![span.clone(), text("1970-01-01 00:00:01Z"), text("1 s")];
    let bindings = Bindings::new("s", types.clone(), &[0], values).expect("bindings");
    assert!(rows(&statement, &bindings).expect("read").is_empty());
    let values = vec![span, text("1970-01-02Z"), text("1 s")];
    let bindings = Bindings::new("s", types.clone(), &[0], values).expect("bindings");
    assert_eq!(
        rows(&statement, &bindings).expect("read"),
        ["2=a 400000..86401000"]
    );
    let values = vec![None, text("1970-01-02Z"), text("1 s")];
    let bindings = Bindings::new("s", types, &[0], values).expect("bindings");
    assert!(
        rows(&statement, &bindings).expect("read").is_empty(),
        "a null compares with nothing"
    );
    let error = statement_with(&[20]).expect_err("no interval");
    assert_eq!(error.sqlstate.code(), "42804");
}

fn statement_with(types: &[u32]) -> Result<Vec<u32>, Box<Diagnostic>> {
    change("DELETE FROM double_datapoints WHERE external_id = 'a' AND timestamp < now() - $1")
        .parameter_types(types)
}

#[test]
fn a_list_of_times_is_taken_one_by_one_where_it_fulfils_the_rest() {
    assert_eq!(
        times(
            "timestamp IN ('1970-01-01 00:00:03Z', '1970-01-01 00:00:01Z', NULL, \
             '1970-01-01 00:00:01Z') AND timestamp < '1970-01-01 00:00:03Z'"
        ),
        ["1000..1001"]
    );
    assert_eq!(
        times("timestamp = ANY ('{1970-01-01 00:00:02Z,1970-01-01 00:00:01Z}')"),
        ["1000..1001", "2000..2001"]
    );
    assert_eq!(
        read(
            "DELETE FROM double_datapoints d WHERE d.id IN (1, 2, 1) \
             AND d.timestamp IN ('epoch', '1970-01-01 00:00:01Z')"
        ),
        [
            "3:23=1 0..1",
            "3:23=1 1000..1001",
            "3:23=2 0..1",
            "3:23=2 1000..1001"
        ]
    );
}

#[test]
fn a_series_without_a_time_is_emptied() {
    assert_eq!(
        read("DELETE FROM string_datapoints WHERE external_id IN ('a', 'b')"),
        [format!("2=a {BOUNDS}"), format!("2=b {BOUNDS}")]
    );
}

#[test]
fn what_nothing_fulfils_names_no_row() {
    for condition in [
        "timestamp = NULL",
        "timestamp > NULL",
        "timestamp IN (NULL)",
        "timestamp = ANY ('{}')",
        "timestamp = 'infinity'",
        "timestamp > '2100-01-01Z'",
        "timestamp = '1800-01-01'",
        "timestamp > '1970-01-02' AND timestamp < '1970-01-01'",
        "timestamp BETWEEN '1970-01-02' AND '1970-01-01'",
    ] {
        assert!(times(condition).is_empty(), "{condition}");
    }
    assert!(read("DELETE FROM double_datapoints WHERE external_id = NULL").is_empty());
}

#[test]
fn an_update_writes_its_values_to_every_point() {
    assert_eq!(
        read(
            "UPDATE double_datapoints SET value = 1.5 WHERE external_id = 'a' \
             AND timestamp IN ('2000-01-01 00:00:00.001Z', '2000-01-01Z')"
        ),
        [
            "2=a 1:1184b=[0, 0, 0, 0, 0, 0, 0, 0] 0:1700=1.5",
            "2=a 1:1184b=[0, 0, 0, 0, 0, 0, 3, 232] 0:1700=1.5",
        ]
    );
}

#[test]
fn rows_of_sequences_are_named_one_by_one() {
    let numbers = |condition: &str| -> Vec<String> {
        let text = format!("DELETE FROM sequence_rows WHERE external_id = 'q' AND {condition}");
        read(&text)
            .iter()
            .map(|row| {
                row.rsplit(", ")
                    .next()
                    .expect("a byte")
                    .trim_end_matches(']')
                    .to_owned()
            })
            .collect()
    };
    assert_eq!(numbers("row_number = 7"), ["7"]);
    assert_eq!(numbers("row_number IN (9, 8, 8)"), ["8", "9"]);
    assert_eq!(numbers("row_number < 3"), ["0", "1", "2"]);
    assert_eq!(numbers("row_number BETWEEN 3 AND 5"), ["3", "4", "5"]);
    assert_eq!(numbers("row_number > 3 AND row_number <= 5"), ["4", "5"]);
    assert!(numbers("row_number < 0").is_empty());
    assert_eq!(
        read("UPDATE sequence_rows SET values = '{\"a\": 1}' WHERE id = 5 AND row_number = 1"),
        ["2:23=5 3:20b=[0, 0, 0, 0, 0, 0, 0, 1] 0={\"a\": 1}"]
    );
    for text in [
        "DELETE FROM sequence_rows WHERE external_id = 'q'",
        "DELETE FROM sequence_rows WHERE external_id = 'q' AND row_number >= 5",
        "DELETE FROM sequence_rows WHERE external_id = 'q' AND row_number < 10001",
    ] {
        assert_eq!(
            refusal(text),
            "0A000 the row numbers of the condition are not bounded by 10000",
            "{text}"
        );
    }
}

#[test]
fn parameters_are_typed_by_their_columns() {
    let statement = change(
        "DELETE FROM double_datapoints WHERE external_id = ANY ($1) AND timestamp >= $2 \
         AND timestamp < $3::timestamptz AND timestamp = ANY ($4)",
    );
    let types: Arc<[u32]> = statement.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [1009, 1184, 1184, 1185]);
    let text = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let values = vec![
        text("{a,b}"),
        text("1970-01-01 00:00:01Z"),
        text("1970-01-01 00:00:03Z"),
        text("{1970-01-01 00:00:00Z,1970-01-01 00:00:02Z}"),
    ];
    let bindings = Bindings::new("s", types, &[0], values).expect("bindings");
    assert_eq!(
        rows(&statement, &bindings),
        Ok(vec![
            "2=a 2000..2001".to_owned(),
            "2=b 2000..2001".to_owned()
        ])
    );

    let binary = change("DELETE FROM double_datapoints WHERE id = $1 AND timestamp > $2");
    let types: Arc<[u32]> = binary.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [20, 1184]);
    let since_2000_us = i64::MIN;
    let values = vec![
        Some(Bytes::from(7_i64.to_be_bytes().to_vec())),
        Some(Bytes::from(since_2000_us.to_be_bytes().to_vec())),
    ];
    let bindings = Bindings::new("s", types, &[1], values).expect("bindings");
    let read = rows(&binary, &bindings).expect("minus infinity is before every point");
    assert_eq!(read, [format!("3:20b=[0, 0, 0, 0, 0, 0, 0, 7] {BOUNDS}")]);
}

#[test]
fn what_cannot_be_changed_says_why() {
    for (text, expected) in [
        (
            "DELETE FROM double_datapoints",
            "42501 permission denied to delete all of \"double_datapoints\"",
        ),
        (
            "DELETE FROM double_datapoints WHERE timestamp < now()",
            "42501 permission denied to delete all of \"double_datapoints\"",
        ),
        (
            "DELETE FROM sequence_rows WHERE row_number = 1",
            "42501 permission denied to delete all of \"sequence_rows\"",
        ),
        (
            "DELETE FROM double_datapoints WHERE external_id = 'a' AND value > 3",
            "0A000 DELETE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "DELETE FROM double_datapoints WHERE external_id = 'a' OR id = 3",
            "0A000 DELETE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "DELETE FROM double_datapoints WHERE external_id = 'a' AND timestamp <> now()",
            "0A000 DELETE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "DELETE FROM double_datapoints WHERE external_id = 'a' AND timestamp < now() - 1",
            "0A000 DELETE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "DELETE FROM double_datapoints USING assets WHERE assets.id = 1",
            "0A000 DELETE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "DELETE FROM double_datapoints WHERE nope = 1",
            "42703 column \"nope\" does not exist",
        ),
        (
            "DELETE FROM double_datapoints WHERE external_id = 'a' RETURNING value",
            "0A000 RETURNING is not supported for DELETE of \"double_datapoints\"",
        ),
        (
            "DELETE FROM double_datapoints WHERE external_id = 'a' AND timestamp = 'yesterdayish'",
            "22007 invalid input syntax for type timestamp with time zone: \"yesterdayish\"",
        ),
        (
            "UPDATE double_datapoints SET value = 1 WHERE external_id = 'a'",
            "0A000 UPDATE of \"double_datapoints\" needs the timestamps of the points",
        ),
        (
            "UPDATE double_datapoints SET value = 1",
            "0A000 UPDATE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "UPDATE double_datapoints SET value = value + 1 WHERE external_id = 'a'",
            "0A000 UPDATE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "UPDATE double_datapoints SET timestamp = now() WHERE external_id = 'a'",
            "0A000 column \"timestamp\" cannot be updated: it names the row",
        ),
        (
            "UPDATE sequence_rows SET columns = '{a}' WHERE id = 1 AND row_number = 1",
            "0A000 UPDATE of \"sequence_rows\" has to set \"values\"",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn a_series_may_be_a_node_of_data_modeling() {
    assert_eq!(
        read(
            "DELETE FROM cdf.double_datapoints WHERE instance_space = 's' \
             AND external_id IN ('a', 'b') AND timestamp = 'epoch'"
        ),
        ["3=a 2=s 0..1", "3=b 2=s 0..1"]
    );
    assert_eq!(
        read(
            "UPDATE cdf.double_datapoints SET value = 1, status_code = 0 \
             WHERE external_id = 'a' AND instance_space = 's' AND timestamp = '2000-01-01Z'"
        ),
        ["3=a 2=s 1:1184b=[0, 0, 0, 0, 0, 0, 0, 0] 0:23=1 5:23=0"]
    );
    for (text, expected) in [
        (
            "DELETE FROM cdf.double_datapoints WHERE instance_space = 's' AND id = 1",
            "0A000 DELETE of \"double_datapoints\" is not supported with this condition",
        ),
        (
            "DELETE FROM cdf.double_datapoints WHERE instance_space = 's'",
            "42501 permission denied to delete all of \"double_datapoints\"",
        ),
        (
            "DELETE FROM cdf.double_datapoints WHERE instance_space IN ('s', 't') AND external_id = 'a'",
            "0A000 the condition names several spaces",
        ),
        (
            "UPDATE cdf.double_datapoints SET value = 1 WHERE id = 1 AND timestamp = now()",
            "0A000 UPDATE of \"double_datapoints\" has to set the value and the status of the points",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}
