//! Values while a query is answered: comparing them, casting them, their text.
//!
//! Owns what PostgreSQL does with the few types that the session's answers have. Promises SQL's
//! three-valued logic: NULL is `None` throughout. Never guesses a cast: one that is not listed
//! here is an error.

use super::system;
use crate::catalog::Namespace;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::settings::parse_bool;
use crate::sql::type_name::{CastType, Family};
use crate::sql::{Cell, array_text, bytes_text};
use std::cmp::Ordering;

/// A value; `None` is NULL.
pub(super) type Value = Option<Cell>;

/// One row of values.
pub(super) type Row = Vec<Value>;

/// Bytes of a name, at most; PostgreSQL cuts longer ones.
const NAME_BYTES_MAX: usize = 63;

/// The text form, as a cast to text gives it.
pub(super) fn text_of(cell: &Cell) -> String {
    match cell {
        Cell::Bool(value) => if *value { "true" } else { "false" }.to_owned(),
        Cell::Int2(value) => value.to_string(),
        Cell::Int4(value) => value.to_string(),
        Cell::Int8(value) => value.to_string(),
        Cell::Float8(value) => value.to_string(),
        Cell::Oid(value) => value.to_string(),
        // A zero byte is how "char" holds nothing.
        Cell::Char(0) => String::new(),
        Cell::Char(value) => char::from(*value).to_string(),
        Cell::Text(text) | Cell::Named { text, .. } | Cell::TimestampTz { text, .. } => {
            text.clone()
        }
        Cell::Float4(value) => value.to_string(),
        Cell::Bytes(bytes) => bytes_text(bytes),
        Cell::Array { elements, .. } => {
            array_text(elements.iter().map(|element| element.as_ref().map(text_of)))
        }
        Cell::Void => String::new(),
    }
}

/// The number, if it is a whole one.
pub(super) fn integer_of(cell: &Cell) -> Option<i64> {
    Some(match cell {
        Cell::Int2(value) => i64::from(*value),
        Cell::Int4(value) => i64::from(*value),
        Cell::Int8(value) => *value,
        Cell::Oid(value) | Cell::Named { oid: value, .. } => i64::from(*value),
        _ => return None,
    })
}

/// How two values that are not NULL compare; `None` if they cannot be compared.
pub(super) fn compare(left: &Cell, right: &Cell) -> Option<Ordering> {
    if let (Some(left), Some(right)) = (integer_of(left), integer_of(right)) {
        return Some(left.cmp(&right));
    }
    match (left, right) {
        (Cell::Bool(left), Cell::Bool(right)) => Some(left.cmp(right)),
        (Cell::Float8(left), Cell::Float8(right)) => Some(left.total_cmp(right)),
        (
            Cell::TimestampTz {
                microseconds: left, ..
            },
            Cell::TimestampTz {
                microseconds: right,
                ..
            },
        ) => Some(left.cmp(right)),
        // Bytes in order: the collation of names and of C.UTF-8.
        (Cell::Text(left), Cell::Text(right)) => Some(left.cmp(right)),
        (Cell::Char(_), Cell::Text(_))
        | (Cell::Text(_), Cell::Char(_))
        | (Cell::Char(_), Cell::Char(_)) => Some(text_of(left).cmp(&text_of(right))),
        _ => None,
    }
}

/// The key under which equal values of a join or of DISTINCT fall together.
pub(super) fn key_of(value: &Value) -> Option<String> {
    let cell = value.as_ref()?;
    Some(match integer_of(cell) {
        Some(number) => number.to_string(),
        None => text_of(cell),
    })
}

/// An explicit cast, or the reading of a constant of no type.
///
/// # Errors
/// 22P02, 22003, 42P01 and 42704 for names that do not exist, 42846 for a cast that is none.
pub(super) fn cast(
    cell: Cell,
    target: CastType,
    namespace: &Namespace,
) -> Result<Cell, Box<Diagnostic>> {
    let source = text_of(&cell);
    let invalid = || {
        Box::new(Diagnostic::error(
            SqlState::INVALID_TEXT_REPRESENTATION,
            format!(
                "invalid input syntax for type {}: \"{source}\"",
                target.sql_name()
            ),
        ))
    };
    let is_text = matches!(cell, Cell::Text(_));
    match target.entry.internal_name {
        "text" | "varchar" | "json" | "unknown" | "bpchar" => {
            let cut = target
                .length
                .and_then(|length| source.char_indices().nth(length as usize));
            Ok(Cell::Text(match cut {
                Some((end, _)) => source[..end].to_owned(),
                None => source,
            }))
        }
        "name" => {
            let mut end = source.len().min(NAME_BYTES_MAX);
            while !source.is_char_boundary(end) {
                end -= 1;
            }
            Ok(Cell::Text(source[..end].to_owned()))
        }
        "char" => Ok(Cell::Char(source.bytes().next().unwrap_or(0))),
        "bool" => match cell {
            Cell::Bool(_) => Ok(cell),
            Cell::Int4(number) => Ok(Cell::Bool(number != 0)),
            Cell::Text(_) => parse_bool(source.trim())
                .map(Cell::Bool)
                .ok_or_else(invalid),
            _ => Err(cannot_cast(&cell, target)),
        },
        "int2" | "int4" | "int8" | "oid" => {
            let number = match (&cell, integer_of(&cell)) {
                (_, Some(number)) => number,
                (Cell::Bool(value), _) if target.entry.internal_name == "int4" => i64::from(*value),
                (Cell::Float8(value), _) => value.round_ties_even() as i64,
                _ if is_text => source.trim().parse().map_err(|_| invalid())?,
                _ => return Err(cannot_cast(&cell, target)),
            };
            whole_number(number, target)
        }
        "float8" => match (&cell, integer_of(&cell)) {
            (Cell::Float8(_), _) => Ok(cell),
            (_, Some(number)) => Ok(Cell::Float8(number as f64)),
            _ if is_text => source
                .trim()
                .parse()
                .map(Cell::Float8)
                .map_err(|_| invalid()),
            _ => Err(cannot_cast(&cell, target)),
        },
        "regclass" | "regtype" | "regproc" | "regnamespace" => {
            if let Cell::Named { oid, .. } | Cell::Oid(oid) = cell {
                return Ok(system::named_by_oid(
                    target.entry.internal_name,
                    oid,
                    namespace,
                ));
            }
            match integer_of(&cell) {
                Some(oid) => Ok(system::named_by_oid(
                    target.entry.internal_name,
                    u32::try_from(oid).unwrap_or(0),
                    namespace,
                )),
                None if is_text => {
                    system::named_by_text(target.entry.internal_name, &source, namespace)
                }
                None => Err(cannot_cast(&cell, target)),
            }
        }
        "timestamptz" if matches!(cell, Cell::TimestampTz { .. }) => Ok(cell),
        _ => Err(cannot_cast(&cell, target)),
    }
}

/// Whether values of that type are held and cast here.
pub(super) fn is_known(target: CastType) -> bool {
    !target.array
        && matches!(
            target.entry.internal_name,
            "text"
                | "varchar"
                | "json"
                | "bpchar"
                | "name"
                | "char"
                | "bool"
                | "int2"
                | "int4"
                | "int8"
                | "oid"
                | "float8"
                | "regclass"
                | "regtype"
                | "regproc"
                | "regnamespace"
        )
}

fn whole_number(number: i64, target: CastType) -> Result<Cell, Box<Diagnostic>> {
    let cell = match target.entry.internal_name {
        "int2" => i16::try_from(number).ok().map(Cell::Int2),
        "int4" => i32::try_from(number).ok().map(Cell::Int4),
        "oid" => u32::try_from(number).ok().map(Cell::Oid),
        _ => Some(Cell::Int8(number)),
    };
    cell.ok_or_else(|| {
        Box::new(Diagnostic::error(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("{} out of range", target.sql_name()),
        ))
    })
}

fn cannot_cast(cell: &Cell, target: CastType) -> Box<Diagnostic> {
    let source = match cell {
        Cell::Bool(_) => "boolean",
        Cell::Int2(_) => "smallint",
        Cell::Int4(_) => "integer",
        Cell::Int8(_) => "bigint",
        Cell::Float8(_) => "double precision",
        Cell::Oid(_) => "oid",
        Cell::Char(_) => "\"char\"",
        Cell::Text(_) => "text",
        Cell::Named { .. } => "regclass",
        Cell::TimestampTz { .. } => "timestamp with time zone",
        Cell::Float4(_) => "real",
        Cell::Bytes(_) => "bytea",
        Cell::Array { .. } => "anyarray",
        Cell::Void => "void",
    };
    Box::new(Diagnostic::error(
        SqlState::CANNOT_COERCE,
        format!("cannot cast type {source} to {}", target.sql_name()),
    ))
}

/// A parameter's value by its type and format.
///
/// # Errors
/// 22021, 22P02, 22P03, 0A000 for types that no query here has.
pub(super) fn decode(
    binary: bool,
    type_oid: u32,
    bytes: &[u8],
    namespace: &Namespace,
) -> Result<Cell, Box<Diagnostic>> {
    let target = CastType::of_oid(type_oid).filter(|cast| !cast.array);
    let stringly = target.is_none_or(|cast| cast.family() == Family::Text);
    if binary && !stringly {
        return binary_value(target, bytes);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Box::new(Diagnostic::error(
            SqlState::CHARACTER_NOT_IN_REPERTOIRE,
            "invalid byte sequence for encoding \"UTF8\"",
        ))
    })?;
    match target {
        Some(target) => cast(Cell::Text(text.to_owned()), target, namespace),
        None => Ok(Cell::Text(text.to_owned())),
    }
}

fn binary_value(target: Option<CastType>, bytes: &[u8]) -> Result<Cell, Box<Diagnostic>> {
    let name = target.map_or("", |target| target.entry.internal_name);
    let cell = match (name, bytes) {
        ("bool", [byte]) => Some(Cell::Bool(*byte != 0)),
        ("char", [byte]) => Some(Cell::Char(*byte)),
        ("int2", bytes) => bytes
            .try_into()
            .ok()
            .map(|bytes| Cell::Int2(i16::from_be_bytes(bytes))),
        ("int4", bytes) => bytes
            .try_into()
            .ok()
            .map(|bytes| Cell::Int4(i32::from_be_bytes(bytes))),
        ("int8", bytes) => bytes
            .try_into()
            .ok()
            .map(|bytes| Cell::Int8(i64::from_be_bytes(bytes))),
        ("float8", bytes) => bytes
            .try_into()
            .ok()
            .map(|bytes| Cell::Float8(f64::from_be_bytes(bytes))),
        ("oid" | "regclass" | "regtype" | "regproc" | "regnamespace", bytes) => bytes
            .try_into()
            .ok()
            .map(|bytes| Cell::Oid(u32::from_be_bytes(bytes))),
        _ => {
            return Err(Box::new(
                Diagnostic::error(
                    SqlState::FEATURE_NOT_SUPPORTED,
                    "a binary parameter of this type is not supported in a query",
                )
                .with_hint("Send the parameter as text."),
            ));
        }
    };
    cell.ok_or_else(|| {
        Box::new(Diagnostic::error(
            SqlState::INVALID_BINARY_REPRESENTATION,
            "incorrect binary data format in bind parameter",
        ))
    })
}
