//! BEGIN, COMMIT and ROLLBACK over staged rows.
//!
//! Owns the transaction state of a session. Promises that ROLLBACK discards every row of the
//! block, that COMMIT answers after CDF has accepted all of them, and that a COMMIT that fails
//! says how many were written. Never isolates anything from anyone.

use super::group::Group;
use super::reply::put_complete;
use super::savepoints::Savepoints;
use super::session::{Failure, Session};
use super::streaming::Written;
use super::withheld::with_sentence;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::{Statement, TransactionCommand, TransactionModes};
use pgwire::messages::response::TransactionStatus;

/// A transaction block: its rows, until COMMIT.
pub(super) struct Block {
    pub(super) group: Group,
    pub(super) savepoints: Savepoints,
    modes: TransactionModes,
    /// Rows are sent with their statements: the group stays empty.
    pub(super) is_streaming: bool,
    /// What a streaming block has sent.
    pub(super) written: Written,
}

/// Where a session stands.
pub(super) enum Transaction {
    /// Every statement is its own transaction, or every pipeline.
    Idle,
    Open(Box<Block>),
    /// A statement has failed: only the end, or an earlier savepoint, is left.
    Failed(Box<Block>),
}

impl Transaction {
    /// The status byte of ReadyForQuery.
    pub(super) fn status(&self) -> TransactionStatus {
        match self {
            Transaction::Idle => TransactionStatus::Idle,
            Transaction::Open(_) => TransactionStatus::Transaction,
            Transaction::Failed(_) => TransactionStatus::Error,
        }
    }

    /// Whether statements belong to a block that goes on.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Transaction::Open(_))
    }

    /// Whether rows are staged instead of sent.
    pub(super) fn stages(&self) -> bool {
        matches!(self, Transaction::Open(block) if !block.is_streaming)
    }

    /// A statement has failed. Rows that no savepoint can bring back are dropped.
    pub(super) fn fail(&mut self) {
        *self = match std::mem::replace(self, Transaction::Idle) {
            Transaction::Open(mut block) => {
                if block.savepoints.is_empty() {
                    block.group = Group::default();
                }
                Transaction::Failed(block)
            }
            other => other,
        };
    }

    /// Rows that a streaming block has sent.
    pub(super) fn written(&self) -> Written {
        self.block()
            .map_or(Written::default(), |block| block.written)
    }

    /// Rows of the block that are staged.
    pub(super) fn rows(&self) -> u64 {
        self.block().map_or(0, |block| block.group.rows())
    }

    /// Names of the savepoints of the block, the oldest first.
    pub(super) fn savepoints(&self) -> Vec<String> {
        self.block()
            .map_or_else(Vec::new, |block| block.savepoints.names())
    }

    fn block(&self) -> Option<&Block> {
        match self {
            Transaction::Idle => None,
            Transaction::Open(block) | Transaction::Failed(block) => Some(block),
        }
    }
}

impl Session {
    /// Whether the statement may run now.
    ///
    /// # Errors
    /// 25P02 in a failed transaction, but for what ends it or goes back to a savepoint.
    pub(super) fn check_transaction(&self, statement: &Statement) -> Result<(), Box<Diagnostic>> {
        let leaves = matches!(
            statement,
            Statement::Empty
                | Statement::Transaction(
                    TransactionCommand::Commit { .. }
                        | TransactionCommand::Rollback { .. }
                        | TransactionCommand::RollbackTo(_)
                )
        );
        if leaves || !matches!(self.transaction, Transaction::Failed(_)) {
            return Ok(());
        }
        Err(Box::new(Diagnostic::error(
            SqlState::IN_FAILED_SQL_TRANSACTION,
            "current transaction is aborted, commands ignored until end of transaction block",
        )))
    }

    /// Whether rows may be written now.
    ///
    /// # Errors
    /// 25006 in a read-only transaction.
    pub(super) fn check_writable(&self, statement: &str) -> Result<(), Box<Diagnostic>> {
        if !self.is_read_only {
            return Ok(());
        }
        Err(Box::new(Diagnostic::error(
            SqlState::READ_ONLY_SQL_TRANSACTION,
            format!("cannot execute {statement} in a read-only transaction"),
        )))
    }

    /// Runs a command of transaction control and answers it.
    pub(super) async fn control(&mut self, command: &TransactionCommand) -> Result<(), Failure> {
        let mut tag = command.tag();
        match command {
            TransactionCommand::Begin { modes, .. } => self.begin(*modes).await?,
            TransactionCommand::Commit { chain } => {
                if matches!(self.transaction, Transaction::Failed(_)) {
                    tag = "ROLLBACK";
                    self.roll_back(*chain).await?;
                } else {
                    self.commit(*chain).await?;
                }
            }
            TransactionCommand::Rollback { chain } => self.roll_back(*chain).await?,
            TransactionCommand::Savepoint(name) => self.savepoint(name).await?,
            TransactionCommand::Release(name) => self.release(name).await?,
            TransactionCommand::RollbackTo(name) => self.roll_back_to(name).await?,
        }
        self.settings_changed();
        put_complete(&mut self.replies, tag);
        Ok(())
    }

    async fn begin(&mut self, modes: TransactionModes) -> Result<(), Failure> {
        if !matches!(self.transaction, Transaction::Idle) {
            self.warn(
                SqlState::ACTIVE_SQL_TRANSACTION,
                "there is already a transaction in progress",
            );
            return Ok(());
        }
        if self.implicit.is_sent() {
            // What is under way can no longer be part of the block.
            self.settle().await?;
        }
        // Statements before BEGIN in the same pipeline or Query belong to the block.
        let group = if self.wants_streaming() {
            Group::default()
        } else {
            self.stage_open_batch();
            self.withheld.clear();
            std::mem::take(&mut self.implicit)
        };
        self.open_block(group, modes);
        Ok(())
    }

    fn open_block(&mut self, group: Group, modes: TransactionModes) {
        self.settings.begin(&modes);
        self.transaction = Transaction::Open(Box::new(Block {
            group,
            savepoints: Savepoints::default(),
            modes,
            is_streaming: self.wants_streaming(),
            written: Written::default(),
        }));
    }

    /// Delivers the rows of the block, in the order of its statements.
    async fn commit(&mut self, chain: bool) -> Result<(), Failure> {
        self.stage_open_batch();
        let mut last = self.check_constraints_in_engine().await;
        if last.is_ok() && !self.transaction.stages() {
            // The last statements of a streaming block, or of a pipeline without one.
            last = self.settle().await;
        }
        let written = self.transaction.written();
        let block = match std::mem::replace(&mut self.transaction, Transaction::Idle) {
            Transaction::Open(block) => block,
            Transaction::Idle | Transaction::Failed(_) => {
                last?;
                self.end_in_engine(true).await?;
                return self.end_without_block(chain);
            }
        };
        let Block { group, modes, .. } = *block;
        let rows = group.rows();
        // From here on the rows are like those of one big statement outside a block.
        self.implicit = group;
        self.implicit.is_answered = true;
        let delivered = match last {
            Ok(()) => self.settle().await,
            Err(Failure::Statement(diagnostic)) if !written.is_nothing() => {
                let written = written.sentence("transaction");
                Err(Failure::Statement(with_sentence(diagnostic, written)))
            }
            failed => failed,
        };
        let mut kept = self.end_in_engine(delivered.is_ok()).await;
        if delivered.is_ok() && rows > 0 {
            kept = kept.map_err(|failure| {
                let sentence = format!("CDF has accepted all {rows} rows of the transaction.");
                failure.with_sentence(sentence)
            });
        }
        self.end_transaction();
        match delivered.and(kept) {
            Ok(()) => {
                self.settings.commit();
                self.carry_out_announcements();
                if chain {
                    self.open_block(Group::default(), modes);
                }
                Ok(())
            }
            Err(failure) => {
                self.settings.rollback();
                self.settings_changed();
                self.forget_announcements();
                Err(failure)
            }
        }
    }

    /// COMMIT where no block is open: ends the implicit transaction.
    fn end_without_block(&mut self, chain: bool) -> Result<(), Failure> {
        no_chain(chain, "COMMIT")?;
        self.transaction_begins();
        self.warn(
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "there is no transaction in progress",
        );
        Ok(())
    }

    /// Discards the rows of the block.
    async fn roll_back(&mut self, chain: bool) -> Result<(), Failure> {
        if matches!(self.transaction, Transaction::Idle) {
            no_chain(chain, "ROLLBACK")?;
        }
        self.forget_announcements();
        // Rows of a streaming block, or of statements before in the same pipeline or Query.
        let sent = self.give_up().await;
        let written = self.transaction.written();
        self.end_in_engine(false).await?;
        let modes = match std::mem::replace(&mut self.transaction, Transaction::Idle) {
            Transaction::Idle => {
                if std::mem::take(&mut self.settings_may_roll_back) {
                    self.settings.rollback();
                }
                self.transaction_begins();
                let mut warning = Diagnostic::warning(
                    SqlState::NO_ACTIVE_SQL_TRANSACTION,
                    "there is no transaction in progress",
                );
                if !sent.is_nothing() {
                    warning = warning.with_detail(sent.sentence("statements before"));
                }
                self.warn_with(warning);
                return Ok(());
            }
            Transaction::Open(block) | Transaction::Failed(block) => block.modes,
        };
        self.warn_of_written(written);
        self.settings.rollback();
        self.end_transaction();
        if chain {
            self.open_block(Group::default(), modes);
        }
        Ok(())
    }

    /// What belonged to the transaction goes with it, and the next one begins.
    fn end_transaction(&mut self) {
        self.portals.clear();
        self.started = None;
        self.transaction_begins();
    }

    fn warn(&mut self, sqlstate: SqlState, message: &str) {
        self.warn_with(Diagnostic::warning(sqlstate, message));
    }
}

/// 25P01 for `command` outside of a block.
pub(super) fn only_in_block(command: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::NO_ACTIVE_SQL_TRANSACTION,
        format!("{command} can only be used in transaction blocks"),
    ))
}

fn no_chain(chain: bool, command: &str) -> Result<(), Box<Diagnostic>> {
    if chain {
        Err(only_in_block(&format!("{command} AND CHAIN")))
    } else {
        Ok(())
    }
}
