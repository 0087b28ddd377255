//! How lines end: found with the first line, then required of all.
//!
//! Owns the three newline styles and PostgreSQL's errors for mixed ones. Never converts.

use crate::diagnostic::{Diagnostic, SqlState};

/// What ends the lines of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Newline {
    /// No line has ended yet.
    #[default]
    Unknown,
    Lf,
    Cr,
    CrLf,
}

/// What a scan of a buffer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A line of `end` bytes; the next one begins at `next`.
    Line { end: usize, next: usize },
    /// The end-of-copy marker, behind `end` bytes of a line.
    EndMarker { end: usize },
    /// The line goes on behind the buffer.
    More,
}

/// What a newline character at the end of a line means.
pub enum LineEnd {
    /// So many bytes end the line.
    Bytes(usize),
    /// The next byte decides, and it is not there yet.
    More,
}

/// The words of a format for newlines in the wrong place.
#[derive(Clone, Copy, Debug)]
pub struct NewlineWords {
    /// `literal` or `unquoted`.
    pub kind: &'static str,
    pub carriage_return_hint: &'static str,
    pub newline_hint: &'static str,
}

impl Newline {
    /// Judges the `\n` or `\r` at `at`, which is no part of a value.
    ///
    /// # Errors
    /// 22P04 for another style than that of the lines before.
    pub fn judge(
        &mut self,
        buffer: &[u8],
        at: usize,
        at_end: bool,
        words: NewlineWords,
    ) -> Result<LineEnd, Box<Diagnostic>> {
        if buffer[at] == b'\n' {
            if matches!(self, Newline::Cr | Newline::CrLf) {
                return Err(misplaced("newline", words.kind, words.newline_hint));
            }
            *self = Newline::Lf;
            return Ok(LineEnd::Bytes(1));
        }
        match self {
            Newline::Cr => return Ok(LineEnd::Bytes(1)),
            Newline::Lf => {
                return Err(misplaced(
                    "carriage return",
                    words.kind,
                    words.carriage_return_hint,
                ));
            }
            Newline::Unknown | Newline::CrLf => {}
        }
        match buffer.get(at + 1) {
            Some(b'\n') => {
                *self = Newline::CrLf;
                Ok(LineEnd::Bytes(2))
            }
            None if !at_end => Ok(LineEnd::More),
            _ if *self == Newline::CrLf => Err(misplaced(
                "carriage return",
                words.kind,
                words.carriage_return_hint,
            )),
            _ => {
                *self = Newline::Cr;
                Ok(LineEnd::Bytes(1))
            }
        }
    }
}

#[cold]
fn misplaced(character: &str, kind: &str, hint: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::BAD_COPY_FILE_FORMAT,
            format!("{kind} {character} found in data"),
        )
        .with_hint(hint),
    )
}

/// What stands behind `\.`.
pub enum MarkerEnd {
    /// A newline: it was the marker.
    Marker,
    /// Not decided within the buffer.
    More,
    /// Something else: in CSV, data.
    Other(&'static str),
    /// A newline of another style.
    WrongStyle,
}

/// Message for `\.` before a newline of another style.
pub const MARKER_WRONG_STYLE: &str = "end-of-copy marker does not match previous newline style";

/// Message for `\.` before anything but a newline.
pub const MARKER_CORRUPT: &str = "end-of-copy marker corrupt";

impl Newline {
    /// Looks at what stands from `at` on, behind `\.`.
    pub fn after_marker(self, buffer: &[u8], at: usize, at_end: bool) -> MarkerEnd {
        let mut at = at;
        if self == Newline::CrLf {
            match buffer.get(at) {
                None if !at_end => return MarkerEnd::More,
                Some(b'\n') => return MarkerEnd::Other(MARKER_WRONG_STYLE),
                Some(b'\r') => at += 1,
                _ => return MarkerEnd::Other(MARKER_CORRUPT),
            }
        }
        match (buffer.get(at), self) {
            (None, _) if !at_end => MarkerEnd::More,
            (Some(b'\n'), Newline::Cr) => MarkerEnd::WrongStyle,
            (Some(b'\r'), Newline::Lf | Newline::CrLf) => MarkerEnd::WrongStyle,
            (Some(b'\r' | b'\n'), _) => MarkerEnd::Marker,
            _ => MarkerEnd::Other(MARKER_CORRUPT),
        }
    }
}

/// 22P04 with one of the messages about the marker.
#[cold]
pub fn bad_marker(message: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(SqlState::BAD_COPY_FILE_FORMAT, message))
}
