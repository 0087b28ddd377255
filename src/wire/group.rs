//! Rows that stand or fall together: those of a statement, of a pipeline up to its Sync, or of
//! a transaction.
//!
//! Owns the batches that are not sent yet, in memory and on disk, the tickets of those that are,
//! and which statement each row came from. Promises the statements' order. Never sends anything
//! itself.

use super::numbering::Numbering;
use super::staged::Staged;
use super::staged_bytes::{StagedBudget, StagedBytes};
use crate::catalog::{Resource, Table};
use crate::config::AckMode;
use crate::pipeline::Ticket;
use crate::rows::{Action, RowBatch};
use crate::spool::Spool;
use std::collections::VecDeque;

/// Which kind of statement the rows of a run came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunKind {
    /// Rows of consecutive INSERTs with one table and one column list.
    Insert,
    /// Rows of one COPY.
    Copy,
    /// Rows of consecutive UPDATEs of one table that set the same columns.
    Update,
    /// Rows of consecutive DELETEs from one table.
    Delete,
}

/// What rows must have in common to be of one run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunShape<'a> {
    pub(super) kind: RunKind,
    pub(super) table: &'static Table,
    pub(super) columns: &'a [usize],
    pub(super) ack: AckMode,
    pub(super) action: &'a Action,
    /// The client asks what CDF makes of the rows.
    pub(super) wants_objects: bool,
}

/// Rows that one builder gathered: of one table and one column list.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) table: &'static Table,
    pub(super) columns: Vec<usize>,
    pub(super) kind: RunKind,
    /// When its rows are acknowledged.
    pub(super) ack: AckMode,
    /// What its rows do in CDF.
    action: Action,
    wants_objects: bool,
    /// Index of its rows' numbering.
    pub(super) numbering: usize,
    /// Not sent yet.
    pub(super) batches: VecDeque<Staged>,
}

impl Run {
    /// What its rows do in CDF.
    pub(super) fn action(&self) -> &Action {
        &self.action
    }
}

/// A point to which a group can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    runs: usize,
    statements: usize,
    letter_bytes: usize,
    numberings: usize,
    rows_of_last: u64,
}

/// The rows, in the order of their statements.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) runs: Vec<Run>,
    pub(super) numberings: Vec<Numbering>,
    statements: usize,
    /// Its statements were answered before it is delivered: an error has to say which it is of.
    pub(super) is_answered: bool,
    /// No further statement joins the last run.
    is_sealed: bool,
    /// What the batches that are not sent take of memory.
    bytes: usize,
    /// How many batches are not sent.
    staged: usize,
    /// The same in the count over all connections, once it had to be asked.
    held: Option<StagedBytes>,
    /// Where batches are that memory had no room for.
    pub(super) spool: Option<Spool>,
    /// Runs before this one have no batches in memory.
    first_in_memory: usize,
    /// What the letters of its COPYs weigh that are not stored.
    pub(super) letter_bytes: usize,
    /// The run whose batches go next.
    next_run: usize,
    /// Whose rows are under way: those of another resource wait for them, unless both are
    /// journaled.
    pub(super) under_way: Option<(Resource, AckMode)>,
    /// Numberings before this one have all their verdicts.
    pub(super) settled: usize,
    /// The pipeline knows that somebody waits for what was sent last.
    pub(super) is_hurried: bool,
}

impl Group {
    /// Numbers a new statement. Its rows join the last run if they have its shape; otherwise a
    /// run starts, and rows of the builder before must have been staged.
    pub(super) fn begin_statement(&mut self, shape: RunShape<'_>) -> usize {
        if !self.continues(shape) {
            // A COPY numbers its rows by itself, from 1.
            let shared = shape.kind != RunKind::Copy
                && self.runs.last().is_some_and(|run| {
                    run.kind != RunKind::Copy && run.wants_objects == shape.wants_objects
                });
            if !shared || self.numberings.is_empty() {
                let ticket = match shape.wants_objects {
                    true => Ticket::wanting_objects(),
                    false => Ticket::new(),
                };
                self.numberings.push(Numbering::of(ticket));
            }
            self.runs.push(Run {
                table: shape.table,
                columns: shape.columns.to_vec(),
                kind: shape.kind,
                ack: shape.ack,
                action: shape.action.clone(),
                wants_objects: shape.wants_objects,
                numbering: self.numberings.len() - 1,
                batches: VecDeque::new(),
            });
            self.is_sealed = false;
        }
        let statement = self.statements;
        self.statements += 1;
        let run = self.runs.len() - 1;
        if let Some(numbering) = self.numberings.last_mut() {
            numbering.begin_statement(statement, run);
        }
        statement
    }

    /// Whether such a statement joins the last run.
    pub(super) fn continues(&self, shape: RunShape<'_>) -> bool {
        !self.is_sealed
            && shape.kind != RunKind::Copy
            && self.runs.last().is_some_and(|run| {
                run.kind == shape.kind
                    && run.ack == shape.ack
                    && std::ptr::eq(run.table, shape.table)
                    && run.columns == shape.columns
                    && run.wants_objects == shape.wants_objects
                    && run.action == *shape.action
            })
    }

    /// Puts batches of the last run behind those that wait.
    pub(super) fn stage(&mut self, batches: Vec<RowBatch>) {
        if let Some(run) = self.runs.last_mut() {
            self.staged += batches.len();
            for batch in batches.into_iter().map(Staged::from) {
                self.bytes += batch.held_bytes();
                run.batches.push_back(batch);
            }
        }
    }

    /// The run of the next batch to send, and what the batch weighs.
    pub(super) fn next_staged(&mut self) -> Option<(usize, usize)> {
        while let Some(run) = self.runs.get(self.next_run) {
            if let Some(batch) = run.batches.front() {
                return Some((self.next_run, batch.bytes()));
            }
            if self.next_run + 1 == self.runs.len() {
                return None;
            }
            self.next_run += 1;
        }
        None
    }

    /// Takes the next batch of run `index` for sending.
    pub(super) fn unstage(&mut self, index: usize) -> Option<Staged> {
        let run = self.runs.get_mut(index)?;
        let batch = run.batches.pop_front()?;
        self.bytes -= batch.held_bytes();
        self.staged -= 1;
        if let Some(held) = &mut self.held {
            // Less than before: always allowed.
            held.set(self.bytes);
        }
        if let Some(numbering) = self.numberings.get_mut(run.numbering) {
            numbering.rows_sent += batch.rows() as u64;
        }
        Some(batch)
    }

    /// Rows numbered so far by the last run's numbering.
    pub(super) fn last_rows(&self) -> u64 {
        self.numberings.last().map_or(0, |numbering| numbering.rows)
    }

    /// Numbers `rows` more rows of the last run.
    pub(super) fn add_rows(&mut self, rows: u64) {
        self.set_last_rows(self.last_rows() + rows);
    }

    /// The last run's numbering has come to `rows`.
    pub(super) fn set_last_rows(&mut self, rows: u64) {
        if let Some(numbering) = self.numberings.last_mut() {
            numbering.rows = rows;
        }
    }

    /// Whether no batch waits to be sent.
    pub(super) fn has_sent_all(&self) -> bool {
        self.staged == 0
    }

    /// What it takes of memory, in bytes.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes + self.letter_bytes
    }

    /// Counts what the group takes of memory, and `more_bytes`, among what all connections may
    /// hold. `false`: it is more than `bytes_max`, or than what is left of `budget`.
    pub(super) fn hold(
        &mut self,
        budget: &StagedBudget,
        bytes_max: usize,
        more_bytes: usize,
    ) -> bool {
        let bytes = self.held_bytes() + more_bytes;
        let held = self.held.get_or_insert_with(|| budget.lease());
        bytes <= bytes_max && held.set(bytes)
    }

    /// Takes every batch out of memory, in order, each with the index of its run.
    pub(super) fn take_from_memory(&mut self) -> Vec<(usize, Box<RowBatch>)> {
        let mut batches = Vec::new();
        for (index, run) in self.runs.iter_mut().enumerate().skip(self.first_in_memory) {
            // Batches go to disk in order: those in memory are behind.
            let on_disk = run
                .batches
                .partition_point(|batch| matches!(batch, Staged::OnDisk(_)));
            for batch in run.batches.drain(on_disk..) {
                self.bytes -= batch.held_bytes();
                self.staged -= 1;
                if let Staged::InMemory(batch) = batch {
                    batches.push((index, batch));
                }
            }
        }
        batches
    }

    /// Puts back what was taken from memory, in the same order, wherever it is now.
    pub(super) fn put_back(&mut self, batches: Vec<(usize, Staged)>) {
        let in_memory = batches
            .iter()
            .find(|(_, batch)| matches!(batch, Staged::InMemory(_)));
        // Batches may still join the last run.
        let last = self.runs.len().saturating_sub(1);
        self.first_in_memory = in_memory.map_or(last, |(index, _)| *index);
        for (index, batch) in batches {
            if let Some(run) = self.runs.get_mut(index) {
                self.bytes += batch.held_bytes();
                self.staged += 1;
                run.batches.push_back(batch);
            }
        }
    }

    /// Rows of batches on disk.
    pub(super) fn rows_on_disk(&self) -> usize {
        self.runs
            .iter()
            .flat_map(|run| &run.batches)
            .filter(|batch| matches!(batch, Staged::OnDisk(_)))
            .map(Staged::rows)
            .sum()
    }

    /// Whether a batch was sent, so that discarding cannot undo everything.
    pub(super) fn is_sent(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether any of its rows has left, delivered or not.
    pub(super) fn has_sent_some(&self) -> bool {
        self.is_sent()
            || self
                .numberings
                .iter()
                .any(|numbering| numbering.rows_sent > 0)
    }

    /// Whether some of its rows are acknowledged by the journal.
    pub(super) fn is_journaled(&self) -> bool {
        self.runs.iter().any(|run| run.ack == AckMode::Journaled)
    }

    /// Statements that write rows.
    pub(super) fn statements(&self) -> usize {
        self.statements
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Rows of all runs, sent or not.
    pub(super) fn rows(&self) -> u64 {
        self.numberings.iter().map(|numbering| numbering.rows).sum()
    }

    /// Asks the pipeline to drop what it has not sent to CDF.
    pub(super) fn abort(&self) {
        self.numberings
            .iter()
            .for_each(|numbering| numbering.ticket.abort());
    }

    /// This point; the builder's rows must have been staged, and the run ends here.
    pub(super) fn mark(&mut self) -> Mark {
        self.is_sealed = true;
        Mark {
            runs: self.runs.len(),
            statements: self.statements,
            letter_bytes: self.letter_bytes,
            numberings: self.numberings.len(),
            rows_of_last: self.last_rows(),
        }
    }

    /// Drops what came after `mark`. Only for groups of which nothing was sent.
    pub(super) fn truncate(&mut self, mark: Mark) {
        let mut first_on_disk = None;
        for batch in self.runs.drain(mark.runs..).flat_map(|run| run.batches) {
            self.bytes -= batch.held_bytes();
            self.staged -= 1;
            if let Staged::OnDisk(place) = batch {
                first_on_disk.get_or_insert(place.offset());
            }
        }
        if let (Some(spool), Some(offset)) = (&mut self.spool, first_on_disk) {
            spool.truncate(offset);
        }
        self.first_in_memory = self.first_in_memory.min(mark.runs.saturating_sub(1));
        self.statements = mark.statements;
        self.letter_bytes = mark.letter_bytes;
        self.numberings.truncate(mark.numberings);
        if let Some(numbering) = self.numberings.last_mut() {
            numbering.truncate(mark.rows_of_last, mark.statements);
        }
        self.is_sealed = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TABLES;

    /// Begins a statement of `rows` rows.
    fn add(group: &mut Group, kind: RunKind, table: usize, columns: &[usize], rows: u64) -> usize {
        let statement = group.begin_statement(RunShape {
            kind,
            table: TABLES[table],
            columns,
            ack: AckMode::Delivered,
            action: &Action::Create,
            wants_objects: false,
        });
        group.add_rows(rows);
        statement
    }

    #[test]
    fn inserts_with_one_column_list_share_a_run_and_keep_their_rows_apart() {
        let mut group = Group::default();
        let first = add(&mut group, RunKind::Insert, 0, &[0, 1, 2], 3);
        let second = add(&mut group, RunKind::Insert, 0, &[0, 1, 2], 2);
        assert_eq!(group.runs.len(), 1);
        let located = |row| group.numberings[0].locate(row);
        assert_eq!((located(3).statement, located(3).row), (first, 3));
        assert_eq!((located(4).statement, located(4).row), (second, 1));
        assert_eq!(group.rows(), 5);
    }

    #[test]
    fn another_table_another_column_list_and_a_copy_start_a_run() {
        let mut group = Group::default();
        add(&mut group, RunKind::Insert, 0, &[0, 1, 2], 1);
        add(&mut group, RunKind::Insert, 0, &[0, 1], 1);
        add(&mut group, RunKind::Insert, 1, &[0, 1], 1);
        add(&mut group, RunKind::Copy, 1, &[0, 1], 1);
        add(&mut group, RunKind::Copy, 1, &[0, 1], 1);
        assert_eq!(group.runs.len(), 5);
        // The INSERTs are numbered through, each COPY by itself.
        assert_eq!(group.numberings.len(), 3);
        assert_eq!(group.numberings[0].locate(3).run, 2);
    }

    #[test]
    fn updates_share_a_run_only_with_their_own_kind() {
        let mut group = Group::default();
        let mut begin = |action: &Action, columns: &[usize], wants_objects| {
            let kind = match action {
                Action::Update => RunKind::Update,
                Action::Delete => RunKind::Delete,
                _ => RunKind::Insert,
            };
            group.begin_statement(RunShape {
                kind,
                table: TABLES[0],
                columns,
                ack: AckMode::Delivered,
                action,
                wants_objects,
            });
            group.add_rows(1);
            (group.runs.len(), group.numberings.len())
        };
        assert_eq!(begin(&Action::Update, &[1, 2], false), (1, 1));
        assert_eq!(begin(&Action::Update, &[1, 2], false), (1, 1));
        assert_eq!(begin(&Action::Update, &[1, 5], false), (2, 1));
        assert_eq!(begin(&Action::Delete, &[1], false), (3, 1));
        assert_eq!(begin(&Action::Create, &[1], false), (4, 1));
        assert_eq!(begin(&Action::CreateMissing, &[1], false), (5, 1));
        assert_eq!(begin(&Action::CreateMissing, &[1], true), (6, 2));
    }

    #[test]
    fn taking_a_group_back_to_a_mark_drops_what_came_after() {
        let mut group = Group::default();
        add(&mut group, RunKind::Insert, 0, &[0], 1);
        let mark = group.mark();
        add(&mut group, RunKind::Insert, 0, &[0], 4);
        add(&mut group, RunKind::Copy, 0, &[0], 4);
        assert_eq!(group.rows(), 9);
        group.truncate(mark);
        assert_eq!(group.rows(), 1);
        assert_eq!(add(&mut group, RunKind::Insert, 0, &[0], 1), 1);
        assert_eq!(group.runs.len(), 2);
        assert_eq!(group.numberings[0].locate(2).statement, 1);
    }
}
