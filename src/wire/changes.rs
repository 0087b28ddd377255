//! Changes that a PostgreSQL plans: UPDATE, DELETE and MERGE by any condition, INSERT of a query, and
//! such parts of other statements.
//!
//! Owns what such a statement may change and who decides about existing rows, and its way from the
//! engine's log into the rows that wait for delivery. Promises that the statement runs unchanged, that
//! all of its rows are known and sound before one is sent, and that its answer waits for them as that of
//! any other write. Never sends a row itself.

use super::awaited_answer::AwaitedAnswer;
use super::cold::{Kept, Wanted};
use super::completion::{Completion, Counted};
use super::execute::kind_of_cold;
use super::replay::Replayed;
use super::reply::put_complete;
use super::returned::ResultTarget;
use super::session::{Failure, Session};
use crate::catalog::{CDF, OnExisting, PUBLIC, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{
    AS_OWNER, ChangeLog, EngineFault, EngineLink, LoggedTable, PlannedChange, PlannedOperation,
    Question, doubt_key, identifier,
};
use crate::rows::Action;
use crate::sql::{
    Arbiter, ColdStatement, CopyStatement, PlannedInsert, RowChange, check_delete_of_all,
};
use crate::telemetry::StatementOutcome;
use std::time::Instant;

/// What a statement is going to change.
#[derive(Debug)]
pub(super) struct ChangePlan {
    /// Each part of it that changes a table of the gateway's.
    parts: Vec<(PlannedChange, &'static Table)>,
    /// The statement itself, if it is an INSERT.
    pub(super) insert: Option<PlannedInsert>,
    /// The columns that the statement itself lists for new rows of a table.
    pub(super) listed: Option<(&'static Table, Vec<usize>)>,
    /// Whether it is a COPY.
    pub(super) is_copy: bool,
    pub(super) log: ChangeLog,
}

/// A statement that has run, whose rows wait now.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) answer: AwaitedAnswer,
    pub(super) tag: String,
    pub(super) replayed: Replayed,
    /// Whether its tag counts what became of its own rows.
    pub(super) counts_rows: bool,
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
                    PlannedOperation::Update => column.field == "lastUpdatedTime",
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

    /// SQL that begins the log, and makes the session that of `user`, who may do what the statement
    /// does and nothing else.
    pub(super) fn begin(&self, user: &str, readable: &[String]) -> String {
        let mut sql = self.log.begin();
        for (_, table) in &self.parts {
            sql.push_str(&doubt_key(table));
        }
        sql.push_str(&self.grants(user, readable));
        sql.push_str(&format!("SET SESSION AUTHORIZATION {}", identifier(user)));
        sql
    }

    /// SQL that ends the log, and gives the user back the rights that there were.
    pub(super) fn end(&self, user: &str) -> String {
        let user = identifier(user);
        let mut sql = format!(
            "{}GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {PUBLIC}, {CDF} TO {user};",
            self.log.end(),
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
        let user = identifier(user);
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

impl Session {
    /// Gives tables that have no key, because one of two names suffices, the keys that ON CONFLICT may
    /// name, if the statement has one.
    pub(super) async fn prepare_conflicts(
        &mut self,
        link: &mut EngineLink,
        text: &str,
    ) -> Result<(), EngineFault> {
        let insert = PlannedInsert::of(text, &self.namespace);
        let Some(insert) = insert.filter(|insert| insert.has_conflict_clause) else {
            return Ok(());
        };
        let table = insert.table();
        let mut sql = String::new();
        for (number, key) in table.keys_by_name().iter().enumerate() {
            let columns: Vec<String> = key
                .iter()
                .map(|column| identifier(table.columns[*column].name))
                .collect();
            sql.push_str(&format!(
                "CREATE UNIQUE INDEX IF NOT EXISTS penstock_key_{}_{number} ON {}.{} ({});",
                table.oid,
                identifier(table.schema),
                identifier(table.name),
                columns.join(", ")
            ));
        }
        if !sql.is_empty() {
            link.run(&sql).await?;
        }
        Ok(())
    }

    /// Runs a statement that changes rows and takes the changes from the engine. `readable`: the
    /// tables that were filled.
    ///
    /// # Errors
    /// The statement's own; those of its rows, as if they came by INSERT, UPDATE or DELETE; 53400
    /// past the bounds. Nothing was sent.
    pub(super) async fn change_by_plan(
        &mut self,
        link: &mut EngineLink,
        question: &Question<'_>,
        plan: &ChangePlan,
        readable: &[String],
        wanted: Wanted<'_>,
    ) -> Result<Changed, EngineFault> {
        let returns_made = plan
            .returns_what_cdf_makes()
            .map_err(EngineFault::Refused)?;
        if returns_made && wanted.keeps {
            return Err(EngineFault::Refused(in_parts()));
        }
        let user = self.user.name.clone();
        link.run(&plan.begin(&user, readable)).await?;
        question.ask(link, wanted.describes && !returns_made)?;
        link.send().await?;
        let (mut answer, tag) = AwaitedAnswer::gather(self, link, wanted).await?;
        if returns_made {
            answer = AwaitedAnswer::default();
        }
        link.run(AS_OWNER).await?;
        let target = returns_made.then(|| ResultTarget {
            formats: wanted.formats.clone(),
            describes: wanted.describes,
        });
        let replayed = self.replay(link, plan, question.bindings, target).await?;
        let counts_rows = matches!(plan.parts.as_slice(), [(change, _)] if change.is_outermost);
        Ok(Changed {
            answer,
            tag,
            replayed,
            counts_rows,
        })
    }

    /// Answers a statement whose changes wait: as any statement whose rows are gathered. Rows that
    /// are kept for later fetches come back with the tag.
    ///
    /// # Errors
    /// Those of CDF, where the answer cannot wait.
    pub(super) async fn changes_are_gathered(
        &mut self,
        cold: &ColdStatement,
        changed: Changed,
        wanted: Wanted<'_>,
        started: Instant,
    ) -> Result<Option<Kept>, Failure> {
        let kind = kind_of_cold(cold.kind);
        let Changed {
            answer,
            tag,
            replayed,
            counts_rows,
        } = changed;
        let keeps = wanted.keeps && answer.has_rows();
        let Some(batch) = replayed.batch else {
            // Nothing is to be sent.
            let outcome = StatementOutcome::Succeeded;
            self.gateway
                .statements
                .ended(kind, outcome, started.elapsed());
            if keeps {
                return Ok(Some((answer.into_rows(), tag)));
            }
            answer.put(&mut self.replies, &[]);
            put_complete(&mut self.replies, tag);
            return Ok(None);
        };
        if keeps {
            self.open_batch = Some(batch);
            match self.transaction.stages() {
                true => self.hold().await?,
                // Rows leave before the end of the pipeline: they must be true by then.
                false => self.settle().await?,
            }
            let outcome = StatementOutcome::Succeeded;
            self.gateway
                .statements
                .ended(kind, outcome, started.elapsed());
            return Ok(Some((answer.into_rows(), tag)));
        }
        let (word, count) = words_of(&tag);
        let completion = Completion {
            tag: word,
            rows: count.unwrap_or(0),
            counted: match (count, counts_rows) {
                (None, _) => Counted::Nothing,
                (Some(_), true) => Counted::Rows,
                (Some(_), false) => Counted::AsSaid,
            },
            returned: replayed.returned,
            relayed: (!answer.is_empty()).then(|| Box::new(answer)),
            parts: replayed.parts,
        };
        self.rows_are_gathered(batch, kind, started, completion)
            .await?;
        Ok(None)
    }
}

/// The words of a tag, and its count.
fn words_of(tag: &str) -> (&'static str, Option<u64>) {
    let (words, count) = match tag.rsplit_once(' ') {
        Some((words, count)) => match count.parse() {
            Ok(count) => (words, Some(count)),
            Err(_) => (tag, None),
        },
        None => (tag, None),
    };
    let known = [
        "INSERT 0", "UPDATE", "DELETE", "MERGE", "SELECT", "COPY", "EXPLAIN",
    ];
    let word = known.into_iter().find(|known| *known == words);
    (word.unwrap_or("SELECT"), count)
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

/// 0A000: what CDF makes is not kept for later fetches.
fn in_parts() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            "columns that CDF fills cannot be fetched in parts",
        )
        .with_hint("Execute without a limit on rows."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_words_and_a_count() {
        assert_eq!(words_of("INSERT 0 12"), ("INSERT 0", Some(12)));
        assert_eq!(words_of("MERGE 3"), ("MERGE", Some(3)));
        assert_eq!(words_of("EXPLAIN"), ("EXPLAIN", None));
    }
}
