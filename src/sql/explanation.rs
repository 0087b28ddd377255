//! What an EXPLAIN explains, and how it shows it.
//!
//! Owns the reading of its options. Promises that an EXPLAIN that is not understood whole is none:
//! PostgreSQL answers it alone then. Never runs anything.

use super::cold::ColdStatement;
use super::depth::is_deep;
use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// How an EXPLAIN shows a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExplanationFormat {
    Text,
    Json,
}

/// An EXPLAIN of a query or a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What it explains.
    pub statement: String,
    /// Whether it is run.
    pub runs: bool,
    pub format: ExplanationFormat,
}

impl Explanation {
    /// What `cold` explains; `None` where nothing can be added to what PostgreSQL says: in other
    /// formats, and of plans for parameters without values.
    pub fn of(cold: &ColdStatement) -> Option<Self> {
        if cold.kind != "EXPLAIN" {
            return None;
        }
        if is_deep(&cold.text) {
            return None;
        }
        let statements = Parser::parse_sql(&PostgreSqlDialect {}, &cold.text).ok()?;
        let [
            ast::Statement::Explain {
                analyze,
                statement,
                options,
                ..
            },
        ] = statements.as_slice()
        else {
            return None;
        };
        let is_planned = matches!(
            **statement,
            ast::Statement::Query(_)
                | ast::Statement::Insert(_)
                | ast::Statement::Update(_)
                | ast::Statement::Delete(_)
                | ast::Statement::Merge(_)
        );
        if !is_planned {
            return None;
        }
        let mut explanation = Explanation {
            statement: statement.to_string(),
            runs: *analyze,
            format: ExplanationFormat::Text,
        };
        for option in options.iter().flatten() {
            let value = option.arg.as_ref().map(|value| value.to_string());
            let value = value.unwrap_or_default();
            let value = value.trim_matches(['\'', '"']).to_ascii_lowercase();
            let is_on = !matches!(value.as_str(), "off" | "false" | "0");
            match option.name.value.to_ascii_lowercase().as_str() {
                "analyze" => explanation.runs = is_on,
                "generic_plan" if is_on => return None,
                "format" => {
                    explanation.format = match value.as_str() {
                        "text" => ExplanationFormat::Text,
                        "json" => ExplanationFormat::Json,
                        _ => return None,
                    };
                }
                _ => {}
            }
        }
        Some(explanation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Explanation> {
        let text = text.to_owned();
        Explanation::of(&ColdStatement {
            kind: "EXPLAIN",
            text,
            is_on_temporary: false,
            otherwise: None,
        })
    }

    #[test]
    fn options_are_read_as_postgresql_does() {
        let query = "SELECT * FROM assets";
        for (options, runs, format) in [
            ("", false, ExplanationFormat::Text),
            ("ANALYZE ", true, ExplanationFormat::Text),
            ("(ANALYZE, COSTS OFF) ", true, ExplanationFormat::Text),
            ("(analyze off) ", false, ExplanationFormat::Text),
            (
                "(FORMAT json, ANALYZE true) ",
                true,
                ExplanationFormat::Json,
            ),
            ("(FORMAT 'JSON') ", false, ExplanationFormat::Json),
        ] {
            let statement = query.to_owned();
            let wanted = Explanation {
                statement,
                runs,
                format,
            };
            assert_eq!(of(&format!("EXPLAIN {options}{query}")), Some(wanted));
        }
    }

    #[test]
    fn what_nothing_can_be_added_to_is_postgresqls_alone() {
        assert_eq!(of("EXPLAIN (FORMAT xml) SELECT 1"), None);
        assert_eq!(of("EXPLAIN (FORMAT yaml) SELECT 1"), None);
        assert_eq!(of("EXPLAIN (GENERIC_PLAN) SELECT $1::int"), None);
        assert_eq!(of("EXPLAIN TRUNCATE assets"), None);
    }
}
