//! Constants of a statement: literals, parameters, and times that count from now.
//!
//! Owns their reading as values of a column's type. Promises the value that PostgreSQL compares
//! with, or none. A time that counts from now is known to a few minutes only: it comes with its
//! uncertainty.

use super::{Parameter, Surroundings};
use crate::catalog::ColumnType;
use crate::scan::typed;
use jiff::Timestamp;
use sqlparser::ast::{
    self, BinaryOperator, CastKind, DataType, Expr, FunctionArguments, TimezoneInfo, UnaryOperator,
    Value,
};

/// How far the clock of the PostgreSQL that runs the statement may be from ours, and a transaction
/// that began before from now.
const CLOCKS_APART_US: i64 = 600 * SECOND_US;

const SECOND_US: i64 = 1_000_000;
const HOUR_US: i64 = 3_600 * SECOND_US;

/// A constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    Null,
    /// In PostgreSQL's text form; a time in UTC.
    Text(String),
    /// A time, in microseconds since 1970, that may be off by so many.
    Around {
        us: i64,
        off_us: i64,
    },
}

/// How a text is to be read, by the type that it has been given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// As the column's type.
    Own,
    LocalTime,
    Date,
}

/// What an expression is worth where it is compared with a column of that type.
pub(super) fn constant(
    expression: &Expr,
    column_type: ColumnType,
    around: &Surroundings<'_>,
) -> Option<Constant> {
    match expression {
        Expr::Nested(inner) => constant(inner, column_type, around),
        Expr::Value(value) => literal(&value.value, Kind::Own, column_type, around),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match (&**expr, column_type) {
            (Expr::Value(value), ColumnType::BigInt) => match &value.value {
                Value::Number(digits, false) => whole(&format!("-{digits}")),
                _ => None,
            },
            _ => None,
        },
        Expr::TypedString(typed) => {
            let kind = kind_of(&typed.data_type, column_type)?;
            literal(&typed.value.value, kind, column_type, around)
        }
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr,
            data_type,
            format: None,
        } => {
            let kind = kind_of(data_type, column_type)?;
            match &**expr {
                Expr::Value(value) => literal(&value.value, kind, column_type, around),
                Expr::Nested(inner) => match &**inner {
                    Expr::Value(value) => literal(&value.value, kind, column_type, around),
                    _ => None,
                },
                _ => None,
            }
        }
        _ if column_type == ColumnType::TimestampTz => from_now(expression, around),
        _ => None,
    }
}

/// The way in which a text of that type is compared with a column; `None`: not as itself.
fn kind_of(data_type: &DataType, column_type: ColumnType) -> Option<Kind> {
    let fits = match column_type {
        ColumnType::BigInt => matches!(
            data_type,
            DataType::BigInt(None)
                | DataType::Int8(None)
                | DataType::Int(None)
                | DataType::Integer(None)
                | DataType::Int4(None)
                | DataType::Int2(None)
                | DataType::SmallInt(None)
        ),
        // A length cuts; char ignores blanks at the end.
        ColumnType::Text | ColumnType::Varchar(_) => matches!(
            data_type,
            DataType::Text | DataType::Varchar(None) | DataType::CharacterVarying(None)
        ),
        ColumnType::Bool => matches!(data_type, DataType::Bool | DataType::Boolean),
        ColumnType::TimestampTz => {
            return match data_type {
                // A precision rounds.
                DataType::Timestamp(None, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => {
                    Some(Kind::Own)
                }
                DataType::Timestamp(None, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                    Some(Kind::LocalTime)
                }
                DataType::Date => Some(Kind::Date),
                _ => None,
            };
        }
        _ => false,
    };
    fits.then_some(Kind::Own)
}

fn literal(
    value: &Value,
    kind: Kind,
    column_type: ColumnType,
    around: &Surroundings<'_>,
) -> Option<Constant> {
    match value {
        Value::Null => Some(Constant::Null),
        Value::Number(digits, false) if column_type == ColumnType::BigInt => whole(digits),
        Value::Boolean(value) if column_type == ColumnType::Bool => {
            Some(Constant::Text(value.to_string()))
        }
        // With standard_conforming_strings off a backslash means something.
        Value::SingleQuotedString(text) if !text.contains('\\') => {
            read(text, kind, column_type, around)
        }
        Value::DollarQuotedString(text) => read(&text.value, kind, column_type, around),
        Value::Placeholder(name) => {
            let parameter = parameter(name, around)?;
            let kind = match parameter_kind(parameter.type_oid, column_type)? {
                Kind::Own => kind,
                // A cast of what has a type already converts it.
                given if kind == Kind::Own => given,
                _ => return None,
            };
            match &parameter.text {
                None => Some(Constant::Null),
                Some(text) => read(text, kind, column_type, around),
            }
        }
        _ => None,
    }
}

/// `$1`.
pub(super) fn parameter<'a>(name: &str, around: &Surroundings<'a>) -> Option<&'a Parameter> {
    let number: usize = name.strip_prefix('$')?.parse().ok()?;
    around.parameters.get(number.checked_sub(1)?)
}

/// How a parameter of that type is compared with a column; 0 is the column's own type.
fn parameter_kind(type_oid: u32, column_type: ColumnType) -> Option<Kind> {
    match (column_type, type_oid) {
        (_, 0) => Some(Kind::Own),
        (ColumnType::BigInt, 20 | 21 | 23) => Some(Kind::Own),
        (ColumnType::Text | ColumnType::Varchar(_), 25 | 705 | 1043) => Some(Kind::Own),
        (ColumnType::Bool, 16) => Some(Kind::Own),
        (ColumnType::TimestampTz, 1184) => Some(Kind::Own),
        (ColumnType::TimestampTz, 1114) => Some(Kind::LocalTime),
        (ColumnType::TimestampTz, 1082) => Some(Kind::Date),
        _ => None,
    }
}

/// A text as a value of the column's type.
pub(super) fn read_own(
    text: &str,
    column_type: ColumnType,
    around: &Surroundings<'_>,
) -> Option<Constant> {
    read(text, Kind::Own, column_type, around)
}

fn read(
    text: &str,
    kind: Kind,
    column_type: ColumnType,
    around: &Surroundings<'_>,
) -> Option<Constant> {
    match column_type {
        ColumnType::BigInt => whole(text),
        ColumnType::Text | ColumnType::Varchar(_) => Some(Constant::Text(text.to_owned())),
        ColumnType::Bool => {
            let text = text.trim_matches(|character: char| character.is_ascii_whitespace());
            let value = match text.to_ascii_lowercase().as_str() {
                "t" | "true" | "y" | "yes" | "on" | "1" => "true",
                "f" | "false" | "n" | "no" | "off" | "0" => "false",
                _ => return None,
            };
            Some(Constant::Text(value.to_owned()))
        }
        ColumnType::TimestampTz => {
            // A date with a time would lose it.
            if kind == Kind::Date && text.len() != 10 {
                return None;
            }
            let is_local = kind != Kind::Own;
            let us = typed::time_us_in(text, around.settings, is_local)?;
            Some(Constant::Text(time_text(us)?))
        }
        _ => None,
    }
}

fn whole(text: &str) -> Option<Constant> {
    typed::integer(text).map(|number| Constant::Text(number.to_string()))
}

/// A time in UTC, to the microsecond.
pub(super) fn time_text(us: i64) -> Option<String> {
    let seconds = Timestamp::from_microsecond(us)
        .ok()?
        .strftime("%Y-%m-%d %H:%M:%S");
    Some(format!("{seconds}.{:06}+00", us.rem_euclid(1_000_000)))
}

/// `now()`, `current_timestamp`, and either with an interval added or taken away.
fn from_now(expression: &Expr, around: &Surroundings<'_>) -> Option<Constant> {
    match expression {
        Expr::Nested(inner) => from_now(inner, around),
        Expr::Function(function) => {
            let name = function.name.to_string().to_lowercase();
            let has_arguments = match &function.args {
                FunctionArguments::None => false,
                FunctionArguments::List(list) => !list.args.is_empty(),
                FunctionArguments::Subquery(_) => true,
            };
            let is_now = matches!(
                name.as_str(),
                "now" | "current_timestamp" | "transaction_timestamp" | "pg_catalog.now"
            );
            (is_now && !has_arguments && function.over.is_none()).then(|| Constant::Around {
                us: around.settings.started.as_microsecond(),
                off_us: CLOCKS_APART_US,
            })
        }
        Expr::BinaryOp { left, op, right } => {
            let Constant::Around { us, off_us } = from_now(left, around)? else {
                return None;
            };
            let (length_us, more_off_us) = interval(right)?;
            let us = match op {
                BinaryOperator::Plus => us.checked_add(length_us)?,
                BinaryOperator::Minus => us.checked_sub(length_us)?,
                _ => return None,
            };
            Some(Constant::Around {
                us,
                off_us: off_us + more_off_us,
            })
        }
        _ => None,
    }
}

/// The microseconds of an interval, and how many more or fewer they may be: a day has no fixed
/// length.
fn interval(expression: &Expr) -> Option<(i64, i64)> {
    let text = match expression {
        Expr::Nested(inner) => return interval(inner),
        Expr::Interval(ast::Interval {
            value,
            leading_field: None,
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        }) => value,
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr,
            data_type:
                DataType::Interval {
                    fields: None,
                    precision: None,
                },
            format: None,
        } => expr,
        _ => return None,
    };
    let Expr::Value(value) = &**text else {
        return None;
    };
    let Value::SingleQuotedString(text) = &value.value else {
        return None;
    };
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [number, unit] = words.as_slice() else {
        return None;
    };
    let number: i64 = number.parse().ok()?;
    let (unit_us, off_us) = match unit.to_ascii_lowercase().trim_end_matches('s') {
        "second" | "sec" => (SECOND_US, 0),
        "minute" | "min" => (60 * SECOND_US, 0),
        "hour" => (HOUR_US, 0),
        "day" => (24 * HOUR_US, 2 * HOUR_US),
        "week" => (7 * 24 * HOUR_US, 2 * HOUR_US),
        _ => return None,
    };
    Some((number.checked_mul(unit_us)?, off_us))
}
