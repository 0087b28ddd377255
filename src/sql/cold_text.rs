//! What the text of a statement for an engine shows at a glance.
//!
//! Owns the few questions that are asked of such texts before PostgreSQL parses them. Promises that
//! quotes, comments and parentheses are seen as what they are. Never judges whether a text is SQL:
//! where it cannot be read, nothing is seen in the rest.

use super::cursor::fold;
use super::lexer::{Lexeme, Lexer, Token};

/// The lexemes of a text with the number of parentheses that are open before each.
struct Lexemes<'a> {
    lexer: Lexer<'a>,
    depth: u32,
}

impl<'a> Iterator for Lexemes<'a> {
    type Item = (u32, Lexeme<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let lexeme = self.lexer.next().ok()?;
        let depth = self.depth;
        match lexeme.token {
            Token::End => return None,
            Token::Symbol("(") => self.depth += 1,
            Token::Symbol(")") => self.depth = depth.saturating_sub(1),
            _ => {}
        }
        Some((depth, lexeme))
    }
}

fn lexemes(text: &str) -> Lexemes<'_> {
    Lexemes {
        lexer: Lexer::starting_at(text, 0),
        depth: 0,
    }
}

/// Words outside of parentheses.
fn outer_words(text: &str) -> impl Iterator<Item = (&str, usize)> {
    lexemes(text).filter_map(|(depth, lexeme)| match lexeme.token {
        Token::Word(word) if depth == 0 => Some((word, lexeme.range.end)),
        _ => None,
    })
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| one.eq_ignore_ascii_case(word))
}

/// Whether one of these words (in lower case) stands anywhere in the text, as a word or as a name.
pub fn mentions(text: &str, words: &[&str]) -> bool {
    lexemes(text).any(|(_, lexeme)| match lexeme.token {
        Token::Word(word) => is_one_of(word, words),
        Token::QuotedName(name) => words.contains(&name.as_ref()),
        _ => false,
    })
}

/// Word number `index` outside of parentheses, from 0, in lower case.
pub(super) fn word(text: &str, index: usize) -> Option<String> {
    let (word, _) = outer_words(text).nth(index)?;
    Some(word.to_ascii_lowercase())
}

/// The last name of a text.
pub(super) fn last_name(text: &str) -> Option<String> {
    match lexemes(text).last()?.1.token {
        Token::Word(word) => Some(fold(word).into_owned()),
        Token::QuotedName(name) => Some(name.into_owned()),
        _ => None,
    }
}

/// Whether a query may stand within the text: what its rows are takes a plan.
pub(super) fn holds_query(text: &str) -> bool {
    mentions(text, &["select", "table", "with"])
}

/// Whether a SELECT makes a table of its rows.
pub(super) fn selects_into(text: &str) -> bool {
    let mut before = "";
    outer_words(text).any(|(word, _)| {
        let is_it = word.eq_ignore_ascii_case("into") && !is_one_of(before, &["insert", "merge"]);
        before = word;
        is_it
    })
}

/// Whether a CREATE makes something that lasts no longer than its session, as far as its text says.
pub(super) fn creates_temporary(text: &str) -> bool {
    let says_so = outer_words(text)
        .take(5)
        .take_while(|(word, _)| !is_one_of(word, &["as", "on", "for"]))
        .any(|(word, _)| is_one_of(word, &["temp", "temporary"]));
    says_so || mentions(text, &["pg_temp"])
}

/// Whether a CREATE makes a table, of columns or of a query.
pub(super) fn creates_table(text: &str) -> bool {
    outer_words(text)
        .take(4)
        .any(|(word, _)| is_one_of(word, &["table"]))
}

/// Whether a CREATE TABLE makes it of a query.
pub(super) fn creates_from_query(text: &str) -> bool {
    creates_table(text) && outer_words(text).any(|(word, _)| is_one_of(word, &["as"]))
}

/// Whether a COPY brings rows in.
pub(super) fn copies_in(text: &str) -> bool {
    outer_words(text)
        .find(|(word, _)| is_one_of(word, &["from", "to"]))
        .is_some_and(|(word, _)| word.eq_ignore_ascii_case("from"))
}

/// Whether code of PL/pgSQL within a text catches errors: `EXCEPTION WHEN`.
pub(super) fn catches_errors(text: &str) -> bool {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
    let text = text.to_ascii_lowercase();
    text.match_indices("exception").any(|(start, found)| {
        let before = text[..start].bytes().next_back();
        let rest = &text[start + found.len()..];
        let next = rest.trim_start();
        !before.is_some_and(is_of_word)
            && next.len() < rest.len()
            && next.strip_prefix("when").is_some_and(|after| {
                let after = after.bytes().next();
                !after.is_some_and(is_of_word)
            })
    })
}

/// What EXPLAIN explains, and whether it runs it. What cannot be told counts as run.
pub(super) fn explained(text: &str) -> Option<(&str, bool)> {
    const STATEMENTS: [&str; 8] = [
        "select", "with", "values", "table", "insert", "update", "delete", "merge",
    ];
    let mut all = lexemes(text).peekable();
    let (_, explain) = all.next()?;
    if !matches!(explain.token, Token::Word(word) if is_one_of(word, &["explain"])) {
        return None;
    }
    let mut runs = false;
    let mut in_options = false;
    while let Some((depth, lexeme)) = all.next() {
        match lexeme.token {
            Token::Word(word) if is_one_of(word, &["analyze", "analyse"]) => runs = true,
            Token::QuotedName(name) if depth > 0 && name == "analyze" => runs = true,
            Token::Word(word) if depth == 0 && is_one_of(word, &STATEMENTS) => {
                return Some((&text[lexeme.range.start..], runs));
            }
            Token::Symbol("(") if depth == 0 => {
                let begins_query = all.peek().is_some_and(|(_, next)| match next.token {
                    Token::Word(word) => is_one_of(word, &STATEMENTS),
                    _ => next.token == Token::Symbol("("),
                });
                if begins_query {
                    return Some((&text[lexeme.range.start..], runs));
                }
                in_options = true;
            }
            _ if depth > 0 && in_options => {}
            Token::Word(word) if is_one_of(word, &["verbose"]) => {}
            _ => return None,
        }
    }
    None
}

/// The query of COPY (query) TO STDOUT, whatever PostgreSQL takes there.
pub(super) fn copied_query(text: &str) -> Option<&str> {
    let mut all = lexemes(text);
    let (_, copy) = all.next()?;
    let (_, open) = all.next()?;
    if !matches!(copy.token, Token::Word(word) if is_one_of(word, &["copy"]))
        || open.token != Token::Symbol("(")
    {
        return None;
    }
    let (_, close) =
        all.find(|(depth, lexeme)| *depth == 1 && lexeme.token == Token::Symbol(")"))?;
    for wanted in ["to", "stdout"] {
        if !matches!(all.next()?.1.token, Token::Word(word) if is_one_of(word, &[wanted])) {
            return None;
        }
    }
    Some(text[open.range.end..close.range.start].trim())
}

/// Whether a DECLARE makes a cursor that outlives its transaction.
pub(super) fn declares_with_hold(text: &str) -> bool {
    let mut before = "";
    outer_words(text)
        .take_while(|(word, _)| !is_one_of(word, &["for"]))
        .any(|(word, _)| {
            let is_it = is_one_of(word, &["hold"]) && is_one_of(before, &["with"]);
            before = word;
            is_it
        })
}

/// The query within DECLARE … FOR or CREATE TABLE … AS; of other statements all of it.
pub fn query_within(text: &str) -> &str {
    let mut words = outer_words(text);
    let introduction = match words.next() {
        Some((word, _)) if is_one_of(word, &["declare"]) => "for",
        Some((word, _)) if is_one_of(word, &["create"]) => "as",
        _ => return text,
    };
    let end = words.find(|(word, _)| is_one_of(word, &[introduction]));
    end.map_or(text, |(_, end)| &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_within_is_cut_out() {
        let query = " SELECT 'for' FROM assets";
        for before in [
            "DECLARE c SCROLL CURSOR WITH HOLD FOR",
            "create temp table t as",
            "CREATE TEMP TABLE t (a, b) ON COMMIT DROP AS",
        ] {
            assert_eq!(query_within(&format!("{before}{query}")), query, "{before}");
        }
        assert_eq!(query_within("SELECT 1 AS a"), "SELECT 1 AS a");
    }

    #[test]
    fn what_a_create_makes_is_told_from_its_first_words() {
        for text in [
            "CREATE TEMP TABLE t (a int)",
            "create or replace temporary view v as select 1",
            "CREATE LOCAL TEMP SEQUENCE s",
            "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ] {
            assert!(creates_temporary(text), "{text}");
        }
        for text in [
            "CREATE TABLE temporal (a int)",
            "CREATE VIEW v AS SELECT temp FROM assets",
            "CREATE INDEX ON temp (a)",
        ] {
            assert!(!creates_temporary(text), "{text}");
        }
        assert!(creates_from_query("CREATE TEMP TABLE t AS TABLE assets"));
        assert!(!creates_from_query(
            "CREATE TEMP TABLE t (a int GENERATED ALWAYS AS (1) STORED)"
        ));
    }

    #[test]
    fn into_of_a_select_is_no_into_of_an_insert() {
        assert!(selects_into("SELECT a INTO TEMP t FROM assets"));
        assert!(selects_into("WITH x AS (SELECT 1) SELECT * INTO t FROM x"));
        assert!(!selects_into(
            "WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x"
        ));
        assert!(!selects_into("SELECT 'into' FROM (SELECT 1) AS t"));
    }

    #[test]
    fn the_cursor_of_a_fetch_is_its_last_name() {
        assert_eq!(last_name("FETCH ALL FROM C"), Some("c".to_owned()));
        assert_eq!(last_name("MOVE 5 IN \"C d\""), Some("C d".to_owned()));
        assert_eq!(last_name("FETCH 5"), None);
    }

    #[test]
    fn the_ways_of_copies_and_cursors_are_told() {
        assert!(copies_in("COPY t (a, \"to\") FROM STDIN"));
        assert!(!copies_in("COPY t TO STDOUT"));
        assert!(declares_with_hold(
            "DECLARE c CURSOR WITH HOLD FOR SELECT 1"
        ));
        assert!(!declares_with_hold(
            "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1"
        ));
    }

    #[test]
    fn code_that_catches_errors_is_told_from_code_that_raises_them() {
        for text in [
            "DO $$ BEGIN PERFORM 1/0; EXCEPTION WHEN OTHERS THEN NULL; END $$",
            "DO 'BEGIN NULL; exception\n\twhen others then null; END'",
        ] {
            assert!(catches_errors(text), "{text}");
        }
        for text in [
            "DO $$ BEGIN RAISE EXCEPTION 'when'; END $$",
            "DO $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'x'; END $$",
            "DO $$ DECLARE my_exception int; BEGIN my_exception := whenever; END $$",
            "DO $$ BEGIN CASE exception WHENever END $$",
        ] {
            assert!(!catches_errors(text), "{text}");
        }
    }
}
