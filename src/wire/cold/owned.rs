//! The engine that a session has for itself: what is in it, and its transaction.
//!
//! Owns what is known of one. Promises that whether something is left in it is known at the end of
//! each transaction, and that an engine in which something of a client's was committed never goes to
//! another session. Never runs a statement of a client.

use super::settings::Applied;
use crate::engine::{Canceller, EngineFault, EngineLink, Lease, Possessions, identifier};
use std::time::{Duration, Instant};

/// How often the files of an engine are measured between statements.
const DISK_CHECK: Duration = Duration::from_secs(1);

/// The savepoint around a statement.
const STATEMENT: &str = "\"penstock statement\"";

/// An engine of a session.
pub(in crate::wire) struct OwnedEngine {
    lease: Lease,
    /// What the session has there.
    pub(super) has: Possessions,
    /// What it had when the transaction began.
    had: Possessions,
    /// The engine's transaction is that of the client.
    is_in_transaction: bool,
    /// The savepoint around a statement is there.
    is_in_statement: bool,
    /// `has` may be another when the transaction ends.
    is_unsure: bool,
    /// A setting is another than it was when the transaction began.
    has_set: bool,
    /// Something was defined in this transaction, which no question may find.
    has_defined: bool,
    /// Something of the client's was committed: no other session may have the engine.
    has_committed: bool,
    /// The settings that it has; `None`: not known.
    pub(super) applied: Option<Applied>,
    measured: Instant,
}

impl OwnedEngine {
    pub(super) fn new(lease: Lease) -> Self {
        OwnedEngine {
            lease,
            has: Possessions::default(),
            had: Possessions::default(),
            is_in_transaction: false,
            is_in_statement: false,
            is_unsure: false,
            has_set: false,
            has_defined: false,
            has_committed: false,
            applied: None,
            measured: Instant::now(),
        }
    }

    /// Whether a temporary table, view or sequence has that name.
    pub(super) fn has_relation(&self, name: &str) -> bool {
        self.has.has_relation(name)
    }

    /// Whether a transaction of the client's is open there.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.is_in_transaction
    }

    /// The connection to it.
    ///
    /// # Errors
    /// `Broken`: there is none any more.
    pub(super) fn link(&mut self) -> Result<&mut EngineLink, EngineFault> {
        self.lease.link()
    }

    /// The connection, and what the session has behind it.
    pub(super) fn link_and_possessions(
        &mut self,
    ) -> Result<(&mut EngineLink, &Possessions), EngineFault> {
        Ok((self.lease.link()?, &self.has))
    }

    /// Begins a transaction like the client's, with these savepoints, if none is open.
    pub(super) async fn begin(&mut self, savepoints: &[String]) -> Result<(), EngineFault> {
        if self.is_in_transaction {
            return Ok(());
        }
        let mut sql = "BEGIN".to_owned();
        for name in savepoints {
            sql.push_str("; SAVEPOINT ");
            sql.push_str(&identifier(name));
        }
        self.link()?.run(&sql).await?;
        self.is_in_transaction = true;
        self.is_unsure = false;
        self.has_set = false;
        self.has_defined = false;
        self.had = self.has.clone();
        Ok(())
    }

    /// What the session has there, or a setting, may be another from here on.
    pub(super) fn is_altered(&mut self, has_defined: bool, shown: &[String]) {
        self.is_unsure = true;
        self.has_defined |= has_defined;
        self.has_set |= self
            .applied
            .as_ref()
            .is_none_or(|applied| applied.shown != shown);
    }

    /// What follows can be undone by itself.
    pub(super) async fn begin_statement(&mut self) -> Result<(), EngineFault> {
        self.link()?.run(&format!("SAVEPOINT {STATEMENT}")).await?;
        self.is_in_statement = true;
        Ok(())
    }

    /// The statement is done, and stays. `sql` puts things in order after it.
    pub(super) async fn keep_statement(&mut self, sql: &str) -> Result<(), EngineFault> {
        self.link()?
            .run(&format!("RELEASE SAVEPOINT {STATEMENT};{sql}"))
            .await?;
        self.is_in_statement = false;
        Ok(())
    }

    /// The same, where it was the user who asked.
    pub(super) async fn keep_statement_of_user(&mut self) -> Result<(), EngineFault> {
        let as_owner = self.link()?.powers().as_owner();
        self.keep_statement(as_owner).await
    }

    /// Takes back all that a statement did.
    pub(super) async fn undo_statement(&mut self) -> Result<(), EngineFault> {
        if !std::mem::take(&mut self.is_in_statement) {
            return Ok(());
        }
        self.applied = None;
        let link = self.link()?;
        let as_owner = link.powers().as_owner();
        let undone = link
            .run(&format!(
                "ROLLBACK TO SAVEPOINT {STATEMENT}; RELEASE SAVEPOINT {STATEMENT}; {as_owner}"
            ))
            .await;
        match undone {
            Ok(_) => Ok(()),
            // What stays half done there is nothing to go on with.
            Err(EngineFault::Refused(why)) => Err(EngineFault::Broken(format!(
                "it cannot take back a statement that failed: {}",
                why.message
            ))),
            Err(fault) => Err(fault),
        }
    }

    /// Ends the transaction: by ROLLBACK, too, where COMMIT would leave nothing. Returns whether what
    /// the session has is to be asked for; if not, it is known.
    ///
    /// # Errors
    /// `Refused` by what was put off to the end; all is rolled back then.
    pub(super) async fn end(&mut self, commits: bool) -> Result<bool, EngineFault> {
        let outlasts = self.has.outlast_transactions() || self.had.outlast_transactions();
        self.is_in_transaction = false;
        self.is_in_statement = false;
        if commits && (outlasts || self.has_set) {
            self.has_committed |= outlasts || self.has_defined;
            self.link()?.run("COMMIT").await?;
            self.has.without_open_cursors();
            return Ok(self.is_unsure);
        }
        self.applied = None;
        self.link()?.run("ROLLBACK").await?;
        let stays = self.had.outlast_transactions() || self.has.have_prepared();
        if self.is_unsure && stays {
            return Ok(true);
        }
        self.has = std::mem::take(&mut self.had);
        self.has.without_open_cursors();
        Ok(false)
    }

    /// Measures the files, if that is due.
    pub(super) async fn check_disk(&mut self) -> Result<(), EngineFault> {
        if self.measured.elapsed() < DISK_CHECK {
            return Ok(());
        }
        self.lease.disk().check().await?;
        self.measured = Instant::now();
        Ok(())
    }

    /// What has its statements leave off, as far as one that did can be taken back.
    pub(super) fn canceller(&mut self) -> Option<Canceller> {
        self.lease.link().ok()?.canceller()
    }

    /// Whether what runs can be taken back by itself.
    pub(super) fn is_in_statement(&self) -> bool {
        self.is_in_statement
    }

    /// Whether the session loses something with the engine that its transaction does not lose anyway
    /// when a statement of it fails.
    pub(super) fn is_of_use(&self) -> bool {
        self.has.outlast_transactions() || self.had.outlast_transactions()
    }

    /// Whether nothing of the session's is left there.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_in_transaction && !self.has.are_some()
    }

    /// Ends when it takes more memory or disk than it may.
    pub(super) fn outgrown(&self) -> impl Future<Output = EngineFault> + use<> {
        self.lease.outgrown()
    }

    /// Nothing is left: statements may share it, if nothing ever was committed there.
    pub(super) async fn let_go(self) {
        // What committed something may have left what no question finds: it ends.
        if !self.has_committed {
            self.lease.give_back().await;
        }
    }
}
