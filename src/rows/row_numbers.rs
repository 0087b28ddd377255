//! Which row of its statement each row of a batch was, counted from 1.
//!
//! Owns the mapping that errors use to name a row. Promises one number for the common case
//! of rows in a row. Never guesses: a batch that is not contiguous lists its numbers.

/// Row numbers of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowNumbers {
    /// Row i of the batch is row `first + i` of the statement.
    From(u64),
    /// Row i of the batch is row `numbers[i]` of the statement.
    Listed(Vec<u64>),
}

impl RowNumbers {
    /// The statement's row number of row `index` of the batch.
    pub fn get(&self, index: usize) -> u64 {
        match self {
            RowNumbers::From(first) => first + index as u64,
            RowNumbers::Listed(numbers) => numbers[index],
        }
    }
}
