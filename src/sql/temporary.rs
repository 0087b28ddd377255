//! Statements about temporary tables of a session.
//!
//! Owns the look at the name that a statement begins with, where a session has temporary tables.
//! Promises that such a table hides one of the gateway's of the same name, as PostgreSQL has it. Is
//! never asked where a session has none: what it costs is theirs who have some.

use super::cold::ColdStatement;
use super::cold_text::mentions;
use super::cursor::Cursor;
use super::statement::Statement;
use crate::diagnostic::Diagnostic;

/// The statement as an engine is to run it, if it is about a temporary table or may be;
/// `is_temporary` tells of a name without a schema whether it is one of the session's. `None`: it
/// is what it would be without temporary tables.
pub fn on_temporary(text: &str, is_temporary: impl Fn(&str) -> bool) -> Option<Statement> {
    // What cannot be read is no statement on either road.
    let (kind, is_on_temporary) = kind_on_temporary(text, &is_temporary).ok()??;
    Some(Statement::Cold(ColdStatement {
        kind,
        text: text.to_owned(),
        is_on_temporary,
        otherwise: None,
    }))
}

/// The kind, and whether a temporary table is changed for sure.
fn kind_on_temporary(
    text: &str,
    is_temporary: &impl Fn(&str) -> bool,
) -> Result<Option<(&'static str, bool)>, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    if cursor.at_symbol("(") {
        return Ok(of_query(text));
    }
    let first = [
        "insert", "update", "delete", "truncate", "copy", "merge", "select", "values", "with",
    ];
    let kind = match cursor.accept_one_of(&first)? {
        Some("insert") => {
            cursor.expect_word("into")?;
            "INSERT"
        }
        Some("update") => "UPDATE",
        Some("delete") => {
            cursor.expect_word("from")?;
            "DELETE"
        }
        Some("truncate") => {
            cursor.accept_word("table")?;
            "TRUNCATE"
        }
        Some("copy") => {
            if cursor.at_symbol("(") {
                return Ok(None);
            }
            cursor.accept_word("binary")?;
            "COPY"
        }
        Some("merge") => {
            cursor.expect_word("into")?;
            "MERGE"
        }
        Some(_) => return Ok(of_query(text)),
        None => return Ok(None),
    };
    cursor.accept_word("only")?;
    let found = names_temporary(cursor, is_temporary)?;
    Ok(found.then_some((kind, true)))
}

/// A query that reads tables may read temporary ones, whatever it calls them.
fn of_query(text: &str) -> Option<(&'static str, bool)> {
    let words = ["from", "table", "into", "update", "regclass", "to_regclass"];
    mentions(text, &words).then_some(("SELECT", false))
}

fn names_temporary(
    cursor: &mut Cursor<'_>,
    is_temporary: &impl Fn(&str) -> bool,
) -> Result<bool, Box<Diagnostic>> {
    let mut schema = None;
    let mut name = cursor.name()?;
    while cursor.accept_symbol(".")? {
        schema = Some(std::mem::replace(&mut name, cursor.name()?));
    }
    Ok(match schema {
        None => is_temporary(&name),
        Some(schema) => schema == "pg_temp" || schema.starts_with("pg_temp_"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<(&'static str, bool)> {
        match on_temporary(text, |name| name == "staging" || name == "assets") {
            Some(Statement::Cold(cold)) => Some((cold.kind, cold.is_on_temporary)),
            _ => None,
        }
    }

    #[test]
    fn changes_of_temporary_tables_are_seen_by_name() {
        for (text, expected) in [
            ("INSERT INTO staging VALUES (1)", "INSERT"),
            ("insert into \"assets\" (a) values (1)", "INSERT"),
            ("UPDATE ONLY staging SET a = 1", "UPDATE"),
            ("DELETE FROM pg_temp.other", "DELETE"),
            ("TRUNCATE TABLE staging", "TRUNCATE"),
            ("COPY BINARY staging FROM STDIN", "COPY"),
            ("MERGE INTO staging USING assets ON true", "MERGE"),
        ] {
            assert_eq!(kind(text), Some((expected, true)), "{text}");
        }
    }

    #[test]
    fn other_tables_stay_what_they_are() {
        for text in [
            "INSERT INTO events VALUES (1)",
            "INSERT INTO public.assets VALUES (1)",
            "COPY (SELECT 1) TO STDOUT",
            "SELECT 1",
            "SET TimeZone = 'UTC'",
            "BEGIN",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
        assert_eq!(kind("SELECT * FROM events"), Some(("SELECT", false)));
    }
}
