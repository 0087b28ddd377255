//! RAW rows as columns: keys and JSON objects of one RAW table.
//!
//! Owns the batch. Promises one destination per batch, keys and columns of equal length, and
//! that each of `columns` is a JSON object, kept as the client wrote it. Never parses it again.

use super::{RowNumbers, TextColumn, pool};
use std::sync::Arc;

/// Where RAW rows go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RawDestination {
    /// 1 to 32 characters.
    pub database: Box<str>,
    /// 1 to 64 characters.
    pub table: Box<str>,
}

/// Rows of one RAW table, in the order of their statement.
#[derive(Clone, Debug, PartialEq)]
pub struct RawBatch {
    pub destination: Arc<RawDestination>,
    /// 1 to 1024 characters each.
    pub keys: TextColumn,
    /// Per row, the hash of its key by [`super::hash_key`] of the key's bytes.
    pub key_hashes: Vec<u64>,
    /// Per row, a JSON object.
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
