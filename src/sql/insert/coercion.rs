//! From a parsed value to what the row builder is given for a column.
//!
//! Owns PostgreSQL's rules of casts and of assignment to a column, for the types that values
//! of an INSERT have. Promises 42804 where PostgreSQL refuses a type, and never passes a value
//! on whose text would mean something else there. Never reads SQL.

use super::assignment::check_assignment;
use super::decimal;
use super::expression::{Expression, Node};
use super::refusal::Refusal;
use crate::catalog::{Column, ColumnType};
use crate::diagnostic::SqlState;
use crate::rows::value::bytea_text;
use crate::sql::settings::parse_bool;
use crate::sql::type_name::{CastType, Family};
use std::borrow::Cow;

/// A value that needs nothing more than the builder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Constant<'a> {
    Null,
    Default,
    /// The text form of the type with that OID; 0: of the column's.
    Text {
        text: Cow<'a, str>,
        type_oid: u32,
    },
}

/// A text with its type; no type: a string constant that takes the type of where it goes.
#[derive(Debug)]
struct Typed<'a> {
    text: Option<Cow<'a, str>>,
    cast: Option<CastType>,
}

/// The constant that a value without parameters gives its column.
///
/// # Errors
/// 42804, 42846, 22P02, 22003, 42P18; 0A000 for casts that are not made here.
pub(crate) fn constant<'a>(
    expression: Expression<'a>,
    column: &Column,
) -> Result<Constant<'a>, Refusal> {
    let Expression { node, casts, .. } = expression;
    let mut typed = match node {
        Node::Default if casts.is_empty() => return Ok(Constant::Default),
        Node::Default => {
            return Err(Refusal::new(
                SqlState::SYNTAX_ERROR,
                "syntax error at or near \"::\"",
            ));
        }
        Node::Now => Typed {
            text: Some(Cow::Borrowed("now")),
            cast: CastType::named("timestamptz"),
        },
        Node::Array(elements) => array(elements, &casts)?,
        other => scalar(other)?,
    };
    for cast in casts {
        typed = convert(typed, cast)?;
    }
    assign(typed, column)
}

fn scalar(node: Node<'_>) -> Result<Typed<'_>, Refusal> {
    Ok(match node {
        Node::Null => Typed {
            text: None,
            cast: None,
        },
        Node::Text(text) => Typed {
            text: Some(text),
            cast: None,
        },
        Node::Boolean(value) => Typed {
            text: Some(Cow::Borrowed(if value { "true" } else { "false" })),
            cast: CastType::named("bool"),
        },
        Node::Number(number) => Typed {
            cast: number_type(&number),
            text: Some(number),
        },
        Node::Default => {
            return Err(Refusal::new(
                SqlState::SYNTAX_ERROR,
                "DEFAULT is not allowed in this context",
            ));
        }
        Node::Now | Node::Parameter(_) | Node::Array(_) => {
            return Err(unsupported("this value inside another one"));
        }
    })
}

/// integer, bigint or numeric: the smallest that holds it, as PostgreSQL types constants.
fn number_type(number: &str) -> Option<CastType> {
    CastType::named(match number.parse::<i64>() {
        Ok(value) if i32::try_from(value).is_ok() => "int4",
        Ok(_) => "int8",
        Err(_) => "numeric",
    })
}

/// `ARRAY[…]` of constants, in the text form of arrays.
fn array<'a>(elements: Vec<Expression<'a>>, casts: &[CastType]) -> Result<Typed<'a>, Refusal> {
    if elements.is_empty() {
        return if casts.first().is_some_and(|cast| cast.array) {
            Ok(Typed {
                text: Some(Cow::Borrowed("{}")),
                cast: None,
            })
        } else {
            Err(Refusal::new(
                SqlState::INDETERMINATE_DATATYPE,
                "cannot determine type of empty array",
            )
            .with_hint("Explicitly cast to the desired type, for example ARRAY[]::integer[]."))
        };
    }
    let mut element_type: Option<CastType> = None;
    let mut written = String::from("{");
    let mut parts = Vec::with_capacity(elements.len());
    for element in elements {
        let mut typed = scalar(element.node)?;
        for cast in element.casts {
            typed = convert(typed, cast)?;
        }
        if let Some(cast) = typed.cast {
            match element_type {
                Some(earlier) if !same_array(earlier.family(), cast.family()) => {
                    return Err(Refusal::new(
                        SqlState::DATATYPE_MISMATCH,
                        format!(
                            "ARRAY types {} and {} cannot be matched",
                            earlier.sql_name(),
                            cast.sql_name()
                        ),
                    ));
                }
                Some(earlier) if earlier.family() == Family::Numeric => {}
                _ => element_type = Some(cast),
            }
        }
        parts.push(typed.text);
    }
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            written.push(',');
        }
        match part {
            None => written.push_str("NULL"),
            Some(text) if is_number(&text) => written.push_str(&text),
            Some(text) => {
                written.push('"');
                written.push_str(&text.replace('\\', "\\\\").replace('"', "\\\""));
                written.push('"');
            }
        }
    }
    written.push('}');
    // Constants without a type make an array of text.
    let element = element_type.or_else(|| CastType::named("text"));
    Ok(Typed {
        text: Some(Cow::Owned(written)),
        cast: element.map(|element| CastType {
            array: true,
            ..element
        }),
    })
}

fn same_array(left: Family, right: Family) -> bool {
    let number = |family| {
        matches!(
            family,
            Family::Integer { .. } | Family::Numeric | Family::Float
        )
    };
    left == right || (number(left) && number(right))
}

fn is_number(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'.'))
}

/// An explicit cast.
fn convert<'a>(value: Typed<'a>, target: CastType) -> Result<Typed<'a>, Refusal> {
    let converted = |text| Typed {
        text,
        cast: Some(target),
    };
    let Some(text) = value.text else {
        return Ok(converted(None));
    };
    if target.array {
        return match value.cast {
            Some(source) if !source.array => Err(cannot_cast(source, target)),
            _ => Ok(converted(Some(array_elements(text, target)?))),
        };
    }
    let source = value.cast.map_or(Family::Text, CastType::family);
    let text = match (source, target.family()) {
        (_, Family::Other) => {
            return Err(unsupported(&format!(
                "a cast to type {}",
                target.sql_name()
            )));
        }
        (Family::Text | Family::PaddedText, _) => input(text, target)?,
        (Family::Boolean, Family::Boolean)
        | (Family::Json, Family::Json)
        | (Family::Bytea, Family::Bytea)
        | (Family::TimestampTz, Family::TimestampTz)
        | (Family::Timestamp, Family::Timestamp)
        | (Family::Date, Family::Timestamp | Family::TimestampTz)
        | (Family::Date, Family::Date)
        | (Family::Boolean | Family::Json, Family::Text) => text,
        (Family::Timestamp, Family::TimestampTz) if !names_zone(&text) => text,
        (Family::Boolean, Family::Integer { most, .. }) if most == i64::from(i32::MAX) => {
            Cow::Borrowed(if text == "true" { "1" } else { "0" })
        }
        (Family::Integer { .. }, Family::Boolean) => Cow::Borrowed(if text.parse() == Ok(0_i64) {
            "false"
        } else {
            "true"
        }),
        (
            Family::Integer { .. } | Family::Numeric | Family::Float,
            Family::Integer { least, most },
        ) => {
            let rounded = round(&text, source).filter(|value| (least..=most).contains(value));
            Cow::Owned(rounded.ok_or_else(|| out_of_range(target))?.to_string())
        }
        (Family::Integer { .. } | Family::Numeric, Family::Numeric)
        | (Family::Float, Family::Numeric) => text,
        (Family::Integer { .. } | Family::Numeric | Family::Float, Family::Float) => {
            input(text, target)?
        }
        (
            Family::Integer { .. } | Family::Numeric | Family::Float,
            Family::Text | Family::PaddedText,
        ) => input(number_as_text(text, source)?, target)?,
        _ => {
            return Err(match value.cast {
                Some(source) => cannot_cast(source, target),
                None => unsupported("this cast"),
            });
        }
    };
    Ok(converted(Some(text)))
}

/// What the input function of a type makes of a text.
fn input<'a>(text: Cow<'a, str>, target: CastType) -> Result<Cow<'a, str>, Refusal> {
    let invalid = || {
        Refusal::new(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!(
                "invalid input syntax for type {}: \"{text}\"",
                target.sql_name()
            ),
        )
    };
    match target.family() {
        Family::Boolean => match parse_bool(text.trim()) {
            Some(true) => Ok(Cow::Borrowed("true")),
            Some(false) => Ok(Cow::Borrowed("false")),
            None => Err(invalid()),
        },
        Family::Integer { least, most } => {
            let number: i128 = text.trim().parse().map_err(|_| invalid())?;
            if number < i128::from(least) || number > i128::from(most) {
                return Err(Refusal::new(
                    SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                    format!(
                        "value \"{text}\" is out of range for type {}",
                        target.sql_name()
                    ),
                ));
            }
            Ok(text)
        }
        Family::Numeric => match decimal::round_to_integer(&text) {
            Some(_) => Ok(text),
            None if text.trim().eq_ignore_ascii_case("nan") => Ok(text),
            None => Err(invalid()),
        },
        Family::Float => {
            let number: f64 = text.trim().parse().map_err(|_| invalid())?;
            if target.entry.internal_name == "float4" {
                // A real keeps fewer digits: what is stored is its exact value.
                return Ok(Cow::Owned(f64::from(number as f32).to_string()));
            }
            Ok(text)
        }
        Family::Text => Ok(match target.length {
            Some(length) => truncate(text, length),
            None => text,
        }),
        Family::PaddedText => {
            let text = match target.length {
                Some(length) => truncate(text, length),
                None => text,
            };
            // Trailing blanks vanish when a char(n) becomes text or varchar.
            Ok(Cow::Owned(text.trim_end_matches(' ').to_owned()))
        }
        Family::Json => match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Ok(text),
            Err(_) => Err(Refusal::new(
                SqlState::INVALID_TEXT_REPRESENTATION,
                format!("invalid input syntax for type {}", target.sql_name()),
            )),
        },
        Family::Bytea => Ok(Cow::Owned(bytea_text(&text).map_err(Refusal::of)?)),
        Family::Timestamp | Family::TimestampTz | Family::Date => Ok(text),
        Family::Other => Err(unsupported(&format!(
            "a cast to type {}",
            target.sql_name()
        ))),
    }
}

/// Whether a time names a zone, which a timestamp without time zone drops silently.
fn names_zone(text: &str) -> bool {
    let Some(colon) = text.find(':') else {
        return false;
    };
    text[colon..]
        .bytes()
        .any(|byte| byte == b'+' || byte == b'-' || byte.is_ascii_alphabetic())
}

fn truncate(text: Cow<'_, str>, length: u32) -> Cow<'_, str> {
    match text.char_indices().nth(length as usize) {
        Some((end, _)) => Cow::Owned(text[..end].to_owned()),
        None => text,
    }
}

/// The elements of an array in its text form, rounded where the target holds integers.
fn array_elements<'a>(text: Cow<'a, str>, target: CastType) -> Result<Cow<'a, str>, Refusal> {
    if !matches!(target.element_family(), Family::Integer { .. }) || !text.contains('.') {
        return Ok(text);
    }
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    let mut rounded = Vec::new();
    for element in inner.split(',') {
        rounded.push(match decimal::round_to_integer(element) {
            Some(Some(value)) => value.to_string(),
            Some(None) => {
                return Err(out_of_range(CastType {
                    array: false,
                    ..target
                }));
            }
            None => element.to_owned(),
        });
    }
    Ok(Cow::Owned(format!("{{{}}}", rounded.join(","))))
}

fn round(text: &str, source: Family) -> Option<i64> {
    if source == Family::Float {
        // A double is rounded to even, as the machine does.
        let rounded = text.trim().parse::<f64>().ok()?.round_ties_even();
        // 2^63 itself is the first double beyond.
        let bigint = -9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0;
        return bigint.contains(&rounded).then_some(rounded as i64);
    }
    decimal::round_to_integer(text)?
}

fn number_as_text<'a>(text: Cow<'a, str>, source: Family) -> Result<Cow<'a, str>, Refusal> {
    match source {
        Family::Float => match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() && (1e-4..1e15).contains(&number.abs()) => {
                Ok(Cow::Owned(number.to_string()))
            }
            Ok(0.0) => Ok(Cow::Borrowed("0")),
            _ => Err(unsupported("a double precision value as text")),
        },
        _ => match decimal::write_out(&text) {
            Some(written) => Ok(Cow::Owned(written)),
            None => Err(Refusal::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                "value overflows numeric format",
            )),
        },
    }
}

/// Assignment to a column: the casts that PostgreSQL makes by itself. The builder rounds and
/// reads times by the type's OID; what becomes text is written out here.
fn assign<'a>(value: Typed<'a>, column: &Column) -> Result<Constant<'a>, Refusal> {
    if let Some(source) = value.cast {
        check_assignment(source, column)?;
    }
    let Some(text) = value.text else {
        return Ok(Constant::Null);
    };
    let Some(source) = value.cast else {
        return Ok(Constant::Text { text, type_oid: 0 });
    };
    let text = match (column.column_type, source.family()) {
        (
            ColumnType::Text | ColumnType::Varchar(_),
            family @ (Family::Integer { .. } | Family::Numeric | Family::Float),
        ) => number_as_text(text, family)?,
        (
            ColumnType::Text | ColumnType::Varchar(_),
            Family::TimestampTz | Family::Timestamp | Family::Date,
        ) => return Err(unsupported("a time as text")),
        (ColumnType::BigIntArray, _) => match CastType::named("int8") {
            Some(bigint) => array_elements(text, bigint)?,
            None => text,
        },
        _ => text,
    };
    let type_oid = if column.column_type.is_array() {
        0
    } else {
        source.oid()
    };
    Ok(Constant::Text { text, type_oid })
}

fn cannot_cast(source: CastType, target: CastType) -> Refusal {
    Refusal::new(
        SqlState::CANNOT_COERCE,
        format!(
            "cannot cast type {} to {}",
            source.sql_name(),
            target.sql_name()
        ),
    )
}

fn out_of_range(target: CastType) -> Refusal {
    Refusal::new(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        format!("{} out of range", target.sql_name()),
    )
}

fn unsupported(what: &str) -> Refusal {
    Refusal::new(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("{what} is not supported in VALUES"),
    )
    .with_hint("Write the value as a constant of the column's type.")
}
