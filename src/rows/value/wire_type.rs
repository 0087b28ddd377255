//! Values that arrive as another type than their column's, and PostgreSQL's assignment casts.
//!
//! Owns which types may be assigned to which column and how. Promises what PostgreSQL does
//! on INSERT: numbers go into number columns with rounding, timestamps and dates into
//! timestamps in the session's zone, anything with a text form into strings. Never decides
//! a rule of CDF's.

use super::bigint::parse_bigint;
use super::double::parse_double;
use super::numeric::{nearest_integer, numeric_text};
use super::refusal::{fixed_size, invalid_syntax};
use crate::catalog::{Column, ColumnType};
use crate::diagnostic::{Diagnostic, SqlState};
use std::borrow::Cow;

pub const BOOL: u32 = 16;
pub const BYTEA: u32 = 17;
pub const INT8: u32 = 20;
pub const INT2: u32 = 21;
pub const INT4: u32 = 23;
pub const TEXT: u32 = 25;
pub const OID: u32 = 26;
pub const JSON: u32 = 114;
pub const JSON_ARRAY: u32 = 199;
pub const FLOAT4: u32 = 700;
pub const FLOAT8: u32 = 701;
pub const UNKNOWN: u32 = 705;
pub const BOOL_ARRAY: u32 = 1000;
pub const INT2_ARRAY: u32 = 1005;
pub const INT4_ARRAY: u32 = 1007;
pub const INT8_ARRAY: u32 = 1016;
pub const TEXT_ARRAY: u32 = 1009;
pub const VARCHAR_ARRAY: u32 = 1015;
pub const FLOAT4_ARRAY: u32 = 1021;
pub const FLOAT8_ARRAY: u32 = 1022;
pub const BPCHAR: u32 = 1042;
pub const VARCHAR: u32 = 1043;
pub const DATE: u32 = 1082;
pub const TIMESTAMP: u32 = 1114;
pub const TIMESTAMPTZ: u32 = 1184;
pub const NUMERIC: u32 = 1700;
pub const UUID: u32 = 2950;
pub const JSONB: u32 = 3802;
pub const JSONB_ARRAY: u32 = 3807;
pub const NAME: u32 = 19;

/// Whether PostgreSQL would assign a value of type `oid` to a column of `column_type`; 0 and
/// `unknown` take the column's type. For checks at Parse, before any value is there.
pub fn is_assignable(column_type: ColumnType, oid: u32) -> bool {
    if matches!(oid, 0 | UNKNOWN) {
        return true;
    }
    match column_type {
        ColumnType::Text | ColumnType::Varchar(_) => true,
        ColumnType::BigInt => {
            matches!(oid, INT2 | INT4 | INT8 | OID | FLOAT4 | FLOAT8 | NUMERIC)
        }
        ColumnType::DoublePrecision | ColumnType::Real => {
            matches!(oid, INT2 | INT4 | INT8 | FLOAT4 | FLOAT8 | NUMERIC)
        }
        ColumnType::TimestampTz => matches!(oid, TIMESTAMPTZ | TIMESTAMP | DATE),
        ColumnType::Json => matches!(oid, JSON | JSONB),
        ColumnType::Bool => oid == BOOL,
        ColumnType::BigIntArray => matches!(oid, INT8_ARRAY | INT4_ARRAY | INT2_ARRAY),
        ColumnType::TextArray | ColumnType::VarcharArray => {
            matches!(oid, TEXT_ARRAY | VARCHAR_ARRAY | TEXT | VARCHAR)
        }
        ColumnType::Bytea => oid == BYTEA,
        ColumnType::BoolArray => oid == BOOL_ARRAY,
        ColumnType::DoublePrecisionArray | ColumnType::RealArray => matches!(
            oid,
            FLOAT4_ARRAY | FLOAT8_ARRAY | INT2_ARRAY | INT4_ARRAY | INT8_ARRAY
        ),
        ColumnType::JsonArray => matches!(oid, JSON_ARRAY | JSONB_ARRAY),
    }
}

/// The type of the elements of an array type that some column takes.
pub fn element_of(array: u32) -> Option<u32> {
    Some(match array {
        BOOL_ARRAY => BOOL,
        INT2_ARRAY => INT2,
        INT4_ARRAY => INT4,
        INT8_ARRAY => INT8,
        FLOAT4_ARRAY => FLOAT4,
        FLOAT8_ARRAY => FLOAT8,
        TEXT_ARRAY => TEXT,
        VARCHAR_ARRAY => VARCHAR,
        JSON_ARRAY => JSON,
        JSONB_ARRAY => JSONB,
        _ => return None,
    })
}

/// 42804: PostgreSQL has no assignment cast from type `oid` to the column's.
#[cold]
pub fn type_mismatch(column: &Column, oid: u32) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::DATATYPE_MISMATCH,
            format!(
                "column \"{}\" is of type {} but expression is of type {}",
                column.name,
                column.column_type.sql_name(),
                type_name(oid)
            ),
        )
        .with_hint("You will need to rewrite or cast the expression."),
    )
}

/// The name that PostgreSQL's messages give a type.
fn type_name(oid: u32) -> Cow<'static, str> {
    Cow::Borrowed(match oid {
        BOOL => "boolean",
        INT2 => "smallint",
        INT4 => "integer",
        INT8 => "bigint",
        FLOAT4 => "real",
        FLOAT8 => "double precision",
        BPCHAR => "character",
        VARCHAR => "character varying",
        TIMESTAMP => "timestamp without time zone",
        TIMESTAMPTZ => "timestamp with time zone",
        BOOL_ARRAY => "boolean[]",
        FLOAT4_ARRAY => "real[]",
        FLOAT8_ARRAY => "double precision[]",
        JSON_ARRAY => "json[]",
        JSONB_ARRAY => "jsonb[]",
        INT2_ARRAY => "smallint[]",
        INT4_ARRAY => "integer[]",
        INT8_ARRAY => "bigint[]",
        TEXT_ARRAY => "text[]",
        VARCHAR_ARRAY => "character varying[]",
        oid => match postgres_types::Type::from_oid(oid) {
            Some(known) => return Cow::Owned(known.name().to_owned()),
            None => return Cow::Owned(format!("with OID {oid}")),
        },
    })
}

/// Whether a value of the type has the same bytes in its text and its binary form.
pub fn is_string_type(oid: u32) -> bool {
    matches!(oid, TEXT | VARCHAR | BPCHAR | NAME | UNKNOWN | 0)
}

/// A bigint from the binary form of an assignable number type.
///
/// # Errors
/// 42804, 22003, 0A000 for NaN, and the errors of the binary forms.
pub fn bigint_from_binary(column: &Column, oid: u32, value: &[u8]) -> Result<i64, Box<Diagnostic>> {
    match oid {
        INT8 => Ok(i64::from_be_bytes(fixed_size(value)?)),
        INT4 => Ok(i64::from(i32::from_be_bytes(fixed_size(value)?))),
        INT2 => Ok(i64::from(i16::from_be_bytes(fixed_size(value)?))),
        OID => Ok(i64::from(u32::from_be_bytes(fixed_size(value)?))),
        FLOAT8 => integer_of(f64::from_be_bytes(fixed_size(value)?)),
        FLOAT4 => integer_of(f64::from(f32::from_be_bytes(fixed_size(value)?))),
        NUMERIC => integer_of_decimal(&numeric_text(value)?),
        UNKNOWN | 0 => parse_bigint(value),
        oid => Err(type_mismatch(column, oid)),
    }
}

/// A bigint from the text form of an assignable type.
///
/// # Errors
/// As [`bigint_from_binary`], and 22P02.
pub fn bigint_from_text(column: &Column, oid: u32, value: &[u8]) -> Result<i64, Box<Diagnostic>> {
    match oid {
        FLOAT4 | FLOAT8 => integer_of(parse_double(value)?),
        NUMERIC => match nearest_integer(value) {
            Some(Some(number)) => Ok(number),
            Some(None) => Err(bigint_out_of_range()),
            None => Err(invalid_syntax("numeric", value)),
        },
        oid if is_assignable(ColumnType::BigInt, oid) => parse_bigint(value),
        oid => Err(type_mismatch(column, oid)),
    }
}

/// The integer nearest to a double, half to even, as PostgreSQL casts.
fn integer_of(number: f64) -> Result<i64, Box<Diagnostic>> {
    let rounded = number.round_ties_even();
    // 2^63 itself is the first double beyond; NaN fails both comparisons.
    if (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
        Ok(rounded as i64)
    } else {
        Err(bigint_out_of_range())
    }
}

fn integer_of_decimal(text: &str) -> Result<i64, Box<Diagnostic>> {
    match nearest_integer(text.as_bytes()) {
        Some(Some(number)) => Ok(number),
        Some(None) => Err(bigint_out_of_range()),
        // Only NaN and the infinities have no digits.
        None => Err(Box::new(Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!(
                "cannot convert {} to bigint",
                text.trim_start_matches('-')
                    .to_lowercase()
                    .replace("nan", "NaN")
            ),
        ))),
    }
}

#[cold]
fn bigint_out_of_range() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
        "bigint out of range",
    ))
}

/// A double from the binary form of an assignable number type.
///
/// # Errors
/// 42804, 22003 and the errors of the binary forms.
pub fn double_from_binary(column: &Column, oid: u32, value: &[u8]) -> Result<f64, Box<Diagnostic>> {
    match oid {
        FLOAT8 => Ok(f64::from_be_bytes(fixed_size(value)?)),
        FLOAT4 => Ok(f64::from(f32::from_be_bytes(fixed_size(value)?))),
        INT8 => Ok(i64::from_be_bytes(fixed_size(value)?) as f64),
        INT4 => Ok(f64::from(i32::from_be_bytes(fixed_size(value)?))),
        INT2 => Ok(f64::from(i16::from_be_bytes(fixed_size(value)?))),
        NUMERIC => parse_double(numeric_text(value)?.as_bytes()),
        UNKNOWN | 0 => parse_double(value),
        oid => Err(type_mismatch(column, oid)),
    }
}

/// Text from the binary form of any type that has a simple one.
///
/// # Errors
/// 0A000 for types whose text depends on settings, and the errors of the binary forms.
pub fn text_from_binary<'a>(oid: u32, value: &'a [u8]) -> Result<Cow<'a, [u8]>, Box<Diagnostic>> {
    let owned = |text: String| Ok(Cow::Owned(text.into_bytes()));
    match oid {
        oid if is_string_type(oid) => Ok(Cow::Borrowed(value)),
        JSON => Ok(Cow::Borrowed(value)),
        JSONB => jsonb_text(value).map(Cow::Borrowed),
        BOOL => {
            let [byte] = fixed_size(value)?;
            owned(if byte != 0 { "true" } else { "false" }.to_owned())
        }
        INT8 => owned(i64::from_be_bytes(fixed_size(value)?).to_string()),
        INT4 => owned(i32::from_be_bytes(fixed_size(value)?).to_string()),
        INT2 => owned(i16::from_be_bytes(fixed_size(value)?).to_string()),
        OID => owned(u32::from_be_bytes(fixed_size(value)?).to_string()),
        FLOAT8 => {
            let number = f64::from_be_bytes(fixed_size(value)?);
            owned(float_text(
                number,
                1e15,
                |n| n.to_string(),
                |n| format!("{n:e}"),
            ))
        }
        FLOAT4 => {
            let number = f32::from_be_bytes(fixed_size(value)?);
            let plain = |_| number.to_string();
            owned(float_text(f64::from(number), 1e6, plain, |_| {
                format!("{number:e}")
            }))
        }
        UUID => {
            let bytes: [u8; 16] = fixed_size(value)?;
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            owned(format!(
                "{}-{}-{}-{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..]
            ))
        }
        oid => Err(Box::new(
            Diagnostic::error(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "a binary value of type {} cannot be stored in a string column",
                    type_name(oid)
                ),
            )
            .with_hint("Send the value as text."),
        )),
    }
}

/// A float in PostgreSQL's shortest notation: an exponent of two digits from `plain_max` on
/// and below 1e-4.
fn float_text(
    number: f64,
    plain_max: f64,
    plain: impl Fn(f64) -> String,
    scientific: impl Fn(f64) -> String,
) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
        .to_owned();
    }
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-4..plain_max).contains(&magnitude) {
        return plain(number);
    }
    let text = scientific(number);
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

/// The JSON text in a jsonb's binary form: behind a version byte.
///
/// # Errors
/// 08P01 when empty, 22P03 for another version.
pub fn jsonb_text(value: &[u8]) -> Result<&[u8], Box<Diagnostic>> {
    match value {
        [1, json @ ..] => Ok(json),
        [] => Err(no_data()),
        [version, ..] => Err(Box::new(Diagnostic::error(
            SqlState::INVALID_BINARY_REPRESENTATION,
            format!("unsupported jsonb version number {version}"),
        ))),
    }
}

/// 08P01: a value of one byte has none.
#[cold]
pub fn no_data() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::PROTOCOL_VIOLATION,
        "no data left in message",
    ))
}
