//! `E'…'` constants: backslash escapes.
//!
//! Owns PostgreSQL's escape rules (`\n`, `\x41`, `\101`, `\u0041`, `\U00000041`). Promises
//! valid UTF-8. Never reads other constants.

use super::lexer::end_of_word;
use super::syntax::{error_at, excerpt};
use crate::diagnostic::{Diagnostic, SqlState};
use std::borrow::Cow;

/// Reads the constant whose `E` stands at `start`: its value and where it ends.
///
/// # Errors
/// 42601 without an end, 22025-like escapes as 42601, 22021 for bytes that are no UTF-8.
pub(crate) fn read(text: &str, start: usize) -> Result<(Cow<'_, str>, usize), Box<Diagnostic>> {
    let bytes = text.as_bytes();
    let from = start + 2;
    let unterminated = || {
        error_at(
            text,
            start,
            SqlState::SYNTAX_ERROR,
            format!(
                "unterminated quoted string at or near \"{}\"",
                excerpt(&text[start..])
            ),
        )
    };
    let mut at = from;
    let mut value: Vec<u8> = Vec::new();
    let mut copied_to = from;
    loop {
        at += memchr::memchr2(b'\'', b'\\', bytes.get(at..).ok_or_else(unterminated)?)
            .ok_or_else(unterminated)?;
        if bytes[at] == b'\\' {
            value.extend_from_slice(&bytes[copied_to..at]);
            at = unescape(text, at, &mut value).ok_or_else(|| {
                error_at(
                    text,
                    at,
                    SqlState::SYNTAX_ERROR,
                    format!(
                        "invalid escape sequence at or near \"{}\"",
                        &text[at..end_of_word(bytes, at + 1).max(at + 1)]
                    ),
                )
            })?;
            copied_to = at;
        } else if bytes.get(at + 1) == Some(&b'\'') {
            value.extend_from_slice(&bytes[copied_to..=at]);
            at += 2;
            copied_to = at;
        } else {
            break;
        }
    }
    let end = at + 1;
    if copied_to == from {
        return Ok((Cow::Borrowed(&text[from..at]), end));
    }
    value.extend_from_slice(&bytes[copied_to..at]);
    if value.contains(&0) {
        return Err(not_utf8(text, start));
    }
    match String::from_utf8(value) {
        Ok(value) => Ok((Cow::Owned(value), end)),
        Err(_) => Err(not_utf8(text, start)),
    }
}

fn not_utf8(text: &str, start: usize) -> Box<Diagnostic> {
    error_at(
        text,
        start,
        SqlState::CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"UTF8\"",
    )
}

/// Appends what the escape at `at` means; where it ends. `None`: no valid escape.
fn unescape(text: &str, at: usize, value: &mut Vec<u8>) -> Option<usize> {
    let bytes = text.as_bytes();
    let letter = *bytes.get(at + 1)?;
    let simple = match letter {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'x' => {
            let digits = count_digits(bytes, at + 2, 2, 16);
            if digits == 0 {
                value.push(b'x');
                return Some(at + 2);
            }
            let end = at + 2 + digits;
            value.push(u8::from_str_radix(&text[at + 2..end], 16).ok()?);
            return Some(end);
        }
        b'0'..=b'7' => {
            let digits = count_digits(bytes, at + 1, 3, 8);
            let end = at + 1 + digits;
            // As in PostgreSQL, only the low eight bits of \777 count.
            let code = u16::from_str_radix(&text[at + 1..end], 8).ok()?;
            value.push((code & 0xff) as u8);
            return Some(end);
        }
        b'u' => return unicode(text, at, 4, value),
        b'U' => return unicode(text, at, 8, value),
        _ => {
            let character = text[at + 1..].chars().next()?;
            value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(at + 1 + character.len_utf8());
        }
    };
    value.push(simple);
    Some(at + 2)
}

/// `\uXXXX` or `\UXXXXXXXX`; two `\u` may be a surrogate pair.
fn unicode(text: &str, at: usize, digits: usize, value: &mut Vec<u8>) -> Option<usize> {
    let code_at = |from: usize| {
        let digits_text = text.get(from..from + digits)?;
        if !digits_text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        u32::from_str_radix(digits_text, 16).ok()
    };
    let first = code_at(at + 2)?;
    let mut end = at + 2 + digits;
    let code = if (0xd800..0xdc00).contains(&first) {
        let marker = text.get(end..end + 2)?;
        if !marker.eq_ignore_ascii_case("\\u") {
            return None;
        }
        let second = code_at(end + 2)?;
        if !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        end += 2 + digits;
        0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
    } else {
        first
    };
    let character = char::from_u32(code)?;
    value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(end)
}

fn count_digits(bytes: &[u8], from: usize, most: usize, radix: u32) -> usize {
    bytes
        .get(from..)
        .unwrap_or_default()
        .iter()
        .take(most)
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count()
}
