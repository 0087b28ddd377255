//! Which types PostgreSQL assigns to which column.
//!
//! Owns the table of assignments. Promises PostgreSQL's words. Never converts a value.

use super::refusal::Refusal;
use crate::catalog::{Column, ColumnType};
use crate::diagnostic::SqlState;
use crate::sql::type_name::{CastType, Family};

/// Whether PostgreSQL assigns a value of that type to the column without being told to.
///
/// # Errors
/// 42804 as PostgreSQL words it.
pub(crate) fn check_assignment(source: CastType, column: &Column) -> Result<(), Refusal> {
    let number = matches!(
        source.family(),
        Family::Integer { .. } | Family::Numeric | Family::Float
    );
    let fits = match column.column_type {
        ColumnType::Bool => source.family() == Family::Boolean,
        ColumnType::BigInt | ColumnType::DoublePrecision | ColumnType::Real => number,
        // Everything has a text form.
        ColumnType::Text | ColumnType::Varchar(_) => true,
        ColumnType::TimestampTz => matches!(
            source.family(),
            Family::TimestampTz | Family::Timestamp | Family::Date
        ),
        ColumnType::Json => source.family() == Family::Json,
        ColumnType::Bytea => source.entry.internal_name == "bytea",
        ColumnType::BoolArray => source.array && source.element_family() == Family::Boolean,
        ColumnType::JsonArray => source.array && source.element_family() == Family::Json,
        ColumnType::BigIntArray | ColumnType::DoublePrecisionArray | ColumnType::RealArray => {
            source.array
                && matches!(
                    source.element_family(),
                    Family::Integer { .. } | Family::Numeric | Family::Float
                )
        }
        ColumnType::TextArray | ColumnType::VarcharArray => {
            source.array && source.element_family() == Family::Text
        }
    };
    if fits || source.entry.internal_name == "unknown" {
        return Ok(());
    }
    Err(Refusal::new(
        SqlState::DATATYPE_MISMATCH,
        format!(
            "column \"{}\" is of type {} but expression is of type {}",
            column.name,
            column.column_type.sql_name(),
            source.sql_name()
        ),
    )
    .with_hint("You will need to rewrite or cast the expression."))
}
