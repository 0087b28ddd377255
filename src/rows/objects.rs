//! Rows of the metadata tables as typed columns.
//!
//! Owns the batch of everything that CDF takes as one JSON object a row. Promises that all
//! columns have one entry per row and that a missing value is a null. Never knows the JSON:
//! the encoder goes by the catalog's field names.

use super::{Action, RowNumbers, TextColumn, hash_key};
use crate::catalog::{Resource, Table};

/// Values of one column; a null has a placeholder here and `false` in `present`.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectValues {
    Bool(Vec<bool>),
    BigInt(Vec<i64>),
    Double(Vec<f64>),
    /// Text and VARCHAR, and bytes in PostgreSQL's hexadecimal text form.
    Text(TextColumn),
    /// Milliseconds since 1970-01-01 UTC.
    TimestampMs(Vec<i64>),
    /// JSON as the client wrote it, checked.
    Json(TextColumn),
    BigIntArray(Vec<Vec<i64>>),
    /// Lists of anything but bigints, each as a JSON array.
    TextArray(TextColumn),
}

/// The hash of the key of row `row` of `table`, by [`hash_key`]; 0 when a part of it is missing.
/// A row that names its object by CDF's id instead has the hash of that. `column` finds a column
/// of the batch by its index in the table.
pub fn row_key_hash<'a>(
    table: &Table,
    row: usize,
    column: impl Fn(usize) -> Option<&'a ObjectColumn>,
) -> u64 {
    let part = |index: usize| {
        let column = column(index)?;
        if !column.present[row] {
            return None;
        }
        match &column.values {
            ObjectValues::Text(values) => Some(hash_key(values.bytes(row))),
            ObjectValues::BigInt(values) => Some(hash_key(&values[row])),
            _ => None,
        }
    };
    match table.key {
        [] if table.resource == Resource::SequenceRows => {
            let [_, external_id, id, row_number, ..] = SEQUENCE_ROW_COLUMNS;
            let sequence = part(external_id).or_else(|| part(id));
            sequence
                .zip(part(row_number))
                .map_or(0, |parts| hash_key(&parts))
        }
        [] => 0,
        [single] => part(*single)
            .or_else(|| table.id.and_then(part))
            .unwrap_or(0),
        several => {
            let parts: Option<Vec<u64>> = several.iter().map(|index| part(*index)).collect();
            parts.map_or(0, |parts| hash_key(parts.as_slice()))
        }
    }
}

/// One column of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectColumn {
    /// Index in the table's columns.
    pub column: usize,
    pub values: ObjectValues,
    /// Per row, whether it has a value.
    pub present: Vec<bool>,
}

/// `values`, `external_id`, `id`, `row_number` and `columns` of table `sequence_rows`.
pub const SEQUENCE_ROW_COLUMNS: [usize; 5] = [0, 1, 2, 3, 4];

/// By which of its two names rows call an object: the key that clients gave it, the id that CDF
/// made. Neither, where it has one name only or none yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectNames {
    pub by_key: bool,
    pub by_id: bool,
}

impl ObjectNames {
    /// Whether rows go by a name of which there are two.
    pub fn any(self) -> bool {
        self.by_key || self.by_id
    }

    /// Whether one object may be meant under two names.
    pub fn cross(self, other: Self) -> bool {
        (self.by_key && other.by_id) || (self.by_id && other.by_key)
    }
}

/// Rows of one metadata table, in the order of their statement.
#[derive(Clone, Debug)]
pub struct ObjectBatch {
    pub table: &'static Table,
    pub action: Action,
    pub rows: usize,
    /// Only the columns that the statement names.
    pub columns: Vec<ObjectColumn>,
    /// Per row, the hash of its key by [`super::hash_key`]; 0 for a row without one.
    pub key_hashes: Vec<u64>,
    pub row_numbers: RowNumbers,
}

/// Two batches are equal when they would write the same.
impl PartialEq for ObjectBatch {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.table, other.table)
            && self.action == other.action
            && self.rows == other.rows
            && self.columns == other.columns
    }
}

impl ObjectBatch {
    /// By which names its rows call their objects. Looks at columns, and at the rows of those
    /// until one has a value.
    pub fn names(&self) -> ObjectNames {
        let (key, id) = match (self.table.key, self.table.id) {
            ([key], Some(id)) => (*key, id),
            _ if self.table.resource == Resource::SequenceRows => {
                let [_, external_id, id, ..] = SEQUENCE_ROW_COLUMNS;
                (external_id, id)
            }
            _ => return ObjectNames::default(),
        };
        let is_used = |index| {
            self.column(index)
                .is_some_and(|column| column.present.contains(&true))
        };
        ObjectNames {
            by_key: is_used(key),
            by_id: is_used(id),
        }
    }

    /// The column with that index in the table, if the batch has it.
    pub fn column(&self, index: usize) -> Option<&ObjectColumn> {
        self.columns.iter().find(|column| column.column == index)
    }
}
