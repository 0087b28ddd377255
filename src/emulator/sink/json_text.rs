//! A reader of JSON text that checks without building anything.
//!
//! Owns the grammar of RFC 8259 over bytes that are known to be UTF-8. Strings are scanned
//! eight bytes at a time. It accepts and refuses what `serde_json` does when it passes
//! over a value; a property test holds it to that.

/// The text is not JSON; the byte at which that showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson {
    pub at: usize,
}

/// A string in the text, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StringSpan<'a> {
    pub text: &'a str,
    /// Whether it holds escapes, so that `text` is not what it means.
    pub escaped: bool,
}

/// A position in a JSON text.
#[derive(Debug)]
pub struct JsonText<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// The open objects (`true`) and arrays around the position, kept to be reused.
    open: Vec<bool>,
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

impl<'a> JsonText<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            open: Vec::new(),
        }
    }

    #[cold]
    fn fault<T>(&self) -> Result<T, NotJson> {
        Err(NotJson { at: self.at })
    }

    /// The next byte that is not blank, without taking it.
    #[inline(always)]
    pub fn peek(&mut self) -> Option<u8> {
        match self.bytes.get(self.at) {
            // No token starts with a byte up to the blank, and few blanks are written.
            Some(byte) if *byte > b' ' => Some(*byte),
            _ => self.peek_after_blanks(),
        }
    }

    #[cold]
    fn peek_after_blanks(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    /// Takes `byte` if it comes next, after blanks.
    #[inline(always)]
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Takes `byte`, which has to come next.
    #[inline(always)]
    pub fn expect(&mut self, byte: u8) -> Result<(), NotJson> {
        if self.take(byte) {
            Ok(())
        } else {
            self.fault()
        }
    }

    /// Takes `text` if it comes next to the byte.
    #[inline(always)]
    pub fn take_exactly(&mut self, text: &[u8]) -> bool {
        let found = self.bytes[self.at..].starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// Checks that nothing but blanks is left.
    pub fn end(&mut self) -> Result<(), NotJson> {
        if self.peek().is_none() {
            Ok(())
        } else {
            self.fault()
        }
    }

    /// Takes a string.
    #[inline]
    pub fn string(&mut self) -> Result<StringSpan<'a>, NotJson> {
        self.expect(b'"')?;
        self.string_after_quote()
    }

    /// Takes the rest of a string whose opening quote was taken.
    #[inline]
    pub fn string_after_quote(&mut self) -> Result<StringSpan<'a>, NotJson> {
        let start = self.at;
        let escaped = self.pass_string()?;
        Ok(StringSpan {
            text: &self.text[start..self.at - 1],
            escaped,
        })
    }

    /// Passes over a string whose opening quote was taken; whether it held escapes.
    #[inline(always)]
    fn pass_string(&mut self) -> Result<bool, NotJson> {
        let mut escaped = false;
        loop {
            self.at = plain_end(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.fault(),
            }
        }
    }

    #[cold]
    fn escape(&mut self) -> Result<(), NotJson> {
        self.at += 1;
        match self.bytes.get(self.at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return self.fault();
                }
                self.at += 5;
            }
            _ => return self.fault(),
        }
        Ok(())
    }

    /// Passes over a value of any depth; returns its text without blanks around it.
    pub fn value(&mut self) -> Result<&'a str, NotJson> {
        self.peek();
        let start = self.at;
        self.open.clear();
        loop {
            let opened = self.scalar_or_opening()?;
            if opened {
                continue;
            }
            // A value has ended: close what it ends, or go on to its neighbour.
            loop {
                let Some(in_object) = self.open.last().copied() else {
                    return Ok(&self.text[start..self.at]);
                };
                if self.take(b',') {
                    if in_object {
                        self.name()?;
                    }
                    break;
                }
                self.expect(if in_object { b'}' } else { b']' })?;
                self.open.pop();
            }
        }
    }

    #[inline(always)]
    fn name(&mut self) -> Result<(), NotJson> {
        self.expect(b'"')?;
        self.pass_string()?;
        self.expect(b':')
    }

    /// Takes a scalar or an empty container; otherwise opens one and returns `true`.
    #[inline(always)]
    fn scalar_or_opening(&mut self) -> Result<bool, NotJson> {
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.pass_string()?;
            }
            Some(b'{') => {
                self.at += 1;
                if !self.take(b'}') {
                    self.open.push(true);
                    self.name()?;
                    return Ok(true);
                }
            }
            Some(b'[') => {
                self.at += 1;
                if !self.take(b']') {
                    self.open.push(false);
                    return Ok(true);
                }
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            _ => return self.fault(),
        }
        Ok(false)
    }

    #[inline(always)]
    fn word(&mut self, word: &[u8]) -> Result<(), NotJson> {
        if self.take_exactly(word) {
            Ok(())
        } else {
            self.fault()
        }
    }

    fn number(&mut self) -> Result<(), NotJson> {
        let mut at = self.at + usize::from(self.bytes.get(self.at) == Some(&b'-'));
        at = match self.bytes.get(at) {
            Some(b'0') => at + 1,
            _ => self.digits(at)?,
        };
        if self.bytes.get(at) == Some(&b'.') {
            at = self.digits(at + 1)?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(at) {
            let sign = matches!(self.bytes.get(at + 1), Some(b'+' | b'-'));
            at = self.digits(at + 1 + usize::from(sign))?;
        }
        self.at = at;
        Ok(())
    }

    /// Where the digits that start at `at` end; there has to be one.
    #[inline(always)]
    fn digits(&self, at: usize) -> Result<usize, NotJson> {
        let mut end = at;
        while self.bytes.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
        if end == at { self.fault() } else { Ok(end) }
    }
}

/// The first byte from `at` on that is a quote, a backslash or a control character.
#[inline(always)]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*eight);
        let zero = |x: u64| x.wrapping_sub(ONES) & !x;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        // A borrow can mark bytes above a true one falsely; the lowest mark is always true.
        let marks = (quote | backslash | control) & HIGHS;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let plain = rest
        .iter()
        .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f))
        .count();
    at + plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    fn accepts(text: &str) -> bool {
        let mut reader = JsonText::new(text);
        reader.value().and_then(|_| reader.end()).is_ok()
    }

    fn serde_accepts(text: &str) -> bool {
        serde_json::from_str::<&RawValue>(text).is_ok()
    }

    /// Pieces that make JSON, and near misses of it, likely.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\"",
            "\\",
            "\"a\"",
            "\"b\":",
            "0",
            "-1",
            "1.5e3",
            "01",
            "1.",
            "true",
            "null",
            "fals",
            " ",
            "\n",
            "\u{1}",
            "ü",
            "\\u00e9",
            "\\ud800",
            "\\x",
            "\"long string of plain text\"",
            "{}",
            "[]",
            "e",
            "+",
            "-",
        ]);
        prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn it_accepts_exactly_what_serde_json_accepts(text in pieces()) {
            prop_assert_eq!(accepts(&text), serde_accepts(&text), "{:?}", text);
        }

        #[test]
        fn it_accepts_every_string_that_serde_json_writes(text in any::<String>()) {
            let json = serde_json::json!({ "key": text, "list": [text, 1, null] }).to_string();
            prop_assert!(accepts(&json));
        }
    }

    #[test]
    fn a_value_is_given_without_the_blanks_around_it() {
        let mut reader = JsonText::new("  {\"a\": [1, {}]} ,");
        assert_eq!(reader.value(), Ok("{\"a\": [1, {}]}"));
        assert!(reader.take(b','));
        assert_eq!(reader.end(), Ok(()));
    }

    #[test]
    fn nesting_has_no_depth_limit() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(accepts(&deep));
    }
}
