//! Statements that an engine runs: questions about the catalog, and what reads.
//!
//! Owns the way of such a statement through an engine and of its rows to the client. Promises
//! that it meets PostgreSQL unchanged, under the session's settings and as the session's user, and
//! that nothing of it stays behind. Never writes to CDF by itself, and never answers from a table
//! whose rows were not read for this statement.

use super::changes::{ChangePlan, Changed};
use super::relay::Relay;
use super::result::ResultFormats;
use super::session::{Failure, Session};
use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{
    self, Description, Dressing, EngineFault, EngineLink, Question, Relation, identifier, literal,
};
use crate::pipeline::Ticket;
use crate::scan::conditions::{BoundStatement, Needed, Parameter};
use crate::scan::{Scan, Scanner};
use crate::sql::{Bindings, ColdStatement, Planned, conditional_copy};
use std::rc::Rc;
use std::time::Instant;

/// Settings of the session that change what a statement means or how its values look.
const SETTINGS: [&str; 8] = [
    "search_path",
    "TimeZone",
    "DateStyle",
    "IntervalStyle",
    "extra_float_digits",
    "bytea_output",
    "standard_conforming_strings",
    "client_min_messages",
];

/// What a client gets of the rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) formats: &'a ResultFormats,
    /// Whether a RowDescription comes first.
    pub(super) describes: bool,
    /// Rows are kept for later fetches instead of being sent.
    pub(super) keeps: bool,
}

/// Rows that were kept, as DataRow messages, and the tag of the statement.
pub(super) type Kept = (std::collections::VecDeque<bytes::Bytes>, String);

/// What became of a statement in an engine.
enum Ran {
    /// It is answered, but for what is kept.
    Answered(Option<Kept>),
    /// It has changed rows, which wait now; so does its answer.
    Changed(Box<Changed>),
}

/// What a statement may do, once the rows are there that it reads.
#[derive(Default)]
struct Allowed {
    /// Tables, by their full names.
    readable: Vec<String>,
    changes: Option<ChangePlan>,
}

impl Session {
    /// Whether statements that are not the gateway's own can be run.
    pub(super) fn has_engines(&self) -> bool {
        self.gateway.engines.are_on()
    }

    /// What a statement takes and gives, for Parse.
    ///
    /// # Errors
    /// PostgreSQL's own; 0A000 for statements that would change something.
    pub(super) async fn describe_cold(
        &mut self,
        cold: &ColdStatement,
        declared: &[u32],
    ) -> Result<Description, Failure> {
        if conditional_copy(&cold.text, &self.namespace).is_none() {
            cold.planned()?;
        }
        let text = cold.text.clone();
        let declared = declared.to_vec();
        self.with_engine(async move |session, link| {
            session.enter(link, &[]).await?;
            engine::describe(link, &text, &declared).await
        })
        .await
    }

    /// Runs a statement and hands its rows over.
    ///
    /// # Errors
    /// PostgreSQL's own, those of CDF's reads, 57014 when it is broken off, 0A000 for statements
    /// that would change something.
    pub(super) async fn run_cold(
        &mut self,
        cold: &ColdStatement,
        bindings: &Bindings,
        wanted: Wanted<'_>,
    ) -> Result<Option<Kept>, Failure> {
        let started = Instant::now();
        if let Some(copy) = conditional_copy(&cold.text, &self.namespace) {
            return self.copy_where(cold, &copy, wanted, started).await;
        }
        let planned = cold.planned()?;
        // A read sees what was written before it.
        self.settle().await?;
        let question = Question {
            text: &cold.text,
            bindings,
            result_formats: wanted.formats.codes(),
        };
        let ran = self
            .with_engine(async move |session, link| {
                link.run("BEGIN").await?;
                session.apply_settings(link).await?;
                let allowed = match &planned {
                    Planned::Text(planned) => session.load(link, &question, planned).await?,
                    // It reads no rows: it may name every table.
                    Planned::NoRows => Allowed {
                        readable: session.every_table(),
                        changes: None,
                    },
                };
                let readable = &allowed.readable;
                if let Some(changes) = &allowed.changes {
                    let changed =
                        session.change_by_plan(link, &question, changes, readable, wanted);
                    return Ok(Ran::Changed(Box::new(changed.await?)));
                }
                session.become_user(link, readable).await?;
                question.ask(link, wanted.describes)?;
                link.send().await?;
                let kept = Relay::new(session, wanted).until_ready(link).await?;
                Ok(Ran::Answered(kept))
            })
            .await;
        // Whatever it was that ended a change before its last row.
        self.copy_waits = false;
        match ran? {
            Ran::Answered(kept) => Ok(kept),
            Ran::Changed(changed) => {
                self.changes_are_gathered(cold, *changed, wanted, started)
                    .await
            }
        }
    }

    /// Has an engine for the time of `work`, and gives it back as it was.
    pub(super) async fn with_engine<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Session, &mut EngineLink) -> Result<T, EngineFault>,
    ) -> Result<T, Failure> {
        let signals = self.signals.clone();
        let engines = self.gateway.engines.clone();
        let dressing = self.dressing();
        let working = async {
            let mut lease = engines.lease(&dressing).await?;
            let outgrown = lease.outgrown();
            let link = lease.link()?;
            let result = tokio::select! {
                result = work(self, link) => result,
                fault = outgrown => Err(fault),
            };
            let is_good = result
                .as_ref()
                .map_or_else(EngineFault::leaves_the_engine_good, |_| true);
            if is_good {
                lease.give_back().await;
            }
            result
        };
        // What is dropped in the middle of something ends its engine.
        tokio::select! {
            biased;
            () = signals.interrupted() => Err(signals.interruption().into()),
            result = working => result.map_err(|fault| fault.into_diagnostic().into()),
        }
    }

    /// The look of the user's database, made once a session.
    fn dressing(&mut self) -> Rc<Dressing> {
        let dressing = self.dressing.get_or_insert_with(|| {
            Rc::new(Dressing::of(
                &self.user.name,
                &self.database,
                &self.namespace,
            ))
        });
        dressing.clone()
    }

    fn every_table(&mut self) -> Vec<String> {
        let dressing = self.dressing();
        dressing
            .tables()
            .iter()
            .map(|table| name_of(table))
            .collect()
    }

    /// Begins a transaction of the engine's, as the session's user.
    async fn enter(
        &mut self,
        link: &mut EngineLink,
        readable: &[String],
    ) -> Result<(), EngineFault> {
        link.run("BEGIN").await?;
        self.apply_settings(link).await?;
        self.become_user(link, readable).await
    }

    pub(super) async fn apply_settings(&self, link: &mut EngineLink) -> Result<(), EngineFault> {
        let calls: Vec<String> = SETTINGS
            .iter()
            .filter_map(|name| {
                let value = self.settings.get(name).ok()?;
                Some(format!("set_config('{name}', {}, true)", literal(value)))
            })
            .collect();
        link.run(&format!("SELECT {}", calls.join(", "))).await?;
        Ok(())
    }

    /// From here on the session's user asks, who may read `readable` and nothing else.
    async fn become_user(
        &self,
        link: &mut EngineLink,
        readable: &[String],
    ) -> Result<(), EngineFault> {
        let user = identifier(&self.user.name);
        let mut sql = String::new();
        if !readable.is_empty() {
            sql = format!("GRANT SELECT ON {} TO {user};", readable.join(", "));
        }
        // What a statement would change is gone with its engine's transaction: better no than a lie.
        sql.push_str(&format!(
            "SET TRANSACTION READ ONLY; SET LOCAL SESSION AUTHORIZATION {user}"
        ));
        link.run(&sql).await?;
        Ok(())
    }

    /// Reads the rows that a statement needs into the engine's empty tables. Returns what it may do
    /// now.
    async fn load(
        &mut self,
        link: &mut EngineLink,
        question: &Question<'_>,
        planned: &str,
    ) -> Result<Allowed, EngineFault> {
        self.prepare_conflicts(link, planned).await?;
        let relations = question.relations(link, planned).await?;
        let dressing = self.dressing();
        let found = |relation: &Relation| dressing.table(&relation.schema, &relation.name);
        let changes = ChangePlan::of(self, &relations.changes, planned, |schema, name| {
            dressing.table(schema, name)
        })
        .map_err(EngineFault::Refused)?;
        let mut whole: Vec<&'static Table> = Vec::new();
        if let Some(changes) = &changes {
            self.check_writable(changes.word())
                .map_err(EngineFault::Refused)?;
            whole.extend(changes.whole_tables());
        }
        let tables: Vec<(&Relation, &'static Table)> = relations
            .read
            .iter()
            .filter_map(|relation| Some((relation, found(relation)?)))
            .collect();
        if tables.is_empty() && whole.is_empty() {
            return Ok(Allowed {
                changes,
                ..Allowed::default()
            });
        }
        let parameters = self.parameters(link, question).await?;
        let mut readable = Vec::new();
        for (relation, table) in tables {
            self.check_unstaged(table)?;
            self.await_journaled(table).await?;
            let settings = self.value_settings();
            let statement = BoundStatement {
                sql: planned,
                parameters: &parameters,
                settings: &settings,
            };
            let needed = match relation.nodes {
                1 if !is_among(&whole, table) => {
                    statement.needs(table, &relation.schema, &relation.name)
                }
                // What one part of the statement has no use for another may need.
                _ => Needed::default(),
            };
            self.fill(link, table, needed).await?;
            readable.push(name_of(table));
        }
        for table in whole {
            if !readable.contains(&name_of(table)) {
                self.check_unstaged(table)?;
                self.await_journaled(table).await?;
                self.fill(link, table, Needed::default()).await?;
                readable.push(name_of(table));
            }
        }
        Ok(Allowed { readable, changes })
    }

    /// The statement's parameters, as PostgreSQL reads them.
    async fn parameters(
        &self,
        link: &mut EngineLink,
        question: &Question<'_>,
    ) -> Result<Vec<Parameter>, EngineFault> {
        let texts = question.parameter_texts(link).await?;
        let types = question.bindings.types().iter();
        Ok(types
            .zip(texts)
            .map(|(type_oid, text)| Parameter {
                type_oid: *type_oid,
                text,
            })
            .collect())
    }

    /// Reads rows of a table from CDF into the engine's.
    async fn fill(
        &mut self,
        link: &mut EngineLink,
        table: &'static Table,
        needed: Needed,
    ) -> Result<(), EngineFault> {
        let scan = Scan {
            conditions: needed.conditions,
            limit: needed.limit,
            ..Scan::of(table, self.gateway.engines.settings().scan_rows_max)
        };
        let mut rows = self.scanner()?.begin(self.delivery.identity.clone(), &scan);
        let name = name_of(table);
        // A file of its own, which goes with the transaction.
        link.run(&format!("TRUNCATE {name}")).await?;
        link.begin_copy(&format!("COPY {name} FROM STDIN")).await?;
        loop {
            match rows.next_chunk().await {
                Ok(Some(chunk)) => link.copy_chunk(chunk).await?,
                Ok(None) => return link.end_copy().await,
                Err(fault) => {
                    link.fail_copy().await?;
                    return Err(EngineFault::Refused(fault.into_diagnostic()));
                }
            }
        }
    }

    /// What reads rows of CDF, made once a session.
    fn scanner(&mut self) -> Result<Scanner, EngineFault> {
        if let Some(scanner) = &self.scanner {
            return Ok(scanner.clone());
        }
        let Some(door) = &self.gateway.settings.scans else {
            return Err(refused(Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                "rows of CDF cannot be read here",
            )));
        };
        let scanner = door.scanner().map_err(EngineFault::Refused)?;
        self.scanner = Some(scanner.clone());
        Ok(scanner)
    }

    /// Rows that this transaction has staged are not in CDF: a read would miss them.
    fn check_unstaged(&self, table: &'static Table) -> Result<(), EngineFault> {
        if !self.transaction.stages_rows_of(table.resource) {
            return Ok(());
        }
        Err(refused(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "reading \"{}\" after rows of it were written in the same transaction is not \
                     supported",
                    table.name
                ),
            )
            .with_table(table.name)
            .with_hint("COMMIT first, or SET penstock.transaction = 'streaming'."),
        ))
    }
}

fn refused(diagnostic: Diagnostic) -> EngineFault {
    EngineFault::Refused(Box::new(diagnostic))
}

impl Session {
    /// Waits until rows of a resource that were journaled before are delivered: a read sees what
    /// was acknowledged.
    async fn await_journaled(&self, table: &'static Table) -> Result<(), EngineFault> {
        let Some(journal) = self.delivery.destination.journal() else {
            return Ok(());
        };
        let ticket = Ticket::new();
        // No rows: only what is before them counts.
        let part = ticket.part(0, 1);
        journal.hold(&self.delivery.identity, table.resource, &part);
        drop(part);
        if ticket.settled().await.first_error.is_none() {
            return Ok(());
        }
        Err(refused(
            Diagnostic::error(
                SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!(
                    "rows of \"{}\" that were acknowledged are not in CDF yet",
                    table.name
                ),
            )
            .with_table(table.name)
            .with_hint("Try again when CDF takes them: the journal keeps them until then."),
        ))
    }
}

fn is_among(tables: &[&'static Table], table: &Table) -> bool {
    tables.iter().any(|other| std::ptr::eq(*other, table))
}

fn name_of(table: &Table) -> String {
    format!("{}.{}", identifier(table.schema), identifier(table.name))
}
