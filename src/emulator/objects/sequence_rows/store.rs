//! The cells of the sequences of a project.
//!
//! Owns the rows, in the order of their numbers. Cells are kept under the external id of
//! their column and follow it when it gets another one.

use super::super::sequences::ColumnMoves;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Column to value, as it was written.
pub type Cells = HashMap<String, Box<RawValue>>;

/// The rows of one sequence.
pub type Rows = BTreeMap<i64, Cells>;

/// The rows of all sequences of a project, by the id of their sequence.
#[derive(Debug, Default)]
pub struct RowStore {
    by_sequence: RwLock<HashMap<i64, Rows>>,
}

impl RowStore {
    pub fn read(&self) -> RwLockReadGuard<'_, HashMap<i64, Rows>> {
        // Cells are replaced one by one, and no step of that panics.
        self.by_sequence
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, HashMap<i64, Rows>> {
        self.by_sequence
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets the rows of sequences that are gone.
    pub fn forget(&self, sequences: &[i64]) {
        let mut rows = self.write();
        for sequence in sequences {
            rows.remove(sequence);
        }
    }

    /// Drops the cells of removed columns and takes those of renamed ones along.
    pub fn follow(&self, moves: Vec<ColumnMoves>) {
        let mut rows = self.write();
        for moves in moves {
            let cells = rows
                .get_mut(&moves.sequence)
                .into_iter()
                .flat_map(Rows::values_mut);
            for cells in cells {
                for name in &moves.removed {
                    cells.remove(name);
                }
                // All are taken out before any is put in: two columns may swap their names.
                let taken: Vec<_> = moves
                    .renamed
                    .iter()
                    .filter_map(|(old, new)| Some((new, cells.remove(old)?)))
                    .collect();
                cells.extend(taken.into_iter().map(|(new, value)| (new.clone(), value)));
            }
        }
    }
}
