//! RAW rows as columns: keys and JSON objects of one RAW table.
//!
//! Owns the batch, and what its rows do. Promises one destination per batch, keys and columns of
//! equal length, and that each of `columns` is what the action says. Never parses it again.

use super::{Action, ActionKind, RowNumbers, TextColumn, pool};
use std::sync::Arc;

/// Where RAW rows go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawDestination {
    /// 1 to 32 characters.
    pub database: Box<str>,
    /// 1 to 64 characters.
    pub table: Box<str>,
}

/// What RAW rows do. RAW knows inserts that replace whole rows, and deletes; the others read
/// first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RawAction {
    /// INSERT and COPY: a row with an existing key is replaced. `columns` are JSON objects.
    #[default]
    Insert,
    /// `ON CONFLICT DO NOTHING`: rows that exist already are skipped.
    InsertMissing,
    /// UPDATE of all columns at once; rows that do not exist are skipped.
    Replace,
    /// UPDATE of some cells: `columns` are [`super::CellChanges`], and other cells stay.
    Merge,
    /// `ON CONFLICT DO UPDATE` of some cells: `columns` are [`super::CellChanges`] that hold the row
    /// which is made where there is none.
    Upsert,
    /// DELETE: `columns` are empty.
    Delete,
    /// DELETE that counts: rows that do not exist are skipped.
    DeleteFound,
    /// TRUNCATE: one row without key or columns stands for all rows of the table.
    Empty,
}

impl RawAction {
    /// Every action.
    pub const ALL: [RawAction; 8] = [
        RawAction::Insert,
        RawAction::InsertMissing,
        RawAction::Replace,
        RawAction::Merge,
        RawAction::Upsert,
        RawAction::Delete,
        RawAction::DeleteFound,
        RawAction::Empty,
    ];

    /// What rows of a table with declared columns (`cells`), or of the table of all RAW rows, do
    /// for a statement. Every update of what exists is an insert to RAW; an upsert of a row
    /// without declared columns replaces it.
    pub fn of(action: &Action, cells: bool) -> Self {
        match action {
            Action::Upsert(_) if cells => RawAction::Upsert,
            Action::Create | Action::Upsert(_) => RawAction::Insert,
            Action::CreateMissing => RawAction::InsertMissing,
            Action::Update if cells => RawAction::Merge,
            Action::Update => RawAction::Replace,
            Action::Delete => RawAction::Delete,
            Action::DeleteFound => RawAction::DeleteFound,
            Action::Empty => RawAction::Empty,
        }
    }

    /// The way of writing that it is.
    pub fn kind(self) -> ActionKind {
        match self {
            RawAction::Insert => ActionKind::Create,
            // What is read decides: its requests are those of what is made where it is missing.
            RawAction::InsertMissing | RawAction::Upsert => ActionKind::CreateMissing,
            RawAction::Replace | RawAction::Merge => ActionKind::Update,
            RawAction::Delete | RawAction::DeleteFound | RawAction::Empty => ActionKind::Delete,
        }
    }

    /// Whether CDF is read before it is written.
    pub fn reads(self) -> bool {
        match self {
            RawAction::Insert | RawAction::Delete => false,
            RawAction::InsertMissing
            | RawAction::Replace
            | RawAction::Merge
            | RawAction::Upsert
            | RawAction::DeleteFound
            | RawAction::Empty => true,
        }
    }

    /// Whether `columns` are changes of cells.
    pub fn changes_cells(self) -> bool {
        matches!(self, RawAction::Merge | RawAction::Upsert)
    }

    /// The name in files: it never changes.
    pub fn name(self) -> &'static str {
        match self {
            RawAction::Insert => "insert",
            RawAction::InsertMissing => "insert_missing",
            RawAction::Replace => "replace",
            RawAction::Merge => "merge",
            RawAction::Upsert => "upsert",
            RawAction::Delete => "delete",
            RawAction::DeleteFound => "delete_found",
            RawAction::Empty => "empty",
        }
    }

    /// The action of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// Rows of one RAW table, in the order of their statement.
#[derive(Clone, Debug, PartialEq)]
pub struct RawBatch {
    pub destination: Arc<RawDestination>,
    pub action: RawAction,
    /// 1 to 1024 characters each.
    pub keys: TextColumn,
    /// Per row, the hash of its key by [`super::hash_key`] of the key's bytes.
    pub key_hashes: Vec<u64>,
    /// Per row, what the action writes.
    pub columns: TextColumn,
    pub row_numbers: RowNumbers,
}

/// Buffers go back to their pools.
impl Drop for RawBatch {
    fn drop(&mut self) {
        pool::TEXTS.give(std::mem::take(&mut self.keys));
        pool::HASHES.give(std::mem::take(&mut self.key_hashes));
        pool::TEXTS.give(std::mem::take(&mut self.columns));
    }
}
