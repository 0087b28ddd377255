//! Why a scan did not come to its end.
//!
//! Owns the classes of faults, by what the one who asked does next. Promises that each says what
//! to do. Never retries.

use super::filters;
use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};

/// A scan that has failed. Rows that were given out are not all there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanFault {
    /// It would read more rows than it may: the statement needs narrower conditions.
    TooManyRows(Box<Diagnostic>),
    /// CDF refused it, or could not be reached for as long as requests are repeated.
    Cdf(Box<Diagnostic>),
    /// CDF has a value that the table's column cannot hold.
    Unfit(Box<Diagnostic>),
}

impl ScanFault {
    /// More rows than `rows_max`.
    pub(super) fn too_many(table: &'static Table, rows_max: u64) -> Self {
        let helpful = filters::helpful_columns(table);
        let hint = match helpful.is_empty() {
            true => "Read fewer rows: CDF has no filter for this table.".to_owned(),
            false => format!(
                "Compare one of these columns with constants in WHERE, as CDF filters by them: {}.",
                helpful.join(", ")
            ),
        };
        ScanFault::TooManyRows(Box::new(
            Diagnostic::error(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!(
                    "the statement would read more than {rows_max} rows of {} from CDF",
                    table.full_name()
                ),
            )
            .with_detail("Conditions that CDF cannot take, joins and aggregates are worked out after the rows are read.")
            .with_hint(hint)
            .with_table(table.name),
        ))
    }

    /// More bytes than are read at once, of what cannot be asked for in smaller parts.
    pub(super) fn too_long(table: &'static Table, bytes_max: usize) -> Self {
        ScanFault::Unfit(Box::new(
            Diagnostic::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "an answer of CDF about {} is longer than {bytes_max} bytes, which is all that is read at once",
                    table.full_name()
                ),
            )
            .with_hint("Leave the row out by a condition that CDF takes.")
            .with_table(table.name),
        ))
    }

    /// What the client is told.
    pub fn diagnostic(&self) -> &Diagnostic {
        match self {
            ScanFault::TooManyRows(diagnostic)
            | ScanFault::Cdf(diagnostic)
            | ScanFault::Unfit(diagnostic) => diagnostic,
        }
    }

    /// The same, to be sent.
    pub fn into_diagnostic(self) -> Box<Diagnostic> {
        match self {
            ScanFault::TooManyRows(diagnostic)
            | ScanFault::Cdf(diagnostic)
            | ScanFault::Unfit(diagnostic) => diagnostic,
        }
    }
}
