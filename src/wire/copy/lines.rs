//! Rows that are lines: what text and CSV have in common.
//!
//! Owns cutting the data into lines, the header, the fast way for lines without special
//! characters, and the place of an error. Promises that data may be cut anywhere, that a
//! line is kept only until it is complete, and that an error is the one PostgreSQL would
//! report first. Never holds more than one unfinished line.

use super::context::{Place, at};
use super::find::find2;
use super::header;
use super::line_fault::{RowFault, default_of, extra_data, missing_data};
use super::newline::{Newline, Scan};
use super::skipped::{SkippedRow, SkippedRows};
use super::{Fed, Target};
use crate::diagnostic::Diagnostic;
use crate::rows::{RowBuilder, WireFormat};
use crate::sql::{CopyHeader, CopyOptions};
use memchr::{memchr, memchr2, memrchr};

/// A field after quotes and escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'a> {
    Null,
    /// The column's default, with its spelling.
    Default(&'a [u8]),
    Value(&'a [u8]),
}

/// What differs between text and CSV.
pub trait Dialect {
    fn delimiter(&self) -> u8;

    /// Looks for the end of the line that begins with `buffer`. After `More` it is called
    /// again with the same bytes and more behind them; `at_end` says that none will come.
    /// Newlines within values are added to `embedded_lines`.
    ///
    /// # Errors
    /// 22P04 for newlines and end markers in the wrong place.
    fn scan(
        &mut self,
        newline: &mut Newline,
        buffer: &[u8],
        at_end: bool,
        embedded_lines: &mut u64,
    ) -> Result<Scan, Box<Diagnostic>>;

    /// How many bytes from the start have no special character but delimiters and the bytes
    /// of `newline`, which is `\n` or `\r\n`.
    fn plain_bytes(&self, newline: Newline, data: &[u8]) -> usize;

    /// Whether a line without special characters may begin with this byte.
    fn is_plain_start(&self, first: u8) -> bool;

    /// The field whose bytes have no special character.
    fn plain_field<'a>(&self, index: usize, raw: &'a [u8]) -> Field<'a>;

    /// The first field of `line` (the one of column `index` of the column list), and what
    /// follows its delimiter, if it has one.
    ///
    /// # Errors
    /// 22P04 and 22021.
    fn next_field<'line: 'field, 'field>(
        &self,
        index: usize,
        line: &'line [u8],
        unescaped: &'field mut Vec<u8>,
    ) -> Result<(Field<'field>, Option<&'line [u8]>), Box<Diagnostic>>;
}

/// Decodes the rows of one statement.
#[derive(Debug)]
pub struct LineDecoder<D> {
    pub(super) dialect: D,
    pub(super) target: Target,
    newline: Newline,
    header: CopyHeader,
    /// The beginning of a line whose end has not come.
    tail: Vec<u8>,
    /// Lines that have ended, with those inside values.
    pub(super) lines: u64,
    rows: u64,
    /// The end-of-copy marker has come: the rest is passed over.
    ended: bool,
    pub(super) unescaped: Vec<u8>,
    /// Present under ON_ERROR ignore.
    pub(super) skipped: Option<SkippedRows>,
    /// The number of the next row: rows that were left out are numbered, too.
    pub(super) next_row_number: u64,
}

impl<D: Dialect> LineDecoder<D> {
    pub fn new(dialect: D, target: Target, options: &CopyOptions) -> Self {
        LineDecoder {
            dialect,
            target,
            newline: Newline::Unknown,
            header: options.header,
            tail: Vec::new(),
            lines: 0,
            rows: 0,
            ended: false,
            unescaped: Vec::new(),
            skipped: SkippedRows::new(options.on_error),
            next_row_number: 1,
        }
    }

    /// Takes the rows that were left out since the last call.
    pub fn take_skipped(&mut self) -> Vec<SkippedRow> {
        self.skipped
            .as_mut()
            .map(SkippedRows::take)
            .unwrap_or_default()
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Decodes the rows that end in `data`.
    ///
    /// # Errors
    /// 22P04, 22021, and what the builder says, with CONTEXT.
    pub fn feed<B: RowBuilder>(
        &mut self,
        data: &[u8],
        builder: &mut B,
    ) -> Result<Fed, Box<Diagnostic>> {
        let mut consumed = 0;
        while !self.ended && consumed < data.len() {
            if builder.is_full() {
                return Ok(Fed {
                    consumed,
                    builder_full: true,
                });
            }
            if self.tail.is_empty() {
                consumed += self.plain_rows(&data[consumed..], builder);
                if !builder.is_full() {
                    consumed += self.line(&data[consumed..], builder)?;
                }
            } else {
                consumed += self.complete_tail(&data[consumed..], builder)?;
            }
        }
        if self.ended {
            consumed = data.len();
        }
        Ok(Fed {
            consumed,
            builder_full: builder.is_full(),
        })
    }

    /// Decodes the line that no newline has ended.
    ///
    /// # Errors
    /// As [`LineDecoder::feed`].
    pub fn finish<B: RowBuilder>(&mut self, builder: &mut B) -> Result<Fed, Box<Diagnostic>> {
        let full = Fed {
            consumed: 0,
            builder_full: true,
        };
        while !self.ended && !self.tail.is_empty() {
            if builder.is_full() {
                return Ok(full);
            }
            let tail = std::mem::take(&mut self.tail);
            match self.scan(&tail, true)? {
                Scan::Line { end, next } => {
                    self.take_line(&tail[..end], builder)?;
                    self.tail.extend_from_slice(&tail[next..]);
                }
                Scan::EndMarker { end } => self.end(&tail[..end], builder)?,
                Scan::More => self.take_line(&tail, builder)?,
            }
        }
        if self.header == CopyHeader::Matched {
            self.take_line(&[], builder)?;
        }
        self.ended = true;
        Ok(Fed {
            consumed: 0,
            builder_full: builder.is_full(),
        })
    }

    /// Decodes lines as long as they have no special characters; returns the bytes taken. A
    /// line that needs a closer look, for an error, too, is left for [`LineDecoder::line`].
    #[inline]
    fn plain_rows<B: RowBuilder>(&mut self, data: &[u8], builder: &mut B) -> usize {
        let known = matches!(self.newline, Newline::Lf | Newline::CrLf);
        if !known || self.header != CopyHeader::Absent {
            return 0;
        }
        let plain = self.dialect.plain_bytes(self.newline, data);
        let Some(last_newline) = memrchr(b'\n', &data[..plain]) else {
            return 0;
        };
        let mut rest = &data[..=last_newline];
        let lines = rest.len();
        while !rest.is_empty() && !builder.is_full() {
            let Some(after) = self.plain_row(rest, builder) else {
                builder.abandon_row();
                break;
            };
            rest = after;
            self.lines += 1;
            self.rows += 1;
            self.next_row_number += 1;
        }
        lines - rest.len()
    }

    /// Decodes the line at the start of `data`, which ends in a newline; returns what follows.
    #[inline]
    fn plain_row<'a, B: RowBuilder>(&self, data: &'a [u8], builder: &mut B) -> Option<&'a [u8]> {
        if !self.dialect.is_plain_start(data[0]) {
            return None;
        }
        let crlf = self.newline == Newline::CrLf;
        let mut rest = data;
        let last = self.target.columns.len().checked_sub(1)?;
        for (index, column) in self.target.columns.iter().enumerate() {
            let end = find2(self.dialect.delimiter(), b'\n', rest)?;
            if (rest[end] == b'\n') != (index == last) {
                return None;
            }
            let mut raw = &rest[..end];
            if crlf && index == last {
                raw = raw.strip_suffix(b"\r")?;
                let line_bytes = data.len() - rest.len() + raw.len();
                // Any other carriage return is an error, which is not found here.
                if memchr(b'\r', data) != Some(line_bytes) {
                    return None;
                }
            }
            match self.dialect.plain_field(index, raw) {
                Field::Value(value) => builder.field(*column, WireFormat::Text, value).ok()?,
                Field::Null => builder.null(*column).ok()?,
                Field::Default(_) => {
                    default_of(self.target.table, *column).ok()?;
                }
            }
            rest = &rest[end + 1..];
        }
        builder.finish_row(self.next_row_number).ok()?;
        Some(rest)
    }

    /// Decodes one line with a closer look; returns the bytes taken.
    fn line<B: RowBuilder>(
        &mut self,
        data: &[u8],
        builder: &mut B,
    ) -> Result<usize, Box<Diagnostic>> {
        if data.is_empty() {
            return Ok(0);
        }
        match self.scan(data, false)? {
            Scan::Line { end, next } => {
                self.take_line(&data[..end], builder)?;
                Ok(next)
            }
            Scan::EndMarker { end } => {
                self.end(&data[..end], builder)?;
                Ok(data.len())
            }
            Scan::More => {
                self.keep(data)?;
                Ok(data.len())
            }
        }
    }

    /// Adds to the kept line up to its end, if that is in `data`; returns the bytes taken.
    fn complete_tail<B: RowBuilder>(
        &mut self,
        data: &[u8],
        builder: &mut B,
    ) -> Result<usize, Box<Diagnostic>> {
        let mut taken = 0;
        while taken < data.len() {
            // Piece by piece, so that only this line is copied.
            let piece = memchr2(b'\n', b'\r', &data[taken..])
                .map_or(data.len() - taken, |newline| newline + 1);
            self.keep(&data[taken..taken + piece])?;
            let before = self.tail.len() - piece;
            let mut tail = std::mem::take(&mut self.tail);
            match self.scan(&tail, false)? {
                Scan::More => {
                    self.tail = tail;
                    taken += piece;
                }
                Scan::Line { end, next } => {
                    self.take_line(&tail[..end], builder)?;
                    // A line that ended with a lone \r: what stands behind it is the next one.
                    let taken_now = next.saturating_sub(before);
                    tail.clear();
                    self.tail = tail;
                    return Ok(taken + taken_now);
                }
                Scan::EndMarker { end } => {
                    self.end(&tail[..end], builder)?;
                    return Ok(data.len());
                }
            }
        }
        Ok(taken)
    }

    fn keep(&mut self, data: &[u8]) -> Result<(), Box<Diagnostic>> {
        if self.tail.len() + data.len() > self.target.line_bytes_max {
            let too_long = super::row_too_long(self.target.line_bytes_max);
            return Err(self.at_line(too_long));
        }
        self.tail.extend_from_slice(data);
        Ok(())
    }

    fn scan(&mut self, buffer: &[u8], at_end: bool) -> Result<Scan, Box<Diagnostic>> {
        let mut embedded_lines = 0;
        let scan = self
            .dialect
            .scan(&mut self.newline, buffer, at_end, &mut embedded_lines);
        self.lines += embedded_lines;
        scan.map_err(|diagnostic| self.at_line(diagnostic))
    }

    /// The line that is being read, which has not ended.
    #[cold]
    fn at_line(&self, diagnostic: Box<Diagnostic>) -> Box<Diagnostic> {
        at(
            self.target.table.name,
            self.lines + 1,
            Place::Line,
            diagnostic,
        )
    }

    fn end<B: RowBuilder>(&mut self, line: &[u8], builder: &mut B) -> Result<(), Box<Diagnostic>> {
        self.ended = true;
        if line.is_empty() && self.header != CopyHeader::Matched {
            Ok(())
        } else {
            self.take_line(line, builder)
        }
    }

    /// Decodes a whole line: the header or a row.
    fn take_line<B: RowBuilder>(
        &mut self,
        line: &[u8],
        builder: &mut B,
    ) -> Result<(), Box<Diagnostic>> {
        self.lines += 1;
        let table = self.target.table.name;
        match std::mem::replace(&mut self.header, CopyHeader::Absent) {
            CopyHeader::Absent => {}
            CopyHeader::Skipped => return Ok(()),
            CopyHeader::Matched => {
                return header::check(&self.dialect, &self.target, line)
                    .map_err(|refusal| at(table, self.lines, Place::LineText(line), refusal));
            }
        }
        let row = self.row(line, builder);
        match row {
            Ok(()) => self.rows += 1,
            Err(fault) => {
                builder.abandon_row();
                self.refuse(line, fault)?;
            }
        }
        self.next_row_number += 1;
        Ok(())
    }

    fn row<B: RowBuilder>(&mut self, line: &[u8], builder: &mut B) -> Result<(), RowFault> {
        let table = self.target.table;
        let number = self.lines;
        let mut rest = Some(line);
        for (index, column) in self.target.columns.iter().enumerate() {
            let name = table.columns[*column].name;
            let Some(fields) = rest else {
                let missing = missing_data(name);
                return Err(at(table.name, number, Place::LineText(line), missing).into());
            };
            let (field, after) = self
                .dialect
                .next_field(index, fields, &mut self.unescaped)
                .map_err(|diagnostic| at(table.name, number, Place::LineText(line), diagnostic))?;
            match field {
                Field::Value(value) => {
                    builder
                        .field(*column, WireFormat::Text, value)
                        .map_err(|refusal| {
                            let place = Place::Value {
                                column: name,
                                value,
                            };
                            RowFault {
                                diagnostic: at(table.name, number, place, refusal),
                                value: Some(index),
                            }
                        })?
                }
                Field::Null => builder
                    .null(*column)
                    .map_err(|refusal| at(table.name, number, Place::LineText(line), refusal))?,
                Field::Default(_) => default_of(table, *column)
                    .map_err(|refusal| at(table.name, number, Place::LineText(line), refusal))?,
            }
            rest = after;
        }
        if rest.is_some() {
            return Err(at(table.name, number, Place::LineText(line), extra_data()).into());
        }
        builder
            .finish_row(self.next_row_number)
            .map_err(|refusal| at(table.name, number, Place::LineText(line), refusal).into())
    }
}
