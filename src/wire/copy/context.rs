//! Where in the data an error is, in PostgreSQL's words.
//!
//! Owns the CONTEXT of COPY errors. Promises that a shown value has at most 100 bytes, cut
//! between characters. Never changes message or SQLSTATE.

use crate::diagnostic::Diagnostic;

/// Bytes of a value or a line that a context shows.
const SHOWN_BYTES_MAX: usize = 100;

/// A place in the data.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// The line could not be read.
    Line,
    /// The line was read, and no column is to blame.
    LineText(&'a [u8]),
    Value {
        column: &'a str,
        value: &'a [u8],
    },
    /// A column of binary data, which is not shown.
    Column {
        column: &'a str,
    },
}

/// Adds the place to what happened; what is there already stands before it.
#[cold]
pub fn at(
    table: &str,
    line: u64,
    place: Place<'_>,
    mut diagnostic: Box<Diagnostic>,
) -> Box<Diagnostic> {
    let place = match place {
        Place::Line => format!("COPY {table}, line {line}"),
        Place::LineText(text) => format!("COPY {table}, line {line}: \"{}\"", shown(text)),
        Place::Value { column, value } => format!(
            "COPY {table}, line {line}, column {column}: \"{}\"",
            shown(value)
        ),
        Place::Column { column } => format!("COPY {table}, line {line}, column {column}"),
    };
    diagnostic.context = Some(match diagnostic.context.take() {
        Some(inner) => format!("{inner}\n{place}"),
        None => place,
    });
    diagnostic
}

/// A value as a context shows it.
pub fn shown(value: &[u8]) -> String {
    if value.len() <= SHOWN_BYTES_MAX {
        return String::from_utf8_lossy(value).into_owned();
    }
    let mut end = SHOWN_BYTES_MAX;
    while end > 0 && value[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    let mut shown = String::from_utf8_lossy(&value[..end]).into_owned();
    shown.push_str("...");
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SqlState;

    fn context(place: Place<'_>) -> String {
        let diagnostic = Box::new(Diagnostic::error(SqlState::BAD_COPY_FILE_FORMAT, "bad"));
        at("t", 3, place, diagnostic).context.expect("was added")
    }

    #[test]
    fn places_are_worded_as_in_postgresql() {
        assert_eq!(context(Place::Line), "COPY t, line 3");
        assert_eq!(
            context(Place::LineText(b"a\tb")),
            "COPY t, line 3: \"a\tb\""
        );
        let value = Place::Value {
            column: "c",
            value: b"v",
        };
        assert_eq!(context(value), "COPY t, line 3, column c: \"v\"");
        assert_eq!(
            context(Place::Column { column: "c" }),
            "COPY t, line 3, column c"
        );
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let exact = "x".repeat(100);
        assert_eq!(
            context(Place::LineText(exact.as_bytes())),
            format!("COPY t, line 3: \"{exact}\"")
        );
        let value = format!("x{}", "é".repeat(99));
        assert_eq!(
            context(Place::LineText(value.as_bytes())),
            format!("COPY t, line 3: \"x{}...\"", "é".repeat(49))
        );
    }

    #[test]
    fn an_inner_context_stands_first() {
        let diagnostic = Diagnostic::error(SqlState::INVALID_TEXT_REPRESENTATION, "bad")
            .with_context("JSON data, line 1: {");
        let diagnostic = at("t", 1, Place::Column { column: "j" }, Box::new(diagnostic));
        assert_eq!(
            diagnostic.context.as_deref(),
            Some("JSON data, line 1: {\nCOPY t, line 1, column j")
        );
    }
}
