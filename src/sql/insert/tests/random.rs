//! Random statements: values survive, nothing panics, both roads agree.

use super::{insert, read};
use crate::catalog::Namespace;
use crate::sql::insert::recorder::Recorder;
use crate::sql::{Bindings, Statement, classify};
use proptest::prelude::*;

proptest! {
    #[test]
    fn strings_survive_quoting(values in proptest::collection::vec("\\PC{0,20}", 1..20)) {
        let rows: Vec<String> = values
            .iter()
            .map(|value| format!("('{}')", value.replace('\'', "''")))
            .collect();
        let text = format!("INSERT INTO double_datapoints (external_id) VALUES {}", rows.join(","));
        let fields: Vec<Vec<String>> = values
            .iter()
            .filter(|value| value.as_str() != "bad")
            .map(|value| vec![format!("2={value}")])
            .collect();
        prop_assert_eq!(read(&text), Ok(fields));
    }

    #[test]
    fn numbers_survive(values in proptest::collection::vec(any::<f64>().prop_filter("finite", |value| value.is_finite()), 1..20)) {
        let rows: Vec<String> = values.iter().map(|value| format!("({value:?})")).collect();
        let text = format!("INSERT INTO double_datapoints VALUES {}", rows.join(" , "));
        let fields: Vec<Vec<String>> = values.iter().map(|value| vec![format!("0={value:?}")]).collect();
        prop_assert_eq!(read(&text), Ok(fields));
    }

    #[test]
    fn prepared_and_simple_give_the_same_rows(values in proptest::collection::vec("('[a-z']{0,6}'|[0-9.eE-]{1,6}|NULL|DEFAULT|[a-z(:]{1,4})", 1..6)) {
        let text = format!("INSERT INTO double_datapoints (external_id) VALUES ({})", values.join("), ("));
        let simple = read(&text);
        let statement = insert(&text);
        let mut recorder = Recorder::new();
        let bindings = Bindings::none();
        let prepared = statement.parameter_types(&[]).and_then(|_| {
            statement.reader(&bindings).read(&mut recorder, 1)
        });
        prop_assert_eq!(simple.is_ok(), prepared.is_ok(), "{}", text);
        if let Ok(rows) = simple {
            let prepared: Vec<Vec<String>> = recorder.finished.into_iter().map(|(_, fields)| fields).collect();
            prop_assert_eq!(rows, prepared);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(tail in "\\PC{0,60}") {
        let _ = read_any(&format!("INSERT INTO double_datapoints VALUES {tail}"));
        let _ = read_any(&format!("INSERT INTO double_datapoints VALUES ({tail}"));
    }
}

/// Reads whatever the statement turns out to be.
fn read_any(text: &str) -> Option<()> {
    let Ok(Statement::Insert(statement)) = classify(text, &Namespace::default()) else {
        return None;
    };
    let bindings = Bindings::none();
    let mut recorder = Recorder::new();
    statement.reader(&bindings).read(&mut recorder, 1).ok()?;
    statement.parameter_types(&[]).ok()?;
    Some(())
}
