//! Rows that a MERGE makes, which must not have the key of a row that was not read.
//!
//! Owns the question whether a new row has the key by which the table's rows were found. Promises to
//! say yes only where the statement gives the column the very value that it is compared with. Matters
//! only where CDF would let a new row take the place of one that PostgreSQL would have found.

use super::keys::{JoinKey, Keys};
use crate::catalog::OnExisting;
use sqlparser::ast::{Expr, Merge, MergeAction, MergeInsertExpr, MergeInsertKind};

/// What a MERGE inserts where nothing matches.
pub(super) fn insertions(merge: &Merge) -> Vec<&MergeInsertExpr> {
    let actions = merge.clauses.iter().map(|clause| &clause.action);
    actions
        .filter_map(|action| match action {
            MergeAction::Insert(insert) => Some(insert),
            _ => None,
        })
        .collect()
}

impl Keys<'_> {
    /// Whether conditions that leave rows out of the table might let a MERGE insert a row over one of
    /// them.
    pub(super) fn may_overwrite(&self) -> bool {
        let table = self.comparisons.named.table;
        !self.comparisons.place.inserted.is_empty()
            && table.on_existing == OnExisting::Overwrite
            && !table.key.is_empty()
    }

    /// Whether every row that the MERGE inserts has a value of this key, so that one with the same
    /// key in the table was read.
    pub(super) fn is_inserted(&self, key: &JoinKey) -> bool {
        let table = self.comparisons.named.table;
        let inserted = &self.comparisons.place.inserted;
        table.key.contains(&key.column)
            && inserted
                .iter()
                .all(|insert| self.gives(insert, key).unwrap_or(false))
    }

    fn gives(&self, insert: &MergeInsertExpr, key: &JoinKey) -> Option<bool> {
        let MergeInsertKind::Values(values) = &insert.kind else {
            return None;
        };
        let [row] = values.rows.as_slice() else {
            return None;
        };
        let name = self.comparisons.named.table.columns[key.column].name;
        let place = match insert.columns.is_empty() {
            true => key.column,
            false => insert
                .columns
                .iter()
                .position(|column| super::from::last_part(column) == name)?,
        };
        let value: &Expr = row.content.get(place)?;
        Some(self.is_column(value, key))
    }
}
