//! The sixteen column types of custom tables, by name.
//!
//! Owns the names of the gateway's tables API. Promises that every name leads to a type and back.
//! Never knows a type that the API has not.

use super::ColumnType;

/// Names and types, in the order of the API's documentation.
pub const CUSTOM_TYPES: [(&str, ColumnType); 16] = [
    ("TEXT", ColumnType::Text),
    ("VARCHAR", ColumnType::Varchar(0)),
    ("BOOL", ColumnType::Bool),
    ("BIGINT", ColumnType::BigInt),
    ("DOUBLE PRECISION", ColumnType::DoublePrecision),
    ("REAL", ColumnType::Real),
    ("TIMESTAMPTZ", ColumnType::TimestampTz),
    ("JSON", ColumnType::Json),
    ("BYTEA", ColumnType::Bytea),
    ("TEXT[]", ColumnType::TextArray),
    ("VARCHAR[]", ColumnType::VarcharArray),
    ("BOOL[]", ColumnType::BoolArray),
    ("BIGINT[]", ColumnType::BigIntArray),
    ("DOUBLE PRECISION[]", ColumnType::DoublePrecisionArray),
    ("REAL[]", ColumnType::RealArray),
    ("JSON[]", ColumnType::JsonArray),
];

/// The type of that name, in any case.
pub fn custom_type(name: &str) -> Option<ColumnType> {
    CUSTOM_TYPES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, column_type)| *column_type)
}

/// The name of a type in the tables API, which has no lengths.
pub fn custom_type_name(column_type: ColumnType) -> &'static str {
    if let ColumnType::Varchar(_) = column_type {
        return "VARCHAR";
    }
    CUSTOM_TYPES
        .iter()
        .find(|(_, known)| *known == column_type)
        .map_or(column_type.sql_name(), |(name, _)| name)
}
