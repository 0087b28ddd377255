//! A COPY under ON_ERROR ignore: the rows that it goes on without.
//!
//! Owns those rows, as letters, until they are stored or discarded with their statement, and
//! what the client is told of them. Promises that no more of them pass than REJECT_LIMIT. Never
//! stores anything itself.

use super::copy::{SkippedRow, limit_exceeded};
use crate::catalog::Table;
use crate::cdf::Identity;
use crate::dead_letters::{LetterOrigin, LetterReason, LetterSource, NewLetter};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::RefusedRow;
use crate::rows::{Action, RowText};
use crate::sql::{CopyStatement, LogVerbosity, OnError, Settings};
use std::sync::Arc;

/// What a COPY has gone on without.
#[derive(Debug)]
pub(super) struct Ignoring {
    table: &'static Table,
    /// Names of the columns, in the order of the data.
    columns: Vec<&'static str>,
    /// Of rows as the client wrote them.
    as_written: Arc<LetterOrigin>,
    /// Of rows that were read and rendered again.
    as_rendered: Arc<LetterOrigin>,
    reject_limit: Option<u64>,
    pub(super) log_verbosity: LogVerbosity,
    /// Rows with a value that a column did not take.
    pub(super) skipped: u64,
    /// Rows that CDF refused.
    pub(super) refused: u64,
    /// Not stored yet.
    pub(super) letters: Vec<NewLetter>,
}

impl Ignoring {
    /// `None` where an error ends the COPY.
    pub(super) fn of(
        copy: &CopyStatement,
        user: &str,
        identity: &Identity,
        settings: &Settings,
    ) -> Option<Self> {
        let OnError::Ignore { reject_limit } = copy.options.on_error else {
            return None;
        };
        let origin = LetterOrigin::new(LetterSource::CopyIgnored, user, identity);
        let as_written = origin
            .clone()
            .read_by(settings.time_zone_name(), settings.date_order());
        Some(Ignoring {
            table: copy.table,
            columns: copy
                .columns
                .iter()
                .map(|column| copy.table.columns[*column].name)
                .collect(),
            as_written: Arc::new(as_written),
            as_rendered: Arc::new(origin),
            reject_limit,
            log_verbosity: copy.options.log_verbosity,
            skipped: 0,
            refused: 0,
            letters: Vec::new(),
        })
    }

    /// Takes a row that a column refused; returns what its letter weighs.
    pub(super) fn skip(&mut self, row: SkippedRow) -> usize {
        self.skipped += 1;
        let mut columns = self.columns.clone();
        columns.truncate(row.values.len());
        let mut reason = LetterReason::from(&*row.reason);
        reason.column = Some(row.column.to_owned());
        self.keep(NewLetter {
            origin: self.as_written.clone(),
            table: self.table,
            row: RowText {
                columns,
                values: row.values,
                action: Action::Create.name(),
            },
            reason: Arc::new(reason),
            line: Some(row.line),
            row_number: Some(row.row_number),
            acknowledged: None,
            journal_row: None,
        })
    }

    /// Takes a row that CDF refused; returns what its letter weighs.
    pub(super) fn refuse(&mut self, row: RefusedRow) -> usize {
        self.refused += 1;
        self.keep(NewLetter {
            origin: self.as_rendered.clone(),
            table: row.table,
            row: row.row,
            reason: Arc::new(LetterReason::from(&*row.reason)),
            line: None,
            row_number: Some(row.row_number),
            acknowledged: None,
            journal_row: None,
        })
    }

    fn keep(&mut self, letter: NewLetter) -> usize {
        let bytes = letter.bytes();
        self.letters.push(letter);
        bytes
    }

    /// The table of the rows.
    pub(super) fn table_name(&self) -> &'static str {
        self.table.name
    }

    /// Whether the COPY may go on.
    ///
    /// # Errors
    /// 22P02 when more rows were left out than may be.
    pub(super) fn check_limit(&self) -> Result<(), Box<Diagnostic>> {
        match self.reject_limit {
            Some(reject_limit) if self.skipped + self.refused > reject_limit => {
                let exceeded = limit_exceeded(reject_limit)
                    .with_detail(format!("{} of them were refused by CDF.", self.refused));
                Err(Box::new(exceeded.with_table(self.table.name)))
            }
            _ => Ok(()),
        }
    }
}

/// What verbose COPYs tell of a row that CDF refused.
pub(super) fn notice_of(row: &RefusedRow) -> Diagnostic {
    let mut notice = Diagnostic::notice(
        row.reason.sqlstate,
        format!(
            "skipping row {} because CDF refused it: {}",
            row.row_number, row.reason.message
        ),
    )
    .with_context(format!("COPY {}", row.table.name));
    notice.detail.clone_from(&row.reason.detail);
    notice
}

/// What every verbosity but silent tells when CDF refused rows.
pub(super) fn summary_of_refused(rows: u64) -> Diagnostic {
    let (noun, verb, they) = if rows == 1 {
        ("row", "was", "it")
    } else {
        ("rows", "were", "them")
    };
    Diagnostic::notice(
        SqlState::SUCCESSFUL_COMPLETION,
        format!("{rows} {noun} {verb} skipped because CDF refused {they}"),
    )
    .with_hint("An operator can mend and replay what was skipped: see dead letters.")
}
