//! Expressions with their types, while a query is planned.
//!
//! Owns giving constants and parameters of no type the type of what they meet. Promises that
//! both sides of an operator have types that compare. Never evaluates.

use super::expression::Expression;
use super::scope::Unplanned;
use super::value::{Value, cast};
use crate::catalog::Namespace;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::Cell;
use crate::sql::type_name::{CastType, Family};

pub(super) const BOOL: u32 = 16;
pub(super) const INT4: u32 = 23;
pub(super) const INT8: u32 = 20;
pub(super) const TEXT: u32 = 25;
const OID: u32 = 26;
/// The type of a string constant, of NULL, and of a parameter, until something tells.
pub(super) const UNKNOWN: u32 = 705;

/// What is known while a query is planned.
pub(super) struct Known<'q> {
    /// OIDs of the parameters' types; 0 where nothing told yet.
    pub parameters: Vec<u32>,
    /// What names of tables mean.
    pub namespace: &'q Namespace,
}

/// An expression and what is known of its values.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub expression: Expression,
    pub type_oid: u32,
    pub type_modifier: i32,
    pub origin: Option<(u32, i16)>,
}

impl Typed {
    pub fn new(expression: Expression, type_oid: u32) -> Self {
        Typed {
            expression,
            type_oid,
            type_modifier: -1,
            origin: None,
        }
    }

    pub fn constant(cell: Value, type_oid: u32) -> Self {
        Self::new(Expression::Constant(cell), type_oid)
    }

    pub fn truth(expression: Expression) -> Self {
        Self::new(expression, BOOL)
    }

    /// Gives an expression of no type this type.
    ///
    /// # Errors
    /// 22P02 and the like for constants that are no value of the type.
    pub fn settle(mut self, type_oid: u32, known: &mut Known<'_>) -> Result<Typed, Unplanned> {
        if self.type_oid != UNKNOWN || type_oid == UNKNOWN {
            return Ok(self);
        }
        match &mut self.expression {
            Expression::Parameter(index) => {
                if let Some(parameter) = known.parameters.get_mut(*index)
                    && *parameter == 0
                {
                    *parameter = type_oid;
                }
            }
            Expression::Constant(value) => {
                if let Some(cell) = value.take() {
                    let target = CastType::of_oid(type_oid).ok_or(Unplanned::Cold)?;
                    *value = Some(cast(cell, target, known.namespace)?);
                }
            }
            // A NULL from deeper inside has no value to convert.
            _ => return Err(Unplanned::Cold),
        }
        self.type_oid = type_oid;
        Ok(self)
    }

    /// Text, where nothing else told.
    ///
    /// # Errors
    /// None that a text could have.
    pub fn settle_as_text(self, known: &mut Known<'_>) -> Result<Typed, Unplanned> {
        self.settle(TEXT, known)
    }
}

/// Makes two expressions comparable.
///
/// # Errors
/// 42883 where PostgreSQL has no operator for the types.
pub(super) fn reconcile(
    left: Typed,
    right: Typed,
    known: &mut Known<'_>,
) -> Result<(Typed, Typed), Unplanned> {
    let (left, right) = match (left.type_oid, right.type_oid) {
        (UNKNOWN, UNKNOWN) => (left.settle_as_text(known)?, right.settle_as_text(known)?),
        (UNKNOWN, told) => (left.settle(told, known)?, right),
        (told, UNKNOWN) => {
            let right = right.settle(told, known)?;
            (left, right)
        }
        _ => (left, right),
    };
    match (kind(left.type_oid), kind(right.type_oid)) {
        (Some(left_kind), Some(right_kind)) if left_kind == right_kind => Ok((left, right)),
        (Some(_), Some(_)) => Err(Unplanned::Wrong(Box::new(
            Diagnostic::error(
                SqlState::UNDEFINED_FUNCTION,
                format!(
                    "operator does not exist: {} and {}",
                    super::system::format_type(left.type_oid, None),
                    super::system::format_type(right.type_oid, None)
                ),
            )
            .with_hint(
                "No operator matches the given name and argument types. \
                 You might need to add explicit type casts.",
            ),
        ))),
        _ => Err(Unplanned::Cold),
    }
}

/// What compares with what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ComparisonKind {
    Truth,
    Whole,
    Float,
    Text,
    Time,
}

fn kind(type_oid: u32) -> Option<ComparisonKind> {
    let cast = CastType::of_oid(type_oid)?;
    match (cast.family(), cast.entry.internal_name) {
        (Family::Boolean, _) => Some(ComparisonKind::Truth),
        (Family::Integer { .. }, _) | (_, "regclass" | "regtype" | "regproc" | "regnamespace") => {
            Some(ComparisonKind::Whole)
        }
        (Family::Float, "float8") => Some(ComparisonKind::Float),
        (Family::Text | Family::PaddedText, _) | (_, "char") => Some(ComparisonKind::Text),
        (Family::TimestampTz, _) => Some(ComparisonKind::Time),
        _ => None,
    }
}

/// A common type for the branches of CASE, the rows of VALUES and the like.
///
/// # Errors
/// 42804 where there is none.
pub(super) fn common_type(items: &[Typed]) -> Result<u32, Unplanned> {
    let mut common = UNKNOWN;
    for item in items {
        common = match (common, item.type_oid) {
            (common, other) if common == other => common,
            (UNKNOWN, other) => other,
            (common, UNKNOWN) => common,
            (INT4, INT8) | (INT8, INT4) => INT8,
            // oid is the preferred type among whole numbers.
            (OID, INT4) | (INT4, OID) => OID,
            (common, other)
                if kind(common).is_some() && kind(common) == kind(other) && !is_whole(common) =>
            {
                TEXT
            }
            _ => return Err(Unplanned::Cold),
        };
    }
    Ok(common)
}

fn is_whole(type_oid: u32) -> bool {
    kind(type_oid) == Some(ComparisonKind::Whole)
}

/// Brings an expression to a type that its branch or row has in common with others.
///
/// # Errors
/// Those of [`Typed::settle`].
pub(super) fn bring_to(
    item: Typed,
    type_oid: u32,
    known: &mut Known<'_>,
) -> Result<Typed, Unplanned> {
    let item = item.settle(type_oid, known)?;
    if item.type_oid == type_oid {
        return Ok(item);
    }
    let target = CastType::of_oid(type_oid).ok_or(Unplanned::Cold)?;
    Ok(Typed::new(
        Expression::Cast(Box::new(item.expression), target),
        type_oid,
    ))
}

/// A number as written: integer or bigint; others are none of ours.
pub(super) fn number(written: &str) -> Result<Typed, Unplanned> {
    match written.parse::<i64>() {
        Ok(number) => Ok(match i32::try_from(number) {
            Ok(small) => Typed::constant(Some(Cell::Int4(small)), INT4),
            Err(_) => Typed::constant(Some(Cell::Int8(number)), INT8),
        }),
        Err(_) => Err(Unplanned::Cold),
    }
}
