//! How deep the tree of a statement may be.
//!
//! Owns the estimate, from the tokens alone, before anything builds such a tree: a chain of operators
//! makes a tree as deep as it is long, and whoever walks it, or merely drops it, needs stack for it.
//! Promises that what is not called deep needs no more stack than a connection's thread has. Never
//! parses.

use super::lexer::{Lexer, Token};

/// Operators that may stand one within the other. Lists may be as long as they like.
const OPERATORS_MAX: usize = 1000;

/// Words between two expressions or queries.
const OPERATORS: [&str; 12] = [
    "and",
    "or",
    "not",
    "is",
    "like",
    "ilike",
    "in",
    "between",
    "union",
    "intersect",
    "except",
    "join",
];

/// Whether the tree of a text may be deeper than a walk through it can afford.
pub fn is_deep(text: &str) -> bool {
    let mut lexer = Lexer::starting_at(text, 0);
    // Operators since the last comma, for each parenthesis that is open.
    let mut open = vec![0_usize];
    let mut all = 0;
    while let Ok(lexeme) = lexer.next() {
        match lexeme.token {
            Token::End => return false,
            Token::Symbol("(" | "[") => open.push(0),
            Token::Symbol(")" | "]") if open.len() > 1 => all -= open.pop().unwrap_or(0),
            Token::Symbol(",") => {
                if let Some(last) = open.last_mut() {
                    all -= std::mem::take(last);
                }
            }
            Token::Symbol(symbol) if !matches!(symbol, "." | ";") => {
                count(&mut open, &mut all);
            }
            Token::Word(word)
                if OPERATORS
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(word)) =>
            {
                count(&mut open, &mut all);
            }
            _ => {}
        }
        if all > OPERATORS_MAX || open.len() > OPERATORS_MAX {
            return true;
        }
    }
    // What cannot be read has no tree either.
    false
}

fn count(open: &mut [usize], all: &mut usize) {
    if let Some(last) = open.last_mut() {
        *last += 1;
        *all += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_chains_are_deep() {
        for operator in [" OR ", " AND ", " + ", " || ", "::text::", " = "] {
            let chain = vec!["a"; 1200].join(operator);
            assert!(is_deep(&format!("SELECT {chain}")), "{operator}");
            assert!(is_deep(&format!("SELECT f(b, {chain})")), "{operator}");
        }
        let calls = vec!["f(a, b)"; 1200].join(" + ");
        assert!(is_deep(&format!("SELECT {calls}")));
        let nested = format!("SELECT {}1{}", "(".repeat(1200), ")".repeat(1200));
        assert!(is_deep(&nested));
        assert!(is_deep(&vec!["SELECT 1"; 1200].join(" UNION ALL ")));
    }

    #[test]
    fn long_lists_are_not() {
        for item in [
            "1",
            "-1",
            "'x'::text",
            "(1 + 1)",
            "lower('a') || 'b'",
            "ARRAY[1, 2]",
        ] {
            let list = vec![item; 5000].join(", ");
            assert!(
                !is_deep(&format!("SELECT 1 WHERE a IN ({list}) AND b = 1")),
                "{item}"
            );
        }
        assert!(!is_deep("SELECT 1)))))"));
        assert!(!is_deep("SELECT 'open"));
    }
}
