//! What a statement with a plan changes, and what it may do for that.
//!
//! Owns the reading of the plan: which tables change how, who decides about existing rows, which rights
//! the user has for the time of the statement, and what its RETURNING can know. Promises that what CDF
//! has no call for is refused before a row is read. Never runs anything.

use super::returned::answers_with_rows;
use super::session::Session;
use crate::catalog::{CDF, Column, OnExisting, PUBLIC, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{ChangeLog, LoggedTable, PlannedChange, PlannedOperation, Powers, identifier};
use crate::rows::Action;
use crate::sql::{Arbiter, CopyStatement, PlannedInsert, RowChange, check_delete_of_all};

/// What a statement is going to change.
#[derive(Debug)]
pub(super) struct ChangePlan {
    /// Each part of it that changes a table of the gateway's.
    pub(super) parts: Vec<(PlannedChange, &'static Table)>,
    /// The statement itself, if it is an INSERT.
    pub(super) insert: Option<PlannedInsert>,
    /// The columns that the statement itself lists for new rows of a table.
    pub(super) listed: Option<(&'static Table, Vec<usize>)>,
    /// Whether it is a COPY.
    pub(super) is_copy: bool,
    pub(super) log: ChangeLog,
}

impl ChangePlan {
    /// What a statement of that text changes, as its plan says; `None`: nothing of the gateway's.
    /// `table` finds the gateway's tables by schema and name.
    ///
    /// # Errors
    /// 55000 and 0A000 for changes that CDF has no call for, and for what cannot be returned.
    pub(super) fn of(
        session: &Session,
        changes: &[PlannedChange],
        text: &str,
        table: impl Fn(&str, &str) -> Option<&'static Table>,
    ) -> Result<Option<Self>, Box<Diagnostic>> {
        let parts: Vec<(PlannedChange, &'static Table)> = changes
            .iter()
            .filter_map(|change| Some((change.clone(), table(&change.schema, &change.name)?)))
            .collect();
        if parts.is_empty() {
            return Ok(None);
        }
        for (change, table) in &parts {
            if let Some(change) = row_change(change.operation) {
                change.check_table(table)?;
            } else if !table.is_writable {
                // Whatever a MERGE would do: nothing can be done.
                RowChange::Insert.check_table(table)?;
            }
            if change.operation == PlannedOperation::Delete && change.is_of_all {
                check_delete_of_all(table)?;
            }
        }
        let insert = parts
            .iter()
            .find(|(change, _)| change.is_outermost && change.operation == PlannedOperation::Insert)
            .and_then(|(_, table)| {
                let insert = PlannedInsert::of(text, &session.namespace)?;
                std::ptr::eq(insert.table(), *table).then_some(insert)
            });
        match insert.as_ref().map(|insert| (&insert.arbiter, insert)) {
            Some((Arbiter::Nobody(why), _)) => return Err(why.clone()),
            // All of its rows cannot be read for this.
            Some((Arbiter::PostgreSql(why), insert)) if insert.table().key.is_empty() => {
                return Err(why.clone());
            }
            _ => {}
        }
        let mut tables: Vec<LoggedTable> = Vec::new();
        for (change, table) in &parts {
            let place = tables
                .iter()
                .position(|logged| std::ptr::eq(logged.table, *table))
                .unwrap_or(tables.len());
            if place == tables.len() {
                tables.push(LoggedTable {
                    table,
                    changes: Vec::new(),
                    groups_inserts: false,
                    admits_duplicates: false,
                });
            }
            let is_own_insert = change.is_outermost && insert.is_some();
            let logged = &mut tables[place];
            for change in row_changes(change) {
                if !logged.changes.contains(&change) {
                    logged.changes.push(change);
                }
            }
            // What a statement lists is known of the statement itself only.
            logged.groups_inserts |= !is_own_insert;
            if change.operation == PlannedOperation::Insert && !change.decides_conflicts {
                let all: Vec<usize> = (0..table.columns.len()).collect();
                let is_created = session.plain_action(table, &all)? == Action::Create;
                let overwrites = table.on_existing != OnExisting::Refuse;
                logged.admits_duplicates |= overwrites || !is_created;
            }
        }
        let listed = insert
            .as_ref()
            .map(|insert| (insert.table(), insert.statement().columns().to_vec()));
        Ok(Some(ChangePlan {
            parts,
            insert,
            listed,
            is_copy: false,
            log: ChangeLog::of(tables),
        }))
    }

    /// What a COPY FROM changes.
    pub(super) fn of_copy(copy: &CopyStatement) -> Self {
        let table = copy.table;
        let logged = LoggedTable {
            table,
            changes: vec![RowChange::Insert],
            groups_inserts: false,
            // What becomes of existing rows is settled as without a condition.
            admits_duplicates: true,
        };
        ChangePlan {
            parts: vec![(PlannedChange::of_copy(table.schema, table.name), table)],
            insert: None,
            listed: Some((table, copy.columns.clone())),
            is_copy: true,
            log: ChangeLog::of(vec![logged]),
        }
    }

    /// What the statement is called where it must not write.
    pub(super) fn word(&self) -> &'static str {
        match self.parts.first().map(|(change, _)| change.operation) {
            Some(PlannedOperation::Update) => "UPDATE",
            Some(PlannedOperation::Delete) => "DELETE",
            Some(PlannedOperation::Merge) => "MERGE",
            Some(PlannedOperation::Insert) | None => "INSERT",
        }
    }

    /// Tables of which every row is needed, because PostgreSQL decides about those that exist.
    pub(super) fn whole_tables(&self) -> impl Iterator<Item = &'static Table> {
        self.parts
            .iter()
            .filter(|(change, _)| change.decides_conflicts && !self.cdf_decides(change))
            .map(|(_, table)| *table)
    }

    fn cdf_decides(&self, change: &PlannedChange) -> bool {
        change.is_outermost
            && self
                .insert
                .as_ref()
                .is_some_and(|insert| insert.arbiter == Arbiter::Cdf)
    }

    /// The column with the time of the change, and where an UPDATE returns it as it is. What has the
    /// time within something else is not told.
    pub(super) fn stamped(&self) -> Option<(&'static Table, &'static Column, Vec<usize>)> {
        let [(change, table)] = self.parts.as_slice() else {
            return None;
        };
        let is_update = change.is_outermost && change.operation == PlannedOperation::Update;
        let column = table
            .columns
            .iter()
            .find(|column| is_time_of_change(column))?;
        let places = change.places_of(column.name)?;
        let is_told = is_update && answers_with_rows(table) && !places.is_empty();
        is_told.then_some((*table, column, places))
    }

    /// Whether the rows of RETURNING are the gateway's to make, from what CDF answers.
    ///
    /// # Errors
    /// 0A000 for columns that are known only when CDF has the rows, where they are part of
    /// something else.
    pub(super) fn returns_what_cdf_makes(&self) -> Result<bool, Box<Diagnostic>> {
        let mut is_own = false;
        for (change, table) in &self.parts {
            let made = table.columns.iter().find(|column| {
                let is_made = match change.operation {
                    PlannedOperation::Insert | PlannedOperation::Merge => !column.is_writable(),
                    // The others stay as they were read.
                    PlannedOperation::Update => {
                        is_time_of_change(column) && self.stamped().is_none()
                    }
                    PlannedOperation::Delete => false,
                };
                is_made && change.returns_column(column.name)
            });
            let Some(made) = made else {
                continue;
            };
            let own = self
                .insert
                .as_ref()
                .filter(|_| change.is_outermost)
                .and_then(|insert| insert.statement().returning());
            if own.is_none() {
                return Err(unknown_yet(table, made.name));
            }
            is_own = true;
        }
        Ok(is_own)
    }

    /// SQL that begins the log, and makes the session that of the user, who may do what the statement
    /// does and nothing else.
    pub(super) fn begin(&self, powers: &Powers, readable: &[String]) -> String {
        let mut sql = self.log.begin(powers);
        for (_, table) in &self.parts {
            sql.push_str(&powers.doubt_key(table));
        }
        sql.push_str(&self.grants(&powers.user(), readable));
        sql.push_str(&powers.as_user());
        sql
    }

    /// SQL that ends the log, and gives the user back the rights that there were.
    pub(super) fn end(&self, powers: &Powers) -> String {
        let user = powers.user();
        let mut sql = format!(
            "{}GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {PUBLIC}, {CDF} TO {user};",
            self.log.end(powers),
        );
        for (_, table) in &self.parts {
            let name = format!("{}.{}", identifier(table.schema), identifier(table.name));
            sql.push_str(&format!("REVOKE SELECT ON {name} FROM {user};"));
            for number in 0..table.keys_by_name().len() {
                let index = format!("penstock_key_{}_{number}", table.oid);
                let schema = identifier(table.schema);
                sql.push_str(&format!("DROP INDEX IF EXISTS {schema}.{index};"));
            }
        }
        sql
    }

    /// The tables whose rows the statement changes in the engine, too.
    pub(super) fn tables(&self) -> impl Iterator<Item = &'static Table> {
        self.log.tables().iter().map(|logged| logged.table)
    }

    /// SQL that lets `user` do what the statement does, and nothing else.
    fn grants(&self, user: &str, readable: &[String]) -> String {
        let mut sql = format!(
            "REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {PUBLIC}, {CDF} FROM {user};"
        );
        if !readable.is_empty() {
            sql.push_str(&format!(
                "GRANT SELECT ON {} TO {user};",
                readable.join(", ")
            ));
        }
        for (change, table) in &self.parts {
            let mut rights: Vec<&str> = match change.operation {
                PlannedOperation::Insert => vec!["INSERT"],
                PlannedOperation::Update => vec!["UPDATE"],
                PlannedOperation::Delete => vec!["DELETE"],
                PlannedOperation::Merge => vec!["INSERT", "UPDATE", "DELETE"],
            };
            if change.decides_conflicts {
                rights.push("UPDATE");
            }
            // The plan reads none of its rows, or they are among those that are readable.
            if change.operation != PlannedOperation::Insert
                || self.is_copy
                || change.decides_conflicts
                || change.returns()
            {
                rights.push("SELECT");
            }
            let name = format!("{}.{}", identifier(table.schema), identifier(table.name));
            sql.push_str(&format!("GRANT {} ON {name} TO {user};", rights.join(", ")));
        }
        sql
    }
}

/// Whether CDF sets the column whenever a row changes.
fn is_time_of_change(column: &Column) -> bool {
    column.field == "lastUpdatedTime"
}

/// The one change of rows that an operation is.
fn row_change(operation: PlannedOperation) -> Option<RowChange> {
    match operation {
        PlannedOperation::Insert => Some(RowChange::Insert),
        PlannedOperation::Update => Some(RowChange::Update),
        PlannedOperation::Delete => Some(RowChange::Delete),
        PlannedOperation::Merge => None,
    }
}

/// The changes of rows that a part of a statement may come to.
fn row_changes(change: &PlannedChange) -> Vec<RowChange> {
    match row_change(change.operation) {
        Some(RowChange::Insert) if change.decides_conflicts => {
            vec![RowChange::Insert, RowChange::Update]
        }
        Some(change) => vec![change],
        None => vec![RowChange::Insert, RowChange::Update, RowChange::Delete],
    }
}

/// 0A000: the value is CDF's to make.
fn unknown_yet(table: &Table, column: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("column \"{column}\" cannot be returned here: CDF gives its value later"),
        )
        .with_hint(
            "Return other columns, by their names; an INSERT may return it by its name alone. Or \
             SELECT it afterwards.",
        )
        .with_table(table.name)
        .with_column(column),
    )
}
