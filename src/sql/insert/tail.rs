//! What follows the rows of an INSERT: ON CONFLICT and RETURNING.
//!
//! Owns finding where the rows end. Promises that a bulk statement without such clauses is not
//! read for it, but for one search. Never reads a value.

use super::conflict::{self, Conflict, Unfit};
use super::scanner::Scanner;
use crate::catalog::Table;
use crate::diagnostic::SqlState;
use crate::sql::cursor::Cursor;
use crate::sql::returning::{self, Returning};

/// The clauses behind the rows.
#[derive(Debug)]
pub(super) struct Tail {
    pub conflict: Option<Conflict>,
    pub returning: Option<Returning>,
}

/// Where the rows end that `scanner` stands before.
pub(super) fn start(text: &str, scanner: Scanner<'_>) -> usize {
    // A row ends with a parenthesis; of the clauses only a SET may.
    let ends_like_row = text.trim_ascii_end().ends_with(')');
    if ends_like_row && !mentions_conflict(text.as_bytes()) {
        text.len()
    } else {
        scanner.end_of_rows()
    }
}

/// Whether the word stands anywhere, in a string perhaps.
fn mentions_conflict(text: &[u8]) -> bool {
    const WORD: &[u8] = b"conflict";
    // Its rarest letter, and what stands before that.
    const BEFORE: usize = 3;
    memchr::memchr2_iter(b'f', b'F', text).any(|at| {
        at.checked_sub(BEFORE)
            .and_then(|start| text.get(start..start + WORD.len()))
            .is_some_and(|found| found.eq_ignore_ascii_case(WORD))
    })
}

/// Reads the clauses, which start at byte `at`. `columns`: those of the INSERT.
///
/// # Errors
/// Those of the clauses.
pub(super) fn parse(
    text: &str,
    at: usize,
    table: &'static Table,
    columns: &[usize],
    alias: Option<&str>,
) -> Result<Tail, Unfit> {
    let mut tail = Tail {
        conflict: None,
        returning: None,
    };
    if at >= text.len() {
        return Ok(tail);
    }
    let mut cursor = Cursor::starting_at(text, at)?;
    if cursor.at_word("on") {
        tail.conflict = Some(conflict::parse(&mut cursor, table, columns)?);
    }
    if cursor.accept_word("returning")? {
        let returning =
            returning::parse(&mut cursor, table, alias).map_err(|refusal| {
                match refusal.sqlstate {
                    SqlState::FEATURE_NOT_SUPPORTED => Unfit::NeedsPlan(refusal),
                    _ => Unfit::Wrong(refusal),
                }
            })?;
        tail.returning = Some(returning);
    }
    cursor.expect_end()?;
    Ok(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_found_in_any_case_and_only_whole() {
        assert!(mentions_conflict(b"x ON CONFLICT do"));
        assert!(mentions_conflict(b"CoNfLiCt"));
        assert!(!mentions_conflict(b"('confusing', 'f', 'CONFLIC')"));
    }
}
