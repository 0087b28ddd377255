//! What a session does with rows before it sends them, by default.
//!
//! Owns the modes of transactions and of COPY, and their words. Promises that configuration and
//! SET use the same words. Never holds a session's choice.

use crate::catalog::Dialect;
use serde::{Deserialize, Serialize};

/// When rows inside BEGIN … COMMIT are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionMode {
    /// At COMMIT: ROLLBACK discards them.
    #[default]
    Staged,
    /// With their statements, as outside: ROLLBACK takes nothing back.
    Streaming,
}

impl TransactionMode {
    /// The word in configuration and settings.
    pub fn name(self) -> &'static str {
        match self {
            TransactionMode::Staged => "staged",
            TransactionMode::Streaming => "streaming",
        }
    }
}

/// When rows of a COPY are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyMode {
    /// While it reads.
    #[default]
    Streaming,
    /// When it has read and checked everything.
    Staged,
}

impl CopyMode {
    /// The word in configuration and settings.
    pub fn name(self) -> &'static str {
        match self {
            CopyMode::Streaming => "streaming",
            CopyMode::Staged => "staged",
        }
    }
}

/// A version of Cognite's gateway, whose names a user writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum DialectVersion {
    #[serde(rename = "1.0")]
    First,
    #[default]
    #[serde(rename = "2.0")]
    Second,
}

impl From<DialectVersion> for Dialect {
    fn from(version: DialectVersion) -> Self {
        match version {
            DialectVersion::First => Dialect::First,
            DialectVersion::Second => Dialect::Second,
        }
    }
}

/// Modes of one user, where they differ from everybody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserModes {
    pub transaction: Option<TransactionMode>,
    pub copy: Option<CopyMode>,
    /// Whose names of tables and columns the user writes.
    pub dialect: Dialect,
}
