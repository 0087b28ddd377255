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

/// Collects the row numbers of a batch in the making.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowNumberLog {
    rows: usize,
    first: u64,
    /// Empty while the rows are in a row.
    listed: Vec<u64>,
}

impl RowNumberLog {
    /// Appends the number of the next row.
    #[inline]
    pub fn push(&mut self, row_number: u64) {
        if self.rows == 0 {
            self.first = row_number;
        } else if !self.listed.is_empty() || row_number != self.first + self.rows as u64 {
            self.list(row_number);
        }
        self.rows += 1;
    }

    #[cold]
    fn list(&mut self, row_number: u64) {
        if self.listed.is_empty() {
            let end = self.first + self.rows as u64;
            self.listed.extend(self.first..end);
        }
        self.listed.push(row_number);
    }

    /// The numbers so far; the log starts anew.
    pub fn take(&mut self) -> RowNumbers {
        let log = std::mem::take(self);
        if log.listed.is_empty() {
            RowNumbers::From(log.first)
        } else {
            RowNumbers::Listed(log.listed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(pushed: &[u64]) -> RowNumbers {
        let mut log = RowNumberLog::default();
        for number in pushed {
            log.push(*number);
        }
        log.take()
    }

    #[test]
    fn rows_in_a_row_need_one_number() {
        assert_eq!(numbers(&[5, 6, 7]), RowNumbers::From(5));
    }

    #[test]
    fn a_gap_lists_every_number() {
        assert_eq!(
            numbers(&[5, 6, 9, 10]),
            RowNumbers::Listed(vec![5, 6, 9, 10])
        );
        assert_eq!(numbers(&[5, 9]), RowNumbers::Listed(vec![5, 9]));
    }
}
