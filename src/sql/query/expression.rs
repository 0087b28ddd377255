//! Expressions of a query, bound to their columns, and what they are worth.
//!
//! Owns evaluation. Promises SQL's three-valued logic and no side effect but those of
//! set_config and pg_notify.
//! Never looks at SQL text.

use super::QueryContext;
use super::function::Function;
use super::plan::Plan;
use super::value::{Row, Value, cast, compare, decode, integer_of, text_of};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::WireFormat;
use crate::sql::type_name::CastType;
use crate::sql::{Bindings, Cell};
use std::cmp::Ordering;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Arithmetic on whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
}

/// An expression whose columns are places in a row.
#[derive(Clone, Debug)]
pub(super) enum Expression {
    Constant(Value),
    /// From 0.
    Parameter(usize),
    /// A place in the row at hand.
    Column(usize),
    /// A place in the row of the query around this one.
    Outer(usize),
    Cast(Box<Expression>, CastType),
    Compare(Comparison, Box<Expression>, Box<Expression>),
    /// IS NOT DISTINCT FROM, or its opposite.
    Distinct(Box<Expression>, Box<Expression>, bool),
    Calculate(Arithmetic, Box<Expression>, Box<Expression>),
    Concatenate(Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    IsNull(Box<Expression>),
    /// IS TRUE or IS FALSE.
    Is(Box<Expression>, bool),
    In(Box<Expression>, Vec<Expression>),
    Like(Box<Expression>, Box<Expression>),
    Case(Vec<(Expression, Expression)>, Box<Expression>),
    Coalesce(Vec<Expression>),
    NullIf(Box<Expression>, Box<Expression>),
    Call(Function, Vec<Expression>),
    /// The one value of a subquery, or NULL.
    Scalar(Box<Plan>),
    Exists(Box<Plan>),
}

/// What expressions are evaluated with.
pub(super) struct Evaluation<'e, 'c> {
    pub context: &'e mut QueryContext<'c>,
    pub bindings: &'e Bindings,
}

impl Expression {
    /// Whether it is the same for every row: nothing of a row is looked at.
    pub fn is_constant(&self) -> bool {
        match self {
            Expression::Constant(_) | Expression::Parameter(_) => true,
            Expression::Column(_)
            | Expression::Outer(_)
            | Expression::Scalar(_)
            | Expression::Exists(_) => false,
            // A function may do something, which must not happen before its turn.
            Expression::Call(..) => false,
            Expression::Cast(inner, _)
            | Expression::Not(inner)
            | Expression::IsNull(inner)
            | Expression::Is(inner, _) => inner.is_constant(),
            Expression::Compare(_, left, right)
            | Expression::Distinct(left, right, _)
            | Expression::Calculate(_, left, right)
            | Expression::Concatenate(left, right)
            | Expression::And(left, right)
            | Expression::Or(left, right)
            | Expression::Like(left, right)
            | Expression::NullIf(left, right) => left.is_constant() && right.is_constant(),
            Expression::In(needle, list) => {
                needle.is_constant() && list.iter().all(Expression::is_constant)
            }
            Expression::Coalesce(list) => list.iter().all(Expression::is_constant),
            Expression::Case(branches, otherwise) => {
                otherwise.is_constant()
                    && branches
                        .iter()
                        .all(|(when, then)| when.is_constant() && then.is_constant())
            }
        }
    }

    /// The value for a row, inside the row of an outer query.
    ///
    /// # Errors
    /// Those of casts and functions; 42883 for values that cannot be compared.
    pub fn evaluate(
        &self,
        evaluation: &mut Evaluation<'_, '_>,
        row: &[Value],
        outer: &[Value],
    ) -> Result<Value, Box<Diagnostic>> {
        let mut value = |expression: &Expression| expression.evaluate(evaluation, row, outer);
        Ok(match self {
            Expression::Constant(constant) => constant.clone(),
            Expression::Parameter(index) => parameter(evaluation, *index)?,
            Expression::Column(place) => row.get(*place).cloned().flatten(),
            Expression::Outer(place) => outer.get(*place).cloned().flatten(),
            Expression::Cast(inner, target) => match value(inner)? {
                Some(cell) => Some(cast(cell, *target, evaluation.context.namespace)?),
                None => None,
            },
            Expression::Compare(comparison, left, right) => match (value(left)?, value(right)?) {
                (Some(left), Some(right)) => {
                    let ordering = compare(&left, &right).ok_or_else(cannot_compare)?;
                    Some(Cell::Bool(comparison.holds(ordering)))
                }
                _ => None,
            },
            Expression::Distinct(left, right, same) => {
                let equal = match (value(left)?, value(right)?) {
                    (None, None) => true,
                    (Some(left), Some(right)) => {
                        compare(&left, &right).ok_or_else(cannot_compare)? == Ordering::Equal
                    }
                    _ => false,
                };
                Some(Cell::Bool(equal == *same))
            }
            Expression::Calculate(operation, left, right) => match (value(left)?, value(right)?) {
                (Some(left), Some(right)) => Some(operation.calculate(&left, &right)?),
                _ => None,
            },
            Expression::Concatenate(left, right) => match (value(left)?, value(right)?) {
                (Some(left), Some(right)) => Some(Cell::Text(text_of(&left) + &text_of(&right))),
                _ => None,
            },
            Expression::And(left, right) => match truth(value(left)?) {
                Some(false) => Some(Cell::Bool(false)),
                left => match (left, truth(value(right)?)) {
                    (_, Some(false)) => Some(Cell::Bool(false)),
                    (Some(true), Some(true)) => Some(Cell::Bool(true)),
                    _ => None,
                },
            },
            Expression::Or(left, right) => match truth(value(left)?) {
                Some(true) => Some(Cell::Bool(true)),
                left => match (left, truth(value(right)?)) {
                    (_, Some(true)) => Some(Cell::Bool(true)),
                    (Some(false), Some(false)) => Some(Cell::Bool(false)),
                    _ => None,
                },
            },
            Expression::Not(inner) => truth(value(inner)?).map(|value| Cell::Bool(!value)),
            Expression::IsNull(inner) => Some(Cell::Bool(value(inner)?.is_none())),
            Expression::Is(inner, expected) => {
                Some(Cell::Bool(truth(value(inner)?) == Some(*expected)))
            }
            Expression::In(needle, list) => {
                let Some(needle) = value(needle)? else {
                    return Ok(None);
                };
                let mut unknown = false;
                for item in list {
                    match value(item)? {
                        None => unknown = true,
                        Some(item) => {
                            let ordering = compare(&needle, &item).ok_or_else(cannot_compare)?;
                            if ordering == Ordering::Equal {
                                return Ok(Some(Cell::Bool(true)));
                            }
                        }
                    }
                }
                if unknown {
                    None
                } else {
                    Some(Cell::Bool(false))
                }
            }
            Expression::Like(text, pattern) => match (value(text)?, value(pattern)?) {
                (Some(text), Some(pattern)) => {
                    Some(Cell::Bool(is_like(&text_of(&text), &text_of(&pattern))))
                }
                _ => None,
            },
            Expression::Case(branches, otherwise) => {
                for (when, then) in branches {
                    if truth(when.evaluate(evaluation, row, outer)?) == Some(true) {
                        return then.evaluate(evaluation, row, outer);
                    }
                }
                return otherwise.evaluate(evaluation, row, outer);
            }
            Expression::Coalesce(list) => {
                for item in list {
                    if let Some(cell) = value(item)? {
                        return Ok(Some(cell));
                    }
                }
                None
            }
            Expression::NullIf(left, right) => match (value(left)?, value(right)?) {
                (Some(left), Some(right))
                    if compare(&left, &right).ok_or_else(cannot_compare)? == Ordering::Equal =>
                {
                    None
                }
                (left, _) => left,
            },
            Expression::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(value(argument)?);
                }
                function.call(&values, evaluation.context)?
            }
            Expression::Scalar(plan) => {
                let rows = plan.rows(evaluation, row)?;
                if rows.len() > 1 {
                    return Err(Box::new(Diagnostic::error(
                        SqlState::CARDINALITY_VIOLATION,
                        "more than one row returned by a subquery used as an expression",
                    )));
                }
                rows.into_iter().next().and_then(first_value)
            }
            Expression::Exists(plan) => Some(Cell::Bool(!plan.rows(evaluation, row)?.is_empty())),
        })
    }
}

fn first_value(row: Row) -> Value {
    row.into_iter().next().flatten()
}

/// A condition's truth; NULL is neither true nor false.
pub(super) fn truth(value: Value) -> Option<bool> {
    match value {
        Some(Cell::Bool(value)) => Some(value),
        _ => None,
    }
}

fn parameter(evaluation: &Evaluation<'_, '_>, index: usize) -> Result<Value, Box<Diagnostic>> {
    let Some((format, bytes)) = evaluation.bindings.get(index) else {
        return Err(Box::new(Diagnostic::error(
            SqlState::UNDEFINED_PARAMETER,
            format!("there is no parameter ${}", index + 1),
        )));
    };
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let (binary, type_oid) = match format {
        WireFormat::Text => (false, 0),
        WireFormat::TextOf(oid) => (false, oid),
        WireFormat::Binary(oid) => (true, oid),
    };
    decode(binary, type_oid, bytes, evaluation.context.namespace).map(Some)
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Comparison::Equal => ordering == Ordering::Equal,
            Comparison::NotEqual => ordering != Ordering::Equal,
            Comparison::Less => ordering == Ordering::Less,
            Comparison::LessOrEqual => ordering != Ordering::Greater,
            Comparison::Greater => ordering == Ordering::Greater,
            Comparison::GreaterOrEqual => ordering != Ordering::Less,
        }
    }
}

impl Arithmetic {
    fn calculate(self, left: &Cell, right: &Cell) -> Result<Cell, Box<Diagnostic>> {
        let (Some(first), Some(second)) = (integer_of(left), integer_of(right)) else {
            return Err(cannot_compare());
        };
        let result = match self {
            Arithmetic::Add => first.checked_add(second),
            Arithmetic::Subtract => first.checked_sub(second),
            Arithmetic::Multiply => first.checked_mul(second),
        };
        let wide = matches!(left, Cell::Int8(_)) || matches!(right, Cell::Int8(_));
        let cell = match result {
            Some(number) if wide => Some(Cell::Int8(number)),
            Some(number) => i32::try_from(number).ok().map(Cell::Int4),
            None => None,
        };
        cell.ok_or_else(|| {
            let name = if wide { "bigint" } else { "integer" };
            Box::new(Diagnostic::error(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!("{name} out of range"),
            ))
        })
    }
}

fn cannot_compare() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::UNDEFINED_FUNCTION,
            "operator does not exist for these types",
        )
        .with_hint(
            "No operator matches the given name and argument types. \
             You might need to add explicit type casts.",
        ),
    )
}

/// LIKE: `%` is any text, `_` any character, a backslash takes the next one literally.
fn is_like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut wanted = Vec::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        wanted.push(match character {
            '%' => Wanted::Many,
            '_' => Wanted::One,
            '\\' => Wanted::Exactly(characters.next().unwrap_or('\\')),
            other => Wanted::Exactly(other),
        });
    }
    // Greedy with one step back to the last `%`: linear space, no recursion.
    let (mut at, mut place) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < text.len() {
        match wanted.get(place) {
            Some(Wanted::Many) => {
                retry = Some((place + 1, at));
                place += 1;
            }
            Some(Wanted::One) => {
                at += 1;
                place += 1;
            }
            Some(Wanted::Exactly(character)) if *character == text[at] => {
                at += 1;
                place += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    place = after;
                    at = from + 1;
                }
                None => return false,
            },
        }
    }
    wanted[place..]
        .iter()
        .all(|wanted| matches!(wanted, Wanted::Many))
}

#[derive(Clone, Copy)]
enum Wanted {
    Many,
    One,
    Exactly(char),
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn like_matches_as_in_sql() {
        assert!(is_like("pg_type", "pg\\_%"));
        assert!(!is_like("pgatype", "pg\\_%"));
        assert!(is_like("abcbc", "a%bc"));
        assert!(is_like("", "%"));
        assert!(!is_like("a", ""));
        assert!(is_like("æb", "_b"));
    }
}
