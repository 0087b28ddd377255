//! Reading bytes.
//!
//! Owns both text forms of `bytea`: hexadecimal (`\x0a`) and escapes (`\012`). Promises
//! PostgreSQL's messages, and the hexadecimal form as the result: it is plain ASCII, which JSON
//! can hold, and PostgreSQL reads it back. Never checks a length.

use super::refusal::quoted;
use crate::diagnostic::{Diagnostic, SqlState};

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends the hexadecimal form of `bytes`, without its `\x`.
pub fn push_hexadecimal(text: &mut Vec<u8>, bytes: &[u8]) {
    text.reserve(2 * bytes.len());
    for byte in bytes {
        text.push(HEX[usize::from(byte >> 4)]);
        text.push(HEX[usize::from(byte & 15)]);
    }
}

/// Appends, with its `\x`, the hexadecimal form of what either text form says.
///
/// # Errors
/// 22023 for hexadecimal digits that are none or odd in number, 22P02 for a wrong escape.
pub fn parse_bytea(value: &[u8], text: &mut Vec<u8>) -> Result<(), Box<Diagnostic>> {
    text.extend_from_slice(b"\\x");
    match value {
        [b'\\', b'x', digits @ ..] => parse_hexadecimal(digits, text),
        escaped => parse_escaped(escaped, text),
    }
}

/// The hexadecimal form, with its `\x`, of what either text form says.
///
/// # Errors
/// As [`parse_bytea`].
pub fn bytea_text(value: &str) -> Result<String, Box<Diagnostic>> {
    let mut text = Vec::new();
    parse_bytea(value.as_bytes(), &mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Digits in pairs; blanks may stand between pairs.
fn parse_hexadecimal(mut rest: &[u8], text: &mut Vec<u8>) -> Result<(), Box<Diagnostic>> {
    loop {
        let (high, low, after) = match rest {
            [] => return Ok(()),
            [b' ' | b'\t' | b'\n' | b'\r', after @ ..] => {
                rest = after;
                continue;
            }
            [high, low, after @ ..] => (*high, Some(*low), after),
            [high] => (*high, None, &rest[1..]),
        };
        if !high.is_ascii_hexdigit() {
            return Err(invalid_digit(rest));
        }
        let Some(low) = low else {
            return Err(Box::new(Diagnostic::error(
                SqlState::INVALID_PARAMETER_VALUE,
                "invalid hexadecimal data: odd number of digits",
            )));
        };
        if !low.is_ascii_hexdigit() {
            return Err(invalid_digit(&rest[1..]));
        }
        text.push(high.to_ascii_lowercase());
        text.push(low.to_ascii_lowercase());
        rest = after;
    }
}

/// A backslash and three octal digits, or two backslashes; every other byte is itself.
fn parse_escaped(mut rest: &[u8], text: &mut Vec<u8>) -> Result<(), Box<Diagnostic>> {
    loop {
        rest = match rest {
            [] => return Ok(()),
            [b'\\', b'\\', after @ ..] => {
                push_hexadecimal(text, b"\\");
                after
            }
            [
                b'\\',
                first @ b'0'..=b'3',
                second @ b'0'..=b'7',
                third @ b'0'..=b'7',
                after @ ..,
            ] => {
                let byte = (first - b'0') << 6 | (second - b'0') << 3 | (third - b'0');
                push_hexadecimal(text, &[byte]);
                after
            }
            [b'\\', ..] => {
                return Err(Box::new(Diagnostic::error(
                    SqlState::INVALID_TEXT_REPRESENTATION,
                    "invalid input syntax for type bytea",
                )));
            }
            [byte, after @ ..] => {
                push_hexadecimal(text, &[*byte]);
                after
            }
        };
    }
}

/// 22023 for the first character of `rest`.
#[cold]
fn invalid_digit(rest: &[u8]) -> Box<Diagnostic> {
    let shown = quoted(rest);
    let character: String = shown.chars().take(1).collect();
    Box::new(Diagnostic::error(
        SqlState::INVALID_PARAMETER_VALUE,
        format!("invalid hexadecimal digit: \"{character}\""),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(value: &[u8]) -> Result<String, Box<Diagnostic>> {
        let mut text = Vec::new();
        parse_bytea(value, &mut text)?;
        Ok(String::from_utf8(text).expect("hexadecimal digits are ASCII"))
    }

    #[test]
    fn both_text_forms_are_read() {
        for (value, text) in [
            (&b"\\xDEADbeef"[..], "\\xdeadbeef"),
            (b"\\x", "\\x"),
            (b"", "\\x"),
            (b"\\x de ad\n", "\\xdead"),
            (b"abc", "\\x616263"),
            (b"a\\\\b\\000\\377", "\\x615c6200ff"),
            (b"\xff", "\\xff"),
        ] {
            assert_eq!(read(value).as_deref(), Ok(text));
        }
    }

    #[test]
    fn malformed_bytes_are_refused_in_the_words_of_postgresql() {
        for (value, code, message) in [
            ("\\xg0", "22023", "invalid hexadecimal digit: \"g\""),
            ("\\x0g", "22023", "invalid hexadecimal digit: \"g\""),
            (
                "\\xabc",
                "22023",
                "invalid hexadecimal data: odd number of digits",
            ),
            ("\\1", "22P02", "invalid input syntax for type bytea"),
            ("\\400", "22P02", "invalid input syntax for type bytea"),
            ("\\", "22P02", "invalid input syntax for type bytea"),
        ] {
            let refusal = read(value.as_bytes()).expect_err(value);
            assert_eq!(refusal.sqlstate.code(), code, "{value}");
            assert_eq!(refusal.message, message);
        }
    }

    proptest! {
        #[test]
        fn what_was_read_reads_back_as_itself(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut text = b"\\x".to_vec();
            push_hexadecimal(&mut text, &bytes);
            let text = String::from_utf8(text).expect("hexadecimal digits are ASCII");
            prop_assert_eq!(read(text.as_bytes()), Ok(text));
        }
    }
}
