//! What a client is told when something is wrong, or worth saying.
//!
//! Owns the fields of PostgreSQL's ErrorResponse and NoticeResponse and the SQLSTATEs in use.
//! Promises that every diagnostic has a SQLSTATE and a message. Never formats wire bytes
//! and never holds a secret: what is put here may reach a log.

mod sqlstate;

pub use sqlstate::SqlState;

use std::fmt;

/// How grave a diagnostic is, as PostgreSQL names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The statement failed, the connection lives.
    Error,
    /// The connection ends.
    Fatal,
    /// The statement goes on; something is probably not as intended.
    Warning,
    /// The statement goes on.
    Notice,
}

impl Severity {
    /// The word on the wire, never translated.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Fatal => "FATAL",
            Severity::Warning => "WARNING",
            Severity::Notice => "NOTICE",
        }
    }
}

/// One ErrorResponse or NoticeResponse, by its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub severity: Severity,
    pub sqlstate: SqlState,
    pub message: String,
    /// More about the cause: CDF's message, its request id, how many rows are in CDF.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where, as PostgreSQL words it: `COPY t, line 3, column c: "v"`.
    pub context: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    /// Character position in the statement, from 1.
    pub position: Option<u32>,
    /// Fields that PostgreSQL itself filled and the gateway only hands on, by their codes:
    /// constraint, data type, a query within.
    pub others: Vec<(u8, String)>,
    /// The answer of CDF's behind it; not sent to clients, who read it in the detail.
    pub answer: Option<CdfAnswer>,
}

/// What identifies an answer of CDF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdfAnswer {
    /// HTTP status, which is CDF's error code.
    pub code: u16,
    /// `x-request-id`: what Cognite's support asks for.
    pub request_id: Option<String>,
}

impl Diagnostic {
    /// An error with only what every error has.
    pub fn error(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Error,
            sqlstate,
            message: message.into(),
            detail: None,
            hint: None,
            context: None,
            table: None,
            column: None,
            position: None,
            others: Vec::new(),
            answer: None,
        }
    }

    /// An error after which the connection ends.
    pub fn fatal(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Fatal,
            ..Self::error(sqlstate, message)
        }
    }

    /// Something worth saying; the statement goes on.
    pub fn notice(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Notice,
            ..Self::error(sqlstate, message)
        }
    }

    /// Something that is probably not as intended; the statement goes on.
    pub fn warning(sqlstate: SqlState, message: impl Into<String>) -> Self {
        Diagnostic {
            severity: Severity::Warning,
            ..Self::error(sqlstate, message)
        }
    }

    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn with_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    pub fn with_table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    pub fn with_column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    pub fn with_answer(mut self, answer: CdfAnswer) -> Self {
        self.answer = Some(answer);
        self
    }

    pub fn with_position(mut self, position: u32) -> Self {
        self.position = Some(position);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {}: {}",
            self.severity.name(),
            self.sqlstate.code(),
            self.message
        )?;
        if let Some(detail) = &self.detail {
            write!(formatter, " ({detail})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostic {}
