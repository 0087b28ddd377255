//! Rows that stand or fall together: those of a statement, of a pipeline up to its Sync, or of
//! a transaction.
//!
//! Owns the batches that are not sent yet, the tickets of those that are, and which statement
//! each row came from. Promises the statements' order. Never sends anything itself.

use crate::catalog::{Resource, Table};
use crate::pipeline::Ticket;
use crate::rows::RowBatch;
use std::collections::VecDeque;

/// Which kind of statement the rows of a run came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunKind {
    /// Rows of consecutive INSERTs with one table and one column list.
    Insert,
    /// Rows of one COPY.
    Copy,
}

/// Rows for one table that were numbered together: one ticket.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) table: &'static Table,
    pub(super) columns: Vec<usize>,
    pub(super) kind: RunKind,
    pub(super) ticket: Ticket,
    /// Rows numbered so far.
    pub(super) rows: u64,
    /// Not sent yet.
    pub(super) batches: VecDeque<RowBatch>,
    /// Rows of the batches that were sent.
    pub(super) rows_sent: u64,
    /// Per statement, its number in the group and its first row's number in the run.
    statements: Vec<(usize, u64)>,
}

impl Run {
    /// Whether a batch was sent.
    pub(super) fn is_sent(&self) -> bool {
        self.rows_sent > 0
    }

    /// The statement that row `row_number` came from, and the row's number in it, from 1.
    pub(super) fn locate(&self, row_number: u64) -> (usize, u64) {
        let after = self
            .statements
            .partition_point(|(_, first_row)| *first_row <= row_number);
        match after.checked_sub(1).map(|index| self.statements[index]) {
            Some((statement, first_row)) => (statement, row_number - first_row + 1),
            None => (0, row_number),
        }
    }
}

/// A point to which a group can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    runs: usize,
    statements: usize,
    bytes: usize,
}

/// The rows, in the order of their statements.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) runs: Vec<Run>,
    statements: usize,
    /// No further statement joins the last run.
    sealed: bool,
    /// Bytes of the batches that are not sent.
    bytes: usize,
    /// The pipeline knows that somebody waits for what was sent last.
    pub(super) is_hurried: bool,
}

impl Group {
    /// Numbers a new statement. Its rows join the last run if `table`, `columns` and kind fit;
    /// otherwise a run starts, and rows of the builder before must have been staged.
    pub(super) fn begin_statement(
        &mut self,
        kind: RunKind,
        table: &'static Table,
        columns: &[usize],
    ) -> usize {
        if !self.continues(kind, table, columns) {
            self.runs.push(Run {
                table,
                columns: columns.to_vec(),
                kind,
                ticket: Ticket::new(),
                rows: 0,
                batches: VecDeque::new(),
                rows_sent: 0,
                statements: Vec::new(),
            });
            self.sealed = false;
        }
        let statement = self.statements;
        self.statements += 1;
        if let Some(run) = self.runs.last_mut() {
            run.statements.push((statement, run.rows + 1));
        }
        statement
    }

    /// Whether such a statement joins the last run.
    pub(super) fn continues(
        &self,
        kind: RunKind,
        table: &'static Table,
        columns: &[usize],
    ) -> bool {
        !self.sealed
            && kind == RunKind::Insert
            && self.runs.last().is_some_and(|run| {
                run.kind == kind && std::ptr::eq(run.table, table) && run.columns == columns
            })
    }

    /// Puts batches of the last run behind those that wait. Returns their bytes.
    pub(super) fn stage(&mut self, batches: Vec<RowBatch>) -> usize {
        let bytes = batches.iter().map(RowBatch::bytes).sum();
        if let Some(run) = self.runs.last_mut() {
            self.bytes += bytes;
            run.batches.extend(batches);
        }
        bytes
    }

    /// Takes the next batch to send, of run `index`.
    pub(super) fn unstage(&mut self, index: usize) -> Option<RowBatch> {
        let run = self.runs.get_mut(index)?;
        let batch = run.batches.pop_front()?;
        run.rows_sent += batch.rows() as u64;
        self.bytes -= batch.bytes();
        Some(batch)
    }

    /// Rows numbered so far in the last run.
    pub(super) fn last_rows(&self) -> u64 {
        self.runs.last().map_or(0, |run| run.rows)
    }

    /// Numbers `rows` more rows of the last run.
    pub(super) fn add_rows(&mut self, rows: u64) {
        self.set_last_rows(self.last_rows() + rows);
    }

    /// The last run has `rows` rows now.
    pub(super) fn set_last_rows(&mut self, rows: u64) {
        if let Some(run) = self.runs.last_mut() {
            run.rows = rows;
        }
    }

    /// The next statement starts a run of its own.
    pub(super) fn seal(&mut self) {
        self.sealed = true;
    }

    /// Bytes of the batches that are not sent.
    pub(super) fn staged_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a batch was sent, so that discarding cannot undo everything.
    pub(super) fn is_sent(&self) -> bool {
        self.runs.iter().any(Run::is_sent)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Rows of all runs, sent or not.
    pub(super) fn rows(&self) -> u64 {
        self.runs.iter().map(|run| run.rows).sum()
    }

    /// The resources that have rows under way.
    pub(super) fn sent_resources(&self) -> Vec<Resource> {
        let mut resources: Vec<Resource> = self
            .runs
            .iter()
            .filter(|run| run.is_sent())
            .map(|run| run.table.resource)
            .collect();
        resources.dedup();
        resources
    }

    /// Asks the pipeline to drop what it has not sent to CDF.
    pub(super) fn abort(&self) {
        self.runs.iter().for_each(|run| run.ticket.abort());
    }

    /// This point; the builder's rows must have been staged, and the run ends here.
    pub(super) fn mark(&mut self) -> Mark {
        self.seal();
        Mark {
            runs: self.runs.len(),
            statements: self.statements,
            bytes: self.bytes,
        }
    }

    /// Drops what came after `mark`. Only for groups of which nothing was sent.
    pub(super) fn truncate(&mut self, mark: Mark) {
        self.runs.truncate(mark.runs);
        self.statements = mark.statements;
        self.bytes = mark.bytes;
        self.seal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TABLES;

    #[test]
    fn inserts_with_one_column_list_share_a_run_and_keep_their_rows_apart() {
        let mut group = Group::default();
        let first = group.begin_statement(RunKind::Insert, TABLES[0], &[0, 1, 2]);
        group.runs[0].rows += 3;
        let second = group.begin_statement(RunKind::Insert, TABLES[0], &[0, 1, 2]);
        group.runs[0].rows += 2;
        assert_eq!(group.runs.len(), 1);
        assert_eq!(group.runs[0].locate(3), (first, 3));
        assert_eq!(group.runs[0].locate(4), (second, 1));
        assert_eq!(group.rows(), 5);
    }

    #[test]
    fn another_table_another_column_list_and_a_copy_start_a_run() {
        let mut group = Group::default();
        group.begin_statement(RunKind::Insert, TABLES[0], &[0, 1, 2]);
        group.begin_statement(RunKind::Insert, TABLES[0], &[0, 1]);
        group.begin_statement(RunKind::Insert, TABLES[1], &[0, 1]);
        group.begin_statement(RunKind::Copy, TABLES[1], &[0, 1]);
        group.begin_statement(RunKind::Copy, TABLES[1], &[0, 1]);
        assert_eq!(group.runs.len(), 5);
    }

    #[test]
    fn taking_a_group_back_to_a_mark_drops_what_came_after() {
        let mut group = Group::default();
        group.begin_statement(RunKind::Insert, TABLES[0], &[0]);
        group.runs[0].rows += 1;
        let mark = group.mark();
        group.begin_statement(RunKind::Insert, TABLES[0], &[0]);
        group.runs[1].rows += 4;
        group.truncate(mark);
        assert_eq!(group.rows(), 1);
        assert_eq!(group.begin_statement(RunKind::Insert, TABLES[0], &[0]), 1);
        assert_eq!(group.runs.len(), 2);
    }
}
