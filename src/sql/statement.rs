//! Statements after classification.
//!
//! Owns the shapes of what the session acts upon. Promises that names are resolved: tables
//! and columns here exist. Never acts itself.

use super::CopyOptions;
use crate::catalog::Table;

/// `COPY table (columns) FROM STDIN`.
#[derive(Clone, Debug)]
pub struct CopyStatement {
    pub table: &'static Table,
    /// Indexes in the table's columns, in the order of the data.
    pub columns: Vec<usize>,
    pub options: CopyOptions,
}

/// Transaction control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionCommand {
    /// `BEGIN` or `START TRANSACTION`; the tag differs.
    Begin {
        start: bool,
        read_only: bool,
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
