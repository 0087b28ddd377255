//! Values of CDF's JSON as values of columns.
//!
//! Owns the one way from JSON to a column's type. Promises the value that the JSON stands for, and
//! no other: what cannot be a value of the type is said, never left out. Rows of RAW that others
//! write hold numbers as texts and times as milliseconds; both are taken. Never encodes.

use super::answer::Cell;
use super::query::time_cell;
use crate::catalog::{Column, ColumnType, JsonShape};
use crate::rows::value::{TimestampReader, ValueSettings};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fmt;

/// Characters of a value that are shown.
const SHOWN_MAX: usize = 60;

/// What CDF has is no value of the column's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    sql_name: &'static str,
    value: String,
}

impl Misfit {
    /// A value, as it stands in JSON, that is none of the type.
    pub fn of(column_type: ColumnType, value: &str) -> Self {
        let mut shown: String = value.chars().take(SHOWN_MAX).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Misfit {
            sql_name: column_type.sql_name(),
            value: shown,
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} is no value of type {}",
            self.value, self.sql_name
        )
    }
}

/// An element of a list of references.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "externalId")]
    external_id: String,
}

/// The value of a column in an object of CDF's, from its field there; `None` is NULL.
///
/// # Errors
/// The field holds no value of the column's type.
pub fn cell_of_field(
    column: &Column,
    field: Option<&str>,
    zone: &TimeZone,
) -> Result<Option<Cell>, Misfit> {
    let Some(text) = field.filter(|text| *text != "null") else {
        return Ok(None);
    };
    match (column.shape, column.column_type.element()) {
        (JsonShape::Single, Some(element)) => {
            let one = cell_of_json(text, element, zone)?;
            Ok(Some(list(element, vec![one])))
        }
        (JsonShape::ExternalIds, Some(element)) => {
            let names: Vec<Named> = read(text, column.column_type)?;
            let names = names
                .into_iter()
                .map(|named| Some(Cell::Text(named.external_id)));
            Ok(Some(list(element, names.collect())))
        }
        _ => cell_of_json(text, column.column_type, zone),
    }
}

/// A value of that type in JSON; `None` is NULL. JSON's `null` is one of type `json`.
///
/// # Errors
/// It is no value of the type.
pub fn cell_of_json(
    text: &str,
    column_type: ColumnType,
    zone: &TimeZone,
) -> Result<Option<Cell>, Misfit> {
    if column_type == ColumnType::Json {
        return Ok(Some(Cell::Text(text.to_owned())));
    }
    if text == "null" {
        return Ok(None);
    }
    if let Some(element) = column_type.element() {
        let elements: Vec<&RawValue> = read(text, column_type)?;
        let cells = elements
            .into_iter()
            .map(|value| cell_of_json(value.get(), element, zone))
            .collect::<Result<Vec<_>, Misfit>>()?;
        return Ok(Some(list(element, cells)));
    }
    let string = match text.starts_with('"') {
        true => Some(read::<String>(text, column_type)?),
        false => None,
    };
    // What a text says is read as PostgreSQL reads it; other JSON as it stands.
    let plain = string.as_deref().unwrap_or(text);
    let misfit = || Misfit::of(column_type, text);
    Ok(Some(match column_type {
        ColumnType::Bool => match plain {
            "true" => Cell::Bool(true),
            "false" => Cell::Bool(false),
            _ => return Err(misfit()),
        },
        ColumnType::BigInt => Cell::Int8(integer(plain).ok_or_else(misfit)?),
        ColumnType::DoublePrecision => Cell::Float8(plain.parse().map_err(|_| misfit())?),
        // The nearest real of the decimal, not of the double in between.
        ColumnType::Real => Cell::Float4(plain.parse().map_err(|_| misfit())?),
        ColumnType::TimestampTz => {
            let ms = match &string {
                None => integer(plain).ok_or_else(misfit)?,
                Some(text) => TimestampReader::new(ValueSettings::default())
                    .parse(text.as_bytes())
                    .map_err(|_| misfit())?,
            };
            let at = Timestamp::from_millisecond(ms).map_err(|_| misfit())?;
            time_cell(at, zone)
        }
        _ => string_cell(plain, column_type)?,
    }))
}

/// A text; bytes are kept in their hexadecimal text form.
///
/// # Errors
/// It is not that form.
pub fn string_cell(text: &str, column_type: ColumnType) -> Result<Cell, Misfit> {
    if column_type != ColumnType::Bytea {
        return Ok(Cell::Text(text.to_owned()));
    }
    let bytes = text.strip_prefix("\\x").and_then(|digits| {
        let pairs = digits.as_bytes().chunks(2);
        pairs
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect::<Option<Vec<u8>>>()
    });
    match bytes {
        Some(bytes) => Ok(Cell::Bytes(bytes)),
        None => Err(Misfit::of(column_type, text)),
    }
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

/// A whole number, however it is written: `5`, `5.0`, `5e0`.
fn integer(text: &str) -> Option<i64> {
    if let Ok(integer) = text.parse() {
        return Some(integer);
    }
    let double: f64 = text.parse().ok()?;
    // Beyond this a double is no whole number any more, but several.
    let is_exact = double.fract() == 0.0 && double.abs() < 9_007_199_254_740_992.0;
    is_exact.then_some(double as i64)
}

fn list(element: ColumnType, elements: Vec<Option<Cell>>) -> Cell {
    Cell::Array {
        element_oid: element.oid(),
        elements,
    }
}

fn read<'a, T: Deserialize<'a>>(text: &'a str, column_type: ColumnType) -> Result<T, Misfit> {
    serde_json::from_str(text).map_err(|_| Misfit::of(column_type, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str, column_type: ColumnType) -> Result<Option<Cell>, Misfit> {
        cell_of_json(text, column_type, &TimeZone::UTC)
    }

    #[test]
    fn what_others_wrote_is_taken_where_it_has_one_meaning() {
        for (text, column_type, expected) in [
            ("5", ColumnType::BigInt, Cell::Int8(5)),
            ("5.0", ColumnType::BigInt, Cell::Int8(5)),
            ("\"5\"", ColumnType::BigInt, Cell::Int8(5)),
            (
                "\"NaN\"",
                ColumnType::DoublePrecision,
                Cell::Float8(f64::NAN),
            ),
            ("0.1", ColumnType::Real, Cell::Float4(0.1)),
            ("\"true\"", ColumnType::Bool, Cell::Bool(true)),
            ("5", ColumnType::Text, Cell::Text("5".to_owned())),
            (
                "{\"a\":1}",
                ColumnType::Text,
                Cell::Text("{\"a\":1}".to_owned()),
            ),
            ("null", ColumnType::Json, Cell::Text("null".to_owned())),
        ] {
            let read = cell(text, column_type).expect(text).expect(text);
            assert_eq!(format!("{read:?}"), format!("{expected:?}"), "{text}");
        }
        let times = ["1767323045060", "\"2026-01-02T03:04:05.060Z\""];
        for text in times {
            let read = cell(text, ColumnType::TimestampTz).expect(text);
            let Some(Cell::TimestampTz { text, .. }) = read else {
                panic!("{text} is a time");
            };
            assert_eq!(text, "2026-01-02 03:04:05.06+00");
        }
    }

    #[test]
    fn nulls_in_lists_stay() {
        assert_eq!(
            cell("[1,null]", ColumnType::BigIntArray),
            Ok(Some(Cell::Array {
                element_oid: 20,
                elements: vec![Some(Cell::Int8(1)), None],
            }))
        );
    }

    #[test]
    fn what_is_no_value_of_the_type_is_said() {
        for (text, column_type) in [
            ("\"abc\"", ColumnType::BigInt),
            ("5.5", ColumnType::BigInt),
            ("1e300", ColumnType::BigInt),
            ("{}", ColumnType::DoublePrecision),
            ("1", ColumnType::Bool),
            ("\"yesterday-ish\"", ColumnType::TimestampTz),
            ("\"0a\"", ColumnType::Bytea),
            ("\"\\\\x0\"", ColumnType::Bytea),
            ("7", ColumnType::TextArray),
        ] {
            let misfit = cell(text, column_type).expect_err(text);
            assert!(misfit.to_string().contains(column_type.sql_name()));
        }
    }
}
