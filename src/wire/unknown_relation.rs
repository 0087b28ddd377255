//! What an engine says of a table that does not exist, with what the gateway knows of its name.
//!
//! Owns the hint. Promises that a table that goes by another name here is told as such, whether
//! the gateway or an engine ran the statement. Never changes the error itself.

use crate::catalog::{CDF, Namespace, PENSTOCK, PUBLIC};
use crate::diagnostic::{Diagnostic, SqlState};

/// Adds the hint of `namespace` to an engine's 42P01 that has none.
pub(super) fn with_hint(mut diagnostic: Box<Diagnostic>, namespace: &Namespace) -> Box<Diagnostic> {
    if diagnostic.sqlstate != SqlState::UNDEFINED_TABLE || diagnostic.hint.is_some() {
        return diagnostic;
    }
    // relation "public.time_series" does not exist
    let relation = diagnostic.message.split('"').nth(1).unwrap_or_default();
    let (schema, name) = match relation.split_once('.') {
        Some((schema, name)) => (Some(schema), name),
        None => (None, relation),
    };
    let is_ours = schema.is_none_or(|schema| [PUBLIC, CDF, PENSTOCK].contains(&schema));
    if !is_ours {
        return diagnostic;
    }
    if let Err(unknown) = namespace.table(schema, name) {
        diagnostic.hint = unknown.hint;
    }
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_of(sqlstate: SqlState, message: &str) -> Option<String> {
        let refused = Box::new(Diagnostic::error(sqlstate, message.to_owned()));
        with_hint(refused, &Namespace::default()).hint
    }

    #[test]
    fn a_table_by_its_old_name_is_told_its_new_one() {
        let hint = hint_of(
            SqlState::UNDEFINED_TABLE,
            "relation \"timeseries\" does not exist",
        );
        assert!(hint.is_some_and(|hint| hint.contains("time_series")));
    }

    #[test]
    fn a_table_that_exists_and_other_errors_get_none() {
        let exists = "relation \"assets\" does not exist";
        assert_eq!(hint_of(SqlState::UNDEFINED_TABLE, exists), None);
        assert_eq!(
            hint_of(
                SqlState::UNDEFINED_COLUMN,
                "column \"timeseries\" does not exist"
            ),
            None
        );
    }
}
