//! PostgreSQL's lexical rules: words, names, strings, numbers, parameters, comments.
//!
//! Owns turning statement text into lexemes. Promises that a lexeme's range lies on character
//! boundaries of the text, and never panics on any input. Never knows a grammar.

use super::syntax::{error_at, syntax_error};
use crate::diagnostic::{Diagnostic, SqlState};
use std::borrow::Cow;
use std::ops::Range;

/// What a lexeme is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    /// A keyword or an unquoted identifier, as written.
    Word(&'a str),
    /// A `"quoted"` identifier, without its quotes.
    QuotedName(Cow<'a, str>),
    /// A string constant of any spelling, its value.
    Text(Cow<'a, str>),
    /// An unsigned number, as written.
    Number(&'a str),
    /// `$n`.
    Parameter(u32),
    /// Punctuation or an operator, as written.
    Symbol(&'a str),
    /// Nothing is left.
    End,
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lexeme<'a> {
    pub token: Token<'a>,
    pub range: Range<usize>,
}

/// Reads one lexeme after the other.
#[derive(Clone, Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer that starts at byte `at`, which must be a character boundary.
    pub fn starting_at(text: &'a str, at: usize) -> Self {
        Lexer { text, at }
    }

    /// The next lexeme; `End` for ever once the text is read.
    ///
    /// # Errors
    /// 42601 for what is unterminated or no token, 0A000 for bit strings and `U&` strings.
    pub fn next(&mut self) -> Result<Lexeme<'a>, Box<Diagnostic>> {
        self.at = skip_blank(self.text, self.at)?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        let Some(&first) = bytes.get(start) else {
            return Ok(Lexeme {
                token: Token::End,
                range: start..start,
            });
        };
        let token = match first {
            b'\'' => self.text_constant(start, start)?,
            b'"' => self.quoted_name(start, start)?,
            b'$' => self.dollar(start)?,
            b'0'..=b'9' => self.number(start)?,
            b'.' if bytes.get(start + 1).is_some_and(u8::is_ascii_digit) => self.number(start)?,
            _ if is_word_start(first) => self.word_or_prefixed(start)?,
            _ => self.symbol(start),
        };
        Ok(Lexeme {
            token,
            range: start..self.at,
        })
    }

    fn word_or_prefixed(&mut self, start: usize) -> Result<Token<'a>, Box<Diagnostic>> {
        let bytes = self.text.as_bytes();
        let quoted = |offset: usize| bytes.get(start + offset) == Some(&b'\'');
        match bytes[start] {
            b'e' | b'E' if quoted(1) => return self.escape_text(start),
            b'n' | b'N' if quoted(1) => return self.text_constant(start, start + 1),
            b'b' | b'B' | b'x' | b'X' if quoted(1) => {
                return Err(unsupported(self.text, start, "bit string constants"));
            }
            b'u' | b'U'
                if bytes.get(start + 1) == Some(&b'&')
                    && matches!(bytes.get(start + 2), Some(b'\'' | b'"')) =>
            {
                return Err(unsupported(self.text, start, "U& constants"));
            }
            _ => {}
        }
        self.at = end_of_word(bytes, start);
        Ok(Token::Word(&self.text[start..self.at]))
    }

    fn text_constant(&mut self, start: usize, quote: usize) -> Result<Token<'a>, Box<Diagnostic>> {
        let (end, doubled) = end_of_quoted(self.text.as_bytes(), quote, b'\'')
            .ok_or_else(|| unterminated(self.text, start, "quoted string"))?;
        let (value, end) = match continued(self.text, end)? {
            None => (unquote(&self.text[quote + 1..end - 1], doubled, "'"), end),
            Some(next) => {
                let mut value = unquote(&self.text[quote + 1..end - 1], doubled, "'").into_owned();
                let end = self.append_continuations(start, next, &mut value)?;
                (Cow::Owned(value), end)
            }
        };
        self.at = end;
        Ok(Token::Text(value))
    }

    /// Adjacent constants on following lines are one constant, as the SQL standard says.
    fn append_continuations(
        &self,
        start: usize,
        mut quote: usize,
        value: &mut String,
    ) -> Result<usize, Box<Diagnostic>> {
        loop {
            let (end, doubled) = end_of_quoted(self.text.as_bytes(), quote, b'\'')
                .ok_or_else(|| unterminated(self.text, start, "quoted string"))?;
            value.push_str(&unquote(&self.text[quote + 1..end - 1], doubled, "'"));
            match continued(self.text, end)? {
                Some(next) => quote = next,
                None => return Ok(end),
            }
        }
    }

    fn escape_text(&mut self, start: usize) -> Result<Token<'a>, Box<Diagnostic>> {
        let (value, end) = super::escape::read(self.text, start)?;
        self.at = end;
        Ok(Token::Text(value))
    }

    fn quoted_name(&mut self, start: usize, quote: usize) -> Result<Token<'a>, Box<Diagnostic>> {
        let (end, doubled) = end_of_quoted(self.text.as_bytes(), quote, b'"')
            .ok_or_else(|| unterminated(self.text, start, "quoted identifier"))?;
        self.at = end;
        let name = unquote(&self.text[quote + 1..end - 1], doubled, "\"");
        if name.is_empty() {
            return Err(error_at(
                self.text,
                start,
                SqlState::SYNTAX_ERROR,
                "zero-length delimited identifier at or near \"\"\"\"",
            ));
        }
        Ok(Token::QuotedName(name))
    }

    fn dollar(&mut self, start: usize) -> Result<Token<'a>, Box<Diagnostic>> {
        let bytes = self.text.as_bytes();
        if bytes.get(start + 1).is_some_and(u8::is_ascii_digit) {
            let digits = bytes[start + 1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let end = start + 1 + digits;
            let number = self.text[start + 1..end].parse::<u32>().map_err(|_| {
                error_at(
                    self.text,
                    start,
                    SqlState::SYNTAX_ERROR,
                    format!(
                        "parameter number too large at or near \"{}\"",
                        &self.text[start..end]
                    ),
                )
            })?;
            if bytes.get(end).copied().is_some_and(is_word_start) {
                return Err(syntax_error(self.text, &(start..end_of_word(bytes, end))));
            }
            self.at = end;
            return Ok(Token::Parameter(number));
        }
        match dollar_quote(bytes, start) {
            DollarQuote::None => Err(syntax_error(self.text, &(start..start + 1))),
            DollarQuote::Unterminated => {
                Err(unterminated(self.text, start, "dollar-quoted string"))
            }
            DollarQuote::Whole { body, end } => {
                self.at = end;
                Ok(Token::Text(Cow::Borrowed(&self.text[body])))
            }
        }
    }

    fn number(&mut self, start: usize) -> Result<Token<'a>, Box<Diagnostic>> {
        let bytes = self.text.as_bytes();
        let end = end_of_number(bytes, start);
        if bytes.get(end).copied().is_some_and(is_word_start) {
            let junk = end_of_word(bytes, end);
            return Err(error_at(
                self.text,
                start,
                SqlState::SYNTAX_ERROR,
                format!(
                    "trailing junk after numeric literal at or near \"{}\"",
                    &self.text[start..junk]
                ),
            ));
        }
        self.at = end;
        Ok(Token::Number(&self.text[start..end]))
    }

    fn symbol(&mut self, start: usize) -> Token<'a> {
        let bytes = self.text.as_bytes();
        let length = match &bytes[start..] {
            [b':', b':' | b'=', ..] => 2,
            [b'<', b'=' | b'>', ..] | [b'>' | b'!', b'=', ..] | [b'=', b'>', ..] => 2,
            [b'|', b'|', ..] => 2,
            // Words take every byte above 127, so this is one ASCII character.
            _ => 1,
        };
        self.at = start + length;
        Token::Symbol(&self.text[start..self.at])
    }
}

/// Whether a word may start with this byte; PostgreSQL takes every byte above 127.
pub(crate) fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

/// Where the word that starts at `start` ends.
pub(crate) fn end_of_word(bytes: &[u8], start: usize) -> usize {
    start
        + bytes[start..]
            .iter()
            .take_while(|&&byte| is_word_start(byte) || byte.is_ascii_digit() || byte == b'$')
            .count()
}

/// Where the number that starts at `start` (with a digit, or a dot before one) ends.
pub(crate) fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let digits_from = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = digits_from(start);
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1) != Some(&b'.') {
        end = digits_from(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits_from(end + 1 + sign);
        }
    }
    end
}

/// The end (past the closing quote) of what is quoted from `quote` on, and whether a doubled
/// quote stands inside.
pub(crate) fn end_of_quoted(bytes: &[u8], quote: usize, mark: u8) -> Option<(usize, bool)> {
    let mut at = quote + 1;
    let mut doubled = false;
    loop {
        at += memchr::memchr(mark, bytes.get(at..)?)?;
        if bytes.get(at + 1) != Some(&mark) {
            return Some((at + 1, doubled));
        }
        doubled = true;
        at += 2;
    }
}

/// What stands at a `$` that starts no parameter.
pub(crate) enum DollarQuote {
    /// No dollar quote.
    None,
    /// Its end is missing.
    Unterminated,
    Whole {
        body: Range<usize>,
        end: usize,
    },
}

/// Reads `$tag$ … $tag$` at `start`.
pub(crate) fn dollar_quote(bytes: &[u8], start: usize) -> DollarQuote {
    let tag = bytes[start + 1..]
        .iter()
        .take_while(|&&byte| is_word_start(byte) || byte.is_ascii_digit())
        .count();
    let open_end = start + 1 + tag;
    if bytes.get(open_end) != Some(&b'$') || bytes.get(start + 1).is_some_and(u8::is_ascii_digit) {
        return DollarQuote::None;
    }
    let mark = &bytes[start..=open_end];
    match memchr::memmem::find(&bytes[open_end + 1..], mark) {
        None => DollarQuote::Unterminated,
        Some(length) => DollarQuote::Whole {
            body: open_end + 1..open_end + 1 + length,
            end: open_end + 1 + length + mark.len(),
        },
    }
}

/// Skips white space and comments from `at` on.
///
/// # Errors
/// 42601 for a comment without an end.
pub(crate) fn skip_blank(text: &str, mut at: usize) -> Result<usize, Box<Diagnostic>> {
    let bytes = text.as_bytes();
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c), _) => at += 1,
            (Some(b'-'), Some(b'-')) => {
                at = memchr::memchr2(b'\n', b'\r', &bytes[at..])
                    .map_or(bytes.len(), |length| at + length);
            }
            (Some(b'/'), Some(b'*')) => {
                at = end_of_comment(bytes, at)
                    .ok_or_else(|| unterminated(text, at, "/* comment"))?;
            }
            _ => return Ok(at),
        }
    }
}

/// Where the block comment that starts at `start` ends; such comments nest.
pub(crate) fn end_of_comment(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 1_usize;
    let mut at = start + 2;
    loop {
        at += memchr::memchr2(b'*', b'/', bytes.get(at..)?)?;
        match (bytes[at], bytes.get(at + 1)?) {
            (b'*', b'/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            (b'/', b'*') => {
                depth += 1;
                at += 2;
            }
            _ => at += 1,
        }
    }
}

/// Whether another constant goes on after `end`, on a later line: where its quote stands.
fn continued(text: &str, end: usize) -> Result<Option<usize>, Box<Diagnostic>> {
    let bytes = text.as_bytes();
    if !matches!(
        bytes.get(end),
        Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | b'-')
    ) {
        return Ok(None);
    }
    // Block comments do not continue a constant in PostgreSQL.
    let mut at = end;
    let mut new_line = false;
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\n' | b'\r'), _) => {
                new_line = true;
                at += 1;
            }
            (Some(b' ' | b'\t' | 0x0b | 0x0c), _) => at += 1,
            (Some(b'-'), Some(b'-')) => at = skip_line(bytes, at),
            (Some(b'\''), _) if new_line => return Ok(Some(at)),
            _ => return Ok(None),
        }
    }
}

fn skip_line(bytes: &[u8], at: usize) -> usize {
    memchr::memchr2(b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |length| at + length)
}

fn unquote<'a>(inner: &'a str, doubled: bool, mark: &str) -> Cow<'a, str> {
    if doubled {
        Cow::Owned(inner.replace(&mark.repeat(2), mark))
    } else {
        Cow::Borrowed(inner)
    }
}

fn unterminated(text: &str, start: usize, what: &str) -> Box<Diagnostic> {
    error_at(
        text,
        start,
        SqlState::SYNTAX_ERROR,
        format!(
            "unterminated {what} at or near \"{}\"",
            super::syntax::excerpt(&text[start..])
        ),
    )
}

fn unsupported(text: &str, start: usize, what: &str) -> Box<Diagnostic> {
    let mut diagnostic = error_at(
        text,
        start,
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("{what} are not supported"),
    );
    diagnostic.hint = Some("Write the value as an ordinary string constant.".to_owned());
    diagnostic
}
