//! What the rows of a batch of objects do in CDF.
//!
//! Owns the ways of writing: create, upsert, change, delete. Promises that rows of two ways
//! never share a request. Never says how a way is taken: the pipeline does.

use super::ObjectBatch;
use std::sync::Arc;

/// What rows do.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Action {
    /// INSERT and COPY: what exists already is refused, or overwritten, as CDF does.
    #[default]
    Create,
    /// `ON CONFLICT DO NOTHING`: rows that exist already are skipped.
    CreateMissing,
    /// `ON CONFLICT DO UPDATE`: rows that exist already are changed.
    Upsert(Arc<ConflictUpdate>),
    /// `UPDATE … WHERE key`: each column but the key is set, a null taken away. Rows that do not
    /// exist are skipped.
    Update,
    /// `DELETE … WHERE key`: the batch holds the key only.
    Delete,
    /// The same where the reply counts the rows that there were, and CDF does not: RAW rows are read
    /// first.
    DeleteFound,
    /// `TRUNCATE`: all rows of a table go, whatever their keys.
    Empty,
}

impl Action {
    /// The name in files: it never changes.
    pub fn name(&self) -> &'static str {
        match self {
            Action::Create => "insert",
            Action::CreateMissing => "insert_missing",
            Action::Upsert(_) => "upsert",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::DeleteFound => "delete_found",
            Action::Empty => "empty",
        }
    }

    /// The action of that name. What an upsert sets is in no name: its rows are made.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "insert" | "upsert" => Action::Create,
            "insert_missing" => Action::CreateMissing,
            "update" => Action::Update,
            "delete" => Action::Delete,
            "delete_found" => Action::DeleteFound,
            "empty" => Action::Empty,
            _ => return None,
        })
    }

    /// Which of the ways it is.
    pub fn kind(&self) -> ActionKind {
        match self {
            Action::Create => ActionKind::Create,
            Action::CreateMissing => ActionKind::CreateMissing,
            Action::Upsert(_) => ActionKind::Upsert,
            Action::Update => ActionKind::Update,
            Action::Delete | Action::DeleteFound | Action::Empty => ActionKind::Delete,
        }
    }
}

/// A way of writing, without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ActionKind {
    Create,
    CreateMissing,
    Upsert,
    Update,
    Delete,
}

impl ActionKind {
    /// Whether rows that do not exist are made.
    pub fn makes(self) -> bool {
        !matches!(self, ActionKind::Update | ActionKind::Delete)
    }

    /// The name in files: it never changes.
    pub fn name(self) -> &'static str {
        match self {
            ActionKind::Create => "insert",
            ActionKind::CreateMissing => "insert_missing",
            ActionKind::Upsert => "upsert",
            ActionKind::Update => "update",
            ActionKind::Delete => "delete",
        }
    }
}

/// What `DO UPDATE SET` sets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConflictUpdate {
    pub assignments: Vec<Assignment>,
    /// One row with the constants among the assigned values.
    pub constants: Option<ObjectBatch>,
}

/// One `column = value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The column that is set, by index in the table.
    pub column: usize,
    pub value: Assigned,
}

/// Where the value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assigned {
    /// `excluded.column`: the value that the row would have been made with, or null where the
    /// statement does not name that column.
    Excluded(usize),
    /// The value of the assigned column in [`ConflictUpdate::constants`], or null where it is
    /// not there.
    Constant,
}
