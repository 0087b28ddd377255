//! What a statement changes in an engine, row by row, as a log that the gateway reads back.
//!
//! Owns the log and the triggers that write it: they are made within the statement's transaction and
//! go with it, so that nobody ever sees them outside. Promises every changed row once, in an order in
//! which the changes can be repeated, with values in one form whatever the session's settings are. Its
//! schema is not the user's: neither can a statement write to the log nor read it. Never sends a row
//! to CDF.

use super::dressing::identifier;
use super::fault::EngineFault;
use super::frame::Frame;
use super::powers::Powers;
use super::record_text::fields_of_record;
use crate::catalog::Table;
use crate::sql::{RowChange, naming_columns};
use std::fmt::Write;

/// Where log and triggers are, for the time of a statement.
const SCHEMA: &str = "penstock_changes";

/// How values are written, whatever the session says.
const FORMS: &str = "SET search_path = pg_catalog SET \"DateStyle\" = 'ISO, MDY' SET \"TimeZone\" = 'UTC' SET \
     extra_float_digits = 3 SET bytea_output = 'hex'";

/// A table whose changes are logged.
#[derive(Clone, Debug)]
pub struct LoggedTable {
    pub table: &'static Table,
    /// What the statement does to it.
    pub changes: Vec<RowChange>,
    /// Whether inserted rows are told apart by which columns have values.
    pub groups_inserts: bool,
    /// Whether two rows may have one key: CDF decides what becomes of them.
    pub admits_duplicates: bool,
}

/// The log of one statement.
#[derive(Clone, Debug)]
pub struct ChangeLog {
    tables: Vec<LoggedTable>,
}

/// One changed row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedChange {
    /// Its place among all changes of the statement, from 1, in the order in which they were made.
    pub number: u64,
    /// Which of the log's tables.
    pub table: usize,
    pub change: RowChange,
    /// Per column of the table, whether an UPDATE gave it another value, or an INSERT one; empty
    /// where that is not asked for.
    pub given: Vec<bool>,
    /// The values of the columns that name the row, before the change; empty for an INSERT.
    pub old: Vec<Option<String>>,
    /// The values of all columns, after the change; empty for a DELETE.
    pub new: Vec<Option<String>>,
}

impl ChangeLog {
    pub fn of(tables: Vec<LoggedTable>) -> Self {
        ChangeLog { tables }
    }

    pub fn tables(&self) -> &[LoggedTable] {
        &self.tables
    }

    /// SQL that begins it, to be run by the owner within the statement's transaction.
    pub fn begin(&self, powers: &Powers) -> String {
        let mut sql = format!(
            "CREATE SCHEMA {SCHEMA};\n\
             CREATE SEQUENCE {SCHEMA}.firing;\n\
             CREATE UNLOGGED TABLE {SCHEMA}.change_log (number bigint GENERATED ALWAYS AS IDENTITY, \
             firing bigint, place integer, change text, given text, old text, new text);\n"
        );
        for (place, logged) in self.tables.iter().enumerate() {
            for change in &logged.changes {
                logged.log(&mut sql, place, *change);
            }
            if logged.admits_duplicates {
                sql.push_str(&powers.admit_duplicates(logged.table));
            }
        }
        sql
    }

    /// SQL that reads it: one row a change, for [`ChangeLog::change`].
    pub fn read() -> String {
        format!(
            "SELECT place, change, given, old, new, number FROM {SCHEMA}.change_log ORDER BY firing, given, \
             number"
        )
    }

    /// SQL that ends it, where the transaction goes on: nothing of it is left. The rows that are
    /// logged are the caller's to take out of their tables.
    pub fn end(&self, powers: &Powers) -> String {
        let mut sql = format!("DROP SCHEMA {SCHEMA} CASCADE;\n");
        for logged in &self.tables {
            if logged.admits_duplicates {
                sql.push_str(&powers.refuse_duplicates(logged.table));
            }
        }
        sql
    }

    /// The change of a row that [`ChangeLog::read`] gave.
    ///
    /// # Errors
    /// `Broken` when it is none.
    pub fn change(&self, frame: &Frame) -> Result<LoggedChange, EngineFault> {
        let read = || {
            let values = frame.values().ok()?;
            let [place, change, given, old, new, number] =
                <[Option<String>; 6]>::try_from(values).ok()?;
            let number = number?.parse().ok()?;
            let table: usize = place?.parse().ok()?;
            let change = match change?.as_str() {
                "I" => RowChange::Insert,
                "U" => RowChange::Update,
                "D" => RowChange::Delete,
                _ => return None,
            };
            let fields = |record: Option<String>| match record {
                None => Some(Vec::new()),
                Some(record) => fields_of_record(&record),
            };
            let (old, new) = (fields(old)?, fields(new)?);
            let described = self.tables.get(table)?.table;
            let is_whole = (change == RowChange::Delete || new.len() == described.columns.len())
                && (change == RowChange::Insert || old.len() == naming_columns(described).len());
            is_whole.then(|| LoggedChange {
                number,
                table,
                change,
                given: given
                    .unwrap_or_default()
                    .bytes()
                    .map(|bit| bit == b'1')
                    .collect(),
                old,
                new,
            })
        };
        read().ok_or_else(|| {
            EngineFault::Broken("it logged a change in a way that makes no sense".to_owned())
        })
    }
}

impl LoggedTable {
    /// The function and the trigger that log one kind of change.
    fn log(&self, sql: &mut String, place: usize, change: RowChange) {
        let (letter, event, rows) = match change {
            RowChange::Insert => ('I', "INSERT", "NEW TABLE AS penstock_new"),
            RowChange::Update => (
                'U',
                "UPDATE",
                "OLD TABLE AS penstock_old NEW TABLE AS penstock_new",
            ),
            RowChange::Delete => ('D', "DELETE", "OLD TABLE AS penstock_old"),
        };
        let all: Vec<usize> = (0..self.table.columns.len()).collect();
        let old = self.record("o", &naming_columns(self.table));
        let new = self.record("n", &all);
        let logged = match change {
            RowChange::Insert => format!("{}, NULL, {new} FROM penstock_new n", self.given(change)),
            RowChange::Delete => format!("'', {old}, NULL FROM penstock_old o"),
            // Both have the rows in the order in which they were changed.
            RowChange::Update => format!(
                "{}, {old}, {new} FROM (SELECT row_number() OVER () AS penstock_place, * FROM \
                 penstock_old) o JOIN (SELECT row_number() OVER () AS penstock_place, * FROM \
                 penstock_new) n USING (penstock_place) ORDER BY penstock_place",
                self.given(change)
            ),
        };
        let function = format!("{SCHEMA}.log_{event}_{place}");
        let _ = writeln!(
            sql,
            "CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {FORMS} AS \
             $log$ DECLARE penstock_firing bigint := nextval('{SCHEMA}.firing'); BEGIN INSERT INTO \
             {SCHEMA}.change_log (firing, place, change, given, old, new) SELECT penstock_firing, \
             {place}, '{letter}', {logged}; RETURN NULL; END $log$;\n\
             CREATE TRIGGER penstock_{event} AFTER {event} ON {} REFERENCING {rows} FOR EACH STATEMENT \
             EXECUTE FUNCTION {function}();",
            full_name(self.table),
        );
    }

    /// A row of the columns as one text.
    fn record(&self, alias: &str, columns: &[usize]) -> String {
        let names: Vec<String> = columns
            .iter()
            .map(|column| self.column(alias, *column))
            .collect();
        format!("ROW({})::text", names.join(", "))
    }

    fn column(&self, alias: &str, column: usize) -> String {
        format!("{alias}.{}", identifier(self.table.columns[column].name))
    }

    /// A text with a digit for each column: whether it was given a value.
    fn given(&self, change: RowChange) -> String {
        if change == RowChange::Insert && !self.groups_inserts {
            return "''".to_owned();
        }
        let digits: Vec<String> = (0..self.table.columns.len())
            .map(|column| {
                let new = self.column("n", column);
                let is_given = match change {
                    // Not every type knows equality.
                    RowChange::Update => {
                        let old = self.column("o", column);
                        format!("{new}::text IS DISTINCT FROM {old}::text")
                    }
                    _ => format!("{new} IS NOT NULL"),
                };
                format!("CASE WHEN {is_given} THEN '1' ELSE '0' END")
            })
            .collect();
        digits.join(" || ")
    }
}

fn full_name(table: &Table) -> String {
    format!("{}.{}", identifier(table.schema), identifier(table.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Namespace;

    fn superuser() -> Powers {
        Powers::Superuser("reader".into())
    }

    fn logged(name: &str, changes: Vec<RowChange>) -> LoggedTable {
        let table = Namespace::default()
            .table(None, name)
            .expect("it is built in");
        LoggedTable {
            table,
            changes,
            groups_inserts: false,
            admits_duplicates: false,
        }
    }

    #[test]
    fn only_what_the_statement_does_is_logged() {
        let log = ChangeLog::of(vec![logged("assets", vec![RowChange::Delete])]);
        let sql = log.begin(&superuser());
        assert!(sql.contains("AFTER DELETE ON \"public\".\"assets\""));
        assert!(!sql.contains("AFTER INSERT") && !sql.contains("AFTER UPDATE"));
        assert!(sql.contains("ROW(o.\"external_id\", o.\"id\")::text"));
    }

    #[test]
    fn keys_are_checked_again_behind_a_statement_that_may_repeat_them() {
        let mut table = logged("raw_rows", vec![RowChange::Insert]);
        table.admits_duplicates = true;
        let log = ChangeLog::of(vec![table]);
        assert!(log.begin(&superuser()).contains("indisunique = false"));
        assert!(log.end(&superuser()).contains("indisunique = true"));
    }
}
