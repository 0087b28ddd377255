//! INSERT from outside: statements in, fields of rows out. Errors are what PostgreSQL 15 says
//! to the same statements.
//!
//! Owns what the tests share. Promises to read every statement to its end.

mod conflict;
mod literals;
mod prepared;
mod random;

use super::InsertStatement;
use super::recorder::Recorder;
use crate::catalog::Namespace;
use crate::diagnostic::Diagnostic;
use crate::sql::{Bindings, Statement, classify};

fn insert(text: &str) -> InsertStatement {
    match classify(text, &Namespace::default()) {
        Ok(Statement::Insert(statement)) => statement,
        other => panic!("{text} is {other:?}"),
    }
}

fn read(text: &str) -> Result<Vec<Vec<String>>, Box<Diagnostic>> {
    let statement = match classify(text, &Namespace::default())? {
        Statement::Insert(statement) => statement,
        // What is said where there is no engine.
        Statement::Cold(cold) if cold.otherwise.is_some() => return Err(cold.refusal()),
        other => panic!("{text} is {other:?}"),
    };
    let mut recorder = Recorder::new();
    let bindings = Bindings::none();
    let progress = statement.reader(&bindings).read(&mut recorder, 1)?;
    assert!(progress.finished);
    assert_eq!(progress.rows_read, recorder.finished.len() as u64);
    Ok(recorder
        .finished
        .into_iter()
        .map(|(_, fields)| fields)
        .collect())
}

/// `code position message` of the error that the statement gets.
fn refusal(text: &str) -> String {
    match read(text) {
        Ok(rows) => panic!("{text} gave {rows:?}"),
        Err(error) => format!(
            "{} {} {}",
            error.sqlstate.code(),
            error.position.unwrap_or(0),
            error.message
        ),
    }
}
