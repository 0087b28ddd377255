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
    check_text(value)?;
    Reader {
        bytes: value,
        at: 0,
    }
    .document()
    .map_err(|fault| refuse(value, fault))
}

/// Whether `token` is a JSON number and nothing else.
pub(super) fn check_json_number(token: &[u8]) -> bool {
    let mut reader = Reader {
        bytes: token,
        at: 0,
    };
    reader.number().is_ok() && reader.at == token.len()
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

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    fn skip_blanks(&mut self) -> Option<u8> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.at += 1,
                other => return other,
            }
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.skip_blanks() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Fault::Grammar)
        }
    }

    /// One value with nothing but blanks around it.
    fn document(&mut self) -> Result<JsonKind, Fault> {
        let kind = match self.skip_blanks() {
            Some(b'{') => JsonKind::Object,
            Some(b'[') => JsonKind::Array,
            _ => JsonKind::Scalar,
        };
        // One bit per level, the innermost lowest: 1 for an object, 0 for an array.
        let mut levels = 0u128;
        let mut depth = 0u32;
        'value: loop {
            match self.skip_blanks().ok_or(Fault::Grammar)? {
                b'{' => {
                    self.at += 1;
                    if self.skip_blanks() == Some(b'}') {
                        self.at += 1;
                    } else {
                        levels = levels << 1 | 1;
                        depth += 1;
                        if depth > DEPTH_MAX {
                            return Err(Fault::Depth);
                        }
                        self.member_name()?;
                        continue 'value;
                    }
                }
                b'[' => {
                    self.at += 1;
                    if self.skip_blanks() == Some(b']') {
                        self.at += 1;
                    } else {
                        levels <<= 1;
                        depth += 1;
                        if depth > DEPTH_MAX {
                            return Err(Fault::Depth);
                        }
                        continue 'value;
                    }
                }
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => return Err(Fault::Grammar),
            }
            // A value has ended: so may the levels around it.
            loop {
                let next = self.skip_blanks();
                if depth == 0 {
                    return if next.is_none() {
                        Ok(kind)
                    } else {
                        Err(Fault::Grammar)
                    };
                }
                let in_object = levels & 1 == 1;
                match next {
                    Some(b',') => {
                        self.at += 1;
                        if in_object {
                            self.member_name()?;
                        }
                        continue 'value;
                    }
                    Some(b'}') if in_object => self.at += 1,
                    Some(b']') if !in_object => self.at += 1,
                    _ => return Err(Fault::Grammar),
                }
                levels >>= 1;
                depth -= 1;
            }
        }
    }

    /// `"name":`
    #[inline]
    fn member_name(&mut self) -> Result<(), Fault> {
        if self.skip_blanks() != Some(b'"') {
            return Err(Fault::Grammar);
        }
        self.string()?;
        self.expect(b':')
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        if self.bytes[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Fault::Grammar)
        }
    }

    #[inline]
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > start {
            Ok(())
        } else {
            Err(Fault::Grammar)
        }
    }

    #[inline]
    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// From the opening quote to behind the closing one.
    #[inline]
    fn string(&mut self) -> Result<(), Fault> {
        self.at += 1;
        loop {
            // Eight bytes at a time while none of them ends or escapes anything.
            while let Some(eight) = self.bytes.get(self.at..self.at + 8) {
                let word = u64::from_le_bytes(
                    eight
                        .try_into()
                        .expect("the slice was taken with eight bytes"),
                );
                let special = first_special(word);
                self.at += special;
                if special < 8 {
                    break;
                }
            }
            match self.peek().ok_or(Fault::Grammar)? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                0..=0x1f => return Err(Fault::Grammar),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.code_unit()?;
                match unit {
                    0xd800..=0xdbff => {
                        let paired = self.bytes[self.at..].starts_with(b"\\u");
                        if !paired {
                            return Err(Fault::Surrogate);
                        }
                        self.at += 1;
                        match self.code_unit()? {
                            0xdc00..=0xdfff => Ok(()),
                            _ => Err(Fault::Surrogate),
                        }
                    }
                    0xdc00..=0xdfff => Err(Fault::Surrogate),
                    _ => Ok(()),
                }
            }
            _ => Err(Fault::Grammar),
        }
    }

    /// `u` and four hexadecimal digits.
    fn code_unit(&mut self) -> Result<u32, Fault> {
        let digits = self
            .bytes
            .get(self.at + 1..self.at + 5)
            .ok_or(Fault::Grammar)?;
        let mut unit = 0;
        for digit in digits {
            let digit = char::from(*digit).to_digit(16).ok_or(Fault::Grammar)?;
            unit = unit << 4 | digit;
        }
        self.at += 5;
        Ok(unit)
    }
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
