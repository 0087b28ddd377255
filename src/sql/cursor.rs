//! A cursor over lexemes: what the hand-written parsers read with.
//!
//! Owns one lexeme of lookahead and the small steps that every statement needs (keywords,
//! names, lists). Promises syntax errors that point at the offending lexeme. Never knows a
//! whole statement.

use super::lexer::{Lexeme, Lexer, Token};
use super::syntax::{error_at, syntax_error};
use crate::diagnostic::{Diagnostic, SqlState};
use std::borrow::Cow;

/// Reads a statement lexeme by lexeme.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    next: Lexeme<'a>,
}

impl<'a> Cursor<'a> {
    /// # Errors
    /// As [`Lexer::next`].
    pub fn new(text: &'a str) -> Result<Self, Box<Diagnostic>> {
        Self::starting_at(text, 0)
    }

    /// A cursor that starts at byte `at` of the text.
    ///
    /// # Errors
    /// As [`Lexer::next`].
    pub fn starting_at(text: &'a str, at: usize) -> Result<Self, Box<Diagnostic>> {
        let mut lexer = Lexer::starting_at(text, at);
        let next = lexer.next()?;
        Ok(Cursor { text, lexer, next })
    }

    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The lexeme that comes next.
    pub fn peek(&self) -> &Lexeme<'a> {
        &self.next
    }

    /// Byte offset of the next lexeme.
    pub fn offset(&self) -> usize {
        self.next.range.start
    }

    /// Takes the next lexeme.
    ///
    /// # Errors
    /// As [`Lexer::next`], for the lexeme behind it.
    pub fn advance(&mut self) -> Result<Lexeme<'a>, Box<Diagnostic>> {
        let following = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.next, following))
    }

    pub fn at_end(&self) -> bool {
        self.next.token == Token::End
    }

    /// Whether the next lexeme is this keyword (given in lower case).
    pub fn at_word(&self, keyword: &str) -> bool {
        matches!(self.next.token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    pub fn at_symbol(&self, symbol: &str) -> bool {
        matches!(self.next.token, Token::Symbol(found) if found == symbol)
    }

    /// Takes the keyword if it is next.
    ///
    /// # Errors
    /// As [`Lexer::next`].
    pub fn accept_word(&mut self, keyword: &str) -> Result<bool, Box<Diagnostic>> {
        let found = self.at_word(keyword);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes one of the keywords if it is next, and says which.
    ///
    /// # Errors
    /// As [`Lexer::next`].
    pub fn accept_one_of<'k>(
        &mut self,
        keywords: &[&'k str],
    ) -> Result<Option<&'k str>, Box<Diagnostic>> {
        for keyword in keywords {
            if self.accept_word(keyword)? {
                return Ok(Some(keyword));
            }
        }
        Ok(None)
    }

    /// # Errors
    /// 42601 if another lexeme is next.
    pub fn expect_word(&mut self, keyword: &str) -> Result<(), Box<Diagnostic>> {
        if self.accept_word(keyword)? {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Takes the symbol if it is next.
    ///
    /// # Errors
    /// As [`Lexer::next`].
    pub fn accept_symbol(&mut self, symbol: &str) -> Result<bool, Box<Diagnostic>> {
        let found = self.at_symbol(symbol);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// # Errors
    /// 42601 if another lexeme is next.
    pub fn expect_symbol(&mut self, symbol: &str) -> Result<(), Box<Diagnostic>> {
        if self.accept_symbol(symbol)? {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// # Errors
    /// 42601 if anything is left.
    pub fn expect_end(&self) -> Result<(), Box<Diagnostic>> {
        if self.at_end() {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// An identifier; unquoted ones are folded to lower case.
    ///
    /// # Errors
    /// 42601 if none is next.
    pub fn name(&mut self) -> Result<Cow<'a, str>, Box<Diagnostic>> {
        match self.next.token {
            Token::Word(_) | Token::QuotedName(_) => {}
            _ => return Err(self.unexpected()),
        }
        Ok(match self.advance()?.token {
            Token::Word(word) => fold(word),
            Token::QuotedName(name) => name,
            // The match above let nothing else through.
            _ => Cow::Borrowed(""),
        })
    }

    /// A string constant.
    ///
    /// # Errors
    /// 42601 if none is next.
    pub fn text_constant(&mut self) -> Result<Cow<'a, str>, Box<Diagnostic>> {
        if !matches!(self.next.token, Token::Text(_)) {
            return Err(self.unexpected());
        }
        match self.advance()?.token {
            Token::Text(text) => Ok(text),
            _ => Ok(Cow::Borrowed("")),
        }
    }

    /// 42601 at the next lexeme.
    pub fn unexpected(&self) -> Box<Diagnostic> {
        syntax_error(self.text, &self.next.range)
    }

    /// An error that points at the next lexeme.
    pub fn error(&self, sqlstate: SqlState, message: impl Into<String>) -> Box<Diagnostic> {
        error_at(self.text, self.next.range.start, sqlstate, message)
    }
}

/// Folds an unquoted identifier as PostgreSQL does with UTF-8: ASCII letters only.
pub(crate) fn fold(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(word.to_ascii_lowercase())
    } else {
        Cow::Borrowed(word)
    }
}
