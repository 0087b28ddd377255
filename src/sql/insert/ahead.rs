//! Looking ahead in the rows of an INSERT, before any of them is read.
//!
//! Owns what is asked of all rows at once: whether they are SQL, and whether the gateway can read them.
//! Promises to find what PostgreSQL finds before it looks at a value. Never hands a value out.

use super::scanner::{AnyValue, Behind, Scanner};
use crate::diagnostic::{Diagnostic, SqlState};

impl Scanner<'_> {
    /// What keeps the first row that is none of the gateway's from being read, if the rows are SQL.
    /// Looks at no more than `rows_max`.
    pub fn first_unfit(mut self, rows_max: usize) -> Option<Box<Diagnostic>> {
        for _ in 0..rows_max {
            let before = self.clone();
            if let Err(unfit) = self.row(&mut AnyValue) {
                return before.syntax_error_ahead().is_none().then_some(unfit);
            }
            if self.behind().ok()? == Behind::End {
                return None;
            }
        }
        None
    }

    /// Whether all rows are SQL.
    ///
    /// # Errors
    /// 42601.
    pub fn check_syntax(mut self) -> Result<(), Box<Diagnostic>> {
        loop {
            let before = self.clone();
            if self.row(&mut AnyValue).is_err() {
                let error = before.syntax_error_ahead();
                return error.map_or(Ok(()), |(_, error)| Err(error));
            }
            if self.behind()? == Behind::End {
                return Ok(());
            }
        }
    }

    /// The first error that PostgreSQL would find in the rows from here on before it looks at
    /// any value, and how many rows lie before it.
    #[cold]
    pub fn syntax_error_ahead(mut self) -> Option<(u64, Box<Diagnostic>)> {
        let mut rows = 0;
        loop {
            match self.step_over_row() {
                Ok(Behind::Row) => rows += 1,
                Ok(Behind::End) => return None,
                Err(error) if error.sqlstate == SqlState::SYNTAX_ERROR => {
                    return Some((rows, error));
                }
                Err(_) => return None,
            }
        }
    }

    fn step_over_row(&mut self) -> Result<Behind, Box<Diagnostic>> {
        self.skip_blank()?;
        self.count()?;
        self.close()?;
        self.behind()
    }
}
