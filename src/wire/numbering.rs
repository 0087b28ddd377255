//! Row numbers: what a verdict names a row by, and which statement that row came from.
//!
//! Owns a ticket with the numbers of its rows. Promises that a number leads back to one
//! statement and to the row's place in it. Never counts verdicts: the ticket does.

use super::ignoring::Ignoring;
use crate::pipeline::Ticket;

/// Rows numbered from 1, of consecutive INSERTs or of one COPY.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    pub(super) ticket: Ticket,
    /// Rows numbered so far.
    pub(super) rows: u64,
    /// Of these, rows that were handed to the pipeline.
    pub(super) rows_sent: u64,
    /// Present where a COPY goes on without bad rows.
    pub(super) ignoring: Option<Box<Ignoring>>,
    statements: Vec<Start>,
}

/// Where a statement's rows start.
#[derive(Clone, Copy, Debug)]
struct Start {
    statement: usize,
    run: usize,
    first_row: u64,
}

/// Where a row came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Number of the statement in its group.
    pub(super) statement: usize,
    /// Index of the run in its group.
    pub(super) run: usize,
    /// Number of the row in its statement, from 1.
    pub(super) row: u64,
}

impl Numbering {
    /// A numbering whose rows `ticket` counts.
    pub(super) fn of(ticket: Ticket) -> Self {
        Numbering {
            ticket,
            ..Self::default()
        }
    }

    /// The rows of statement `statement`, in run `run`, come next.
    pub(super) fn begin_statement(&mut self, statement: usize, run: usize) {
        self.statements.push(Start {
            statement,
            run,
            first_row: self.rows + 1,
        });
    }

    /// Where row `row_number` came from.
    pub(super) fn locate(&self, row_number: u64) -> Origin {
        let after = self
            .statements
            .partition_point(|start| start.first_row <= row_number);
        match after.checked_sub(1).map(|index| self.statements[index]) {
            Some(start) => Origin {
                statement: start.statement,
                run: start.run,
                row: row_number - start.first_row + 1,
            },
            None => Origin {
                statement: 0,
                run: 0,
                row: row_number,
            },
        }
    }

    /// Forgets the rows after the first `rows`, and the statements from number `statements` on.
    pub(super) fn truncate(&mut self, rows: u64, statements: usize) {
        self.rows = rows;
        self.statements.retain(|start| start.statement < statements);
    }
}
