//! Queries from outside: SQL in, columns and rows out. Expectations are PostgreSQL's answers.
//!
//! Owns what the tests share. Promises that every row has a cell per column.

mod catalog;
mod names;
mod probes;
mod session;

use super::value::text_of;
use super::{CancelOutcome, QueryContext, Sessions};
use crate::catalog::Namespace;
use crate::diagnostic::Diagnostic;
use crate::sql::{Answer, Bindings, Query, Settings, Statement, classify};
use jiff::Timestamp;

fn query(text: &str) -> Query {
    query_in(text, &Namespace::default())
}

fn query_in(text: &str, namespace: &Namespace) -> Query {
    match classify(text, namespace) {
        Ok(Statement::Query(query)) => query,
        other => panic!("{text} is {other:?}"),
    }
}

fn answer_with(
    query: &Query,
    settings: &mut Settings,
    bindings: &Bindings,
) -> Result<Answer, Box<Diagnostic>> {
    answer_in(query, &Namespace::default(), settings, bindings)
}

/// Two sessions besides the one that asks: 43 of the same user, and 44 of another.
#[derive(Debug)]
struct Neighbours;

impl Sessions for Neighbours {
    fn cancel_for(&self, process_id: i32, user: &str) -> CancelOutcome {
        match process_id {
            43 if user == "writer" => CancelOutcome::Sent,
            43 | 44 => CancelOutcome::Denied,
            _ => CancelOutcome::NoSuchSession,
        }
    }
}

fn answer_in(
    query: &Query,
    namespace: &Namespace,
    settings: &mut Settings,
    bindings: &Bindings,
) -> Result<Answer, Box<Diagnostic>> {
    let mut said = Vec::new();
    let mut context = QueryContext {
        settings,
        namespace,
        user: "writer",
        database: "gw",
        backend_pid: 42,
        ports: (Some(5432), None),
        sessions: &Neighbours,
        transaction_started: Timestamp::UNIX_EPOCH,
        in_transaction: false,
        said: &mut said,
    };
    query.answer(&mut context, bindings)
}

fn answer(text: &str) -> Result<Answer, Box<Diagnostic>> {
    let mut settings = Settings::new("writer", []).expect("defaults");
    answer_with(&query(text), &mut settings, &Bindings::none())
}

/// Rows as text, NULL as `~`.
fn rows(text: &str) -> Vec<Vec<String>> {
    rows_in(text, &Namespace::default())
}

/// The same for a user with these names.
fn rows_in(text: &str, namespace: &Namespace) -> Vec<Vec<String>> {
    let mut settings = Settings::new("writer", []).expect("defaults");
    let query = query_in(text, namespace);
    let answer = answer_in(&query, namespace, &mut settings, &Bindings::none()).expect(text);
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
