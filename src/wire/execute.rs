//! Running one statement, whichever protocol it came by.
//!
//! Owns the way from a classified statement to its replies. Promises exactly one completion a
//! statement: a CommandComplete, an EmptyQueryResponse, or an error by the caller. Never
//! describes results: that differs between the protocols.

use super::cold::Wanted;
use super::completion::Completion;
use super::message::unfit;
use super::open_batch::OpenBatch;
use super::reply::{put, put_complete, put_diagnostic};
use super::returned::ResultTarget;
use super::session::{Failure, Session};
use super::withheld::Withheld;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::{
    Answer, Bindings, ChangeKind, DiscardTarget, Query, QueryContext, Said, SessionCommand,
    Statement, TransactionModes,
};
use crate::telemetry::{StatementKind, StatementOutcome};
use pgwire::messages::response::EmptyQueryResponse;
use std::time::Instant;

/// What a statement counts as.
pub(super) fn kind_of(statement: &Statement) -> StatementKind {
    match statement {
        Statement::Copy(_) => StatementKind::Copy,
        Statement::Insert(_) => StatementKind::Insert,
        Statement::Change(change) => of_change(change.kind()),
        Statement::Ranged(change) => of_change(change.kind()),
        Statement::Transaction(_) => StatementKind::Transaction,
        Statement::Session(_) | Statement::Query(_) => StatementKind::Session,
        Statement::Cold(cold) => kind_of_cold(cold.kind),
        Statement::Empty => StatementKind::Other,
    }
}

/// What a statement counts as that an engine runs. A MERGE is called by what it does most.
pub(super) fn kind_of_cold(kind: &str) -> StatementKind {
    match kind {
        "INSERT" => StatementKind::Insert,
        "UPDATE" | "MERGE" => StatementKind::Update,
        "DELETE" => StatementKind::Delete,
        _ => StatementKind::Other,
    }
}

fn of_change(kind: ChangeKind) -> StatementKind {
    match kind {
        ChangeKind::Update => StatementKind::Update,
        ChangeKind::Delete | ChangeKind::Truncate => StatementKind::Delete,
    }
}

impl Session {
    /// Runs a statement that is no query and answers it. `received_bytes`: what the client sent
    /// for it; `target`: where rows go that it returns.
    ///
    /// # Errors
    /// The statement's; it is not answered then.
    pub(super) async fn run_command(
        &mut self,
        statement: &Statement,
        bindings: &Bindings,
        received_bytes: u64,
        target: ResultTarget,
    ) -> Result<(), Failure> {
        match statement {
            Statement::Empty => {
                put(&mut self.replies, &EmptyQueryResponse::new());
                Ok(())
            }
            Statement::Insert(insert) => {
                self.insert(insert, bindings, received_bytes, target).await
            }
            Statement::Change(change) => {
                self.change(change, bindings, received_bytes, target).await
            }
            Statement::Ranged(change) => {
                self.change_ranged(change, bindings, received_bytes, target)
                    .await
            }
            Statement::Copy(copy) => self.copy_in(copy).await,
            Statement::Transaction(command) => self.control(command).await,
            Statement::Session(command) => self.command(command).await,
            Statement::Cold(cold) if self.has_engines() => {
                let wanted = Wanted {
                    formats: &target.formats,
                    describes: target.describes,
                    keeps: false,
                };
                // Boxed, here and wherever an engine comes in: a connection that never needs one
                // has no room for it.
                Box::pin(self.run_cold(cold, bindings, wanted))
                    .await
                    .map(drop)
            }
            Statement::Cold(cold) => Err(cold.refusal().into()),
            Statement::Query(_) => Err(unfit("a query is no command".to_owned()).into()),
        }
    }

    /// Counts a statement that has ended, unless its reply still waits for verdicts.
    pub(super) fn count_ended(
        &self,
        kind: StatementKind,
        started: Instant,
        result: &Result<(), Failure>,
    ) {
        let outcome = match result {
            Ok(())
                if matches!(
                    kind,
                    StatementKind::Insert
                        | StatementKind::Update
                        | StatementKind::Delete
                        | StatementKind::Copy
                ) =>
            {
                return;
            }
            Ok(()) => StatementOutcome::Succeeded,
            Err(Failure::Statement(diagnostic))
                if diagnostic.sqlstate == SqlState::QUERY_CANCELED =>
            {
                StatementOutcome::Cancelled
            }
            Err(Failure::Statement(_)) => StatementOutcome::Failed,
            Err(Failure::Connection(_)) => StatementOutcome::Cancelled,
        };
        self.gateway
            .statements
            .ended(kind, outcome, started.elapsed());
    }

    /// Answers a statement whose rows are gathered: at once in a block, where they count as
    /// staged, and provisionally outside, until their verdicts are there.
    ///
    /// # Errors
    /// 53400 when the block holds too much, and those of the disk that it is kept on.
    pub(super) async fn rows_are_gathered(
        &mut self,
        batch: OpenBatch,
        kind: StatementKind,
        started: Instant,
        completion: Completion,
    ) -> Result<(), Box<Diagnostic>> {
        let tag = completion.said_at_once();
        let statement = batch.statement;
        self.open_batch = Some(batch);
        if self.transaction.stages() {
            self.hold().await?;
            let duration = started.elapsed();
            let outcome = StatementOutcome::Succeeded;
            self.gateway.statements.ended(kind, outcome, duration);
            if let Some(returned) = completion.returned {
                returned.put(&mut self.replies, self.encoding, &[], |_| None)?;
            }
            if let Some(relayed) = completion.relayed {
                relayed.put(&mut self.replies, &[]);
            }
        } else {
            self.withheld.push(Withheld {
                statement,
                offset: Some(self.replies.len()),
                kind,
                started,
                completion,
            });
        }
        put_complete(&mut self.replies, tag);
        Ok(())
    }

    /// Runs a command about the session.
    async fn command(&mut self, command: &SessionCommand) -> Result<(), Failure> {
        let in_block = self.transaction.is_open();
        if !in_block && !self.settings_may_roll_back {
            // A pipeline that fails takes its SETs back.
            self.settings.begin(&TransactionModes::default());
            self.settings_may_roll_back = true;
        }
        for warning in self.settings.apply(command, in_block)? {
            put_diagnostic(&mut self.replies, self.encoding, &warning);
        }
        self.announce_command(command)?;
        let is_answered = Box::pin(self.command_in_engine(command)).await?;
        if !is_answered || !command.names_one() {
            self.forget(command)?;
        }
        self.settings_changed();
        if !is_answered {
            put_complete(&mut self.replies, command.tag());
        }
        Ok(())
    }

    /// Drops the prepared statements and portals that a command names.
    fn forget(&mut self, command: &SessionCommand) -> Result<(), Box<Diagnostic>> {
        match command {
            SessionCommand::Discard(DiscardTarget::All) => {
                self.statements.clear();
                self.portals.clear();
                Ok(())
            }
            SessionCommand::Deallocate(None) => {
                self.statements.clear();
                Ok(())
            }
            SessionCommand::Deallocate(Some(name)) => {
                let forgotten = self.statements.remove(name.as_bytes()).is_some();
                let sqlstate = SqlState::INVALID_SQL_STATEMENT_NAME;
                existed(forgotten, sqlstate, "prepared statement", name)
            }
            SessionCommand::CloseCursor(Some(name)) => {
                let forgotten = self.portals.remove(name.as_bytes()).is_some();
                existed(forgotten, SqlState::INVALID_CURSOR_NAME, "cursor", name)
            }
            _ => Ok(()),
        }
    }

    /// The answer of a query, if the session has it; `None`: it takes an engine.
    ///
    /// # Errors
    /// The query's own.
    pub(super) fn own_answer(
        &mut self,
        query: &Query,
        bindings: &Bindings,
    ) -> Result<Option<Answer>, Box<Diagnostic>> {
        if self.is_for_engine(query) {
            return Ok(None);
        }
        match self.answer(query, bindings) {
            Ok((answer, said)) => {
                for (channel, payload) in said {
                    self.say(&channel, &payload)?;
                }
                Ok(Some(answer))
            }
            // What the gateway forbids an engine knows nothing of.
            Err(error) if error.sqlstate == SqlState::INSUFFICIENT_PRIVILEGE => Err(error),
            // What the session cannot work out, or takes for wrong, is PostgreSQL's to judge.
            Err(_) if self.has_engines() && !query.is_show() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The answer, and what the query says in which channels.
    fn answer(
        &mut self,
        query: &Query,
        bindings: &Bindings,
    ) -> Result<(Answer, Said), Box<Diagnostic>> {
        let mut said = Vec::new();
        let transaction_started = self.transaction_started();
        let mut context = QueryContext {
            settings: &mut self.settings,
            namespace: &self.namespace,
            user: &self.user.name,
            database: &self.database,
            backend_pid: self.process_id,
            ports: (self.transport.local_port(), Some(self.peer.port())),
            sessions: self.gateway.registry.as_ref(),
            transaction_started,
            in_transaction: self.transaction.is_open(),
            said: &mut said,
        };
        let answer = query.answer(&mut context, bindings)?;
        // set_config is a query.
        self.settings_changed();
        Ok((answer, said))
    }
}

/// The command tag of an answer of which `rows` rows were sent.
pub(super) fn tag_of(answer_tag: &str, rows: usize) -> String {
    if answer_tag == "SHOW" {
        answer_tag.to_owned()
    } else {
        format!("{answer_tag} {rows}")
    }
}

fn existed(
    existed: bool,
    sqlstate: SqlState,
    what: &str,
    name: &str,
) -> Result<(), Box<Diagnostic>> {
    if existed {
        return Ok(());
    }
    Err(Box::new(Diagnostic::error(
        sqlstate,
        format!("{what} \"{name}\" does not exist"),
    )))
}
