//! UPDATE and DELETE from outside: statements in, rows of key and values out.
//!
//! Owns what the tests share. Promises to read every statement to its end.

use super::ChangeStatement;
use crate::catalog::Namespace;
use crate::diagnostic::Diagnostic;
use crate::sql::insert::recorder::Recorder;
use crate::sql::{Bindings, RowReader, Statement, classify};
use bytes::Bytes;
use std::sync::Arc;

pub(super) fn change(text: &str) -> ChangeStatement {
    change_in(text, &Namespace::default())
}

pub(super) fn change_in(text: &str, namespace: &Namespace) -> ChangeStatement {
    match classify(text, namespace) {
        Ok(Statement::Change(statement)) => statement,
        other => panic!("{text} is {other:?}"),
    }
}

pub(super) fn rows(
    statement: &ChangeStatement,
    bindings: &Bindings,
) -> Result<Vec<String>, Box<Diagnostic>> {
    let mut recorder = Recorder::new();
    let progress = statement.reader(bindings)?.read(&mut recorder, 1)?;
    assert!(progress.finished);
    assert_eq!(progress.rows_read, recorder.finished.len() as u64);
    Ok(recorder
        .rows()
        .iter()
        .map(|fields| {
            let fields: Vec<String> = fields.iter().map(|field| untyped(field)).collect();
            fields.join(" ")
        })
        .collect())
}

/// `column=value` of a field, whatever type its constant had.
fn untyped(field: &str) -> String {
    match field.split_once('=') {
        Some((column, value)) => {
            let column = column.split(':').next().unwrap_or_default();
            format!("{column}={value}")
        }
        None => field.to_owned(),
    }
}

pub(super) fn read(text: &str) -> Vec<String> {
    rows(&change(text), &Bindings::none()).expect(text)
}

/// `code message` of the error that classifying the statement gives.
pub(super) fn refusal(text: &str) -> String {
    refusal_in(text, &Namespace::default())
}

pub(super) fn refusal_in(text: &str, namespace: &Namespace) -> String {
    let error = match classify(text, namespace) {
        // What is said where there is no engine.
        Ok(Statement::Cold(cold)) => cold.refusal(),
        Ok(other) => panic!("{text} is {other:?}"),
        Err(error) => error,
    };
    format!("{} {}", error.sqlstate.code(), error.message)
}

#[test]
fn a_key_may_be_given_in_every_form() {
    for condition in [
        "external_id = 'a'",
        "(external_id = 'a')",
        "t.external_id IN ('a')",
        "external_id = 'a'::text",
        "external_id = ANY ('{a}')",
        "external_id = any('{a}'::text[])",
        "external_id = ANY (ARRAY['a'])",
        "external_id = SOME (ARRAY['a']::varchar[])",
    ] {
        assert_eq!(
            read(&format!("DELETE FROM assets t WHERE {condition}")),
            ["1=a"],
            "{condition}"
        );
    }
    assert_eq!(
        read("delete from public.assets where id in (1, 2, 1)"),
        ["0=1", "0=2"]
    );
}

#[test]
fn a_null_key_names_no_row() {
    assert!(read("DELETE FROM assets WHERE id = NULL").is_empty());
    assert!(read("DELETE FROM assets WHERE id = ANY (NULL)").is_empty());
    assert!(read("DELETE FROM assets WHERE id = ANY ('{}')").is_empty());
    assert_eq!(read("DELETE FROM assets WHERE id IN (NULL, 7)"), ["0=7"]);
}

#[test]
fn an_update_sets_the_same_values_for_every_key() {
    assert_eq!(
        read(
            "UPDATE assets SET name = 'n', description = NULL, (source, data_set_id) = ROW('s', 7), \
             metadata = DEFAULT WHERE external_id IN ('a', 'b')"
        ),
        [
            "1=a 2=n 5 null 8=s 6=7 7 null",
            "1=b 2=n 5 null 8=s 6=7 7 null"
        ]
    );
    assert_eq!(
        read("UPDATE ONLY assets AS x SET name = 'n' WHERE x.id = 3"),
        ["0=3 2=n"]
    );
}

#[test]
fn parameters_are_typed_by_their_columns_and_arrays_by_their_key() {
    let statement = change("UPDATE assets SET name = $1 WHERE id = ANY ($2)");
    let types: Arc<[u32]> = statement.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [1043, 1016]);
    let bindings = Bindings::new(
        "s",
        types,
        &[0],
        vec![
            Some(Bytes::from_static(b"n")),
            Some(Bytes::from_static(b"{5,6}")),
        ],
    )
    .expect("bindings");
    assert_eq!(
        rows(&statement, &bindings),
        Ok(vec!["0=5 2=n".to_owned(), "0=6 2=n".to_owned()])
    );

    let by_name = change("DELETE FROM assets WHERE external_id = ANY ($1::varchar[])");
    let types: Arc<[u32]> = by_name.parameter_types(&[]).expect("types").into();
    assert_eq!(*types, [1015]);
    let mut array = Vec::new();
    for number in [1, 0, 1043, 1, 1, 2] {
        array.extend_from_slice(&i32::to_be_bytes(number));
    }
    array.extend_from_slice(b"ab");
    let bindings =
        Bindings::new("s", types, &[1], vec![Some(Bytes::from(array))]).expect("bindings");
    assert_eq!(rows(&by_name, &bindings), Ok(vec!["1=[97, 98]".to_owned()]));
}

#[test]
fn what_names_its_rows_otherwise_goes_the_cold_road() {
    for text in [
        "UPDATE assets SET name = 'a'",
        "UPDATE assets SET name = 'a' WHERE name = 'b'",
        "UPDATE assets SET name = source WHERE id = 1",
        "UPDATE assets SET name = 'a' || 'b' WHERE id = 1",
        "UPDATE assets SET name = lower('A') WHERE id = 1",
        "UPDATE assets SET name = 'a' FROM events WHERE assets.id = 1",
        "UPDATE assets SET name = (SELECT 'a') WHERE id = 1",
        "UPDATE assets SET name = 'a' WHERE id = 1 OR id = 2",
        "UPDATE assets SET name = 'a' WHERE id > 1",
        "UPDATE assets SET name = 'a' WHERE id IN (SELECT 1)",
        "DELETE FROM assets WHERE id = 1 AND name = 'a'",
        "DELETE FROM assets USING events WHERE assets.id = 1",
        "DELETE FROM assets WHERE lower(external_id) = 'a'",
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
fn what_cannot_be_changed_says_why() {
    for (text, expected) in [
        (
            "UPDATE nope SET a = 1",
            "42P01 relation \"nope\" does not exist",
        ),
        (
            "UPDATE assets SET nope = 1 WHERE id = 1",
            "42703 column \"nope\" of relation \"assets\" does not exist",
        ),
        (
            "UPDATE assets SET name = 'a', name = 'b' WHERE id = 1",
            "42601 multiple assignments to same column \"name\"",
        ),
        (
            "UPDATE assets SET name = 'a' WHERE nope = 1",
            "42703 column \"nope\" does not exist",
        ),
        (
            "UPDATE assets SET external_id = 'a' WHERE id = 1",
            "0A000 column \"external_id\" cannot be updated: it names the object",
        ),
        (
            "UPDATE time_series SET is_string = true WHERE id = 1",
            "0A000 column \"is_string\" cannot be updated",
        ),
        (
            "UPDATE labels SET name = 'a' WHERE external_id = 'a'",
            "55000 foreign table \"labels\" does not allow updates",
        ),
        (
            "UPDATE views SET name = 'a' WHERE external_id = 'a'",
            "55000 foreign table \"views\" does not allow updates",
        ),
        (
            "DELETE FROM views",
            "55000 foreign table \"views\" does not allow deletes",
        ),
        (
            "INSERT INTO units (name) VALUES ('a')",
            "55000 foreign table \"units\" does not allow inserts",
        ),
        (
            "COPY units FROM STDIN",
            "55000 foreign table \"units\" does not allow inserts",
        ),
        (
            "UPDATE raw_rows SET _raw_columns = '{}' WHERE _raw_key = 'a'",
            "0A000 this UPDATE statement is not supported",
        ),
        (
            "DELETE FROM assets",
            "42501 permission denied to delete all of \"assets\"",
        ),
        (
            "TRUNCATE TABLE raw_rows, assets RESTART IDENTITY CASCADE",
            "42501 permission denied to truncate all of \"raw_rows\"",
        ),
        (
            "DELETE FROM assets WHERE id = 1 RETURNING nope",
            "42703 column \"nope\" does not exist",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
    let read_only = change("UPDATE assets SET root_id = 1 WHERE id = 1");
    let error = read_only.check_read_only().expect_err("428C9");
    assert_eq!(error.sqlstate.code(), "428C9");
    assert_eq!(
        error.message,
        "column \"root_id\" can only be updated to DEFAULT"
    );
}

#[test]
fn returning_lists_columns_with_their_labels() {
    let statement =
        change("DELETE FROM assets a WHERE id = 1 RETURNING external_id, a.id AS key, name \"N\"");
    let returning = statement.returning().expect("a list");
    assert_eq!(returning.columns(), [1, 0, 2]);
    let names: Vec<&str> = returning
        .described()
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["external_id", "key", "N"]);
    let all = change("DELETE FROM assets WHERE id = 1 RETURNING *");
    assert_eq!(all.returning().expect("a list").columns().len(), 14);
}
