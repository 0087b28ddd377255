//! What every row builder can do: take the fields of a row and hand out full batches.
//!
//! Owns the contract between the decoders (COPY, INSERT, Bind) and the builders. Promises
//! that a row whose field failed leaves no trace. Never knows where the bytes came from.

use super::RowBatch;
use crate::diagnostic::{Diagnostic, SqlState};

/// How the bytes of a field are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireFormat {
    /// PostgreSQL's text form of the column's type: COPY, quoted literals, parameters whose
    /// type the client left open.
    Text,
    /// PostgreSQL's text form of the type with this OID: parameters that the client typed.
    TextOf(u32),
    /// PostgreSQL's binary form of the type with this OID, which may differ from the
    /// column's: psycopg sends `int2` into `bigint` columns.
    Binary(u32),
}

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchBounds {
    /// Rows of a batch, at most; at least 1.
    pub rows: usize,
    /// Bytes of a batch's values; the row that reaches the bound is the last.
    pub bytes: usize,
}

/// Fills batches row by row. Between `field`/`null` calls and `finish_row` a row is open;
/// an error leaves it open until `abandon_row`.
pub trait RowBuilder {
    /// Gives a value for column `column` (an index in the table's columns).
    ///
    /// # Errors
    /// 22P02, 22003, 22007, 22008, 22001, 22021, 42804 … with table and column set; the
    /// decoder adds the row or line.
    fn field(
        &mut self,
        column: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>>;

    /// Gives NULL for column `column`.
    ///
    /// # Errors
    /// 23502 for a required column.
    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>>;

    /// Gives the times that a row deletes, in place of a timestamp: from `begin_ms` on, up to
    /// `end_ms`, which is after it and not included.
    ///
    /// # Errors
    /// XX000: rows of this builder delete no times.
    fn delete_between(&mut self, begin_ms: i64, end_ms: i64) -> Result<(), Box<Diagnostic>> {
        Err(Box::new(Diagnostic::error(
            SqlState::INTERNAL_ERROR,
            format!("rows of this table do not delete the times {begin_ms} to {end_ms}"),
        )))
    }

    /// Ends the open row, which was row `row_number` of its statement, from 1.
    ///
    /// # Errors
    /// 23502 when a required column got no value; rules across columns.
    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>>;

    /// Takes back the open row.
    fn abandon_row(&mut self);

    /// Rows finished and not yet taken.
    fn rows(&self) -> usize;

    /// Whether a batch has reached its size: take it before the next row.
    fn is_full(&self) -> bool;

    /// Takes all finished rows as batches (several where rows go to several RAW tables),
    /// each with its rows in the statement's order.
    fn take(&mut self) -> Vec<RowBatch>;

    /// Lets `filler` fill this builder. A builder that only stands for another one hands
    /// that one on, so that the filler is compiled for it and called once per piece of data.
    fn fill_with<F: RowFiller>(&mut self, filler: F) -> F::Output
    where
        Self: Sized,
    {
        filler.fill(self)
    }
}

/// Something that fills builders of any kind, such as a decoder with a piece of data.
pub trait RowFiller {
    type Output;

    fn fill<B: RowBuilder>(self, builder: &mut B) -> Self::Output;
}
