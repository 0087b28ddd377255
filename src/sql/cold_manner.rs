//! What running a statement on an engine may leave behind there.
//!
//! Owns the judgement of each kind of statement that an engine runs. Promises that whatever makes
//! something for its session, or may change a setting of it, is known before it runs, and that what
//! would last longer than a session is refused. Never runs anything.

use super::cold::ColdStatement;
use super::cold_text::{
    copies_in, creates_temporary, declares_with_hold, last_name, mentions, selects_into, word,
};
use crate::diagnostic::{Diagnostic, SqlState};

/// What of an engine ALTER and DROP may be about. Roles, databases and privileges to come are the
/// gateway's: a change of them in an engine would be none.
const OBJECTS: [&str; 16] = [
    "table",
    "index",
    "sequence",
    "view",
    "materialized",
    "function",
    "procedure",
    "routine",
    "aggregate",
    "type",
    "domain",
    "trigger",
    "rule",
    "policy",
    "statistics",
    "schema",
];

/// How a statement is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// The session may have something in its engine afterwards, which must be its own for that.
    pub makes: bool,
    /// What the session has there, or one of its settings, may be another afterwards.
    pub alters: bool,
    /// It runs code that no plan shows.
    pub runs_code: bool,
    /// It changes nothing but rows of temporary tables, which PostgreSQL sees to in a transaction
    /// that is read only.
    pub is_read_only: bool,
}

/// Nothing is left of it.
const READS: Manner = Manner {
    makes: false,
    alters: false,
    runs_code: false,
    is_read_only: true,
};

/// It makes, changes or drops something.
const DEFINES: Manner = Manner {
    makes: false,
    alters: true,
    runs_code: false,
    is_read_only: false,
};

impl ColdStatement {
    /// How the statement is run. `has_some`: its session has an engine of its own.
    ///
    /// # Errors
    /// 0A000 for what would last longer than the session.
    pub fn manner(&self, has_some: bool) -> Result<Manner, Box<Diagnostic>> {
        let makes = |manner| Manner {
            makes: true,
            alters: true,
            ..manner
        };
        Ok(match self.kind {
            "SELECT" | "WITH" if selects_into(&self.text) => makes(DEFINES),
            "SELECT" | "WITH" if mentions(&self.text, &["set_config"]) => makes(READS),
            "SELECT" | "WITH" | "TABLE" | "SHOW" | "EXPLAIN" | "COPY" | "FETCH" | "MOVE"
            | "EXECUTE" => READS,
            // Rows of the gateway's tables that they change are logged, and taken back.
            "INSERT" | "UPDATE" | "DELETE" | "MERGE" => READS,
            "TRUNCATE" if self.is_on_temporary => Manner {
                alters: false,
                ..DEFINES
            },
            // What it fails with takes the transaction along, savepoints and all.
            "PREPARE" if word(&self.text, 1).as_deref() == Some("transaction") => {
                return Err(self.refusal());
            }
            "DECLARE" | "PREPARE" => makes(READS),
            "CLOSE" | "DEALLOCATE" => Manner {
                alters: true,
                ..READS
            },
            "DISCARD" | "COMMENT" | "GRANT" | "REVOKE" | "ANALYZE" | "ANALYSE" | "LOCK"
            | "REINDEX" => DEFINES,
            "ALTER" | "DROP" if self.is_about_an_object() => DEFINES,
            "DO" | "CALL" => Manner {
                runs_code: true,
                ..makes(DEFINES)
            },
            "CREATE" if has_some || creates_temporary(&self.text) => makes(DEFINES),
            "CREATE" => return Err(stays()),
            _ => return Err(self.refusal()),
        })
    }

    /// Whether rows of the client are to be copied into a temporary table.
    pub fn copies_in(&self) -> bool {
        self.kind == "COPY" && self.is_on_temporary && copies_in(&self.text)
    }

    /// Whether a query may have parts that change rows.
    pub fn may_change_rows(&self) -> bool {
        let begins_with = word(&self.text, 0);
        begins_with.is_some_and(|word| word == "with")
            && mentions(&self.text, &["insert", "update", "delete", "merge"])
    }

    /// The cursor of a FETCH or MOVE, which is the last word.
    pub fn cursor(&self) -> Option<String> {
        match self.kind {
            "FETCH" | "MOVE" => last_name(&self.text),
            _ => None,
        }
    }

    /// Whether the statement makes sense in a transaction block alone: a cursor that ends with its
    /// transaction.
    pub fn needs_block(&self) -> bool {
        self.kind == "DECLARE" && !declares_with_hold(&self.text)
    }

    fn is_about_an_object(&self) -> bool {
        word(&self.text, 1).is_some_and(|word| OBJECTS.contains(&word.as_str()))
    }
}

/// 0A000: it would outlive the session.
fn stays() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            "this CREATE statement is not supported: what it makes would outlive the session",
        )
        .with_hint(
            "CREATE TEMPORARY TABLE keeps rows for the session. Tables that stay are those of CDF, \
             and custom tables, which are made through the accounts API.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manner(kind: &'static str, text: &str) -> Option<Manner> {
        let cold = ColdStatement {
            kind,
            text: text.to_owned(),
            is_on_temporary: false,
            otherwise: None,
        };
        cold.manner(false).ok()
    }

    #[test]
    fn what_makes_something_is_told_from_what_reads() {
        for (kind, text) in [
            ("CREATE", "CREATE TEMP TABLE t (a int)"),
            ("SELECT", "SELECT 1 AS a INTO TEMP t"),
            (
                "SELECT",
                "SELECT set_config('search_path', 'cdf', false) FROM pg_am",
            ),
            ("DECLARE", "DECLARE c CURSOR FOR SELECT 1"),
            ("DO", "DO $$ BEGIN END $$"),
            ("PREPARE", "PREPARE p AS SELECT 1"),
        ] {
            assert!(
                manner(kind, text).is_some_and(|manner| manner.makes),
                "{text}"
            );
        }
        assert_eq!(
            manner("SELECT", "SELECT 'set_config' FROM pg_am"),
            Some(READS)
        );
        assert_eq!(manner("DROP", "DROP TABLE IF EXISTS t"), Some(DEFINES));
    }

    #[test]
    fn what_would_outlive_the_session_is_refused() {
        for (kind, text) in [
            ("CREATE", "CREATE TABLE t (a int)"),
            ("CREATE", "CREATE ROLE other"),
            ("ALTER", "ALTER ROLE me PASSWORD 'x'"),
            (
                "ALTER",
                "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
            ),
            ("DROP", "DROP OWNED BY me"),
            ("VACUUM", "VACUUM"),
        ] {
            assert_eq!(manner(kind, text), None, "{text}");
        }
    }
}
