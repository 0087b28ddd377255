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
    first: u64,
    /// The number that follows in a row; 0, which no row has, when there are no rows yet and
    /// when the numbers are listed.
    next: u64,
    /// Empty while the rows are in a row.
    listed: Vec<u64>,
}

impl RowNumberLog {
    /// Appends the number of the next row, from 1.
    #[inline]
    pub fn push(&mut self, row_number: u64) {
        if row_number == self.next {
            self.next += 1;
        } else {
            self.push_other(row_number);
        }
    }

    /// Appends the first number, or one that does not follow in a row.
    #[cold]
    fn push_other(&mut self, row_number: u64) {
        if self.first == 0 {
            (self.first, self.next) = (row_number, row_number + 1);
            return;
        }
        if self.listed.is_empty() {
            self.listed.extend(self.first..self.next);
            self.next = 0;
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
