//! From what CDF names in an error back to the rows that are meant.
//!
//! Owns the match between references and rows. Promises every row that a reference names, in
//! order. Never guesses: a reference that no row names matches none.

use super::Reference;
use crate::rows::{DatapointBatch, ObjectBatch, ObjectColumn, ObjectValues, RowBatch, RowRange};
use std::collections::HashSet;

/// The rows of `range` (indexes in its batch) that name any of `references`.
pub fn named_rows(range: &RowRange<'_>, references: &[Reference]) -> Vec<usize> {
    let references: HashSet<&Reference> = references.iter().collect();
    if references.is_empty() {
        return Vec::new();
    }
    match range.batch {
        RowBatch::Datapoints(batch) => {
            let named = named_series(batch, &references);
            range
                .rows
                .clone()
                .filter(|row| named[batch.series_index[*row] as usize])
                .collect()
        }
        // RAW refuses no row by name.
        RowBatch::RawRows(_) => Vec::new(),
        RowBatch::Objects(batch) => range
            .rows
            .clone()
            .filter(|row| names_any(batch, *row, &references))
            .collect(),
    }
}

/// Per series of the batch, whether it is named.
fn named_series(batch: &DatapointBatch, references: &HashSet<&Reference>) -> Vec<bool> {
    batch
        .series
        .iter()
        .map(|key| references.contains(&Reference::from(key.reference())))
        .collect()
}

fn names_any(batch: &ObjectBatch, row: usize, references: &HashSet<&Reference>) -> bool {
    batch.columns.iter().any(|column| {
        let Some(described) = batch.table.columns.get(column.column) else {
            return false;
        };
        if !column.present[row] {
            return false;
        }
        match (described.field, &column.values) {
            ("externalId", ObjectValues::Text(values)) => {
                references.contains(&Reference::ExternalId(values.text(row).into()))
            }
            ("name", ObjectValues::Text(values)) => {
                references.contains(&Reference::Name(values.text(row).into()))
            }
            _ => points_at_any(described.name, column, row, references),
        }
    })
}

fn points_at_any(
    name: &'static str,
    column: &ObjectColumn,
    row: usize,
    references: &HashSet<&Reference>,
) -> bool {
    let is_named = |id: i64| references.contains(&Reference::InColumn { column: name, id });
    match &column.values {
        ObjectValues::BigInt(values) => is_named(values[row]),
        ObjectValues::BigIntArray(values) => values[row].iter().copied().any(is_named),
        _ => false,
    }
}
