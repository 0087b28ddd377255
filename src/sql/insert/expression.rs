//! One value of a row that is more than a bare literal.
//!
//! Owns the expressions that a row may hold: constants, parameters, `now()`, casts, arrays of
//! constants, signs and parentheses. Promises to refuse all others with a position. Never
//! coerces: [`super::coercion`] does.

use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Token;
use crate::sql::type_name::{self, CastType};
use std::borrow::Cow;

/// Parentheses and arrays inside each other, at most: each takes a stack frame.
const NESTING_MAX: usize = 64;

/// Words behind a value that make it a part of a longer expression.
const OPERATORS: [&str; 15] = [
    "and", "at", "between", "collate", "ilike", "in", "is", "isnull", "like", "not", "notnull",
    "operator", "or", "overlaps", "similar",
];

/// Words that begin an expression of their own, without a parenthesis behind them.
const BEGINNINGS: [&str; 10] = [
    "case",
    "current_catalog",
    "current_role",
    "current_schema",
    "current_time",
    "current_user",
    "localtime",
    "not",
    "session_user",
    "user",
];

/// What stands at the root of a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node<'a> {
    Null,
    Default,
    /// A string constant: of no type yet.
    Text(Cow<'a, str>),
    /// As written, with its sign.
    Number(Cow<'a, str>),
    Boolean(bool),
    /// The start of the transaction.
    Now,
    /// `$n`, from 1.
    Parameter(u32),
    Array(Vec<Expression<'a>>),
}

/// A value with its casts, innermost first.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expression<'a> {
    pub node: Node<'a>,
    pub casts: Vec<CastType>,
    /// Where it starts in the statement.
    pub offset: usize,
}

/// Reads one value, up to the comma or parenthesis behind it.
///
/// # Errors
/// 42601, 42703 for column names, 42704 for unknown types, 0A000 for functions and operators,
/// 54000 for absurd nesting.
pub(crate) fn parse<'a>(cursor: &mut Cursor<'a>) -> Result<Expression<'a>, Box<Diagnostic>> {
    let value = operand(cursor, 0)?;
    let ends = cursor.at_symbol(",") || cursor.at_symbol(")") || cursor.at_end();
    if ends {
        return Ok(value);
    }
    Err(goes_on(cursor))
}

/// The error for what stands behind a value, and is not its end: a part of a longer expression, or no
/// SQL.
fn goes_on(cursor: &Cursor<'_>) -> Box<Diagnostic> {
    let is_operator = match &cursor.peek().token {
        Token::Symbol(symbol) => !matches!(*symbol, "," | "(" | ")" | "]" | ";"),
        Token::Word(word) => OPERATORS.iter().any(|one| word.eq_ignore_ascii_case(one)),
        _ => false,
    };
    match is_operator {
        true => too_much(cursor, "operators"),
        false => cursor.unexpected(),
    }
}

/// Reads one value, whatever comes behind it.
///
/// # Errors
/// As [`parse`], but for what follows the value.
pub(crate) fn value<'a>(cursor: &mut Cursor<'a>) -> Result<Expression<'a>, Box<Diagnostic>> {
    operand(cursor, 0)
}

fn operand<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Expression<'a>, Box<Diagnostic>> {
    if depth > NESTING_MAX {
        return Err(cursor.error(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            "stack depth limit exceeded",
        ));
    }
    let offset = cursor.offset();
    let mut negative = false;
    let mut signed = false;
    loop {
        if cursor.accept_symbol("-")? {
            negative = !negative;
            signed = true;
        } else if cursor.accept_symbol("+")? {
            signed = true;
        } else {
            break;
        }
    }
    let mut value = primary(cursor, depth)?;
    value.offset = offset;
    while cursor.accept_symbol("::")? {
        value.casts.push(type_name::parse(cursor)?);
    }
    if signed {
        match &mut value.node {
            Node::Number(number) if negative => {
                *number = match number.strip_prefix('-') {
                    Some(positive) => Cow::Owned(positive.to_owned()),
                    None => Cow::Owned(format!("-{number}")),
                }
            }
            Node::Number(_) => {}
            _ => return Err(too_much(cursor, "operators")),
        }
    }
    Ok(value)
}

fn primary<'a>(cursor: &mut Cursor<'a>, depth: usize) -> Result<Expression<'a>, Box<Diagnostic>> {
    let offset = cursor.offset();
    let bare = |node| Expression {
        node,
        casts: Vec::new(),
        offset,
    };
    match cursor.peek().token.clone() {
        Token::Text(text) => {
            cursor.advance()?;
            Ok(bare(Node::Text(text)))
        }
        Token::Number(number) => {
            cursor.advance()?;
            Ok(bare(Node::Number(Cow::Borrowed(number))))
        }
        Token::Parameter(number) => {
            cursor.advance()?;
            Ok(bare(Node::Parameter(number)))
        }
        Token::Symbol("(") => {
            cursor.advance()?;
            if cursor.at_word("select") || cursor.at_word("values") || cursor.at_word("with") {
                return Err(too_much(cursor, "subqueries"));
            }
            let value = operand(cursor, depth + 1)?;
            if cursor.at_symbol(",") {
                return Err(too_much(cursor, "row values"));
            }
            if !cursor.accept_symbol(")")? {
                return Err(goes_on(cursor));
            }
            Ok(value)
        }
        Token::Word(word) => named(cursor, word, depth),
        Token::QuotedName(name) => Err(no_column(cursor, &name)),
        Token::Symbol(_) | Token::End => Err(cursor.unexpected()),
    }
}

/// A value that starts with a word.
fn named<'a>(
    cursor: &mut Cursor<'a>,
    word: &'a str,
    depth: usize,
) -> Result<Expression<'a>, Box<Diagnostic>> {
    let offset = cursor.offset();
    let bare = |node| Expression {
        node,
        casts: Vec::new(),
        offset,
    };
    let keyword = word.to_ascii_lowercase();
    let mut ahead = cursor.clone();
    ahead.advance()?;
    let node = match keyword.as_str() {
        "null" => Node::Null,
        "default" => Node::Default,
        "true" => Node::Boolean(true),
        "false" => Node::Boolean(false),
        "current_timestamp" | "localtimestamp" => {
            *cursor = ahead;
            if cursor.accept_symbol("(")? {
                cursor.advance()?;
                cursor.expect_symbol(")")?;
            }
            return Ok(bare(Node::Now));
        }
        "current_date" => {
            *cursor = ahead;
            return Ok(Expression {
                node: Node::Text(Cow::Borrowed("today")),
                casts: CastType::named("date").into_iter().collect(),
                offset,
            });
        }
        "array" if ahead.at_symbol("[") => {
            *cursor = ahead;
            return Ok(bare(Node::Array(array(cursor, depth)?)));
        }
        "cast" if ahead.at_symbol("(") => {
            *cursor = ahead;
            cursor.advance()?;
            let mut value = operand(cursor, depth + 1)?;
            if !cursor.accept_word("as")? {
                return Err(goes_on(cursor));
            }
            value.casts.push(type_name::parse(cursor)?);
            cursor.expect_symbol(")")?;
            return Ok(value);
        }
        "now" | "transaction_timestamp" | "statement_timestamp" | "clock_timestamp"
            if ahead.at_symbol("(") =>
        {
            *cursor = ahead;
            cursor.advance()?;
            cursor.expect_symbol(")")?;
            return Ok(bare(Node::Now));
        }
        beginning if BEGINNINGS.contains(&beginning) => {
            return Err(too_much(cursor, "such expressions"));
        }
        "pg_catalog" if ahead.at_symbol(".") => {
            ahead.advance()?;
            *cursor = ahead;
            return match cursor.peek().token {
                Token::Word(word) => named(cursor, word, depth + 1),
                _ => Err(cursor.unexpected()),
            };
        }
        _ => return typed_constant(cursor, word),
    };
    *cursor = ahead;
    Ok(bare(node))
}

/// `timestamp '2026-01-01'`.
fn typed_constant<'a>(
    cursor: &mut Cursor<'a>,
    word: &str,
) -> Result<Expression<'a>, Box<Diagnostic>> {
    let offset = cursor.offset();
    let mut ahead = cursor.clone();
    if let Ok(cast) = type_name::parse(&mut ahead)
        && matches!(ahead.peek().token, Token::Text(_))
    {
        *cursor = ahead;
        let text = cursor.text_constant()?;
        return Ok(Expression {
            node: Node::Text(text),
            casts: vec![cast],
            offset,
        });
    }
    let mut ahead = cursor.clone();
    ahead.advance()?;
    if ahead.at_symbol("(") {
        return Err(too_much(cursor, "functions"));
    }
    if matches!(ahead.peek().token, Token::Text(_)) {
        return Err(too_much(cursor, "constants of such a type"));
    }
    Err(no_column(cursor, &crate::sql::cursor::fold(word)))
}

fn array<'a>(
    cursor: &mut Cursor<'a>,
    depth: usize,
) -> Result<Vec<Expression<'a>>, Box<Diagnostic>> {
    cursor.expect_symbol("[")?;
    let mut elements = Vec::new();
    if cursor.accept_symbol("]")? {
        return Ok(elements);
    }
    loop {
        elements.push(operand(cursor, depth + 1)?);
        if !cursor.accept_symbol(",")? {
            break;
        }
    }
    if !cursor.accept_symbol("]")? {
        return Err(goes_on(cursor));
    }
    Ok(elements)
}

fn no_column(cursor: &Cursor<'_>, name: &str) -> Box<Diagnostic> {
    cursor.error(
        SqlState::UNDEFINED_COLUMN,
        format!("column \"{name}\" does not exist"),
    )
}

fn too_much(cursor: &Cursor<'_>, what: &str) -> Box<Diagnostic> {
    let mut diagnostic = cursor.error(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("{what} are not supported in VALUES"),
    );
    diagnostic.hint = Some(
        "Rows may hold constants, parameters, DEFAULT, now() and casts: compute the value in \
         the client. Where the gateway has engines, such a value may stand in one of the first 16 \
         rows, or anywhere if the statement is alone in its transaction."
            .to_owned(),
    );
    diagnostic
}
