//! Rows that a COPY goes on without: ON_ERROR ignore.
//!
//! Owns which errors are no end of the COPY, and the rows that were left out. Promises the words
//! of PostgreSQL 18, and that a row that is left out is handed on whole. Never decides what
//! becomes of it.

use super::context::shown;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::OnError;

/// A row that was left out, because a column does not take its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRow {
    /// Line of the data, from 1.
    pub line: u64,
    /// Number of the row, from 1; rows that were left out count.
    pub row_number: u64,
    /// The column at fault.
    pub column: &'static str,
    /// The value at fault.
    pub value: String,
    /// Every field of the line, in the order of the column list; fewer than columns where the
    /// line ends early.
    pub values: Vec<Option<String>>,
    /// What is wrong.
    pub reason: Box<Diagnostic>,
}

impl SkippedRow {
    /// What LOG_VERBOSITY verbose tells of it.
    pub fn notice(&self, table: &str) -> Diagnostic {
        Diagnostic::notice(
            SqlState::SUCCESSFUL_COMPLETION,
            format!(
                "skipping row due to data type incompatibility at line {} for column \"{}\": \
                 \"{}\"",
                self.line,
                self.column,
                shown(self.value.as_bytes())
            ),
        )
        .with_context(format!("COPY {table}"))
    }
}

/// What every verbosity but silent tells at the end of a COPY that left rows out.
pub fn summary(rows: u64) -> Diagnostic {
    let (noun, verb) = if rows == 1 {
        ("row", "was")
    } else {
        ("rows", "were")
    };
    Diagnostic::notice(
        SqlState::SUCCESSFUL_COMPLETION,
        format!("{rows} {noun} {verb} skipped due to data type incompatibility"),
    )
}

/// 22P02: more rows were left out than may be.
pub fn limit_exceeded(reject_limit: u64) -> Diagnostic {
    Diagnostic::error(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!(
            "skipped more than REJECT_LIMIT ({reject_limit}) rows due to data type incompatibility"
        ),
    )
}

/// Whether an error of a value is of the value alone: PostgreSQL ends a COPY for anything else.
pub fn is_ignorable(sqlstate: SqlState) -> bool {
    let is_data_exception = sqlstate.code().starts_with("22");
    let is_encoding = sqlstate == SqlState::CHARACTER_NOT_IN_REPERTOIRE;
    // 54000: the value is larger than CDF takes.
    (is_data_exception && !is_encoding) || sqlstate == SqlState::PROGRAM_LIMIT_EXCEEDED
}

/// Rows that were left out and not taken yet.
#[derive(Debug)]
pub struct SkippedRows {
    reject_limit: Option<u64>,
    count: u64,
    rows: Vec<SkippedRow>,
}

impl SkippedRows {
    /// `None` where an error ends the COPY.
    pub fn new(on_error: OnError) -> Option<Self> {
        match on_error {
            OnError::Stop => None,
            OnError::Ignore { reject_limit } => Some(SkippedRows {
                reject_limit,
                count: 0,
                rows: Vec::new(),
            }),
        }
    }

    /// Leaves `row` out.
    ///
    /// # Errors
    /// 22P02 with the row's CONTEXT when that is one too many.
    pub fn push(&mut self, row: SkippedRow) -> Result<(), Box<Diagnostic>> {
        self.count += 1;
        match self.reject_limit {
            Some(reject_limit) if self.count > reject_limit => {
                let mut exceeded = limit_exceeded(reject_limit);
                exceeded.context.clone_from(&row.reason.context);
                Err(Box::new(exceeded))
            }
            _ => {
                self.rows.push(row);
                Ok(())
            }
        }
    }

    /// The rows since the last call.
    pub fn take(&mut self) -> Vec<SkippedRow> {
        std::mem::take(&mut self.rows)
    }
}
