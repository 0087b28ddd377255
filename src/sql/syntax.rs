//! Errors that point into a statement.
//!
//! Owns turning byte offsets into PostgreSQL's character positions and wording syntax errors.
//! Promises positions from 1, counted in characters. Never decides what is an error.

use crate::diagnostic::{Diagnostic, SqlState};
use std::ops::Range;

/// Most characters of a statement that an error message repeats.
const EXCERPT_CHARACTERS_MAX: usize = 80;

/// The character position of byte `offset` of `text`, from 1.
pub(crate) fn position(text: &str, offset: usize) -> u32 {
    let before = text
        .char_indices()
        .take_while(|(index, _)| *index < offset)
        .count();
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}

/// An error at byte `offset` of `text`.
pub(crate) fn error_at(
    text: &str,
    offset: usize,
    sqlstate: SqlState,
    message: impl Into<String>,
) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(sqlstate, message).with_position(position(text, offset)))
}

/// 42601 at the lexeme of that range; an empty range is the end of the text.
pub(crate) fn syntax_error(text: &str, range: &Range<usize>) -> Box<Diagnostic> {
    let near = text.get(range.clone()).unwrap_or_default();
    let message = if near.is_empty() {
        "syntax error at end of input".to_owned()
    } else {
        format!("syntax error at or near \"{}\"", excerpt(near))
    };
    error_at(text, range.start, SqlState::SYNTAX_ERROR, message)
}

/// The start of `text`, short enough for a message.
pub(crate) fn excerpt(text: &str) -> &str {
    match text.char_indices().nth(EXCERPT_CHARACTERS_MAX) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Makes the position of an error in `statement` count from the start of `query`, of which
/// `statement` is a slice: what PostgreSQL reports for a query string of several statements.
pub fn locate_in_query(
    mut diagnostic: Box<Diagnostic>,
    query: &str,
    statement: &str,
) -> Box<Diagnostic> {
    let offset = (statement.as_ptr() as usize).wrapping_sub(query.as_ptr() as usize);
    if let Some(at) = diagnostic.position
        && let Some(before) = query.get(..offset)
    {
        let characters = u32::try_from(before.chars().count()).unwrap_or(u32::MAX);
        diagnostic.position = Some(at.saturating_add(characters));
    }
    diagnostic
}
