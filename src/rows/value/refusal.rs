//! Errors that several value readers share, in PostgreSQL's words.
//!
//! Owns how a refused value is quoted in a message. Promises that a message stays short,
//! however long the value. Never knows table or column: the builder adds them.

use crate::diagnostic::{Diagnostic, SqlState};

/// Bytes of a value that a message quotes; PostgreSQL quotes all, but a value may be megabytes.
const QUOTED_BYTES_MAX: usize = 1000;

/// The value as a message shows it.
pub fn quoted(value: &[u8]) -> String {
    if value.len() <= QUOTED_BYTES_MAX {
        String::from_utf8_lossy(value).into_owned()
    } else {
        let mut shown = String::from_utf8_lossy(&value[..QUOTED_BYTES_MAX]).into_owned();
        shown.push_str("...");
        shown
    }
}

/// 22P02: the value is not of the type's form.
#[cold]
pub fn invalid_syntax(type_name: &str, value: &[u8]) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::INVALID_TEXT_REPRESENTATION,
        format!(
            "invalid input syntax for type {type_name}: \"{}\"",
            quoted(value)
        ),
    ))
}

/// 08P01: a binary value ends too early.
#[cold]
pub fn insufficient_data() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::PROTOCOL_VIOLATION,
        "insufficient data left in message",
    ))
}

/// 22P03: a binary value goes on after its end.
#[cold]
pub fn incorrect_binary_format() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::INVALID_BINARY_REPRESENTATION,
        "incorrect binary data format",
    ))
}

/// A fixed-size binary value.
///
/// # Errors
/// 08P01 when it is short, 22P03 when it is long, as PostgreSQL's receive functions have it.
#[inline]
pub fn fixed_size<const SIZE: usize>(value: &[u8]) -> Result<[u8; SIZE], Box<Diagnostic>> {
    value.try_into().map_err(|_| {
        if value.len() < SIZE {
            insufficient_data()
        } else {
            incorrect_binary_format()
        }
    })
}

/// 22003: JSON has neither NaN nor infinity.
#[cold]
pub fn not_finite(number: f64) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{number}\" is out of range for CDF"),
        )
        .with_hint("JSON has neither NaN nor infinity."),
    )
}
