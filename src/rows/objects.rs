//! Rows of the metadata tables as typed columns.
//!
//! Owns the batch of everything that CDF takes as one JSON object a row. Promises that all
//! columns have one entry per row and that a missing value is a null. Never knows the JSON:
//! the encoder goes by the catalog's field names.

use super::{RowNumbers, TextColumn};
use crate::catalog::Table;

/// Values of one column; a null has a placeholder here and `false` in `present`.
#[derive(Clone, Debug, PartialEq)]
pub enum ObjectValues {
    Bool(Vec<bool>),
    BigInt(Vec<i64>),
    Double(Vec<f64>),
    /// Text and VARCHAR.
    Text(TextColumn),
    /// Milliseconds since 1970-01-01 UTC.
    TimestampMs(Vec<i64>),
    /// JSON as the client wrote it, checked.
    Json(TextColumn),
    BigIntArray(Vec<Vec<i64>>),
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

/// Rows of one metadata table, in the order of their statement.
#[derive(Clone, Debug)]
pub struct ObjectBatch {
    pub table: &'static Table,
    pub rows: usize,
    /// Only the columns that the statement names.
    pub columns: Vec<ObjectColumn>,
    /// Per row, the hash of its key by [`super::hash_key`]; 0 for a row without one.
    pub key_hashes: Vec<u64>,
    pub row_numbers: RowNumbers,
}
