//! Saying why a value is not JSON, as PostgreSQL says it.
//!
//! Owns the detail and context of `invalid input syntax for type json`. Runs only after
//! the check has failed. Never decides: what it cannot explain is still refused.

use crate::diagnostic::{Diagnostic, SqlState};

/// Bytes of the input that the context shows before the fault.
const SHOWN_BYTES_MAX: usize = 50;

/// What a token was expected to be.
#[derive(Clone, Copy)]
enum Expected {
    Value,
    /// After `[`: a value or the end.
    ElementOrEnd,
    NextElement,
    /// After `{`: a member name or the end.
    NameOrEnd,
    Name,
    Colon,
    NextMember,
    End,
}

/// A token, or why there is none.
enum Token {
    Punctuation,
    String,
    Number,
    Word,
    End,
    Fault(String),
}

/// The refusal of `json`, which is UTF-8 and not JSON.
#[cold]
pub fn explain(json: &[u8]) -> Box<Diagnostic> {
    let mut explainer = Explainer {
        json,
        start: 0,
        end: 0,
    };
    let detail = explainer.run();
    let mut diagnostic = Diagnostic::error(
        SqlState::INVALID_TEXT_REPRESENTATION,
        "invalid input syntax for type json",
    )
    .with_context(explainer.context());
    diagnostic.detail = detail;
    Box::new(diagnostic)
}

struct Explainer<'a> {
    json: &'a [u8],
    /// The token under inspection.
    start: usize,
    end: usize,
}

impl Explainer<'_> {
    fn run(&mut self) -> Option<String> {
        let mut levels: Vec<Expected> = Vec::new();
        let mut expected = Expected::Value;
        loop {
            let token = self.next_token();
            if let Token::Fault(detail) = token {
                return Some(detail);
            }
            let byte = match token {
                Token::Punctuation => self.json[self.start],
                _ => 0,
            };
            let is_value = !matches!(token, Token::Punctuation | Token::End);
            let is_string = matches!(token, Token::String);
            expected = match (expected, byte) {
                (Expected::Value | Expected::ElementOrEnd, b'{') => {
                    levels.push(Expected::NextMember);
                    Expected::NameOrEnd
                }
                (Expected::Value | Expected::ElementOrEnd, b'[') => {
                    levels.push(Expected::NextElement);
                    Expected::ElementOrEnd
                }
                (Expected::Value | Expected::ElementOrEnd, _) if is_value => {
                    levels.last().copied().unwrap_or(Expected::End)
                }
                (Expected::ElementOrEnd | Expected::NextElement, b']')
                | (Expected::NameOrEnd | Expected::NextMember, b'}') => {
                    levels.pop();
                    levels.last().copied().unwrap_or(Expected::End)
                }
                (Expected::NameOrEnd | Expected::Name, _) if is_string => Expected::Colon,
                (Expected::Colon, b':') => Expected::Value,
                (Expected::NextElement, b',') => Expected::Value,
                (Expected::NextMember, b',') => Expected::Name,
                (Expected::End, _) if matches!(token, Token::End) => return None,
                (expected, _) => return Some(self.unexpected(expected, &token)),
            };
        }
    }

    fn unexpected(&self, expected: Expected, token: &Token) -> String {
        if matches!(token, Token::End) {
            return "The input string ended unexpectedly.".to_owned();
        }
        let wanted = match expected {
            Expected::Value => "JSON value",
            Expected::ElementOrEnd => "array element or \"]\"",
            Expected::NextElement => "\",\" or \"]\"",
            Expected::NameOrEnd => "string or \"}\"",
            Expected::Name => "string",
            Expected::Colon => "\":\"",
            Expected::NextMember => "\",\" or \"}\"",
            Expected::End => "end of input",
        };
        format!("Expected {wanted}, but found \"{}\".", self.token_text())
    }

    fn token_text(&self) -> String {
        let end = self.end.min(self.start + 200);
        String::from_utf8_lossy(&self.json[self.start..end]).into_owned()
    }

    fn next_token(&mut self) -> Token {
        let json = self.json;
        self.start = self.end;
        while matches!(json.get(self.start), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.start += 1;
        }
        self.end = self.start;
        let Some(first) = json.get(self.start) else {
            return Token::End;
        };
        match first {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => {
                self.end += 1;
                Token::Punctuation
            }
            b'"' => self.string(),
            _ => self.word(*first),
        }
    }

    fn string(&mut self) -> Token {
        let json = self.json;
        self.end += 1;
        loop {
            match json.get(self.end) {
                None => return self.invalid_token(),
                Some(b'"') => {
                    self.end += 1;
                    return Token::String;
                }
                Some(control @ 0..=0x1f) => {
                    return Token::Fault(format!(
                        "Character with value 0x{control:02x} must be escaped."
                    ));
                }
                Some(b'\\') => match json.get(self.end + 1) {
                    None => {
                        self.end += 1;
                        return self.invalid_token();
                    }
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.end += 2,
                    Some(b'u') => {
                        self.end += 2;
                        for _ in 0..4 {
                            match json.get(self.end) {
                                Some(digit) if digit.is_ascii_hexdigit() => self.end += 1,
                                _ => {
                                    self.end += self.character_size();
                                    return Token::Fault(
                                        "\"\\u\" must be followed by four hexadecimal digits."
                                            .to_owned(),
                                    );
                                }
                            }
                        }
                    }
                    Some(_) => {
                        let escape = self.end;
                        self.end += 1;
                        self.end += self.character_size();
                        let shown = String::from_utf8_lossy(&json[escape..self.end]);
                        return Token::Fault(format!("Escape sequence \"{shown}\" is invalid."));
                    }
                },
                Some(_) => self.end += 1,
            }
        }
    }

    /// Bytes of the character at `end`, 0 at the end of input.
    fn character_size(&self) -> usize {
        let rest = &self.json[self.end..];
        let continuing = rest
            .iter()
            .skip(1)
            .take_while(|byte| **byte & 0xc0 == 0x80)
            .count();
        if rest.is_empty() { 0 } else { 1 + continuing }
    }

    /// A number, `true`, `false`, `null`, or something that looks like a word.
    fn word(&mut self, first: u8) -> Token {
        let numeric = first == b'-' || first.is_ascii_digit();
        while let Some(byte) = self.json.get(self.end) {
            let belongs = byte.is_ascii_alphanumeric()
                || *byte == b'_'
                || *byte >= 0x80
                || (numeric && matches!(byte, b'+' | b'-' | b'.'));
            if !belongs {
                break;
            }
            self.end += 1;
        }
        if self.end == self.start {
            self.end += 1;
            return self.invalid_token();
        }
        let token = &self.json[self.start..self.end];
        match token {
            b"true" | b"false" | b"null" => Token::Word,
            _ if numeric && super::json::check_json_number(token) => Token::Number,
            _ => self.invalid_token(),
        }
    }

    fn invalid_token(&self) -> Token {
        Token::Fault(format!("Token \"{}\" is invalid.", self.token_text()))
    }

    /// `JSON data, line n: …` with what led to the fault.
    fn context(&self) -> String {
        let json = self.json;
        let before = &json[..self.start];
        let line_start = memchr::memrchr(b'\n', before).map_or(0, |newline| newline + 1);
        let line = 1 + memchr::memchr_iter(b'\n', before).count();
        let mut shown_from = line_start;
        while self.end - shown_from >= SHOWN_BYTES_MAX {
            shown_from += 1;
            while shown_from < self.end && json[shown_from] & 0xc0 == 0x80 {
                shown_from += 1;
            }
        }
        if shown_from - line_start <= 3 {
            shown_from = line_start;
        }
        let prefix = if shown_from > line_start { "..." } else { "" };
        let suffix = match json.get(self.end) {
            Some(b'\n' | b'\r') | None => "",
            Some(_) => "...",
        };
        let shown = String::from_utf8_lossy(&json[shown_from..self.end]);
        format!("JSON data, line {line}: {prefix}{shown}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::check_json;

    #[test]
    fn details_are_those_of_postgresql() {
        for (json, detail, context) in [
            ("", "The input string ended unexpectedly.", ""),
            ("{", "The input string ended unexpectedly.", "{"),
            (
                "{\"a\":}",
                "Expected JSON value, but found \"}\".",
                "{\"a\":}",
            ),
            ("[1,]", "Expected JSON value, but found \"]\".", "[1,]"),
            ("{\"a\":1}x", "Token \"x\" is invalid.", "{\"a\":1}x"),
            ("nan", "Token \"nan\" is invalid.", "nan"),
            ("01", "Token \"01\" is invalid.", "01"),
            ("1.", "Token \"1.\" is invalid.", "1."),
            (
                "\"a\tb\"",
                "Character with value 0x09 must be escaped.",
                "\"a...",
            ),
            ("\"abc", "Token \"\"abc\" is invalid.", "\"abc"),
            (
                "{\"a\" 1}",
                "Expected \":\", but found \"1\".",
                "{\"a\" 1...",
            ),
            ("{a:1}", "Token \"a\" is invalid.", "{a..."),
            (
                "[1 2]",
                "Expected \",\" or \"]\", but found \"2\".",
                "[1 2...",
            ),
            (
                "{\"a\":1,}",
                "Expected string, but found \"}\".",
                "{\"a\":1,}",
            ),
            ("\"\\x\"", "Escape sequence \"\\x\" is invalid.", "\"\\x..."),
            (
                "\"\\u00g\"",
                "\"\\u\" must be followed by four hexadecimal digits.",
                "\"\\u00g...",
            ),
            (
                "{\"abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz\":}",
                "Expected JSON value, but found \"}\".",
                "...hijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz\":}",
            ),
        ] {
            let refusal = check_json(json.as_bytes()).expect_err(json);
            assert_eq!(refusal.detail.as_deref(), Some(detail), "{json}");
            let context = format!("JSON data, line 1: {context}");
            assert_eq!(refusal.context.as_deref(), Some(context.as_str()), "{json}");
        }
        let refusal = check_json(b"{\"a\":\n\n1 2}").expect_err("two values");
        assert_eq!(
            refusal.context.as_deref(),
            Some("JSON data, line 3: 1 2...")
        );
    }
}
