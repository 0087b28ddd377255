//! ON CONFLICT and RETURNING behind the rows.

use super::{insert, read};
use crate::catalog::Namespace;
use crate::rows::value::ValueSettings;
use crate::rows::{Action, Assigned, ObjectValues};
use crate::sql::{Bindings, Statement, classify};
use bytes::Bytes;
use std::sync::Arc;

fn action(text: &str) -> Action {
    insert(text)
        .action(&Bindings::none(), ValueSettings::default, false)
        .expect(text)
}

/// What DO UPDATE sets, as `column=source`.
fn assignments(action: &Action) -> Vec<String> {
    let Action::Upsert(update) = action else {
        panic!("{action:?} is no upsert");
    };
    update
        .assignments
        .iter()
        .map(|assignment| match assignment.value {
            Assigned::Excluded(column) => format!("{}={column}", assignment.column),
            Assigned::Constant => format!("{}=constant", assignment.column),
        })
        .collect()
}

fn refusal(text: &str) -> String {
    let error = match classify(text, &Namespace::default()) {
        // What is said where there is no engine.
        Ok(Statement::Cold(cold)) => cold.refusal(),
        Ok(other) => panic!("{text} is {other:?}"),
        Err(error) => error,
    };
    format!("{} {}", error.sqlstate.code(), error.message)
}

const HEAD: &str = "INSERT INTO assets (external_id, name) VALUES ('a', 'conflict'), ('b', 'n') ";

#[test]
fn a_statement_without_a_clause_does_as_cdf_does() {
    assert_eq!(action(HEAD), Action::Create);
    assert_eq!(
        action(&format!("{HEAD} -- on conflict do nothing\n")),
        Action::Create
    );
    assert!(!insert(HEAD).names_conflict());
}

#[test]
fn do_nothing_skips_with_and_without_a_target() {
    for target in ["", "(external_id)", "ON CONSTRAINT assets_pkey"] {
        let text = format!("{HEAD} ON CONFLICT {target} DO NOTHING");
        assert_eq!(action(&text), Action::CreateMissing, "{text}");
        assert_eq!(read(&text).map(|rows| rows.len()), Ok(2));
    }
}

#[test]
fn do_update_sets_excluded_columns_and_constants() {
    let text = format!(
        "{HEAD} ON CONFLICT (external_id) DO UPDATE SET name = excluded.name, \
         (source, description) = ('s', EXCLUDED.\"name\"), metadata = DEFAULT"
    );
    let action = action(&text);
    assert_eq!(
        assignments(&action),
        ["2=2", "8=constant", "5=2", "7=constant"]
    );
    let Action::Upsert(update) = &action else {
        panic!("{action:?}");
    };
    let constants = update.constants.as_ref().expect("constants");
    let source = constants.column(8).expect("the constant");
    match &source.values {
        ObjectValues::Text(values) => assert_eq!(values.text(0), "s"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        constants.column(7).map(|column| column.present[0]),
        Some(false)
    );
    assert!(insert(&text).updates_once());
}

#[test]
fn parameters_of_the_rows_and_of_the_clause_are_numbered_together() {
    let statement = insert(
        "INSERT INTO assets (external_id, name) VALUES ($1, $2) \
         ON CONFLICT (external_id) DO UPDATE SET name = $2, data_set_id = $3 RETURNING id",
    );
    let types: Arc<[u32]> = statement.parameter_types(&[25]).expect("types").into();
    assert_eq!(*types, [25, 1043, 20]);
    let values = ["a", "n", "7"].map(|value| Some(Bytes::from_static(value.as_bytes())));
    let bindings = Bindings::new("s", types, &[], values.to_vec()).expect("bindings");
    let action = statement
        .action(&bindings, ValueSettings::default, false)
        .expect("an upsert");
    let Action::Upsert(update) = &action else {
        panic!("{action:?}");
    };
    let constants = update.constants.as_ref().expect("constants");
    match &constants.column(6).expect("the constant").values {
        ObjectValues::BigInt(values) => assert_eq!(values, &[7]),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        statement
            .returning()
            .map(|returning| returning.columns().to_vec()),
        Some(vec![0])
    );
}

#[test]
fn an_update_that_says_what_cdf_does_anyway_is_a_plain_write() {
    for text in [
        "INSERT INTO double_datapoints (external_id, timestamp, value) VALUES ('a', now(), 1) \
         ON CONFLICT (external_id, timestamp) DO UPDATE SET value = excluded.value",
        "INSERT INTO string_datapoints (id, timestamp, value) VALUES (1, now(), 'a') \
         ON CONFLICT (timestamp, id) DO UPDATE SET value = excluded.value",
        "INSERT INTO raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns) \
         VALUES ('d', 't', 'k', '{}') ON CONFLICT (_raw_database, _raw_table, _raw_key) \
         DO UPDATE SET _raw_columns = excluded._raw_columns",
        "INSERT INTO sequence_rows (values, columns, external_id, row_number) \
         VALUES ('[1]', '{c}', 's', 1) ON CONFLICT (external_id, row_number) \
         DO UPDATE SET values = excluded.values",
        "INSERT INTO extraction_pipeline_runs (external_id, status) VALUES ('a', 'success') \
         ON CONFLICT DO NOTHING",
    ] {
        assert_eq!(action(text), Action::Create, "{text}");
    }
}

#[test]
fn clauses_that_cannot_be_kept_say_why() {
    for (tail, expected) in [
        (
            "ON CONFLICT (name) DO NOTHING",
            "42P10 there is no unique or exclusion constraint matching the ON CONFLICT specification",
        ),
        (
            "ON CONFLICT (nope) DO NOTHING",
            "42703 column \"nope\" does not exist",
        ),
        (
            "ON CONFLICT ON CONSTRAINT nope DO NOTHING",
            "42704 constraint \"nope\" for table \"assets\" does not exist",
        ),
        (
            "ON CONFLICT DO UPDATE SET name = 'a'",
            "42601 ON CONFLICT DO UPDATE requires inference specification or constraint name",
        ),
        (
            "ON CONFLICT (external_id) DO UPDATE SET name = excluded.name WHERE assets.id = 1",
            "0A000 ON CONFLICT DO UPDATE … WHERE is not supported",
        ),
        (
            "ON CONFLICT (external_id) DO UPDATE SET name = assets.name",
            "0A000 expressions are not supported in DO UPDATE SET",
        ),
        (
            "ON CONFLICT (external_id) DO UPDATE SET name = excluded.nope",
            "42703 column excluded.nope does not exist",
        ),
        (
            "ON CONFLICT (external_id) DO UPDATE SET external_id = 'b'",
            "0A000 column \"external_id\" cannot be updated: it names the object",
        ),
        (
            "ON CONFLICT (external_id) DO",
            "42601 syntax error at end of input",
        ),
        ("RETURNING", "42601 syntax error at end of input"),
        ("RETURNING id, nope", "42703 column \"nope\" does not exist"),
        (
            "RETURNING events.id",
            "42P01 missing FROM-clause entry for table \"events\"",
        ),
        ("nonsense", ""),
    ] {
        let text = format!("{HEAD} {tail}");
        if tail == "nonsense" {
            assert!(read(&text).is_err());
        } else {
            assert_eq!(refusal(&text), expected, "{text}");
        }
    }
    let labels = "INSERT INTO labels (external_id, name) VALUES ('a', 'b') \
                  ON CONFLICT (external_id) DO UPDATE SET name = excluded.name";
    assert_eq!(
        refusal(labels),
        "0A000 ON CONFLICT DO UPDATE is not supported for \"labels\""
    );
    let series = "INSERT INTO time_series (external_id, is_string) VALUES ('a', true) \
                  ON CONFLICT (external_id) DO UPDATE SET is_string = excluded.is_string";
    assert_eq!(
        refusal(series),
        "0A000 column \"is_string\" cannot be updated"
    );
    let cleared = insert(&format!(
        "{HEAD} ON CONFLICT (external_id) DO UPDATE SET name = NULL"
    ));
    let error = cleared
        .action(&Bindings::none(), ValueSettings::default, false)
        .expect_err("23502");
    assert_eq!(error.sqlstate.code(), "23502");
}
