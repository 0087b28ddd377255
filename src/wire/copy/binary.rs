//! The binary format: signature, header, rows of counted fields, trailer.
//!
//! Owns PostgreSQL's binary COPY syntax. Promises that data may be cut anywhere, that a
//! field's size is believed only within the bound of a row, and that a missing trailer is
//! fine. Never looks into a value.

use super::context::{Place, at};
use super::{Fed, Target};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{RowBuilder, WireFormat};

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// Bytes of signature, flags and length of the header extension.
const HEADER_BYTES: usize = SIGNATURE.len() + 8;

/// Bit of the flags for rows with OIDs, which PostgreSQL wrote up to version 11.
const FLAG_OIDS: u32 = 1 << 16;

/// Bits of the flags that a reader must know.
const FLAGS_CRITICAL: u32 = 0xffff_0000;

/// How far the data has been understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Header,
    /// So many bytes of the header extension are to be skipped.
    Extension(usize),
    Rows,
    /// The trailer has come.
    Ended,
}

/// What the start of a buffer was.
enum Row {
    /// A row of so many bytes; it is in the builder.
    Whole(usize),
    Trailer,
    /// The row needs at least so many bytes; it ends within the count or the column.
    Cut {
        bytes: usize,
        column: Option<usize>,
    },
}

/// Decodes the rows of one statement.
#[derive(Debug)]
pub struct BinaryDecoder {
    target: Target,
    /// Per column of the column list: index in the table and wire format.
    columns: Vec<(usize, WireFormat)>,
    state: State,
    /// The beginning of a header or a row whose end has not come.
    tail: Vec<u8>,
    rows: u64,
}

impl BinaryDecoder {
    pub fn new(target: Target) -> Self {
        let columns = target
            .columns
            .iter()
            .map(|column| {
                let oid = target.table.columns[*column].column_type.oid();
                (*column, WireFormat::Binary(oid))
            })
            .collect();
        BinaryDecoder {
            target,
            columns,
            state: State::Header,
            tail: Vec::new(),
            rows: 0,
        }
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Decodes the rows that end in `data`.
    ///
    /// # Errors
    /// 22P04, and what the builder says, with CONTEXT.
    pub fn feed<B: RowBuilder>(
        &mut self,
        data: &[u8],
        builder: &mut B,
    ) -> Result<Fed, Box<Diagnostic>> {
        let mut consumed = 0;
        while consumed < data.len() {
            if builder.is_full() {
                break;
            }
            let rest = &data[consumed..];
            consumed += match self.state {
                State::Header => self.header(rest)?,
                State::Extension(bytes) => {
                    let skipped = bytes.min(rest.len());
                    self.state = match bytes - skipped {
                        0 => State::Rows,
                        left => State::Extension(left),
                    };
                    skipped
                }
                State::Rows if self.tail.is_empty() => self.rows_of(rest, builder)?,
                State::Rows => self.complete_tail(rest, builder)?,
                State::Ended => return Err(self.at_row(self.rows + 1, after_trailer())),
            };
        }
        Ok(Fed {
            consumed,
            builder_full: builder.is_full(),
        })
    }

    /// Checks that the data did not end within a header or a row.
    ///
    /// # Errors
    /// As [`BinaryDecoder::feed`].
    pub fn finish<B: RowBuilder>(&mut self, builder: &mut B) -> Result<Fed, Box<Diagnostic>> {
        match self.state {
            State::Header => return Err(cut_header(&self.tail)),
            State::Extension(_) => return Err(bad_header("wrong length")),
            State::Rows if !self.tail.is_empty() => {
                let tail = std::mem::take(&mut self.tail);
                // A lone byte is no field count; PostgreSQL takes it for the end.
                if let Row::Cut {
                    column: Some(column),
                    ..
                } = self.row(&tail, builder)?
                {
                    return Err(self.at_column(column, unexpected_end()));
                }
            }
            State::Rows | State::Ended => {}
        }
        self.state = State::Ended;
        Ok(Fed {
            consumed: 0,
            builder_full: builder.is_full(),
        })
    }

    /// Takes what belongs to the header; returns the bytes taken.
    fn header(&mut self, data: &[u8]) -> Result<usize, Box<Diagnostic>> {
        let taken = data.len().min(HEADER_BYTES - self.tail.len());
        self.tail.extend_from_slice(&data[..taken]);
        let signature = &SIGNATURE[..self.tail.len().min(SIGNATURE.len())];
        if !self.tail.starts_with(signature) {
            return Err(bad_signature());
        }
        if self.tail.len() == HEADER_BYTES {
            let flags = u32_at(&self.tail, SIGNATURE.len());
            let extension = u32_at(&self.tail, SIGNATURE.len() + 4);
            if flags & FLAG_OIDS != 0 {
                return Err(bad_header("WITH OIDS"));
            }
            if flags & FLAGS_CRITICAL != 0 {
                return Err(bad_file("unrecognized critical flags in COPY file header"));
            }
            if extension > i32::MAX as u32 {
                return Err(bad_header("missing length"));
            }
            self.state = match extension {
                0 => State::Rows,
                bytes => State::Extension(bytes as usize),
            };
            self.tail.clear();
        }
        Ok(taken)
    }

    /// Decodes the rows at the start of `data`, keeps a row that is cut; returns the bytes
    /// taken.
    fn rows_of<B: RowBuilder>(
        &mut self,
        data: &[u8],
        builder: &mut B,
    ) -> Result<usize, Box<Diagnostic>> {
        let mut taken = 0;
        while taken < data.len() && !builder.is_full() {
            let rest = &data[taken..];
            match self.row(rest, builder)? {
                Row::Whole(bytes) => taken += bytes,
                Row::Trailer => {
                    self.state = State::Ended;
                    return Ok(taken + 2);
                }
                Row::Cut { .. } => {
                    self.tail.extend_from_slice(rest);
                    return Ok(data.len());
                }
            }
        }
        Ok(taken)
    }

    /// Adds to the kept row up to its end, if that is in `data`; returns the bytes taken.
    fn complete_tail<B: RowBuilder>(
        &mut self,
        data: &[u8],
        builder: &mut B,
    ) -> Result<usize, Box<Diagnostic>> {
        let mut tail = std::mem::take(&mut self.tail);
        let mut taken = 0;
        loop {
            // No more than the row is known to need, so that only this row is copied.
            match self.row(&tail, builder)? {
                Row::Cut { bytes, .. } => {
                    let wanted = (bytes - tail.len()).min(data.len() - taken);
                    tail.extend_from_slice(&data[taken..taken + wanted]);
                    taken += wanted;
                    if tail.len() < bytes {
                        self.tail = tail;
                        return Ok(taken);
                    }
                }
                ended => {
                    if matches!(ended, Row::Trailer) {
                        self.state = State::Ended;
                    }
                    tail.clear();
                    self.tail = tail;
                    return Ok(taken);
                }
            }
        }
    }

    /// Decodes the row at the start of `data`; one that is cut is abandoned.
    #[inline]
    fn row<B: RowBuilder>(&mut self, data: &[u8], builder: &mut B) -> Result<Row, Box<Diagnostic>> {
        match self.fields(data, builder) {
            Ok(whole @ Row::Whole(_)) => {
                self.rows += 1;
                Ok(whole)
            }
            other => {
                builder.abandon_row();
                other
            }
        }
    }

    #[inline]
    fn fields<B: RowBuilder>(&self, data: &[u8], builder: &mut B) -> Result<Row, Box<Diagnostic>> {
        let Some((count, mut rest)) = data.split_first_chunk() else {
            return Ok(Row::Cut {
                bytes: 2,
                column: None,
            });
        };
        let count = i16::from_be_bytes(*count);
        if usize::try_from(count) != Ok(self.columns.len()) {
            if count == -1 {
                return Ok(Row::Trailer);
            }
            return Err(self.at_row(self.rows + 1, self.wrong_count(count)));
        }
        for (column, format) in &self.columns {
            let read = data.len() - rest.len();
            let Some((size, after)) = rest.split_first_chunk() else {
                return Ok(Row::Cut {
                    bytes: read + 4,
                    column: Some(*column),
                });
            };
            let Ok(size) = usize::try_from(i32::from_be_bytes(*size)) else {
                if *size != [0xff; 4] {
                    return Err(self.at_column(*column, bad_file("invalid field size")));
                }
                rest = after;
                builder
                    .null(*column)
                    .map_err(|refusal| self.at_row(self.rows + 1, refusal))?;
                continue;
            };
            let Some((value, after)) = after.split_at_checked(size) else {
                let bytes = read + 4 + size;
                if bytes > self.target.line_bytes_max {
                    let too_long = super::row_too_long(self.target.line_bytes_max);
                    return Err(self.at_column(*column, too_long));
                }
                return Ok(Row::Cut {
                    bytes,
                    column: Some(*column),
                });
            };
            rest = after;
            builder
                .field(*column, *format, value)
                .map_err(|refusal| self.at_column(*column, refusal))?;
        }
        builder
            .finish_row(self.rows + 1)
            .map_err(|refusal| self.at_row(self.rows + 1, refusal))?;
        Ok(Row::Whole(data.len() - rest.len()))
    }

    #[cold]
    fn wrong_count(&self, count: i16) -> Box<Diagnostic> {
        bad_file(&format!(
            "row field count is {count}, expected {}",
            self.columns.len()
        ))
    }

    #[cold]
    fn at_row(&self, row: u64, diagnostic: Box<Diagnostic>) -> Box<Diagnostic> {
        at(self.target.table.name, row, Place::Line, diagnostic)
    }

    #[cold]
    fn at_column(&self, column: usize, diagnostic: Box<Diagnostic>) -> Box<Diagnostic> {
        let column = self.target.table.columns[column].name;
        let place = Place::Column { column };
        at(self.target.table.name, self.rows + 1, place, diagnostic)
    }
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_be_bytes(number)
}

#[cold]
fn bad_file(message: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(SqlState::BAD_COPY_FILE_FORMAT, message))
}

#[cold]
fn bad_signature() -> Box<Diagnostic> {
    bad_file("COPY file signature not recognized")
}

#[cold]
fn bad_header(what: &str) -> Box<Diagnostic> {
    bad_file(&format!("invalid COPY file header ({what})"))
}

/// What is missing of a header that was cut.
#[cold]
fn cut_header(header: &[u8]) -> Box<Diagnostic> {
    match header.len() {
        length if length < SIGNATURE.len() => bad_signature(),
        length if length < SIGNATURE.len() + 4 => bad_header("missing flags"),
        _ => bad_header("missing length"),
    }
}

#[cold]
fn unexpected_end() -> Box<Diagnostic> {
    bad_file("unexpected EOF in COPY data")
}

#[cold]
fn after_trailer() -> Box<Diagnostic> {
    bad_file("received copy data after EOF marker")
}
