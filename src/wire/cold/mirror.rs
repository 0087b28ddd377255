//! The client's transaction in the session's engine.
//!
//! Owns what BEGIN, COMMIT, ROLLBACK and savepoints mean there. Promises that temporary tables go
//! back with the transaction of which they are part, that the engine's transaction is begun when a
//! statement first needs it, savepoints included, and that an engine in which nothing is left is let
//! go of. Never touches rows that are on their way to CDF.

use super::Wanted;
use super::owned::OwnedEngine;
use super::owning::Work;
use crate::engine::{EngineFault, identifier};
use crate::sql::{Bindings, ColdStatement, DiscardTarget, SessionCommand, SetScope};
use crate::wire::result::ResultFormats;
use crate::wire::session::{Failure, Session};
use crate::wire::transaction::Transaction;
use postgres_protocol::message::frontend;

impl Session {
    /// Whether a transaction of the session's engine is open.
    fn has_engine_transaction(&self) -> bool {
        self.owned
            .as_ref()
            .is_some_and(|owned| owned.is_in_transaction())
    }

    /// The implicit transaction of statements outside of a block is over, if there is no block.
    ///
    /// # Errors
    /// Those of what PostgreSQL puts off to the end; what the transaction did is rolled back then.
    pub(in crate::wire) async fn end_implicit_in_engine(
        &mut self,
        commits: bool,
    ) -> Result<(), Failure> {
        if self.owned.is_none() || !matches!(self.transaction, Transaction::Idle) {
            return Ok(());
        }
        Box::pin(self.end_in_engine(commits)).await
    }

    /// Ends the engine's transaction as the client's has ended.
    ///
    /// # Errors
    /// As [`Self::end_implicit_in_engine`].
    pub(in crate::wire) async fn end_in_engine(&mut self, commits: bool) -> Result<(), Failure> {
        if self.has_engine_transaction() {
            let whose = match &self.owned {
                // Their rows are worked out now, which may take long.
                Some(owned) if commits && owned.has.have_held_cursors() => Work::OfClient,
                _ => Work::OfGateway,
            };
            self.with_owned(whose, async move |session, engine| {
                session.end_transaction_of(engine, commits).await
            })
            .await?;
        }
        self.let_go_of_engine().await;
        Ok(())
    }

    async fn end_transaction_of(
        &mut self,
        engine: &mut OwnedEngine,
        commits: bool,
    ) -> Result<(), EngineFault> {
        let ended = engine.end(commits).await;
        match &ended {
            Ok(false) => {}
            Ok(true) => {
                let shown = self.look_at_possessions(engine).await?;
                self.take_settings(engine, shown, SetScope::Session);
            }
            // All is as it was before, and what that is PostgreSQL knows.
            Err(EngineFault::Refused(_)) => {
                engine.applied = None;
                self.look_at_possessions(engine).await?;
            }
            Err(_) => {}
        }
        ended.map(drop)
    }

    /// Checks now what PostgreSQL puts off to COMMIT, so that nothing is sent to CDF if it fails.
    ///
    /// # Errors
    /// Those of the constraints.
    pub(in crate::wire) async fn check_constraints_in_engine(&mut self) -> Result<(), Failure> {
        if !self.has_engine_transaction() {
            return Ok(());
        }
        self.with_owned(Work::OfClient, async |_, engine| {
            engine.begin_statement().await?;
            engine.link()?.run("SET CONSTRAINTS ALL IMMEDIATE").await?;
            engine.keep_statement("").await
        })
        .await
    }

    /// A savepoint is made.
    pub(in crate::wire) async fn savepoint_in_engine(&mut self, name: &str) -> Result<(), Failure> {
        self.mirror(format!("SAVEPOINT {}", identifier(name))).await
    }

    /// A savepoint is forgotten.
    pub(in crate::wire) async fn release_in_engine(&mut self, name: &str) -> Result<(), Failure> {
        self.mirror(format!("RELEASE SAVEPOINT {}", identifier(name)))
            .await
    }

    /// The client goes back to a savepoint.
    pub(in crate::wire) async fn roll_back_in_engine(&mut self, name: &str) -> Result<(), Failure> {
        if !self.has_engine_transaction() {
            return Ok(());
        }
        let sql = format!("ROLLBACK TO SAVEPOINT {}", identifier(name));
        self.with_owned(Work::OfGateway, async move |session, engine| {
            engine.link()?.run(&sql).await?;
            engine.applied = None;
            session.look_at_possessions(engine).await.map(drop)
        })
        .await
    }

    async fn mirror(&mut self, sql: String) -> Result<(), Failure> {
        if !self.has_engine_transaction() {
            return Ok(());
        }
        self.with_owned(Work::OfGateway, async move |_, engine| {
            engine.link()?.run(&sql).await.map(drop)
        })
        .await
    }

    /// Describes a cursor of the session, as if it were a portal. Returns whether there is one.
    ///
    /// # Errors
    /// As [`Session::run_cold`].
    pub(in crate::wire) async fn describe_cursor(&mut self, name: &[u8]) -> Result<bool, Failure> {
        let Ok(name) = std::str::from_utf8(name) else {
            return Ok(false);
        };
        if !self
            .owned
            .as_ref()
            .is_some_and(|owned| owned.has.has_cursor(name))
        {
            return Ok(false);
        }
        let name = name.to_owned();
        self.with_owned(Work::OfGateway, async move |session, engine| {
            let link = engine.link()?;
            frontend::describe(b'P', &name, link.output())?;
            frontend::sync(link.output());
            link.send().await?;
            let replies = &mut session.replies;
            link.until_ready(|frame| {
                if matches!(frame.kind, b'T' | b'n') {
                    replies.extend_from_slice(&frame.bytes);
                }
                Ok(())
            })
            .await
        })
        .await?;
        Ok(true)
    }

    /// Runs a command about the session in its engine, if it is about what the session has there.
    /// Returns whether the command is answered.
    ///
    /// # Errors
    /// As [`Session::run_cold`].
    pub(in crate::wire) async fn command_in_engine(
        &mut self,
        command: &SessionCommand,
    ) -> Result<bool, Failure> {
        if self.owned.is_none() {
            return Ok(false);
        }
        let (kind, text) = match command {
            SessionCommand::Discard(DiscardTarget::All) => {
                // There is no block, so nothing waits for its end.
                self.owned = None;
                return Ok(false);
            }
            SessionCommand::Discard(DiscardTarget::Temporary) => {
                ("DISCARD", "DISCARD TEMP".to_owned())
            }
            SessionCommand::Discard(DiscardTarget::Sequences) => {
                ("DISCARD", "DISCARD SEQUENCES".to_owned())
            }
            SessionCommand::Deallocate(None) => ("DEALLOCATE", "DEALLOCATE ALL".to_owned()),
            SessionCommand::Deallocate(Some(name))
                if self.statements.get(name.as_bytes()).is_none() =>
            {
                ("DEALLOCATE", format!("DEALLOCATE {}", identifier(name)))
            }
            SessionCommand::CloseCursor(None) => ("CLOSE", "CLOSE ALL".to_owned()),
            SessionCommand::CloseCursor(Some(name))
                if self.portals.get(name.as_bytes()).is_none() =>
            {
                ("CLOSE", format!("CLOSE {}", identifier(name)))
            }
            _ => return Ok(false),
        };
        let cold = ColdStatement {
            kind,
            text,
            is_on_temporary: false,
            otherwise: None,
        };
        let wanted = Wanted {
            formats: &ResultFormats::default(),
            describes: false,
            keeps: false,
        };
        self.run_cold(&cold, &Bindings::none(), wanted).await?;
        Ok(true)
    }
}
