//! The CSV format: where quotes begin and end, and so lines and fields.
//!
//! Owns PostgreSQL's CSV COPY syntax. Promises that a scan goes on where it stopped,
//! wherever the data was cut, and that a quoted newline is data. Never converts a value.

use super::find::find2;
use super::lines::{Dialect, Field};
use super::newline::{
    LineEnd, MARKER_WRONG_STYLE, MarkerEnd, Newline, NewlineWords, Scan, bad_marker,
};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::CopyOptions;
use memchr::{memchr, memchr_iter, memchr2, memchr3};

const WORDS: NewlineWords = NewlineWords {
    kind: "unquoted",
    carriage_return_hint: "Use quoted CSV field to represent carriage return.",
    newline_hint: "Use quoted CSV field to represent newline.",
};

/// CSV with the characters and null rules of a statement.
#[derive(Debug)]
pub struct CsvDialect {
    delimiter: u8,
    quote: u8,
    escape: u8,
    null: Vec<u8>,
    default: Option<Vec<u8>>,
    /// Per column of the column list.
    force_null: Vec<bool>,
    force_not_null: Vec<bool>,
    /// Bytes of the current line that have been scanned, and whether they end in quotes.
    scanned: usize,
    in_quotes: bool,
}

impl CsvDialect {
    pub fn new(options: &CopyOptions) -> Self {
        CsvDialect {
            delimiter: options.delimiter,
            quote: options.quote,
            escape: options.escape,
            null: options.null.clone(),
            default: options.default.clone(),
            force_null: options.force_null.clone(),
            force_not_null: options.force_not_null.clone(),
            scanned: 0,
            in_quotes: false,
        }
    }

    fn is_forced(flags: &[bool], index: usize) -> bool {
        flags.get(index).copied().unwrap_or(false)
    }

    fn unquoted<'a>(&self, index: usize, value: &'a [u8]) -> Field<'a> {
        if value == self.null && !Self::is_forced(&self.force_not_null, index) {
            return Field::Null;
        }
        match &self.default {
            Some(default) if value == default => Field::Default(value),
            _ => Field::Value(value),
        }
    }

    fn quoted<'a>(&self, index: usize, value: &'a [u8]) -> Field<'a> {
        if value == self.null && Self::is_forced(&self.force_null, index) {
            Field::Null
        } else {
            Field::Value(value)
        }
    }

    /// Scans on within quotes; tells where it stopped.
    fn scan_quoted(&mut self, buffer: &[u8], from: usize, at_end: bool) -> usize {
        let mut at = from;
        while let Some(found) = find2(self.quote, self.escape, &buffer[at..]) {
            at += found;
            if buffer[at] == self.escape && self.escape != self.quote {
                match buffer.get(at + 1) {
                    Some(next) if *next == self.quote || *next == self.escape => at += 2,
                    Some(_) => at += 1,
                    None if at_end => return buffer.len(),
                    None => return at,
                }
            } else if buffer.get(at + 1) == Some(&self.quote) {
                // A quote ends and the next one begins: a doubled one in most data.
                at += 2;
            } else {
                self.in_quotes = false;
                return at + 1;
            }
        }
        buffer.len()
    }
}

impl Dialect for CsvDialect {
    fn delimiter(&self) -> u8 {
        self.delimiter
    }

    fn scan(
        &mut self,
        newline: &mut Newline,
        buffer: &[u8],
        at_end: bool,
        embedded_lines: &mut u64,
    ) -> Result<Scan, Box<Diagnostic>> {
        let from = self.scanned;
        let line_end = if *newline == Newline::Lf {
            b'\n'
        } else {
            b'\r'
        };
        let mut at = from;
        let mut has_quotes = self.in_quotes;
        let mut count_lines = |to: usize, has_quotes: bool| {
            // Before the end of a line, a newline can only be within quotes.
            if has_quotes && let Some(first) = memchr(line_end, &buffer[from..to]) {
                let rest = &buffer[from + first..to];
                *embedded_lines += memchr_iter(line_end, rest).count() as u64;
            }
        };
        let scan = loop {
            if self.in_quotes {
                at = self.scan_quoted(buffer, at, at_end);
                if self.in_quotes {
                    count_lines(at, true);
                    break Scan::More;
                }
            }
            if at == 0 && buffer.first() == Some(&b'\\') {
                match buffer.get(1) {
                    None if !at_end => break Scan::More,
                    Some(b'.') => match newline.after_marker(buffer, 2, at_end) {
                        MarkerEnd::Marker => break Scan::EndMarker { end: 0 },
                        MarkerEnd::More => break Scan::More,
                        MarkerEnd::WrongStyle => return Err(bad_marker(MARKER_WRONG_STYLE)),
                        MarkerEnd::Other(_) => {}
                    },
                    _ => {}
                }
            }
            let Some(found) = memchr3(b'\n', b'\r', self.quote, &buffer[at..]) else {
                count_lines(buffer.len(), has_quotes);
                at = buffer.len();
                break Scan::More;
            };
            at += found;
            if buffer[at] == self.quote {
                (self.in_quotes, has_quotes) = (true, true);
                at += 1;
                continue;
            }
            count_lines(at, has_quotes);
            match newline.judge(buffer, at, at_end, WORDS)? {
                LineEnd::Bytes(bytes) => {
                    break Scan::Line {
                        end: at,
                        next: at + bytes,
                    };
                }
                LineEnd::More => break Scan::More,
            }
        };
        if scan == Scan::More {
            self.scanned = at;
        } else {
            (self.scanned, self.in_quotes) = (0, false);
        }
        Ok(scan)
    }

    #[inline]
    fn plain_bytes(&self, newline: Newline, data: &[u8]) -> usize {
        let special = match newline {
            Newline::CrLf => memchr(self.quote, data),
            _ => memchr2(b'\r', self.quote, data),
        };
        special.unwrap_or(data.len())
    }

    /// A backslash at the start of a line may begin the end-of-copy marker.
    #[inline]
    fn is_plain_start(&self, first: u8) -> bool {
        first != b'\\'
    }

    #[inline]
    fn plain_field<'a>(&self, index: usize, raw: &'a [u8]) -> Field<'a> {
        self.unquoted(index, raw)
    }

    fn next_field<'line: 'field, 'field>(
        &self,
        index: usize,
        line: &'line [u8],
        unescaped: &'field mut Vec<u8>,
    ) -> Result<(Field<'field>, Option<&'line [u8]>), Box<Diagnostic>> {
        let first = find2(self.delimiter, self.quote, line).unwrap_or(line.len());
        if line.get(first) != Some(&self.quote) {
            return Ok((self.unquoted(index, &line[..first]), line.get(first + 1..)));
        }
        unescaped.clear();
        unescaped.extend_from_slice(&line[..first]);
        let mut rest = &line[first + 1..];
        loop {
            // Within quotes.
            loop {
                let Some(found) = find2(self.quote, self.escape, rest) else {
                    return Err(unterminated());
                };
                unescaped.extend_from_slice(&rest[..found]);
                let escapes = rest[found] == self.escape;
                let byte = rest[found];
                rest = &rest[found + 1..];
                match rest.first() {
                    Some(next) if escapes && (*next == self.quote || *next == self.escape) => {
                        unescaped.push(*next);
                        rest = &rest[1..];
                    }
                    _ if byte == self.quote => break,
                    _ => unescaped.push(byte),
                }
            }
            // Behind quotes: more of the field may follow, quoted or not.
            let next = find2(self.delimiter, self.quote, rest).unwrap_or(rest.len());
            unescaped.extend_from_slice(&rest[..next]);
            if rest.get(next) == Some(&self.quote) {
                rest = &rest[next + 1..];
                continue;
            }
            return Ok((self.quoted(index, unescaped), rest.get(next + 1..)));
        }
    }
}

#[cold]
fn unterminated() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::BAD_COPY_FILE_FORMAT,
        "unterminated CSV quoted field",
    ))
}
