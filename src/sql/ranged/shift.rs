//! What a condition adds to a moment or takes from it: `- interval '1 day'`, `+ $2`.
//!
//! Owns the syntax. Promises that a constant is read when the statement is parsed, and a parameter
//! when it is executed. Never knows the moment.

use super::interval::Interval;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::WireFormat;
use crate::sql::bindings::Bindings;
use crate::sql::cursor::Cursor;
use crate::sql::lexer::Token;
use crate::sql::type_name;

/// `pg_type.oid` of interval.
const INTERVAL: u32 = 1186;
const UNKNOWN: u32 = 705;

/// One span, and which way it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shift {
    /// Times so much; negative behind a minus.
    times: i64,
    amount: Amount,
}

#[derive(Clone, Copy, Debug)]
enum Amount {
    Constant(Interval),
    /// A parameter, from 0.
    Parameter(usize),
}

/// Reads the spans that follow a moment; `None`: something else is added.
///
/// # Errors
/// 42601, 22007.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Result<Option<Vec<Shift>>, Box<Diagnostic>> {
    let mut shifts = Vec::new();
    loop {
        let sign = match (cursor.accept_symbol("-")?, cursor.accept_symbol("+")?) {
            (false, false) => return Ok(Some(shifts)),
            (true, false) => -1,
            (false, true) => 1,
            (true, true) => return Ok(None),
        };
        let mut times = sign;
        if let Token::Number(number) = cursor.peek().token {
            let Ok(factor) = number.parse::<i32>() else {
                return Ok(None);
            };
            cursor.advance()?;
            if !cursor.accept_symbol("*")? {
                return Ok(None);
            }
            times *= i64::from(factor);
        }
        let Some(amount) = amount(cursor)? else {
            return Ok(None);
        };
        shifts.push(Shift { times, amount });
    }
}

/// `interval '1 day'`, `interval '1' day`, `'1 day'::interval`, `cast('1 day' as interval)`, `$1`,
/// `$1::interval`.
fn amount(cursor: &mut Cursor<'_>) -> Result<Option<Amount>, Box<Diagnostic>> {
    if let Token::Parameter(number) = cursor.peek().token {
        cursor.advance()?;
        let is_interval = !cursor.at_symbol("::") || cast(cursor)?;
        let index = (number as usize).saturating_sub(1);
        return Ok(is_interval.then_some(Amount::Parameter(index)));
    }
    let constant = |text: &str, unit: Option<&str>| {
        Interval::parse(text, unit).map(|interval| Some(Amount::Constant(interval)))
    };
    if matches!(cursor.peek().token, Token::Text(_)) {
        let text = cursor.text_constant()?;
        return match cursor.at_symbol("::") && cast(cursor)? {
            true => constant(&text, None),
            false => Ok(None),
        };
    }
    if cursor.accept_word("cast")? {
        cursor.expect_symbol("(")?;
        if !matches!(cursor.peek().token, Token::Text(_)) {
            return Ok(None);
        }
        let text = cursor.text_constant()?;
        cursor.expect_word("as")?;
        let is_interval = type_name::parse(cursor)?.oid() == INTERVAL;
        cursor.expect_symbol(")")?;
        return match is_interval {
            true => constant(&text, None),
            false => Ok(None),
        };
    }
    if !cursor.accept_word("interval")? || !matches!(cursor.peek().token, Token::Text(_)) {
        return Ok(None);
    }
    let text = cursor.text_constant()?;
    let units = ["second", "minute", "hour", "day", "month", "year"];
    let unit = cursor.accept_one_of(&units)?;
    constant(&text, unit)
}

/// `::interval`; whether it is that type.
fn cast(cursor: &mut Cursor<'_>) -> Result<bool, Box<Diagnostic>> {
    cursor.expect_symbol("::")?;
    Ok(type_name::parse(cursor)?.oid() == INTERVAL)
}

impl Shift {
    /// Notes the type of its parameter.
    ///
    /// # Errors
    /// 42804 for one of another type.
    pub fn note_type(&self, types: &mut Vec<u32>) -> Result<(), Box<Diagnostic>> {
        let Amount::Parameter(index) = self.amount else {
            return Ok(());
        };
        if types.len() <= index {
            types.resize(index + 1, 0);
        }
        match types[index] {
            0 | UNKNOWN => types[index] = INTERVAL,
            INTERVAL => {}
            _ => {
                return Err(Box::new(
                    Diagnostic::error(
                        SqlState::DATATYPE_MISMATCH,
                        format!("parameter ${} is no interval", index + 1),
                    )
                    .with_hint("Add intervals to times: timestamp >= now() - $2::interval."),
                ));
            }
        }
        Ok(())
    }

    /// The span, with these parameters; `None` for a null.
    ///
    /// # Errors
    /// 22007 and 22P03 for what is no interval, 22008 for one that is too long, 42P02.
    pub fn interval(&self, bindings: &Bindings) -> Result<Option<Interval>, Box<Diagnostic>> {
        let interval = match self.amount {
            Amount::Constant(interval) => interval,
            Amount::Parameter(index) => match bindings.get(index) {
                Some((WireFormat::Binary(_), Some(value))) => Interval::of_binary(value)?,
                Some((_, Some(value))) => Interval::parse(&String::from_utf8_lossy(value), None)?,
                Some((_, None)) => return Ok(None),
                None => {
                    return Err(Box::new(Diagnostic::error(
                        SqlState::UNDEFINED_PARAMETER,
                        format!("there is no parameter ${}", index + 1),
                    )));
                }
            },
        };
        interval.times(self.times).map(Some).ok_or_else(too_long)
    }
}

/// 22008.
pub(super) fn too_long() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::DATETIME_FIELD_OVERFLOW,
        "timestamp out of range",
    ))
}
