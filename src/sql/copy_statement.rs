//! Parsing of COPY.
//!
//! Owns which COPY statements the gateway runs itself (FROM STDIN without WHERE) and both spellings
//! of the option list. Promises PostgreSQL's errors for the others. Never checks option values:
//! [`super::copy_option_check`] does.

use super::classify::cold;
use super::copy_option_check::check;
use super::cursor::Cursor;
use super::lexer::Token;
use super::raw_copy_option::{OptionValue, RawOption};
use super::statement::{CopyStatement, Statement};
use super::target::{Write, check_allows, column_list, named_table};
use crate::catalog::Namespace;
use crate::diagnostic::{Diagnostic, SqlState};

/// Parses a statement that starts with COPY.
///
/// # Errors
/// 42601, 42P01, 42703, 42701, 42501 for files and programs, and those of the options.
pub(crate) fn parse(text: &str, namespace: &Namespace) -> Result<Statement, Box<Diagnostic>> {
    Ok(match read(text, namespace)? {
        Some((copy, false)) => Statement::Copy(copy),
        Some((_, true)) | None => cold("COPY", text),
    })
}

/// The COPY … FROM STDIN with a condition that `text` is, without the condition.
pub fn conditional_copy(text: &str, namespace: &Namespace) -> Option<CopyStatement> {
    match read(text, namespace) {
        Ok(Some((copy, true))) => Some(copy),
        _ => None,
    }
}

/// A COPY … FROM STDIN, and whether it has a condition; `None`: it is another COPY.
fn read(
    text: &str,
    namespace: &Namespace,
) -> Result<Option<(CopyStatement, bool)>, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    let cursor = &mut cursor;
    cursor.expect_word("copy")?;
    let mut options = Vec::new();
    if cursor.at_symbol("(") {
        return Ok(None);
    }
    let offset = cursor.offset();
    if cursor.accept_word("binary")? {
        options.push(RawOption::flag("format", "binary", offset));
    }
    let named = named_table(cursor, namespace).map_err(without_position)?;
    let columns = column_list(cursor, named.table).map_err(without_position)?;
    match cursor.accept_one_of(&["from", "to"])? {
        Some("from") => {}
        Some(_) => return Ok(None),
        None => return Err(cursor.unexpected()),
    }
    source(cursor)?;
    if cursor.accept_word("using")? && !cursor.at_word("delimiters") {
        return Err(cursor.unexpected());
    }
    let offset = cursor.offset();
    if cursor.accept_word("delimiters")? {
        let delimiter = cursor.text_constant()?.into_owned();
        options.push(RawOption::text("delimiter", delimiter, offset));
    }
    cursor.accept_word("with")?;
    if cursor.accept_symbol("(")? {
        generic_options(cursor, &mut options)?;
    } else {
        keyword_options(cursor, &mut options)?;
    }
    let is_conditional = cursor.at_word("where");
    if !is_conditional {
        cursor.expect_end()?;
    }
    check_allows(named.table, Write::Insert)?;
    let checked = check(text, named.table, &columns, &options)?;
    let copy = CopyStatement {
        table: named.table,
        database: named.database,
        columns,
        options: checked.options,
        names_encoding: checked.names_encoding,
    };
    Ok(Some((copy, is_conditional)))
}

/// PostgreSQL looks at the names of a COPY only when it runs, without a position by then; that
/// of a syntax error stays.
fn without_position(mut diagnostic: Box<Diagnostic>) -> Box<Diagnostic> {
    if diagnostic.sqlstate != SqlState::SYNTAX_ERROR {
        diagnostic.position = None;
    }
    diagnostic
}

/// Takes STDIN (or STDOUT, which PostgreSQL takes for it).
fn source(cursor: &mut Cursor<'_>) -> Result<(), Box<Diagnostic>> {
    if cursor.accept_one_of(&["stdin", "stdout"])?.is_some() {
        return Ok(());
    }
    let message = if cursor.accept_word("program")? {
        "permission denied to COPY from an external program"
    } else {
        "permission denied to COPY from a file"
    };
    if !matches!(cursor.peek().token, Token::Text(_)) {
        return Err(cursor.unexpected());
    }
    Err(Box::new(
        Diagnostic::error(SqlState::INSUFFICIENT_PRIVILEGE, message).with_hint(
            "Send the data with COPY … FROM STDIN; psql's \\copy does that with a local file.",
        ),
    ))
}

/// `( name [value], … )`.
fn generic_options(
    cursor: &mut Cursor<'_>,
    options: &mut Vec<RawOption>,
) -> Result<(), Box<Diagnostic>> {
    loop {
        let offset = cursor.offset();
        let name = cursor.name()?.into_owned();
        let value = generic_value(cursor)?;
        options.push(RawOption {
            name,
            value,
            offset,
        });
        if !cursor.accept_symbol(",")? {
            break;
        }
    }
    cursor.expect_symbol(")")
}

fn generic_value(cursor: &mut Cursor<'_>) -> Result<OptionValue, Box<Diagnostic>> {
    if cursor.accept_symbol("*")? {
        return Ok(OptionValue::Star);
    }
    if cursor.accept_symbol("(")? {
        let mut names = Vec::new();
        loop {
            names.push(word_or_text(cursor)?);
            if !cursor.accept_symbol(",")? {
                break;
            }
        }
        cursor.expect_symbol(")")?;
        return Ok(OptionValue::Names(names));
    }
    let sign = if cursor.accept_symbol("-")? {
        "-"
    } else {
        cursor.accept_symbol("+")?;
        ""
    };
    match cursor.peek().token {
        Token::Number(number) => {
            cursor.advance()?;
            Ok(OptionValue::Text(format!("{sign}{number}")))
        }
        Token::Word(_) | Token::QuotedName(_) | Token::Text(_) if sign.is_empty() => {
            Ok(OptionValue::Text(word_or_text(cursor)?))
        }
        Token::Symbol("," | ")") if sign.is_empty() => Ok(OptionValue::None),
        _ => Err(cursor.unexpected()),
    }
}

fn word_or_text(cursor: &mut Cursor<'_>) -> Result<String, Box<Diagnostic>> {
    if matches!(cursor.peek().token, Token::Text(_)) {
        Ok(cursor.text_constant()?.into_owned())
    } else {
        Ok(cursor.name()?.into_owned())
    }
}

/// The spelling from before PostgreSQL 9.0.
fn keyword_options(
    cursor: &mut Cursor<'_>,
    options: &mut Vec<RawOption>,
) -> Result<(), Box<Diagnostic>> {
    loop {
        let offset = cursor.offset();
        let keywords = [
            "binary",
            "freeze",
            "csv",
            "header",
            "delimiter",
            "null",
            "quote",
            "escape",
            "encoding",
            "force",
        ];
        let option = match cursor.accept_one_of(&keywords)? {
            None => return Ok(()),
            Some(format @ ("binary" | "csv")) => RawOption::flag("format", format, offset),
            Some(flag @ ("freeze" | "header")) => RawOption::flag(flag, "true", offset),
            Some("force") => forced(cursor, offset)?,
            Some(name) => {
                if name != "encoding" {
                    cursor.accept_word("as")?;
                }
                RawOption::text(name, cursor.text_constant()?.into_owned(), offset)
            }
        };
        options.push(option);
    }
}

fn forced(cursor: &mut Cursor<'_>, offset: usize) -> Result<RawOption, Box<Diagnostic>> {
    let name = if cursor.accept_word("quote")? {
        "force_quote"
    } else if cursor.accept_word("not")? {
        cursor.expect_word("null")?;
        "force_not_null"
    } else {
        cursor.expect_word("null")?;
        "force_null"
    };
    let value = if cursor.accept_symbol("*")? {
        OptionValue::Star
    } else {
        let mut names = vec![cursor.name()?.into_owned()];
        while cursor.accept_symbol(",")? {
            names.push(cursor.name()?.into_owned());
        }
        OptionValue::Names(names)
    };
    Ok(RawOption {
        name: name.to_owned(),
        value,
        offset,
    })
}
