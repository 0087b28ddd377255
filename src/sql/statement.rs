//! Statements after classification.
//!
//! Owns the shapes of what the session acts upon. Promises that names are resolved: tables
//! and columns here exist. Never acts itself.

use super::target::check_database;
use super::{
    ChangeStatement, ColdStatement, CopyEncoding, CopyOptions, InsertStatement, Query,
    RangedChange, Returning, SessionCommand,
};
use crate::catalog::Table;
use crate::diagnostic::Diagnostic;

/// One statement of a query string.
#[derive(Debug)]
pub enum Statement {
    /// Only white space and comments.
    Empty,
    Copy(CopyStatement),
    Insert(InsertStatement),
    /// UPDATE and DELETE by key.
    Change(ChangeStatement),
    /// UPDATE and DELETE by series and time, or by sequence and row number.
    Ranged(RangedChange),
    Transaction(TransactionCommand),
    Session(SessionCommand),
    /// Answered by the session, without CDF.
    Query(Query),
    /// Everything else.
    Cold(ColdStatement),
}

impl Statement {
    /// # Errors
    /// 0A000 when a three-part name starts with another database than the session's.
    pub fn check_database(&self, database: &str) -> Result<(), Box<Diagnostic>> {
        match self {
            Statement::Copy(copy) => check_database(copy.database.as_deref(), database, copy.table),
            Statement::Insert(insert) => {
                check_database(insert.database(), database, insert.table())
            }
            Statement::Change(change) => {
                check_database(change.database(), database, change.table())
            }
            Statement::Ranged(change) => {
                check_database(change.database(), database, change.table())
            }
            Statement::Query(query) => query.check_database(database),
            _ => Ok(()),
        }
    }

    /// What the statement returns of the rows that it writes.
    pub fn returning(&self) -> Option<&Returning> {
        match self {
            Statement::Insert(insert) => insert.returning(),
            Statement::Change(change) => change.returning(),
            Statement::Ranged(change) => change.returning(),
            _ => None,
        }
    }
}

/// `COPY table (columns) FROM STDIN`.
#[derive(Clone, Debug)]
pub struct CopyStatement {
    pub table: &'static Table,
    /// The database that a three-part name starts with.
    pub database: Option<String>,
    /// Indexes in the table's columns, in the order of the data.
    pub columns: Vec<usize>,
    pub options: CopyOptions,
    /// Whether the statement says ENCODING. If not, the session's `client_encoding` counts.
    pub names_encoding: bool,
}

impl CopyStatement {
    /// The options in a session with that `client_encoding`.
    pub fn options_in(&self, client_encoding: CopyEncoding) -> CopyOptions {
        let mut options = self.options.clone();
        if !self.names_encoding {
            options.encoding = client_encoding;
        }
        options
    }
}

/// Transaction control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionCommand {
    /// `BEGIN` or `START TRANSACTION`; the tag differs.
    Begin {
        start: bool,
        modes: TransactionModes,
    },
    /// `COMMIT` or `END`; `chain` for AND CHAIN.
    Commit {
        chain: bool,
    },
    /// `ROLLBACK` or `ABORT`.
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
}

impl TransactionCommand {
    /// The command tag of success. A COMMIT of a failed transaction is tagged `ROLLBACK`
    /// instead, which only the session can know.
    pub fn tag(&self) -> &'static str {
        match self {
            TransactionCommand::Begin { start: false, .. } => "BEGIN",
            TransactionCommand::Begin { start: true, .. } => "START TRANSACTION",
            TransactionCommand::Commit { .. } => "COMMIT",
            TransactionCommand::Rollback { .. } | TransactionCommand::RollbackTo(_) => "ROLLBACK",
            TransactionCommand::Savepoint(_) => "SAVEPOINT",
            TransactionCommand::Release(_) => "RELEASE",
        }
    }
}

/// The modes of a transaction; `None` where the statement names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionModes {
    pub isolation: Option<IsolationLevel>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

/// Isolation levels are remembered and shown; the gateway isolates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsolationLevel {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

impl IsolationLevel {
    /// The value of `transaction_isolation`.
    pub fn name(self) -> &'static str {
        match self {
            IsolationLevel::ReadUncommitted => "read uncommitted",
            IsolationLevel::ReadCommitted => "read committed",
            IsolationLevel::RepeatableRead => "repeatable read",
            IsolationLevel::Serializable => "serializable",
        }
    }
}
