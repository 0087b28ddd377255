//! What a statement is.
//!
//! Owns the decision which road a statement takes, from its first words; each road has its own
//! parser. Promises that a bulk INSERT is not read past its head here. Never runs anything.

use super::cold::ColdStatement;
use super::cursor::Cursor;
use super::lexer::Token;
use super::statement::Statement;
use super::{change, copy_statement, insert, query, session_command, transaction};
use crate::catalog::Namespace;
use crate::diagnostic::Diagnostic;

/// First words of statements that PostgreSQL knows and the session does not run.
const COLD: [&str; 31] = [
    "ALTER",
    "ANALYZE",
    "ANALYSE",
    "CALL",
    "CHECKPOINT",
    "CLUSTER",
    "COMMENT",
    "CREATE",
    "DECLARE",
    "DO",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "FETCH",
    "GRANT",
    "IMPORT",
    "LOAD",
    "LOCK",
    "MERGE",
    "MOVE",
    "PREPARE",
    "REASSIGN",
    "REFRESH",
    "REINDEX",
    "REVOKE",
    "SECURITY",
    "TABLE",
    "VACUUM",
    "WITH",
    "SELECT",
    "COPY",
];

/// Says what one statement (as [`super::split_statements`] cuts them) is, and parses it; names
/// mean what `namespace` says.
///
/// # Errors
/// 42601 for what is no SQL; the errors of names (42P01, 42703, 42701), of COPY's options and of
/// settings, all with a position in `statement` where PostgreSQL gives one.
pub fn classify(statement: &str, namespace: &Namespace) -> Result<Statement, Box<Diagnostic>> {
    let cursor = Cursor::new(statement)?;
    let word = match &cursor.peek().token {
        Token::End => return Ok(Statement::Empty),
        Token::Symbol("(") => return query::parse(statement, namespace),
        Token::Word(word) => word.to_ascii_lowercase(),
        _ => return Err(cursor.unexpected()),
    };
    match word.as_str() {
        "copy" => copy_statement::parse(statement, namespace),
        "insert" => insert::parse(statement, namespace),
        "update" => change::update(statement, namespace),
        "delete" => change::delete(statement, namespace),
        "truncate" => change::truncate(statement, namespace),
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => {
            Ok(match transaction::parse(statement)? {
                Some(command) => Statement::Transaction(command),
                None => cold("PREPARED TRANSACTION", statement),
            })
        }
        "set" | "reset" | "discard" | "deallocate" | "close" | "listen" | "notify" | "unlisten" => {
            Ok(Statement::Session(session_command::parse(statement)?))
        }
        "select" | "values" | "show" | "with" => query::parse(statement, namespace),
        other => match COLD.iter().find(|kind| kind.eq_ignore_ascii_case(other)) {
            Some(kind) => Ok(cold(kind, statement)),
            None => Err(cursor.unexpected()),
        },
    }
}

/// A statement for the cold road.
pub(crate) fn cold(kind: &'static str, statement: &str) -> Statement {
    Statement::Cold(ColdStatement {
        kind,
        text: statement.to_owned(),
        is_on_temporary: false,
        otherwise: None,
    })
}

/// A statement for the cold road, of which `otherwise` says more where there is none.
pub(crate) fn cold_or(
    kind: &'static str,
    statement: &str,
    otherwise: Box<Diagnostic>,
) -> Statement {
    Statement::Cold(ColdStatement {
        kind,
        text: statement.to_owned(),
        is_on_temporary: false,
        otherwise: Some(otherwise),
    })
}
