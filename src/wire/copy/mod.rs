//! COPY FROM STDIN: from the bytes of CopyData messages to rows in a builder.
//!
//! Owns the three formats. Promises the semantics of PostgreSQL 15 (of 18 for ON_ERROR and DEFAULT), its
//! messages and its CONTEXT; that messages may cut the data anywhere; and that memory stays within one row
//! of the bound given. Never waits, never knows a socket.

mod binary;
mod context;
mod csv;
#[cfg(test)]
mod default_tests;
mod find;
mod header;
mod latin1;
mod line_fault;
mod lines;
mod newline;
#[cfg(test)]
mod round_trip_tests;
mod skipped;
#[cfg(test)]
mod skipped_tests;
#[cfg(test)]
mod tests;
mod text;

use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{RowBuilder, RowFiller};
use crate::sql::{CopyEncoding, CopyFormat, CopyStatement};
use binary::BinaryDecoder;
use csv::CsvDialect;
use latin1::Latin1;
use lines::LineDecoder;
pub use skipped::{SkippedRow, limit_exceeded, summary};
use text::TextDialect;

/// What became of the data that was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// Bytes of the data that need not be fed again.
    pub consumed: usize,
    /// The builder is full: take its rows, then go on with the rest of the data, even if
    /// the rest is empty.
    pub builder_full: bool,
}

/// Where the rows go and how long one may be.
#[derive(Clone, Debug)]
struct Target {
    table: &'static Table,
    /// Indexes in the table's columns, in the order of the data.
    columns: Vec<usize>,
    /// The spelling of NULL, for messages.
    null: Vec<u8>,
    line_bytes_max: usize,
}

#[derive(Debug)]
enum Format {
    Text(LineDecoder<TextDialect>),
    Csv(LineDecoder<CsvDialect>),
    Binary(BinaryDecoder),
}

/// Decodes the data of one COPY. After an error it must not be fed again.
///
/// ```text
/// for each CopyData:
///     loop {
///         fed = decoder.feed(data, builder)?;
///         data = data[fed.consumed..];
///         if !fed.builder_full { break }
///         send(builder.take());
///     }
/// on CopyDone:
///     while decoder.finish(builder)?.builder_full { send(builder.take()) }
///     send(builder.take());
/// ```
#[derive(Debug)]
pub struct CopyDecoder {
    format: Format,
    /// Present where the data is not UTF-8.
    latin1: Option<Latin1>,
}

/// Calls the same method of whichever format it is.
macro_rules! dispatch {
    ($format:expr, $decoder:ident => $call:expr) => {
        match $format {
            Format::Text($decoder) => $call,
            Format::Csv($decoder) => $call,
            Format::Binary($decoder) => $call,
        }
    };
}

impl CopyDecoder {
    /// A decoder for the data of `statement`, whose lines (binary: rows) have at most
    /// `line_bytes_max` bytes. The encoding is the one in the statement's options: where the
    /// statement names none, put the session's there first.
    pub fn new(statement: &CopyStatement, line_bytes_max: usize) -> Self {
        let options = &statement.options;
        let target = Target {
            table: statement.table,
            columns: statement.columns.clone(),
            null: options.null.clone(),
            line_bytes_max,
        };
        let format = match options.format {
            CopyFormat::Text => {
                Format::Text(LineDecoder::new(TextDialect::new(options), target, options))
            }
            CopyFormat::Csv => {
                Format::Csv(LineDecoder::new(CsvDialect::new(options), target, options))
            }
            CopyFormat::Binary => Format::Binary(BinaryDecoder::new(target)),
        };
        let transcodes =
            options.format != CopyFormat::Binary && options.encoding == CopyEncoding::Latin1;
        CopyDecoder {
            format,
            latin1: transcodes.then(Latin1::default),
        }
    }

    /// Decodes the rows that end in `data` and keeps the beginning of the next one. Stops
    /// early when the builder is full.
    ///
    /// # Errors
    /// 22P04 for malformed data, 22021, 54000 for a row beyond the bound, and what the
    /// builder says of values; with PostgreSQL's CONTEXT. The row in question is abandoned,
    /// those before it are in the builder.
    pub fn feed<B: RowBuilder>(
        &mut self,
        data: &[u8],
        builder: &mut B,
    ) -> Result<Fed, Box<Diagnostic>> {
        let format = &mut self.format;
        let Some(latin1) = &mut self.latin1 else {
            return builder.fill_with(Piece { format, data });
        };
        // What an earlier feed has transcoded comes first.
        let data_before = latin1.rest();
        let fed = builder.fill_with(Piece {
            format: &mut *format,
            data: data_before,
        })?;
        latin1.take(fed.consumed);
        if fed.builder_full {
            return Ok(Fed { consumed: 0, ..fed });
        }
        latin1.fill(data);
        let fed = builder.fill_with(Piece {
            format,
            data: latin1.rest(),
        })?;
        latin1.take(fed.consumed);
        Ok(Fed {
            consumed: data.len(),
            ..fed
        })
    }

    /// Decodes what is left when the data has ended: a last line without newline is a row.
    /// While it reports a full builder, take its rows and call it again.
    ///
    /// # Errors
    /// As [`CopyDecoder::feed`], and 22P04 for binary data that ends within a row.
    pub fn finish<B: RowBuilder>(&mut self, builder: &mut B) -> Result<Fed, Box<Diagnostic>> {
        if self.latin1.is_some() {
            let fed = self.feed(&[], builder)?;
            if fed.builder_full {
                return Ok(fed);
            }
        }
        dispatch!(&mut self.format, decoder => decoder.finish(builder))
    }

    /// Takes the rows that were left out since the last call, under ON_ERROR ignore.
    pub fn take_skipped(&mut self) -> Vec<SkippedRow> {
        match &mut self.format {
            Format::Text(decoder) => decoder.take_skipped(),
            Format::Csv(decoder) => decoder.take_skipped(),
            Format::Binary(_) => Vec::new(),
        }
    }

    /// Rows decoded so far, without those that were left out.
    pub fn rows(&self) -> u64 {
        dispatch!(&self.format, decoder => decoder.rows())
    }
}

/// One piece of data for the format's decoder.
struct Piece<'a> {
    format: &'a mut Format,
    data: &'a [u8],
}

impl RowFiller for Piece<'_> {
    type Output = Result<Fed, Box<Diagnostic>>;

    fn fill<B: RowBuilder>(self, builder: &mut B) -> Self::Output {
        dispatch!(self.format, decoder => decoder.feed(self.data, builder))
    }
}

/// 54000: a row needs more memory than one row may.
#[cold]
fn row_too_long(line_bytes_max: usize) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("a row of the data has more than {line_bytes_max} bytes"),
        )
        .with_hint("Check the delimiter and the quotes of the data."),
    )
}
