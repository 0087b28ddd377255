//! What a session has in its engine: temporary tables, cursors, prepared statements, settings.
//!
//! Owns the question for it. Promises that PostgreSQL itself is asked, so that whatever a statement,
//! a function or the end of a transaction made or dropped is known. Never changes any of it.

use super::fault::EngineFault;
use super::link::EngineLink;
use std::collections::{BTreeMap, BTreeSet};

/// Asks for everything but settings. Every name is PostgreSQL's own: what a session made must not
/// answer for it.
const QUESTION: &str = "\
    SELECT CASE relkind WHEN 'v' THEN 'view' ELSE 'relation' END, relname::pg_catalog.text \
    FROM pg_catalog.pg_class \
    WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind IN ('r', 'p', 'v', 'S') \
    UNION ALL \
    SELECT 'other', relname::pg_catalog.text FROM pg_catalog.pg_class \
    WHERE relnamespace = pg_catalog.pg_my_temp_schema() AND relkind = 'c' \
    UNION ALL \
    SELECT 'other', typname::pg_catalog.text FROM pg_catalog.pg_type \
    WHERE typnamespace = pg_catalog.pg_my_temp_schema() AND typtype IN ('d', 'e', 'r') \
    UNION ALL \
    SELECT CASE WHEN prosqlbody IS NOT NULL OR prosrc OPERATOR(pg_catalog.~*) \
    '\\m(from|table|execute|using|update)\\M' THEN 'reader' ELSE 'routine' END, \
    proname::pg_catalog.text FROM pg_catalog.pg_proc WHERE pronamespace = pg_catalog.pg_my_temp_schema() \
    UNION ALL \
    SELECT CASE WHEN is_holdable THEN 'held cursor' ELSE 'cursor' END, name \
    FROM pg_catalog.pg_cursors WHERE name <> '' \
    UNION ALL \
    SELECT 'prepared', name FROM pg_catalog.pg_prepared_statements WHERE from_sql \
    UNION ALL \
    SELECT 'prepared text', statement FROM pg_catalog.pg_prepared_statements WHERE from_sql \
    UNION ALL \
    SELECT 'read by view', read.relname::pg_catalog.text \
    FROM pg_catalog.pg_class view, pg_catalog.pg_rewrite rule, pg_catalog.pg_depend link, \
    pg_catalog.pg_class read \
    WHERE view.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
    AND rule.ev_class OPERATOR(pg_catalog.=) view.oid AND link.objid OPERATOR(pg_catalog.=) rule.oid \
    AND link.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
    AND link.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
    AND link.refobjid OPERATOR(pg_catalog.=) read.oid AND read.relkind = 'r'";

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Possessions {
    /// Names of temporary tables, views and sequences.
    relations: BTreeSet<String>,
    /// How many of them are views.
    views: usize,
    /// By name, and whether they outlive their transaction.
    cursors: BTreeMap<String, bool>,
    /// Names of statements that PREPARE made.
    prepared: BTreeSet<String>,
    /// Their texts.
    prepared_texts: BTreeSet<String>,
    /// Names of tables that views read.
    behind_views: BTreeSet<String>,
    /// Functions of the session.
    routines: usize,
    /// Names of those among them that may read tables.
    readers: BTreeSet<String>,
    /// Types of the session.
    others: usize,
}

impl Possessions {
    /// Whether something is there that the end of a transaction does not take.
    pub fn outlast_transactions(&self) -> bool {
        let outlast = |cursors: &BTreeMap<String, bool>| cursors.values().any(|holds| *holds);
        !self.relations.is_empty()
            || !self.prepared.is_empty()
            || self.routines + self.others > 0
            || outlast(&self.cursors)
    }

    /// Whether something is there.
    pub fn are_some(&self) -> bool {
        self.outlast_transactions() || !self.cursors.is_empty()
    }

    /// Whether a temporary table, view or sequence has that name.
    pub fn has_relation(&self, name: &str) -> bool {
        self.relations.contains(name)
    }

    /// Whether a cursor has that name.
    pub fn has_cursor(&self, name: &str) -> bool {
        self.cursors.contains_key(name)
    }

    /// Whether a cursor is open.
    pub fn have_cursors(&self) -> bool {
        !self.cursors.is_empty()
    }

    /// Whether there are cursors whose rows are worked out when their transaction ends.
    pub fn have_held_cursors(&self) -> bool {
        self.cursors.values().any(|holds| *holds)
    }

    /// Whether PREPARE made something, which no ROLLBACK takes.
    pub fn have_prepared(&self) -> bool {
        !self.prepared.is_empty()
    }

    /// Whether there are views: what they read, they read with the rights of the user.
    pub fn have_views(&self) -> bool {
        self.views > 0
    }

    /// Whether a view reads a table of that name.
    pub fn read_by_view(&self, name: &str) -> bool {
        self.behind_views.contains(name)
    }

    /// The texts of statements that PREPARE made.
    pub fn prepared_texts(&self) -> impl Iterator<Item = &str> {
        self.prepared_texts.iter().map(String::as_str)
    }

    /// Whether there are functions of the session's: they may do what no text shows.
    pub fn have_routines(&self) -> bool {
        self.routines > 0
    }

    /// Whether a function of the session's may read tables, as far as its source tells. One that
    /// computes from its arguments may not.
    pub fn may_read_unseen(&self) -> bool {
        !self.readers.is_empty()
    }

    /// Whether such a function has one of these names, in lower case.
    pub fn has_reader_among(&self, names: &BTreeSet<String>) -> bool {
        let is_among = |reader: &String| names.contains(&reader.to_lowercase());
        self.readers.iter().any(is_among)
    }

    /// What is left when a transaction ends in which none of it changed.
    pub fn without_open_cursors(&mut self) {
        self.cursors.retain(|_, holds| *holds);
    }

    /// A cursor is open that ends with its transaction.
    pub fn note_cursor(&mut self, name: &str) {
        self.note("cursor", name.to_owned());
    }

    /// A cursor is closed.
    pub fn forget_cursor(&mut self, name: &str) {
        self.cursors.remove(name);
    }

    fn note(&mut self, kind: &str, name: String) {
        match kind {
            "relation" => drop(self.relations.insert(name)),
            "view" => {
                self.views += 1;
                self.relations.insert(name);
            }
            "routine" => self.routines += 1,
            "reader" => {
                self.routines += 1;
                self.readers.insert(name);
            }
            "cursor" => drop(self.cursors.insert(name, false)),
            "held cursor" => drop(self.cursors.insert(name, true)),
            "prepared" => drop(self.prepared.insert(name)),
            "prepared text" => drop(self.prepared_texts.insert(name)),
            "read by view" => drop(self.behind_views.insert(name)),
            _ => self.others += 1,
        }
    }
}

impl EngineLink {
    /// What there is now, and the values of `settings`.
    ///
    /// # Errors
    /// `Broken` when the engine is gone, or its answer makes no sense.
    pub async fn possessions(
        &mut self,
        settings: &[&str],
    ) -> Result<(Possessions, Vec<String>), EngineFault> {
        let values: Vec<String> = settings
            .iter()
            .map(|name| format!("SELECT 'setting', pg_catalog.current_setting('{name}')"))
            .collect();
        let rows = self
            .run(&format!("{QUESTION}; {}", values.join(" UNION ALL ")))
            .await?;
        let mut possessions = Possessions::default();
        let mut values = Vec::with_capacity(settings.len());
        for row in rows {
            let [Some(kind), Some(name)] = <[_; 2]>::try_from(row).map_err(|_| senseless())? else {
                return Err(senseless());
            };
            if kind == "setting" {
                values.push(name);
            } else {
                possessions.note(&kind, name);
            }
        }
        Ok((possessions, values))
    }
}

fn senseless() -> EngineFault {
    EngineFault::Broken("what it has for the session makes no sense".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_without_hold_end_with_their_transaction() {
        let mut possessions = Possessions::default();
        assert!(!possessions.are_some());
        possessions.note("cursor", "c".to_owned());
        assert!(possessions.are_some());
        assert!(!possessions.outlast_transactions());
        possessions.note("held cursor", "h".to_owned());
        assert!(possessions.outlast_transactions());
        possessions.without_open_cursors();
        assert!(possessions.has_cursor("h") && !possessions.has_cursor("c"));
    }

    #[test]
    fn whatever_is_named_is_kept_apart() {
        let mut possessions = Possessions::default();
        for kind in ["relation", "view", "routine", "prepared", "other"] {
            possessions.note(kind, format!("a {kind}"));
        }
        assert!(possessions.has_relation("a relation") && possessions.has_relation("a view"));
        assert!(possessions.have_views());
        assert!(possessions.have_routines() && possessions.have_prepared());
        assert!(!possessions.may_read_unseen());
        possessions.note("reader", "Reads".to_owned());
        assert!(possessions.may_read_unseen());
        assert!(possessions.has_reader_among(&BTreeSet::from(["reads".to_owned()])));
        assert!(!possessions.has_reader_among(&BTreeSet::from(["a routine".to_owned()])));
        assert!(!possessions.have_cursors());
    }
}
