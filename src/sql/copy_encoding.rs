//! The encoding that a COPY names for its data.
//!
//! Owns finding it among the options of a COPY that a PostgreSQL runs, in either spelling. Promises the
//! same statement for data in UTF-8, and PostgreSQL's error for a name that is none. Never looks at
//! data.

use super::copy_options::CopyEncoding;
use super::cursor::Cursor;
use super::lexer::Token;
use super::settings::client_encoding;
use crate::diagnostic::{Diagnostic, SqlState};

/// What takes the place of the name. It is as long as those that are told apart here, nearly always:
/// later places in the statement stay.
const UTF8: &str = "'UTF8'";

/// A COPY … FROM STDIN whose data is in an encoding that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedCopy {
    pub encoding: CopyEncoding,
    /// The same for data in UTF-8.
    pub text: String,
}

impl EncodedCopy {
    /// The COPY … FROM STDIN that `text` is; `None`: it names no encoding.
    ///
    /// # Errors
    /// 22023 for a name that is no encoding, or none that the gateway has.
    pub fn of(text: &str) -> Result<Option<Self>, Box<Diagnostic>> {
        let mut cursor = Cursor::new(text)?;
        // Columns come before, which may have any name.
        let mut open = 0usize;
        while open > 0 || !cursor.at_word("from") {
            if cursor.at_end() {
                return Ok(None);
            }
            open = depth_behind(open, &cursor.advance()?.token);
        }
        let mut begins_option = false;
        while !(cursor.at_end() || open == 0 && cursor.at_word("where")) {
            let may_be_option = match open {
                0 => true,
                1 => begins_option,
                _ => false,
            };
            let offset = cursor.offset();
            if may_be_option && cursor.at_word("encoding") {
                cursor.advance()?;
                return named(&mut cursor, offset);
            }
            begins_option = cursor.at_symbol("(") || cursor.at_symbol(",");
            open = depth_behind(open, &cursor.advance()?.token);
        }
        Ok(None)
    }
}

fn depth_behind(open: usize, token: &Token<'_>) -> usize {
    match token {
        Token::Symbol("(") => open + 1,
        Token::Symbol(")") => open.saturating_sub(1),
        _ => open,
    }
}

/// Reads the name behind the option's own, which stands at byte `offset`.
fn named(cursor: &mut Cursor<'_>, offset: usize) -> Result<Option<EncodedCopy>, Box<Diagnostic>> {
    let text = cursor.text();
    let place = cursor.peek().range.clone();
    let name = match &cursor.peek().token {
        Token::Text(name) | Token::QuotedName(name) => name.as_ref().to_owned(),
        Token::Word(word) => (*word).to_owned(),
        // PostgreSQL says what is wrong with it.
        _ => return Ok(None),
    };
    let Some((encoding, _)) = client_encoding(&name) else {
        return Err(super::syntax::error_at(
            text,
            offset,
            SqlState::INVALID_PARAMETER_VALUE,
            "argument to option \"encoding\" must be a valid encoding name",
        ));
    };
    let blank = " ".repeat(place.len().saturating_sub(UTF8.len()));
    Ok(Some(EncodedCopy {
        encoding,
        text: format!(
            "{}{UTF8}{blank}{}",
            &text[..place.start],
            &text[place.end..]
        ),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<EncodedCopy> {
        EncodedCopy::of(text).expect("it is a COPY")
    }

    #[test]
    fn an_encoding_is_found_in_either_spelling_and_nowhere_else() {
        for text in [
            "COPY t (encoding) FROM STDIN (FORMAT csv, ENCODING 'LATIN1', HEADER)",
            "COPY t FROM STDIN WITH (encoding latin1)",
            "copy t from stdin with delimiter ',' encoding 'latin1' csv",
            "COPY t FROM STDIN (ENCODING 'iso-8859-1') WHERE a > 1",
        ] {
            let found = of(text).expect(text);
            assert_eq!(found.encoding, CopyEncoding::Latin1, "{text}");
            let again = of(&found.text).expect(text);
            assert_eq!(again.encoding, CopyEncoding::Utf8, "{text}");
        }
        for text in [
            "COPY t (encoding) FROM STDIN",
            "COPY t FROM STDIN (FORCE_NULL (encoding))",
            "COPY t FROM STDIN WHERE encoding = 'LATIN1'",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn later_places_of_the_statement_stay() {
        let found = of("COPY t FROM STDIN (ENCODING 'LATIN1', QUOTE 'xx')").expect("it is named");
        assert_eq!(
            found.text,
            "COPY t FROM STDIN (ENCODING 'UTF8'  , QUOTE 'xx')"
        );
    }

    #[test]
    fn what_is_no_encoding_is_refused_where_it_stands() {
        let error =
            EncodedCopy::of("COPY t FROM STDIN (ENCODING 'nope')").expect_err("no encoding");
        assert_eq!(error.sqlstate, SqlState::INVALID_PARAMETER_VALUE);
        assert_eq!(error.position, Some(20));
    }
}
