//! Statements that an engine runs: questions about the catalog, what reads, and what works on
//! temporary tables and cursors.
//!
//! 1. `parsed` has a Query of several statements parsed before any of them runs.
//! 2. `mod` decides between an engine that is `lent` for one statement and the one that the session
//!    has for itself, which is `owned`; `owning` is how it comes by it and loses it.
//! 3. `load` reads the rows that the statement needs from CDF into the engine's empty tables, of
//!    some only those of which `join_keys` says that they have a partner; and `state` those of the
//!    gateway's own state.
//! 4. `run` runs it; `copy_in` hands the rows of a COPY over, `portal` has rows wait in the engine.
//! 5. `mirror` has the client's transaction in an owned engine, `settings` those of the session.
//!
//! Owns the way of such a statement through an engine and of its rows to the client. Promises
//! that it meets PostgreSQL unchanged, under the session's settings and as the session's user, and
//! that nothing of it stays behind but what belongs to the session. Never writes to CDF by
//! itself, and never answers from a table whose rows were not read for this statement.

mod catalog_answers;
mod copy_in;
mod explained;
mod join_keys;
mod lent;
mod load;
mod mirror;
mod owned;
mod owning;
mod parsed;
mod portal;
mod run;
mod settings;
mod state;

pub(super) use owned::OwnedEngine;
pub(super) use portal::{GonePortals, OpenPortal};

use super::relay::Relay;
use super::result::ResultFormats;
use super::session::{Failure, Session};
use super::simple_query::QueryProgress;
use super::unknown_relation;
use crate::catalog::Table;
use crate::config::EngineKind;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{Description, Dressing, EngineFault, Question, identifier};
use crate::sql::{
    Bindings, ColdStatement, CopyStatement, Explanation, Manner, Planned, Statement,
    conditional_copy, mentions, on_temporary,
};
use run::Run;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// Words without which a query changes nothing.
const CHANGES: [&str; 4] = ["insert", "update", "delete", "merge"];

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

impl Session {
    /// Whether statements that are not the gateway's own can be run.
    pub(super) fn has_engines(&self) -> bool {
        self.gateway.engines.are_on()
    }

    /// What a statement is where temporary tables of the session may hide the gateway's; `None`: what
    /// it is without them.
    pub(super) fn on_temporary(&self, text: &str) -> Option<Statement> {
        let owned = self.owned.as_ref()?;
        on_temporary(text, |name| owned.has_relation(name))
    }

    /// What a statement takes and gives, for Parse.
    ///
    /// # Errors
    /// PostgreSQL's own; 0A000 for statements that would change something that stays.
    pub(super) async fn describe_cold(
        &mut self,
        cold: &ColdStatement,
        declared: &[u32],
    ) -> Result<Description, Failure> {
        cold.manner(self.owned.is_some())?;
        let gives_nothing = cold.copies_in()
            || self.conditional_copy(cold).is_some()
            || match (cold.planned()?, cold.kind) {
                (_, "INSERT" | "FETCH" | "EXPLAIN" | "CALL") | (Planned::Text(_), _) => false,
                (Planned::NoRows | Planned::Nothing, _) => true,
            };
        if gives_nothing {
            return Ok(Description {
                parameter_types: declared.to_vec(),
                columns: None,
            });
        }
        let key = self.description_key(cold, declared);
        if let Some(description) = self.kept_description(key.as_ref()) {
            return Ok(Description::clone(&description));
        }
        // A cancel that came before was for an earlier statement.
        self.begin_statement();
        let text = cold.text.clone();
        let declared = declared.to_vec();
        if self.owned.is_some() {
            return self.describe_in_owned(&text, &declared).await;
        }
        let description = self.describe_in_lent(&text, &declared).await?;
        if let Some(key) = key {
            let answers = self.gateway.engines.answers();
            answers.keep_description(key, Arc::new(description.clone()));
        }
        Ok(description)
    }

    /// Runs a statement and hands its rows over.
    ///
    /// # Errors
    /// PostgreSQL's own, those of CDF's reads, 57014 when it is broken off, 0A000 for statements
    /// that would change something that stays; FATAL when the session's engine had to be ended.
    pub(super) async fn run_cold(
        &mut self,
        cold: &ColdStatement,
        bindings: &Bindings,
        wanted: Wanted<'_>,
    ) -> Result<Option<Kept>, Failure> {
        let started = Instant::now();
        if let Some(copy) = self.conditional_copy(cold) {
            return self.copy_where(cold, &copy, wanted, started).await;
        }
        let manner = cold.manner(self.owned.is_some())?;
        if self.gateway.engines.settings().kind == EngineKind::Embedded {
            cold.check_handlers()?;
        }
        if cold.needs_block() && !self.is_in_transaction() {
            return Err(Box::new(Diagnostic::error(
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "DECLARE CURSOR can only be used in transaction blocks",
            ))
            .into());
        }
        let question = Question {
            text: &cold.text,
            bindings,
            result_formats: wanted.formats.codes(),
        };
        let key = self.question_key(cold, &question, &wanted);
        if let Some(answer) = self.kept_answer(key.as_ref()) {
            return Ok(Relay::new(self, wanted).replay(answer.frames())?);
        }
        // A read sees what was written before it.
        self.settle().await?;
        if let Some(explanation) = Explanation::of(cold)
            && self.explains(&explanation, &cold.text, manner)
        {
            return self
                .explain_cold(&explanation, &question, manner, wanted)
                .await;
        }
        if let Some(name) = cold.cursor() {
            self.open_portal_by_name(name.as_bytes()).await?;
        }
        if cold.copies_in() {
            self.copy_into_engine(cold).await?;
            return Ok(None);
        }
        let run = Run {
            question,
            planned: cold.planned()?,
            manner,
            wanted,
            part: None,
        };
        let ran = if manner.makes || self.owned.is_some() {
            self.run_owned(&run).await
        } else {
            self.run_lent(&run, key).await
        };
        // Whatever it was that ended a change before its last row.
        self.copy_waits = false;
        // The engine is free for others meanwhile.
        self.send_spooled().await?;
        let relayed = ran?;
        match relayed.changed {
            None => Ok(relayed.kept),
            Some(changed) => {
                self.changes_are_gathered(cold, *changed, wanted, started)
                    .await
            }
        }
    }

    /// Whether an EXPLAIN is the gateway's to complete. One that changes something is run as what it
    /// runs, and PostgreSQL's answer is all there is.
    fn explains(&self, explanation: &Explanation, text: &str, manner: Manner) -> bool {
        if !explanation.runs {
            return true;
        }
        let is_harmless = self.owned.is_none() || manner.is_read_only && !manner.makes;
        is_harmless && !mentions(text, &CHANGES)
    }

    /// The COPY with a condition into a table of the gateway's that a statement is.
    fn conditional_copy(&self, cold: &ColdStatement) -> Option<CopyStatement> {
        match cold.kind {
            "COPY" if !cold.is_on_temporary => conditional_copy(&cold.text, &self.namespace),
            _ => None,
        }
    }

    /// Whether what a statement makes lives longer than the statement: in a block, and between the
    /// statements of one Query.
    fn is_in_transaction(&self) -> bool {
        self.transaction.is_open()
            || self.query_progress == QueryProgress::MoreFollow
            || self
                .owned
                .as_ref()
                .is_some_and(|owned| owned.is_in_transaction())
    }

    /// A fault as the client is told it.
    fn told(&self, fault: EngineFault) -> Box<Diagnostic> {
        unknown_relation::with_hint(fault.into_diagnostic(), &self.namespace)
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
}

/// The engine refuses a statement with the gateway's words.
fn refused(diagnostic: Diagnostic) -> EngineFault {
    EngineFault::Refused(Box::new(diagnostic))
}

fn name_of(table: &Table) -> String {
    format!("{}.{}", identifier(table.schema), identifier(table.name))
}
