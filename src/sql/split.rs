//! Cutting a query string into statements.
//!
//! Owns where a statement ends: at a semicolon outside quotes, comments, dollar quotes and
//! parentheses. Promises slices of the text, in order, without their semicolons, and drops
//! empty ones. Never fails: what is unterminated stays in the last statement, and parsing
//! that reports the error.

use super::lexer::{
    DollarQuote, dollar_quote, end_of_comment, end_of_quoted, end_of_word, is_word_start,
    skip_blank,
};

/// The statements of a query string. An empty result means an empty query.
///
/// A statement without an inner semicolon, which is what a bulk INSERT is, costs one search
/// for the semicolon and no lexing.
pub fn split_statements(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let first = memchr::memchr(b';', bytes);
    let only_one = match first {
        None => true,
        // If this semicolon stood in quotes, these would have no end: an error either way.
        Some(at) => bytes[at..]
            .iter()
            .all(|byte| byte.is_ascii_whitespace() || *byte == b';'),
    };
    if only_one {
        let statement = &text[..first.unwrap_or(text.len())];
        return if is_empty(statement) {
            Vec::new()
        } else {
            vec![statement]
        };
    }
    let mut statements = Vec::new();
    let mut from = 0;
    while from < text.len() {
        let end = end_of_statement(bytes, from);
        let statement = &text[from..end];
        if !is_empty(statement) {
            statements.push(statement);
        }
        from = end + 1;
    }
    statements
}

/// Whether there is nothing but white space and whole comments.
fn is_empty(statement: &str) -> bool {
    skip_blank(statement, 0).is_ok_and(|at| at == statement.len())
}

/// Where the semicolon is that ends the statement which starts at `from`, or the text's end.
fn end_of_statement(bytes: &[u8], from: usize) -> usize {
    let length = bytes.len();
    let mut depth = 0_usize;
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        at = match byte {
            b';' if depth == 0 => return at,
            b'(' => {
                depth += 1;
                at + 1
            }
            b')' => {
                depth = depth.saturating_sub(1);
                at + 1
            }
            b'\'' | b'"' => end_of_quoted(bytes, at, byte).map_or(length, |(end, _)| end),
            b'e' | b'E' if bytes.get(at + 1) == Some(&b'\'') => end_of_escape_text(bytes, at + 2),
            b'$' => match dollar_quote(bytes, at) {
                DollarQuote::None => at + 1,
                DollarQuote::Unterminated => length,
                DollarQuote::Whole { end, .. } => end,
            },
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                memchr::memchr2(b'\n', b'\r', &bytes[at..]).map_or(length, |line| at + line)
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => end_of_comment(bytes, at).unwrap_or(length),
            // A whole word at once: a dollar sign inside it starts no dollar quote.
            _ if is_word_start(byte) => end_of_word(bytes, at),
            _ => at + 1,
        };
    }
    length
}

fn end_of_escape_text(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(length) = memchr::memchr2(b'\'', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += length;
        if bytes[at] == b'\\' || bytes.get(at + 1) == Some(&b'\'') {
            at += 2;
        } else {
            return at + 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::split_statements;
    use proptest::prelude::*;

    #[test]
    fn statements_end_at_semicolons_outside_of_everything() {
        for (text, statements) in [
            ("", &[][..]),
            (" ; ;; -- nothing\n", &[]),
            ("/* a; /* nested; */ b; */", &[]),
            ("select 1", &["select 1"]),
            ("select 1;", &["select 1"]),
            ("a;b", &["a", "b"]),
            ("a; ;b ;", &["a", "b "]),
            ("select ';'; b", &["select ';'", "b"]),
            ("select 'it''s;'; b", &["select 'it''s;'", "b"]),
            ("select '\\'; b", &["select '\\'", "b"]),
            ("select E'\\';'; b", &["select E'\\';'", "b"]),
            ("select \";\"\";\"; b", &["select \";\"\";\"", "b"]),
            ("select $$;$$; b", &["select $$;$$", "b"]),
            ("select $a$;$b$;$a$; b", &["select $a$;$b$;$a$", "b"]),
            ("select a$b$;b$c", &["select a$b$", "b$c"]),
            ("a -- x;y\n; b", &["a -- x;y\n", "b"]),
            ("a /* ; */; b", &["a /* ; */", "b"]),
            ("a (b; c); d", &["a (b; c)", "d"]),
        ] {
            let found: Vec<&str> = split_statements(text)
                .iter()
                .map(|part| part.trim_start())
                .collect();
            assert_eq!(found, statements, "{text}");
        }
    }

    #[test]
    fn what_is_unterminated_stays_in_the_last_statement() {
        for text in [
            "a; 'b; c",
            "a; \"b; c",
            "a; $$b; c",
            "a; /* b; c",
            "a; E'b\\'; c",
        ] {
            assert_eq!(split_statements(text).len(), 2, "{text}");
        }
    }

    proptest! {
        #[test]
        fn splitting_never_panics_and_keeps_the_order(text in "([a-z ]|[;'\"$()E/*-]|\\PC){0,80}") {
            let mut from = 0;
            for statement in split_statements(&text) {
                let at = text[from..].find(statement);
                prop_assert!(at.is_some());
                from += at.unwrap_or(0) + statement.len();
            }
        }

        #[test]
        fn quoted_semicolons_never_split(parts in proptest::collection::vec("[a-z;' ]{0,12}", 1..6)) {
            let statements: Vec<String> = parts
                .iter()
                .map(|part| format!("select '{}'", part.replace('\'', "''")))
                .collect();
            let text = statements.join("; ");
            let found: Vec<String> = split_statements(&text).iter().map(|part| part.trim().to_owned()).collect();
            prop_assert_eq!(found, statements);
        }
    }
}
