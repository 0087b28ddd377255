//! Walking over the rows of an INSERT.
//!
//! Owns the road that is fast for bare constants, which reads bytes and copies nothing, and the
//! way from it into the expression parser for everything else. Promises the same result on
//! both. Never keeps a row: what it finds goes to a sink.

use super::coercion::{self, Constant};
use super::expression::{self, Expression, Node};
use super::refusal::Refusal;
use crate::catalog::{Column, ColumnType, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::cursor::Cursor;
use crate::sql::lexer::{end_of_number, end_of_word, is_word_start, skip_blank};
use crate::sql::syntax::{error_at, position};
use std::borrow::Cow;

/// A value on its way to a column.
#[derive(Debug)]
pub(in crate::sql) enum Value<'a> {
    Null,
    Default,
    /// The text form of the type with that OID; 0: of the column's.
    Text {
        text: Cow<'a, [u8]>,
        type_oid: u32,
    },
    /// A parameter, with its casts.
    Parameter(Expression<'a>),
}

/// What an expression is for its column.
///
/// # Errors
/// Those of [`coercion::constant`].
pub(in crate::sql) fn value_of<'a>(
    expression: Expression<'a>,
    column: &Column,
) -> Result<Value<'a>, Refusal> {
    if matches!(expression.node, Node::Parameter(_)) {
        return Ok(Value::Parameter(expression));
    }
    Ok(match coercion::constant(expression, column)? {
        Constant::Null => Value::Null,
        Constant::Default => Value::Default,
        Constant::Text { text, type_oid } => Value::Text {
            text: match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            },
            type_oid,
        },
    })
}

/// The value of an expression at byte `offset` of a statement.
///
/// # Errors
/// As [`value_of`], with the position.
pub(in crate::sql) fn value_at<'a>(
    text: &'a str,
    offset: usize,
    column: &Column,
) -> Result<Value<'a>, Box<Diagnostic>> {
    let mut cursor = Cursor::starting_at(text, offset)?;
    let expression = expression::value(&mut cursor)?;
    value_of(expression, column).map_err(|refusal| {
        let mut diagnostic = refusal.at(position(text, offset));
        diagnostic.column = Some(column.name.to_owned());
        diagnostic
    })
}

/// Where the values of a row go. `place` counts the statement's columns from 0.
pub(in crate::sql) trait RowSink<'a> {
    /// # Errors
    /// Whatever makes the value unfit; the scanner adds the position.
    fn value(&mut self, place: usize, value: Value<'a>) -> Result<(), Box<Diagnostic>>;
}

/// Takes every value: for looking at the syntax only.
pub(super) struct SyntaxOnly;

impl<'a> RowSink<'a> for SyntaxOnly {
    fn value(&mut self, _place: usize, value: Value<'a>) -> Result<(), Box<Diagnostic>> {
        match value {
            Value::Parameter(expression) => Err(no_parameter(&expression)),
            _ => Ok(()),
        }
    }
}

/// Takes every value, parameters too.
pub(super) struct AnyValue;

impl<'a> RowSink<'a> for AnyValue {
    fn value(&mut self, _place: usize, _value: Value<'a>) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }
}

/// 42P02: a simple Query has no parameters.
pub(super) fn no_parameter(expression: &Expression<'_>) -> Box<Diagnostic> {
    let number = match expression.node {
        Node::Parameter(number) => number,
        _ => 0,
    };
    Box::new(Diagnostic::error(
        SqlState::UNDEFINED_PARAMETER,
        format!("there is no parameter ${number}"),
    ))
}

/// What comes behind a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// Another row.
    Row,
    /// The end of the statement.
    End,
}

/// A place in the rows of a statement; cheap to copy, to look ahead with.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    table: &'static Table,
    /// Indexes in the table's columns, in the order of the values.
    columns: &'a [usize],
    /// How many values the first row has; every row must have as many.
    width: Option<usize>,
    /// Where the column list starts, if there is one: each column then needs a value.
    list_start: Option<usize>,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// A scanner that stands before the first row, at byte `at` of the statement.
    pub fn new(
        text: &'a str,
        table: &'static Table,
        columns: &'a [usize],
        list_start: Option<usize>,
        at: usize,
    ) -> Self {
        Scanner {
            text,
            table,
            columns,
            width: None,
            list_start,
            at,
        }
    }

    /// Reads one row into the sink.
    ///
    /// # Errors
    /// 42601, 42804 …, and those of the sink with the position of the value.
    pub fn row<S: RowSink<'a>>(&mut self, sink: &mut S) -> Result<(), Box<Diagnostic>> {
        let start = self.at;
        self.values(sink)
            .map_err(|diagnostic| self.prefer_width_error(start, diagnostic))
    }

    #[inline]
    fn values<S: RowSink<'a>>(&mut self, sink: &mut S) -> Result<(), Box<Diagnostic>> {
        self.skip_blank()?;
        let row_start = self.at;
        if self.peek() != Some(b'(') {
            return Err(self.unexpected());
        }
        self.at += 1;
        let mut place = 0;
        loop {
            self.skip_blank()?;
            let start = self.at;
            let Some(&column) = self.columns.get(place) else {
                return Err(self.too_many(start, row_start));
            };
            let value = self.value(column)?;
            if let Err(diagnostic) = sink.value(place, value) {
                return Err(self.located(diagnostic, start, column));
            }
            place += 1;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b')') => break,
                _ => return Err(self.unexpected()),
            }
        }
        self.check_width(place, row_start)?;
        self.at += 1;
        Ok(())
    }

    /// Where the clauses behind the rows start; the end of the text where there are none, or where
    /// the rows are not sound: reading them says what is wrong.
    pub fn end_of_rows(mut self) -> usize {
        let end = self.text.len();
        loop {
            if self.row(&mut AnyValue).is_err() || self.skip_blank().is_err() {
                return end;
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(_) => {
                    let starts_clause = Cursor::starting_at(self.text, self.at)
                        .is_ok_and(|cursor| cursor.at_word("on") || cursor.at_word("returning"));
                    return if starts_clause { self.at } else { end };
                }
                None => return end,
            }
        }
    }

    /// Says what follows a row, and steps over the comma.
    ///
    /// # Errors
    /// 42601 for what is no SQL.
    pub fn behind(&mut self) -> Result<Behind, Box<Diagnostic>> {
        self.skip_blank()?;
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(Behind::Row)
            }
            None => Ok(Behind::End),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// One value, and the blanks behind it. Bare constants are read here, by byte.
    #[inline]
    fn value(&mut self, column: usize) -> Result<Value<'a>, Box<Diagnostic>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let column_type = self.table.columns[column].column_type;
        let (value, end) = match bytes.get(start) {
            Some(b'\'') => {
                let body = start + 1;
                match memchr::memchr(b'\'', &bytes[body..]) {
                    Some(length) => (
                        Value::Text {
                            text: Cow::Borrowed(&bytes[body..body + length]),
                            type_oid: 0,
                        },
                        body + length + 1,
                    ),
                    None => return self.expression(column),
                }
            }
            Some(b'0'..=b'9' | b'-' | b'.') => match bare_number(bytes, start, column_type) {
                Some(end) => (
                    Value::Text {
                        text: Cow::Borrowed(&bytes[start..end]),
                        type_oid: 0,
                    },
                    end,
                ),
                None => return self.expression(column),
            },
            Some(&byte) if is_word_start(byte) => {
                let end = end_of_word(bytes, start);
                let word = &bytes[start..end];
                if word.eq_ignore_ascii_case(b"null") {
                    (Value::Null, end)
                } else if word.eq_ignore_ascii_case(b"default") {
                    (Value::Default, end)
                } else {
                    return self.expression(column);
                }
            }
            _ => return self.expression(column),
        };
        // What follows decides whether this was the whole value: a second quote, a cast, an
        // operator or a comment goes the long way round.
        let mut at = end;
        loop {
            match bytes.get(at) {
                Some(b',' | b')') => break,
                Some(b' ' | b'\t' | b'\n' | b'\r') => at += 1,
                _ => return self.expression(column),
            }
        }
        self.at = at;
        Ok(value)
    }

    /// The long way: any expression that a row may hold.
    #[cold]
    fn expression(&mut self, column: usize) -> Result<Value<'a>, Box<Diagnostic>> {
        let start = self.at;
        let mut cursor = Cursor::starting_at(self.text, start)?;
        let expression = expression::parse(&mut cursor)?;
        self.at = cursor.offset();
        value_of(expression, &self.table.columns[column]).map_err(|refusal| {
            let diagnostic = refusal.at(position(self.text, start));
            self.named(diagnostic, column)
        })
    }

    fn check_width(&mut self, width: usize, row_start: usize) -> Result<(), Box<Diagnostic>> {
        match (self.width, self.list_start) {
            (Some(expected), _) if expected == width => Ok(()),
            (Some(_), _) => Err(self.uneven(row_start)),
            (None, Some(list_start)) if width < self.columns.len() => Err(error_at(
                self.text,
                self.listed_column(list_start, width).unwrap_or(self.at),
                SqlState::SYNTAX_ERROR,
                "INSERT has more target columns than expressions",
            )),
            (None, _) => {
                self.width = Some(width);
                Ok(())
            }
        }
    }

    /// The error for a row of another length than the first; it points at the row's first value.
    fn uneven(&self, row_start: usize) -> Box<Diagnostic> {
        let first_value = Cursor::starting_at(self.text, row_start).and_then(|mut cursor| {
            cursor.expect_symbol("(")?;
            Ok(cursor.offset())
        });
        error_at(
            self.text,
            first_value.unwrap_or(row_start),
            SqlState::SYNTAX_ERROR,
            "VALUES lists must all be the same length",
        )
    }

    /// Where column `place` stands in the column list.
    fn listed_column(&self, list_start: usize, place: usize) -> Option<usize> {
        let mut cursor = Cursor::starting_at(self.text, list_start).ok()?;
        for _ in 0..place {
            // The parenthesis or the comma, and the name.
            cursor.advance().ok()?;
            cursor.advance().ok()?;
        }
        cursor.advance().ok()?;
        Some(cursor.offset())
    }

    /// PostgreSQL counts the values of a row before it looks at them: a wrong number is the
    /// error, whatever else is wrong with the row at byte `start`.
    #[cold]
    fn prefer_width_error(&self, start: usize, error: Box<Diagnostic>) -> Box<Diagnostic> {
        if error.sqlstate == SqlState::SYNTAX_ERROR {
            return error;
        }
        let mut ahead = Scanner {
            at: start,
            ..self.clone()
        };
        match ahead.count() {
            Ok(()) => error,
            Err(width_error) => width_error,
        }
    }

    /// Steps over a row, up to its closing parenthesis, without looking at its values.
    pub(super) fn count(&mut self) -> Result<(), Box<Diagnostic>> {
        let row_start = self.at;
        let mut cursor = Cursor::starting_at(self.text, row_start)?;
        cursor.expect_symbol("(")?;
        let mut place = 0;
        loop {
            if place == self.columns.len() {
                return Err(self.too_many(cursor.offset(), row_start));
            }
            expression::parse(&mut cursor)?;
            place += 1;
            if !cursor.accept_symbol(",")? {
                break;
            }
        }
        self.at = cursor.offset();
        self.check_width(place, row_start)
    }

    /// The error for a value without a column.
    fn too_many(&self, start: usize, row_start: usize) -> Box<Diagnostic> {
        let parsed = Cursor::starting_at(self.text, start)
            .and_then(|mut cursor| expression::parse(&mut cursor));
        match parsed {
            Ok(_) if self.width.is_some() => self.uneven(row_start),
            Ok(_) => error_at(
                self.text,
                start,
                SqlState::SYNTAX_ERROR,
                "INSERT has more expressions than target columns",
            ),
            // No value at all: the syntax is what is wrong.
            Err(error) => error,
        }
    }

    /// Steps over the parenthesis that closes a row.
    pub(super) fn close(&mut self) -> Result<(), Box<Diagnostic>> {
        if self.peek() != Some(b')') {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(super) fn skip_blank(&mut self) -> Result<(), Box<Diagnostic>> {
        match self.text.as_bytes().get(self.at) {
            Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c | b'-' | b'/') => {
                self.at = skip_blank(self.text, self.at)?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn unexpected(&self) -> Box<Diagnostic> {
        match Cursor::starting_at(self.text, self.at) {
            Ok(cursor) => cursor.unexpected(),
            Err(error) => error,
        }
    }

    /// Adds what the value's place tells: for an error of the sink.
    #[cold]
    fn located(
        &self,
        mut diagnostic: Box<Diagnostic>,
        start: usize,
        column: usize,
    ) -> Box<Diagnostic> {
        if diagnostic.position.is_none() {
            diagnostic.position = Some(position(self.text, start));
        }
        self.named(diagnostic, column)
    }

    fn named(&self, mut diagnostic: Box<Diagnostic>, column: usize) -> Box<Diagnostic> {
        if diagnostic.table.is_none() {
            diagnostic.table = Some(self.table.name.to_owned());
            diagnostic.column = Some(self.table.columns[column].name.to_owned());
        }
        diagnostic
    }
}

/// Where a number ends that its column's type takes as it is written: an integer for a bigint,
/// any number for a double. `None`: look closer.
#[inline]
fn bare_number(bytes: &[u8], start: usize, column_type: ColumnType) -> Option<usize> {
    let digits = start + usize::from(bytes[start] == b'-');
    if !matches!(bytes.get(digits), Some(b'0'..=b'9' | b'.')) {
        return None;
    }
    let end = end_of_number(bytes, digits);
    let number = &bytes[digits..end];
    match column_type {
        ColumnType::DoublePrecision if number != b"." => Some(end),
        ColumnType::BigInt if number.iter().all(u8::is_ascii_digit) => Some(end),
        _ => None,
    }
}
