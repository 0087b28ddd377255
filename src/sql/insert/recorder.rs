//! A row builder for tests that writes down what it is given.
//!
//! Owns the rows as text. Promises the contract of the trait: rows are whole, an abandoned row
//! leaves no trace. Never checks a value, except that it refuses the text `bad`.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{RowBatch, RowBuilder, WireFormat};

/// One field of a row: `column:format=value`.
#[derive(Debug, Default)]
pub(in crate::sql) struct Recorder {
    pub finished: Vec<(u64, Vec<String>)>,
    open: Vec<String>,
    pub rows_max: usize,
}

impl Recorder {
    pub fn new() -> Self {
        Recorder {
            rows_max: usize::MAX,
            ..Self::default()
        }
    }

    /// The rows without their numbers.
    pub fn rows(&self) -> Vec<Vec<&str>> {
        self.finished
            .iter()
            .map(|(_, fields)| fields.iter().map(String::as_str).collect())
            .collect()
    }
}

impl RowBuilder for Recorder {
    fn field(
        &mut self,
        column: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        let text = String::from_utf8_lossy(value);
        if text == "bad" {
            return Err(Box::new(Diagnostic::error(
                SqlState::INVALID_TEXT_REPRESENTATION,
                "invalid input syntax: \"bad\"",
            )));
        }
        self.open.push(match format {
            WireFormat::Text => format!("{column}={text}"),
            WireFormat::TextOf(oid) => format!("{column}:{oid}={text}"),
            WireFormat::Binary(oid) => format!("{column}:{oid}b={value:?}"),
        });
        Ok(())
    }

    fn delete_between(&mut self, begin_ms: i64, end_ms: i64) -> Result<(), Box<Diagnostic>> {
        self.open.push(format!("{begin_ms}..{end_ms}"));
        Ok(())
    }

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        self.open.push(format!("{column} null"));
        Ok(())
    }

    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>> {
        self.finished
            .push((row_number, std::mem::take(&mut self.open)));
        Ok(())
    }

    fn abandon_row(&mut self) {
        self.open.clear();
    }

    fn rows(&self) -> usize {
        self.finished.len()
    }

    fn is_full(&self) -> bool {
        self.finished.len() >= self.rows_max
    }

    fn take(&mut self) -> Vec<RowBatch> {
        self.finished.clear();
        Vec::new()
    }
}
