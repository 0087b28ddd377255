//! Reading booleans in every spelling that PostgreSQL takes.
//!
//! Owns the text form. Promises PostgreSQL's prefixes: `t`, `tr`, …, `y`, `of`, but not `o`.

use super::blanks::trim;
use super::refusal::invalid_syntax;
use crate::diagnostic::Diagnostic;

/// Reads a boolean's text form.
///
/// # Errors
/// 22P02.
pub fn parse_bool(value: &[u8]) -> Result<bool, Box<Diagnostic>> {
    let word = trim(value);
    let is = |whole: &str, shortest: usize| {
        word.len() >= shortest
            && word.len() <= whole.len()
            && word.eq_ignore_ascii_case(&whole.as_bytes()[..word.len()])
    };
    if is("true", 1) || is("yes", 1) || is("on", 2) || word == b"1" {
        Ok(true)
    } else if is("false", 1) || is("no", 1) || is("off", 2) || word == b"0" {
        Ok(false)
    } else {
        Err(invalid_syntax("boolean", value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_postgresql_is_read() {
        for spelling in [
            "t", "T", "tr", "true", "TRUE", " yes ", "y", "on", "ON", "1",
        ] {
            assert_eq!(parse_bool(spelling.as_bytes()), Ok(true), "{spelling}");
        }
        for spelling in ["f", "false", "n", "no", "of", "off", "0", "\tfalse\n"] {
            assert_eq!(parse_bool(spelling.as_bytes()), Ok(false), "{spelling}");
        }
    }

    #[test]
    fn other_words_are_refused_in_the_words_of_postgresql() {
        for word in ["", "o", "truee", "2", "yess", "10"] {
            let refusal = parse_bool(word.as_bytes()).expect_err(word);
            assert_eq!(
                refusal.message,
                format!("invalid input syntax for type boolean: \"{word}\"")
            );
            assert_eq!(refusal.sqlstate.code(), "22P02");
        }
    }
}
