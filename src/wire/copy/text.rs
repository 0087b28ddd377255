//! The text format: where lines and fields end, and what backslashes mean.
//!
//! Owns PostgreSQL's text COPY syntax. Promises that a scan goes on where it stopped,
//! wherever the data was cut. Never converts a value.

use super::find::find2;
use super::lines::{Dialect, Field};
use super::newline::{
    LineEnd, MARKER_WRONG_STYLE, MarkerEnd, Newline, NewlineWords, Scan, bad_marker,
};
use crate::diagnostic::Diagnostic;
use crate::rows::value::check_text;
use crate::sql::CopyOptions;
use memchr::{memchr, memchr2, memchr3};

const WORDS: NewlineWords = NewlineWords {
    kind: "literal",
    carriage_return_hint: "Use \"\\r\" to represent carriage return.",
    newline_hint: "Use \"\\n\" to represent newline.",
};

/// Text format with the delimiter and null spelling of a statement.
#[derive(Debug)]
pub struct TextDialect {
    delimiter: u8,
    null: Vec<u8>,
    default: Option<Vec<u8>>,
    /// Bytes of the current line that have been scanned.
    scanned: usize,
}

impl TextDialect {
    pub fn new(options: &CopyOptions) -> Self {
        TextDialect {
            delimiter: options.delimiter,
            null: options.null.clone(),
            default: options.default.clone(),
            scanned: 0,
        }
    }

    /// What a field stands for that is no value.
    #[inline]
    fn marker<'a>(&self, raw: &'a [u8]) -> Option<Field<'a>> {
        if raw == self.null {
            return Some(Field::Null);
        }
        match &self.default {
            Some(default) if raw == default => Some(Field::Default(raw)),
            _ => None,
        }
    }

    /// Where the field at the start of `line` ends: at a delimiter without backslash.
    fn field_end(&self, line: &[u8]) -> usize {
        let mut at = 0;
        while let Some(found) = find2(self.delimiter, b'\\', &line[at..]) {
            at += found;
            if line[at] == self.delimiter {
                return at;
            }
            at = (at + 2).min(line.len());
        }
        line.len()
    }
}

impl Dialect for TextDialect {
    fn delimiter(&self) -> u8 {
        self.delimiter
    }

    fn scan(
        &mut self,
        newline: &mut Newline,
        buffer: &[u8],
        at_end: bool,
        _embedded_lines: &mut u64,
    ) -> Result<Scan, Box<Diagnostic>> {
        let mut at = self.scanned;
        let scan = loop {
            let Some(found) = memchr3(b'\n', b'\r', b'\\', &buffer[at..]) else {
                at = buffer.len();
                break Scan::More;
            };
            at += found;
            if buffer[at] != b'\\' {
                match newline.judge(buffer, at, at_end, WORDS)? {
                    LineEnd::Bytes(bytes) => {
                        break Scan::Line {
                            end: at,
                            next: at + bytes,
                        };
                    }
                    LineEnd::More => break Scan::More,
                }
            }
            match buffer.get(at + 1) {
                None => {
                    if at_end {
                        at += 1;
                    }
                    break Scan::More;
                }
                Some(b'.') => match newline.after_marker(buffer, at + 2, at_end) {
                    MarkerEnd::Marker => break Scan::EndMarker { end: at },
                    MarkerEnd::More => break Scan::More,
                    MarkerEnd::Other(message) => return Err(bad_marker(message)),
                    MarkerEnd::WrongStyle => return Err(bad_marker(MARKER_WRONG_STYLE)),
                },
                // Whatever a backslash stands before is data, a newline, too.
                Some(_) => at += 2,
            }
        };
        self.scanned = match scan {
            Scan::More => at,
            _ => 0,
        };
        Ok(scan)
    }

    #[inline]
    fn plain_bytes(&self, newline: Newline, data: &[u8]) -> usize {
        let special = match newline {
            Newline::CrLf => memchr(b'\\', data),
            _ => memchr2(b'\r', b'\\', data),
        };
        special.unwrap_or(data.len())
    }

    #[inline]
    fn is_plain_start(&self, _first: u8) -> bool {
        true
    }

    #[inline]
    fn plain_field<'a>(&self, _index: usize, raw: &'a [u8]) -> Field<'a> {
        self.marker(raw).unwrap_or(Field::Value(raw))
    }

    fn next_field<'line: 'field, 'field>(
        &self,
        _index: usize,
        line: &'line [u8],
        unescaped: &'field mut Vec<u8>,
    ) -> Result<(Field<'field>, Option<&'line [u8]>), Box<Diagnostic>> {
        let end = self.field_end(line);
        let raw = &line[..end];
        let rest = line.get(end + 1..);
        if let Some(marker) = self.marker(raw) {
            return Ok((marker, rest));
        }
        let Some(first) = memchr(b'\\', raw) else {
            return Ok((Field::Value(raw), rest));
        };
        unescaped.clear();
        unescaped.extend_from_slice(&raw[..first]);
        if unescape(&raw[first..], unescaped) {
            check_text(unescaped)?;
        }
        Ok((Field::Value(unescaped), rest))
    }
}

/// Resolves the backslashes of a field; tells whether a byte was written by its number that
/// may spoil the encoding.
fn unescape(raw: &[u8], unescaped: &mut Vec<u8>) -> bool {
    let mut by_number = false;
    let mut rest = raw;
    while let Some(backslash) = memchr(b'\\', rest) {
        unescaped.extend_from_slice(&rest[..backslash]);
        rest = &rest[backslash + 1..];
        // A backslash that ends the field stands for nothing.
        let Some((escaped, after)) = rest.split_first() else {
            return by_number;
        };
        rest = after;
        let byte = match escaped {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 0x0b,
            b'0'..=b'7' => {
                let mut byte = escaped - b'0';
                for _ in 0..2 {
                    match rest {
                        [digit @ b'0'..=b'7', after @ ..] => {
                            byte = byte.wrapping_mul(8).wrapping_add(digit - b'0');
                            rest = after;
                        }
                        _ => break,
                    }
                }
                by_number |= byte == 0 || byte >= 0x80;
                byte
            }
            b'x' if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
                let mut byte = 0u8;
                for _ in 0..2 {
                    match rest.split_first() {
                        Some((digit, after)) if digit.is_ascii_hexdigit() => {
                            byte = byte << 4 | hex_digit(*digit);
                            rest = after;
                        }
                        _ => break,
                    }
                }
                by_number |= byte == 0 || byte >= 0x80;
                byte
            }
            other => *other,
        };
        unescaped.push(byte);
    }
    unescaped.extend_from_slice(rest);
    by_number
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unescaped(raw: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        unescape(raw.as_bytes(), &mut bytes);
        bytes
    }

    #[test]
    fn backslashes_mean_what_they_mean_in_postgresql() {
        for (raw, bytes) in [
            (r"\b\f\n\r\t\v", &b"\x08\x0c\n\r\t\x0b"[..]),
            (r"\\", b"\\"),
            (r"\q\.", b"q."),
            (r"\101\60\7x", b"A0\x07x"),
            (r"\777", b"\xff"),
            (r"\x41\x4g\xg", b"A\x04gxg"),
            (r"\xC3\xa9", "é".as_bytes()),
            ("a\\", b"a"),
            ("\\\n", b"\n"),
            (r"\1234", b"S4"),
        ] {
            assert_eq!(unescaped(raw), bytes, "{raw}");
        }
    }
}
