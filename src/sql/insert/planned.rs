//! An INSERT whose rows a PostgreSQL makes: its head, and the clauses behind its query.
//!
//! Owns which columns such a statement names, and who decides about rows whose key exists. Promises
//! that a clause which CDF can fulfil is taken exactly as of an INSERT of values. Never looks into
//! the query.

use super::conflict::{self, Unfit};
use super::{InsertStatement, is_query};
use crate::catalog::{Namespace, Table};
use crate::diagnostic::Diagnostic;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Token;
use crate::sql::returning;
use crate::sql::target::{column_list, named_table};
use std::sync::OnceLock;

/// Who decides about rows whose key exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arbiter {
    /// CDF, when the rows come there.
    Cdf,
    /// PostgreSQL, which has to see the rows that there are; CDF has no call for it, for this
    /// reason.
    PostgreSql(Box<Diagnostic>),
    /// Nobody: it is refused.
    Nobody(Box<Diagnostic>),
}

/// The outermost INSERT of a statement.
#[derive(Debug)]
pub struct PlannedInsert {
    statement: InsertStatement,
    /// Whether it lists its columns.
    pub lists_columns: bool,
    pub arbiter: Arbiter,
    /// Whether there is an ON CONFLICT.
    pub has_conflict_clause: bool,
}

impl PlannedInsert {
    /// The INSERT that `text` is, behind its CTEs; `None`: it is none, or none into a table of
    /// `namespace`.
    pub fn of(text: &str, namespace: &Namespace) -> Option<Self> {
        read(text, namespace).ok().flatten()
    }

    pub fn table(&self) -> &'static Table {
        self.statement.table
    }

    /// The same statement without rows of its own: what it does, and what it returns.
    pub fn statement(&self) -> &InsertStatement {
        &self.statement
    }
}

fn read(text: &str, namespace: &Namespace) -> Result<Option<PlannedInsert>, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let is_found =
        cursor.at_word("insert") || (cursor.at_word("with") && skip_to(&mut cursor, is_insert)?);
    if !is_found {
        return Ok(None);
    }
    cursor.expect_word("insert")?;
    cursor.expect_word("into")?;
    let named = named_table(&mut cursor, namespace)?;
    let table = named.table;
    let alias = match cursor.accept_word("as")? {
        true => Some(cursor.name()?),
        false => None,
    };
    let list_start = cursor.at_symbol("(").then(|| cursor.offset());
    let lists_columns = list_start.is_some() && !is_query(&cursor)?;
    let columns = match lists_columns {
        true => column_list(&mut cursor, table)?,
        false => (0..table.columns.len()).collect(),
    };
    let mut conflict = None;
    let mut arbiter = Arbiter::Cdf;
    let rows_end = match skip_to(&mut cursor, is_tail)? {
        true => cursor.offset(),
        false => text.len(),
    };
    let has_conflict_clause = cursor.at_word("on");
    if has_conflict_clause {
        let mut ahead = cursor.clone();
        match conflict::parse(&mut ahead, table, &columns) {
            Ok(parsed) => conflict = Some(parsed),
            Err(Unfit::NeedsPlan(why)) => arbiter = Arbiter::PostgreSql(why),
            Err(Unfit::Wrong(why)) => arbiter = Arbiter::Nobody(why),
        }
        skip_to(&mut cursor, |cursor| Ok(cursor.at_word("returning")))?;
    }
    // What is more than columns PostgreSQL works out.
    let returning = match cursor.accept_word("returning")? {
        true => returning::parse(&mut cursor, table, alias.as_deref()).ok(),
        false => None,
    };
    let statement = InsertStatement {
        table,
        database: named.database,
        columns,
        text: text.into(),
        rows_start: None,
        rows_end,
        list_start,
        conflict,
        returning,
        template: OnceLock::new(),
    };
    Ok(Some(PlannedInsert {
        statement,
        lists_columns,
        arbiter,
        has_conflict_clause,
    }))
}

/// Steps to the first lexeme outside of parentheses at which `is_there` holds; `false`: there is
/// none.
fn skip_to(
    cursor: &mut Cursor<'_>,
    is_there: impl Fn(&Cursor<'_>) -> Result<bool, Box<Diagnostic>>,
) -> Result<bool, Box<Diagnostic>> {
    let mut open = 0usize;
    let mut is_label = false;
    loop {
        if cursor.at_end() {
            return Ok(false);
        }
        if open == 0 && !is_label && is_there(cursor)? {
            return Ok(true);
        }
        // Any word may be the name of a column of the query.
        is_label = cursor.at_word("as") || cursor.at_symbol(".");
        match cursor.advance()?.token {
            Token::Symbol("(") => open += 1,
            Token::Symbol(")") => open = open.saturating_sub(1),
            _ => {}
        }
    }
}

fn is_insert(cursor: &Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    Ok(cursor.at_word("insert"))
}

/// ON CONFLICT, which a condition of a join on a column of that name is not, or RETURNING.
fn is_tail(cursor: &Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    if cursor.at_word("returning") {
        return Ok(true);
    }
    let mut ahead = cursor.clone();
    Ok(ahead.accept_word("on")?
        && ahead.accept_word("conflict")?
        && (ahead.at_symbol("(") || ahead.at_word("do") || ahead.at_word("on")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(text: &str) -> Option<PlannedInsert> {
        PlannedInsert::of(text, &Namespace::default())
    }

    #[test]
    fn the_clauses_behind_a_query_are_found() {
        let planned = planned(
            "INSERT INTO assets (external_id, name) SELECT a.x, a.returning AS returning FROM a JOIN b \
             ON conflict = b.y WHERE a.z IN (SELECT 1 ON CONFLICT DO NOTHING) ON CONFLICT (external_id) \
             DO UPDATE SET name = excluded.name RETURNING id",
        )
        .expect("it is an INSERT");
        assert!(planned.lists_columns && planned.has_conflict_clause);
        assert_eq!(planned.arbiter, Arbiter::Cdf);
        assert_eq!(planned.statement().columns(), [1, 2]);
        let returning = planned.statement().returning().expect("it returns");
        assert_eq!(returning.columns(), [0]);
    }

    #[test]
    fn what_takes_the_row_that_exists_is_postgresqls_to_decide() {
        let planned = planned(
            "WITH i AS (SELECT 1) INSERT INTO assets SELECT * FROM i ON CONFLICT (external_id) DO \
             UPDATE SET name = assets.name || excluded.name RETURNING upper(name)",
        )
        .expect("it is an INSERT");
        assert!(matches!(planned.arbiter, Arbiter::PostgreSql(_)));
        assert!(!planned.lists_columns);
        assert!(planned.statement().returning().is_none());
    }

    #[test]
    fn what_is_no_insert_of_a_known_table_is_none() {
        assert!(planned("UPDATE assets SET name = 'x'").is_none());
        assert!(planned("WITH d AS (INSERT INTO assets SELECT 1) SELECT 1").is_none());
        assert!(planned("INSERT INTO elsewhere SELECT 1").is_none());
    }
}
