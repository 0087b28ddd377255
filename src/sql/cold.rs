//! Statements that the session cannot answer by itself.
//!
//! Owns which of them an engine may run, and what of them is planned to see which tables are read.
//! Promises that what would change something is refused with what can be done instead. Never runs
//! anything.

use super::cold_text::{
    catches_errors, copied_query, creates_from_query, creates_table, explained, holds_query,
};
use super::depth::is_deep;
use crate::diagnostic::{Diagnostic, SqlState};
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// A statement that the session cannot answer by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColdStatement {
    /// What it is, in PostgreSQL's words: `UPDATE`, `CREATE`, `SELECT`.
    pub kind: &'static str,
    pub text: String,
    /// What it changes, empties or copies is a temporary table of the session.
    pub is_on_temporary: bool,
    /// What is said where no engine runs it, if more can be said than that it is not supported.
    pub otherwise: Option<Box<Diagnostic>>,
}

/// What tells which tables a statement reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planned {
    /// This is planned: the statement itself, or the one within it.
    Text(String),
    /// It reads no rows, whatever it names, but must be allowed to look at what it names.
    NoRows,
    /// There is no plan of it, and it may read no table of the gateway.
    Nothing,
}

impl ColdStatement {
    /// 0A000 with what can be done instead.
    pub fn refusal(&self) -> Box<Diagnostic> {
        if let Some(otherwise) = &self.otherwise {
            return otherwise.clone();
        }
        Box::new(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!("this {} statement is not supported", self.kind),
            )
            .with_hint(
                "Penstock takes COPY … FROM STDIN, INSERT … VALUES, UPDATE and DELETE by key, \
                 transaction and session commands, and the questions that drivers ask when they \
                 connect.",
            ),
        )
    }

    /// Refuses code that catches errors, which the embedded PostgreSQL cannot: an error goes past every
    /// handler, and nothing can be run there afterwards.
    ///
    /// # Errors
    /// 0A000.
    pub fn check_handlers(&self) -> Result<(), Box<Diagnostic>> {
        if !matches!(self.kind, "DO" | "CREATE") || !catches_errors(&self.text) {
            return Ok(());
        }
        Err(Box::new(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                "the embedded PostgreSQL cannot catch errors: EXCEPTION WHEN is not supported",
            )
            .with_hint(
                "Test for what could fail before it does, or use INSERT … ON CONFLICT; code \
                 without EXCEPTION WHEN runs.",
            ),
        ))
    }

    /// What an engine is to plan before it runs the statement.
    ///
    /// # Errors
    /// 0A000 for what an engine must not run, because it would change something that is gone
    /// afterwards.
    pub fn planned(&self) -> Result<Planned, Box<Diagnostic>> {
        let whole = || Ok(Planned::Text(self.text.clone()));
        match self.kind {
            "SELECT" | "WITH" | "TABLE" | "DECLARE" | "EXECUTE" => whole(),
            // A setting that only PostgreSQL knows, or that nobody does.
            "SHOW" => Ok(Planned::NoRows),
            "EXPLAIN" | "COPY" => self.planned_within().ok_or_else(|| self.refusal()),
            // Rows that stand in the text need no plan, and they may be many.
            "INSERT" if self.is_on_temporary && !holds_query(&self.text) => Ok(Planned::Nothing),
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" => whole(),
            "CREATE" if creates_from_query(&self.text) => whole(),
            // LIKE copies columns, for which PostgreSQL wants the right to read the table.
            "CREATE" if creates_table(&self.text) => Ok(Planned::NoRows),
            _ => self.manner(true).map(|_| Planned::Nothing),
        }
    }

    /// What EXPLAIN runs, or COPY … TO STDOUT reads.
    fn planned_within(&self) -> Option<Planned> {
        if let Some(query) = copied_query(&self.text) {
            return Some(Planned::Text(query.to_owned()));
        }
        if let Some((statement, runs)) = explained(&self.text) {
            return Some(match runs {
                true => Planned::Text(statement.to_owned()),
                false => Planned::NoRows,
            });
        }
        if is_deep(&self.text) {
            return None;
        }
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, &self.text).ok()?;
        match (statements.pop()?, statements.is_empty()) {
            (
                ast::Statement::Explain {
                    analyze,
                    statement,
                    options,
                    ..
                },
                true,
            ) => {
                let is_planned = matches!(
                    *statement,
                    ast::Statement::Query(_)
                        | ast::Statement::Insert(_)
                        | ast::Statement::Update(_)
                        | ast::Statement::Delete(_)
                        | ast::Statement::Merge(_)
                );
                let runs = analyze || options.iter().flatten().any(asks_to_run);
                match (is_planned, runs) {
                    (true, true) => Some(Planned::Text(statement.to_string())),
                    (true, false) => Some(Planned::NoRows),
                    (false, _) => None,
                }
            }
            (
                ast::Statement::Copy {
                    source: ast::CopySource::Table { table_name, .. },
                    to: true,
                    target: ast::CopyTarget::Stdout,
                    ..
                },
                true,
            ) => Some(Planned::Text(format!("TABLE {table_name}"))),
            _ => None,
        }
    }
}

/// Whether an option of EXPLAIN makes it run its statement. What cannot be told counts as such.
fn asks_to_run(option: &ast::UtilityOption) -> bool {
    option.name.value.eq_ignore_ascii_case("analyze")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(kind: &'static str, text: &str) -> Option<Planned> {
        let text = text.to_owned();
        let cold = ColdStatement {
            kind,
            text,
            is_on_temporary: false,
            otherwise: None,
        };
        cold.planned().ok()
    }

    #[test]
    fn what_reads_is_planned_whole_or_within() {
        let text = |text: &str| Some(Planned::Text(text.to_owned()));
        let select = "SELECT count(*) FROM assets";
        assert_eq!(planned("SELECT", select), text(select));
        assert_eq!(planned("TABLE", "TABLE assets"), text("TABLE assets"));
        for explained in [
            "EXPLAIN ANALYZE ",
            "EXPLAIN (ANALYZE, VERBOSE) ",
            "EXPLAIN (analyze off) ",
        ] {
            assert_eq!(
                planned("EXPLAIN", &format!("{explained}{select}")),
                text(select)
            );
        }
        let only = "SELECT name FROM ONLY (assets) WHERE true OR false";
        for (options, runs) in [
            ("", false),
            ("VERBOSE ", false),
            ("(COSTS OFF) ", false),
            ("(COSTS OFF, \"analyze\") ", true),
            ("ANALYZE VERBOSE ", true),
        ] {
            let wanted = match runs {
                true => text(only),
                false => Some(Planned::NoRows),
            };
            assert_eq!(
                planned("EXPLAIN", &format!("EXPLAIN {options}{only}")),
                wanted
            );
        }
        assert_eq!(
            planned("EXPLAIN", "EXPLAIN (SELECT 1)"),
            Some(Planned::NoRows)
        );
        assert_eq!(
            planned("COPY", &format!("COPY ({select}) TO STDOUT")),
            text(select)
        );
        assert_eq!(
            planned(
                "COPY",
                "copy/* ( */(TABLE ONLY (assets)) to STDOUT (FORMAT csv)"
            ),
            text("TABLE ONLY (assets)")
        );
        assert_eq!(planned("COPY", &format!("COPY ({select}) TO 'file'")), None);
        assert_eq!(
            planned("COPY", "COPY assets (name) TO STDOUT"),
            text("TABLE assets")
        );
    }

    #[test]
    fn a_change_is_planned_whole() {
        for (kind, text) in [
            ("UPDATE", "UPDATE assets SET name = upper(name)"),
            ("DELETE", "DELETE FROM assets WHERE name LIKE 'x%'"),
            (
                "INSERT",
                "INSERT INTO assets (name) SELECT name FROM events",
            ),
            (
                "MERGE",
                "MERGE INTO assets a USING events e ON true WHEN MATCHED THEN DELETE",
            ),
        ] {
            assert_eq!(planned(kind, text), Some(Planned::Text(text.to_owned())));
        }
        assert_eq!(
            planned("EXPLAIN", "EXPLAIN DELETE FROM assets WHERE name = 'x'"),
            Some(Planned::NoRows)
        );
        assert!(matches!(
            planned(
                "EXPLAIN",
                "EXPLAIN ANALYZE DELETE FROM assets WHERE name = 'x'"
            ),
            Some(Planned::Text(_))
        ));
    }

    #[test]
    fn a_temporary_table_of_a_query_is_planned_and_one_of_columns_reads_nothing() {
        let made = "CREATE TEMP TABLE t AS SELECT * FROM assets";
        assert_eq!(
            planned("CREATE", made),
            Some(Planned::Text(made.to_owned()))
        );
        let like = "CREATE TEMP TABLE t (LIKE assets, b int GENERATED ALWAYS AS (1) STORED)";
        assert_eq!(planned("CREATE", like), Some(Planned::NoRows));
        let view = "CREATE TEMP VIEW v AS SELECT * FROM assets";
        assert_eq!(planned("CREATE", view), Some(Planned::Nothing));
        assert_eq!(planned("FETCH", "FETCH ALL FROM c"), Some(Planned::Nothing));
    }

    #[test]
    fn an_explanation_alone_and_a_setting_read_no_rows() {
        assert_eq!(
            planned("EXPLAIN", "EXPLAIN (COSTS OFF) SELECT * FROM assets"),
            Some(Planned::NoRows)
        );
        assert_eq!(planned("SHOW", "SHOW work_mem"), Some(Planned::NoRows));
    }

    #[test]
    fn what_would_change_something_is_refused() {
        for (kind, text) in [
            ("EXPLAIN", "EXPLAIN CREATE TABLE t AS SELECT 1"),
            ("COPY", "COPY assets TO '/tmp/assets'"),
            ("COPY", "COPY assets TO PROGRAM 'cat'"),
            ("VACUUM", "VACUUM"),
            ("ALTER", "ALTER ROLE me PASSWORD 'x'"),
        ] {
            assert_eq!(planned(kind, text), None, "{text}");
        }
    }
}
