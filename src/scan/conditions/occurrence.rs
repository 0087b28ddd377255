//! How often a statement's text names a table.
//!
//! Owns the count, on the tokens of the whole text: a subquery, a CTE of the same name or a second
//! use of the table are all seen, wherever they stand. Promises that a table is never said to stand
//! there less often than it does. It may be said to stand there more often.

use super::Named;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

/// How often the statement names the table; `None`: that cannot be told. Uses of its name before a
/// dot are not counted: they name its columns.
pub(super) fn uses(sql: &str, named: &Named<'_>) -> Option<usize> {
    // Identifiers with escapes could hide the name; functions that run SQL could use it unseen.
    if sql.contains("&\"")
        || ["_to_xml", "ts_stat", "ts_rewrite"]
            .iter()
            .any(|part| contains_ignoring_case(sql, part))
    {
        return None;
    }
    let tokens = tokens(sql)?;
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
    Some(uses)
}

/// Whether the statement may define a CTE of that name: it stands before `AS (`, or before a list in
/// parentheses.
pub(super) fn may_be_cte(sql: &str, name: &str) -> bool {
    let Some(tokens) = tokens(sql) else {
        return true;
    };
    let is_keyword = |place: usize, keywords: &[Keyword]| match tokens.get(place) {
        Some(Token::Word(word)) => keywords.contains(&word.keyword),
        _ => false,
    };
    let opens = |place: usize| matches!(tokens.get(place), Some(Token::LParen));
    let is_cte = |(place, token): (usize, &Token)| {
        let is_it = matches!(token, Token::Word(word) if folded(word) == name);
        let after_as = [Keyword::MATERIALIZED, Keyword::NOT];
        is_it
            && (opens(place + 1)
                || is_keyword(place + 1, &[Keyword::AS])
                    && (opens(place + 2) || is_keyword(place + 2, &after_as)))
    };
    tokens.iter().enumerate().any(is_cte)
}

/// The tokens of a statement but for blanks and comments.
fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().ok()?;
    tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
    Some(tokens)
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
