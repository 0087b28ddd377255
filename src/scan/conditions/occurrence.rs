//! Whether a statement's text names a table once.
//!
//! Owns the count, on the tokens of the whole text: a subquery, a CTE of the same name or a second
//! use of the table are all seen, wherever they stand. Promises that "once" is never said of a
//! table that stands there twice. It may be denied of one that stands there once.

use super::Named;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

/// Whether the statement names the table exactly once. Uses of its name before a dot are not
/// counted: they name its columns.
pub(super) fn is_named_once(sql: &str, named: &Named<'_>) -> bool {
    // Identifiers with escapes could hide the name; functions that run SQL could use it unseen.
    if sql.contains("&\"") || contains_ignoring_case(sql, "_to_xml") {
        return false;
    }
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else {
        return false;
    };
    let tokens: Vec<&Token> = tokens
        .iter()
        .filter(|token| !matches!(token, Token::Whitespace(_)))
        .collect();
    let mut uses = 0;
    for (place, token) in tokens.iter().enumerate() {
        let Token::Word(word) = token else {
            continue;
        };
        let is_before_a_dot = matches!(tokens.get(place + 1), Some(Token::Period));
        if folded(word) == named.name && !is_before_a_dot {
            uses += 1;
        }
    }
    uses == 1
}

fn contains_ignoring_case(text: &str, part: &str) -> bool {
    text.to_ascii_lowercase().contains(part)
}

/// An identifier as PostgreSQL takes it.
fn folded(word: &Word) -> String {
    match word.quote_style {
        Some(_) => word.value.clone(),
        None => word.value.to_lowercase(),
    }
}
