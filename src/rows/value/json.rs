//! Checking JSON without building it.
//!
//! Owns the grammar check of `json` values (RFC 8259). Promises that accepted bytes are
//! UTF-8 and one whole JSON value whose strings are Unicode, so that they can be put into a
//! request as they are. Never copies, allocates or reorders.

use super::json_refusal::explain;
use super::text::check_text;
use crate::diagnostic::{Diagnostic, SqlState};

/// Levels of arrays and objects that a value may have: what common JSON readers take.
pub const DEPTH_MAX: u32 = 128;

/// What the outermost JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonKind {
    Object,
    Array,
    /// A string, a number, a boolean or null.
    Scalar,
}

/// Why a value was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Grammar,
    Depth,
    /// Half of a surrogate pair.
    Surrogate,
}

/// Checks a JSON value; blanks around it are allowed.
///
/// # Errors
/// 22021 for bytes that are not UTF-8; 22P02 with PostgreSQL's detail for what is not JSON,
/// and for `\u` escapes of half a surrogate pair; 54000 for more than 128 levels.
#[inline]
pub fn check_json(value: &[u8]) -> Result<JsonKind, Box<Diagnostic>> {
    if !value.is_ascii() {
        check_text(value)?;
    }
    // A NUL is a control character and so refused in any case; as what, `refuse` finds out.
    check_document(value).map_err(|fault| refuse(value, fault))
}

/// Whether the value is a JSON object and has only ASCII characters.
#[inline]
pub(super) fn is_ascii_json_object(value: &[u8]) -> bool {
    value.is_ascii() && check_document(value) == Ok(JsonKind::Object)
}

/// Whether `token` is a JSON number and nothing else.
pub(super) fn check_json_number(token: &[u8]) -> bool {
    number_end(token, 0) == Ok(token.len())
}

#[cold]
fn refuse(value: &[u8], fault: Fault) -> Box<Diagnostic> {
    if let Err(refusal) = check_text(value) {
        return refusal;
    }
    match fault {
        Fault::Grammar => explain(value),
        Fault::Depth => Box::new(
            Diagnostic::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!("a json value nests deeper than {DEPTH_MAX} levels"),
            )
            .with_hint("Write the inner value as a string."),
        ),
        Fault::Surrogate => Box::new(
            Diagnostic::error(
                SqlState::INVALID_TEXT_REPRESENTATION,
                "invalid input syntax for type json",
            )
            .with_detail("Unicode low surrogate must follow a high surrogate."),
        ),
    }
}

/// The byte at `at`; 0, which no JSON has, behind the end.
#[inline(always)]
fn byte_at(json: &[u8], at: usize) -> u8 {
    json.get(at).copied().unwrap_or(0)
}

/// The index of the first byte from `at` on that is no blank.
#[inline(always)]
fn skip_blanks(json: &[u8], mut at: usize) -> usize {
    // Nearly every byte is beyond the blanks.
    while byte_at(json, at) <= b' ' && matches!(byte_at(json, at), b' ' | b'\t' | b'\n' | b'\r') {
        at += 1;
    }
    at
}

/// Checks one value with nothing but blanks around it.
fn check_document(json: &[u8]) -> Result<JsonKind, Fault> {
    let mut at = skip_blanks(json, 0);
    let kind = match byte_at(json, at) {
        b'{' => JsonKind::Object,
        b'[' => JsonKind::Array,
        _ => JsonKind::Scalar,
    };
    // One bit per level, the innermost lowest: 1 for an object, 0 for an array.
    let mut levels = 0u128;
    let mut depth = 0u32;
    let mut name_expected = false;
    loop {
        if name_expected {
            if byte_at(json, at) != b'"' {
                return Err(Fault::Grammar);
            }
            at = skip_blanks(json, string_end(json, at + 1)?);
            if byte_at(json, at) != b':' {
                return Err(Fault::Grammar);
            }
            at = skip_blanks(json, at + 1);
        }
        // A value.
        at = match byte_at(json, at) {
            b'"' => string_end(json, at + 1)?,
            b'-' | b'0'..=b'9' => number_end(json, at)?,
            open @ (b'{' | b'[') => {
                at = skip_blanks(json, at + 1);
                // The closing byte is two beyond the opening one.
                if byte_at(json, at) == open + 2 {
                    at + 1
                } else {
                    name_expected = open == b'{';
                    levels = levels << 1 | u128::from(name_expected);
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return Err(Fault::Depth);
                    }
                    continue;
                }
            }
            b't' => word_end(json, at, b"true")?,
            b'f' => word_end(json, at, b"false")?,
            b'n' => word_end(json, at, b"null")?,
            _ => return Err(Fault::Grammar),
        };
        // A value has ended: so may the levels around it.
        loop {
            at = skip_blanks(json, at);
            if depth == 0 {
                return if at == json.len() {
                    Ok(kind)
                } else {
                    Err(Fault::Grammar)
                };
            }
            let in_object = levels & 1 == 1;
            let next = byte_at(json, at);
            at += 1;
            if next == b',' {
                at = skip_blanks(json, at);
                name_expected = in_object;
                break;
            }
            if next != if in_object { b'}' } else { b']' } {
                return Err(Fault::Grammar);
            }
            levels >>= 1;
            depth -= 1;
        }
    }
}

#[inline]
fn word_end(json: &[u8], at: usize, word: &[u8]) -> Result<usize, Fault> {
    if json[at..].starts_with(word) {
        Ok(at + word.len())
    } else {
        Err(Fault::Grammar)
    }
}

/// The end of at least one digit.
#[inline(always)]
fn digits_end(json: &[u8], from: usize) -> Result<usize, Fault> {
    let mut at = from;
    while byte_at(json, at).is_ascii_digit() {
        at += 1;
    }
    if at > from {
        Ok(at)
    } else {
        Err(Fault::Grammar)
    }
}

#[inline]
fn number_end(json: &[u8], mut at: usize) -> Result<usize, Fault> {
    if byte_at(json, at) == b'-' {
        at += 1;
    }
    at = match byte_at(json, at) {
        b'0' => at + 1,
        _ => digits_end(json, at)?,
    };
    if byte_at(json, at) == b'.' {
        at = digits_end(json, at + 1)?;
    }
    if matches!(byte_at(json, at), b'e' | b'E') {
        at += 1;
        if matches!(byte_at(json, at), b'+' | b'-') {
            at += 1;
        }
        at = digits_end(json, at)?;
    }
    Ok(at)
}

/// From behind the opening quote to behind the closing one.
#[inline(always)]
fn string_end(json: &[u8], at: usize) -> Result<usize, Fault> {
    // Most strings are short and end within eight bytes.
    if let Some((eight, _)) = json.get(at..).and_then(<[u8]>::split_first_chunk) {
        let special = at + first_special(u64::from_le_bytes(*eight));
        if byte_at(json, special) == b'"' && special < at + 8 {
            return Ok(special + 1);
        }
    }
    long_string_end(json, at)
}

#[inline(never)]
fn long_string_end(json: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        // Eight bytes at a time while none of them ends or escapes anything.
        let mut rest = json.get(at..).unwrap_or_default();
        while let Some((eight, after)) = rest.split_first_chunk() {
            let special = first_special(u64::from_le_bytes(*eight));
            at += special;
            if special < 8 {
                break;
            }
            rest = after;
        }
        match json.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape_end(json, at + 1)?,
            None | Some(0..=0x1f) => return Err(Fault::Grammar),
            Some(_) => at += 1,
        }
    }
}

/// From behind the backslash to behind the escape.
fn escape_end(json: &[u8], at: usize) -> Result<usize, Fault> {
    match byte_at(json, at) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 1),
        b'u' => match code_unit(json, at + 1)? {
            0xd800..=0xdbff => {
                let second = at + 5;
                if byte_at(json, second) != b'\\' || byte_at(json, second + 1) != b'u' {
                    return Err(Fault::Surrogate);
                }
                match code_unit(json, second + 2)? {
                    0xdc00..=0xdfff => Ok(second + 6),
                    _ => Err(Fault::Surrogate),
                }
            }
            0xdc00..=0xdfff => Err(Fault::Surrogate),
            _ => Ok(at + 5),
        },
        _ => Err(Fault::Grammar),
    }
}

/// Four hexadecimal digits.
fn code_unit(json: &[u8], at: usize) -> Result<u32, Fault> {
    let digits = json.get(at..at + 4).ok_or(Fault::Grammar)?;
    digits.iter().try_fold(0, |unit, digit| {
        let digit = char::from(*digit).to_digit(16).ok_or(Fault::Grammar)?;
        Ok(unit << 4 | digit)
    })
}

/// Index of the first of eight bytes (little-endian) that is a quote, a backslash or a
/// control character; 8 if none is.
#[inline]
fn first_special(word: u64) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    // The lowest byte found by each term is right; a borrow can only taint higher ones.
    let zero_byte = |word: u64| word.wrapping_sub(ONES) & !word;
    let quote = zero_byte(word ^ (ONES * u64::from(b'"')));
    let backslash = zero_byte(word ^ (ONES * u64::from(b'\\')));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let found = (quote | backslash | control) & HIGHS;
    found.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_grammar_is_that_of_rfc_8259() {
        for json in [
            "{}",
            " [ ] ",
            "null",
            "true",
            "-0.5e+10",
            "0",
            r#""""#,
            r#"{"a":1,"b":[1,2,{"c":null}],"d":"x\"y\\z\n\u00e9😀"}"#,
            "[[[[]]],[],{}]",
            "\"été, a long string of more than sixteen bytes\"",
            "\t{\r\n\"a\" : 1 }\n",
        ] {
            assert!(check_json(json.as_bytes()).is_ok(), "{json}");
        }
        for json in [
            "",
            " ",
            "{",
            "}",
            "{\"a\":}",
            "[1,]",
            "{\"a\":1}x",
            "nan",
            "01",
            "-",
            "1.",
            "1e",
            "\"a\tb\"",
            "\"abc",
            "tru",
            "{\"a\" 1}",
            "{a:1}",
            "[1 2]",
            "{\"a\":1,}",
            "\"\\x\"",
            "\"\\u00g0\"",
            "[1}",
            "{\"a\":1]",
            "1 2",
            "+1",
            ".5",
            "'a'",
            "\"\\u12",
        ] {
            let refusal = check_json(json.as_bytes()).expect_err(json);
            assert_eq!(refusal.sqlstate.code(), "22P02", "{json}");
            assert_eq!(refusal.message, "invalid input syntax for type json");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_no_unicode() {
        assert!(check_json(br#""\ud83d\ude00""#).is_ok());
        for json in [
            r#""\ud800""#,
            r#""\ude00""#,
            r#""\ud800\ud800""#,
            r#""\ud800x""#,
        ] {
            assert!(check_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(check_json(deep(128).as_bytes()).is_ok());
        let refusal = check_json(deep(130).as_bytes()).expect_err("too deep");
        assert_eq!(refusal.sqlstate.code(), "54000");
    }

    #[test]
    fn the_outermost_value_is_told() {
        assert_eq!(check_json(b" {\"a\":[]}"), Ok(JsonKind::Object));
        assert_eq!(check_json(b"[{}]"), Ok(JsonKind::Array));
        assert_eq!(check_json(b"\"{}\""), Ok(JsonKind::Scalar));
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json(bytes in "[\\[\\]{},:\"\\\\ a0-9eE.+\\-tru\u{e9}n]{0,12}") {
            let ours = check_json(bytes.as_bytes()).is_ok();
            let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&bytes).is_ok();
            prop_assert_eq!(ours, theirs, "{}", bytes);
        }

        #[test]
        fn any_string_is_found_to_end_where_it_ends(text in ".{0,40}") {
            let json = serde_json::to_string(&text).expect("a string is JSON");
            prop_assert!(check_json(json.as_bytes()).is_ok());
            let cut = &json[..json.len() - 1];
            prop_assert!(check_json(cut.as_bytes()).is_err());
        }

        #[test]
        fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = check_json(&bytes);
        }
    }
}
