//! One required part of a statement as conditions on a table.
//!
//! Owns the comparisons that are understood. Promises conditions that every row meets for which
//! the part is true; whether they say all that it says comes with them. A part that is not
//! understood says nothing, and is left to PostgreSQL.

use super::constant::{Constant, constant, parameter, read_own, time_text};
use super::place::Place;
use super::{Named, Surroundings, folded};
use crate::catalog::ColumnType;
use crate::rows::value::for_each_of_text;
use crate::scan::condition::{Bound, Condition};
use sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
    UnaryOperator, Value,
};

/// What a part says of the rows of a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// No more and no less than these conditions.
    Exactly(Vec<Condition>),
    /// At least these.
    AtLeast(Vec<Condition>),
    /// Nothing that is understood.
    Nothing,
}

/// Reads parts for one table.
pub(super) struct Comparisons<'a> {
    pub named: &'a Named<'a>,
    pub place: &'a Place<'a>,
    pub around: &'a Surroundings<'a>,
}

impl Comparisons<'_> {
    /// What the part says.
    pub fn read(&self, part: &Expr) -> Said {
        self.said(part).unwrap_or(Said::Nothing)
    }

    fn said(&self, part: &Expr) -> Option<Said> {
        match part {
            Expr::Nested(inner) => self.said(inner),
            Expr::Value(value) if value.value == Value::Boolean(true) => {
                Some(Said::Exactly(Vec::new()))
            }
            Expr::BinaryOp { left, op, right } => self
                .compared(left, op, right)
                .or_else(|| self.compared(right, &mirrored(op)?, left)),
            Expr::InList {
                expr,
                list,
                negated: false,
            } => {
                let column = self.column(expr)?;
                self.one_of(column, list)
            }
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } => {
                let column = self.column(left)?;
                self.any_of(column, right)
            }
            Expr::Between {
                expr,
                negated: false,
                low,
                high,
            } => {
                let column = self.column(expr)?;
                let low = self.range(column, &BinaryOperator::GtEq, low)?;
                let high = self.range(column, &BinaryOperator::LtEq, high)?;
                Some(both(low, high))
            }
            Expr::IsNull(inner) => {
                let column = self.column(inner)?;
                // A row of NULLs that an outer join makes is none of the table's.
                (!self.place.has_outer_join)
                    .then(|| Said::Exactly(vec![Condition::IsNull { column }]))
            }
            Expr::IsNotNull(inner) => {
                let column = self.column(inner)?;
                Some(Said::Exactly(vec![Condition::IsNotNull { column }]))
            }
            Expr::Like {
                negated: false,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => {
                let column = self.text_column(expr)?;
                let Constant::Text(pattern) = self.constant(pattern, column)? else {
                    return None;
                };
                Some(Said::Exactly(vec![like(column, &pattern)?]))
            }
            Expr::Function(function) => {
                if function.name.to_string().to_lowercase() != "starts_with" {
                    return None;
                }
                let FunctionArguments::List(list) = &function.args else {
                    return None;
                };
                let [
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(of)),
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(prefix)),
                ] = list.args.as_slice()
                else {
                    return None;
                };
                let column = self.text_column(of)?;
                let Constant::Text(text) = self.constant(prefix, column)? else {
                    return None;
                };
                Some(Said::Exactly(vec![Condition::Prefix { column, text }]))
            }
            // A boolean column by itself.
            Expr::IsTrue(inner) => self.flag(inner, "true"),
            Expr::IsFalse(inner) => self.flag(inner, "false"),
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => self.flag(expr, "false"),
            other => self.flag(other, "true"),
        }
    }

    /// A column of the table, or that as text, where it is text.
    pub fn column(&self, expression: &Expr) -> Option<usize> {
        let name = match expression {
            Expr::Nested(inner) => return self.column(inner),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type:
                    DataType::Text | DataType::Varchar(None) | DataType::CharacterVarying(None),
                format: None,
            } => return self.text_column(expr),
            Expr::Identifier(name) if self.place.is_alone => name,
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [qualifier, name] if folded(qualifier) == self.place.qualifier => name,
                [schema, table, name]
                    if !self.place.is_aliased
                        && folded(schema) == self.named.schema
                        && folded(table) == self.named.name =>
                {
                    name
                }
                _ => return None,
            },
            _ => return None,
        };
        let name = folded(name);
        let columns = self.named.table.columns;
        columns.iter().position(|column| column.name == name)
    }

    fn text_column(&self, expression: &Expr) -> Option<usize> {
        let column = self.column(expression)?;
        matches!(
            self.type_of(column),
            ColumnType::Text | ColumnType::Varchar(_)
        )
        .then_some(column)
    }

    fn type_of(&self, column: usize) -> ColumnType {
        self.named.table.columns[column].column_type
    }

    fn constant(&self, expression: &Expr, column: usize) -> Option<Constant> {
        constant(expression, self.type_of(column), self.around)
    }

    fn flag(&self, expression: &Expr, value: &str) -> Option<Said> {
        let column = self.column(expression)?;
        (self.type_of(column) == ColumnType::Bool)
            .then(|| Said::Exactly(vec![Condition::equals(column, value)]))
    }

    fn compared(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Said> {
        let column = self.column(left)?;
        match op {
            BinaryOperator::Eq => self.one_of(column, std::slice::from_ref(right)),
            BinaryOperator::Gt
            | BinaryOperator::GtEq
            | BinaryOperator::Lt
            | BinaryOperator::LtEq => self.range(column, op, right),
            _ => None,
        }
    }

    fn one_of(&self, column: usize, list: &[Expr]) -> Option<Said> {
        self.among(column, list)
    }

    /// That the column is one of these expressions.
    pub fn among<'e>(
        &self,
        column: usize,
        list: impl IntoIterator<Item = &'e Expr>,
    ) -> Option<Said> {
        let mut values = Vec::new();
        for expression in list {
            match self.constant(expression, column)? {
                // What equals NULL is not known, and so not wanted.
                Constant::Null => {}
                Constant::Text(text) => values.push(text),
                Constant::Around { .. } => return None,
            }
        }
        Some(Said::Exactly(vec![Condition::OneOf { column, values }]))
    }

    /// `= ANY (ARRAY[…])`, `= ANY ('{…}')`, `= ANY ($1)`.
    fn any_of(&self, column: usize, list: &Expr) -> Option<Said> {
        match list {
            Expr::Nested(inner) => self.any_of(column, inner),
            Expr::Array(array) => self.one_of(column, &array.elem),
            Expr::Cast {
                kind: CastKind::Cast | CastKind::DoubleColon,
                expr,
                data_type: DataType::Array(_),
                format: None,
            } => {
                // The elements are of the column's type, or PostgreSQL would refuse to compare.
                let is_plain = matches!(
                    self.type_of(column),
                    ColumnType::Text | ColumnType::Varchar(_) | ColumnType::BigInt
                );
                is_plain.then(|| self.any_of(column, expr))?
            }
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) if !text.contains('\\') => {
                    self.elements(column, text)
                }
                Value::Placeholder(name) => {
                    let parameter = parameter(name, self.around)?;
                    // Arrays of bigint, integer, smallint, text, varchar; or not said.
                    if !matches!(parameter.type_oid, 0 | 1016 | 1007 | 1005 | 1009 | 1015) {
                        return None;
                    }
                    match &parameter.text {
                        None => Some(never(column)),
                        Some(text) => self.elements(column, text),
                    }
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The elements of an array in text form.
    fn elements(&self, column: usize, array: &str) -> Option<Said> {
        let mut values = Vec::new();
        let mut all_read = true;
        for_each_of_text(array.as_bytes(), |element| {
            let text = std::str::from_utf8(element).ok();
            let read = text.and_then(|text| read_own(text, self.type_of(column), self.around));
            match read {
                Some(Constant::Text(text)) => values.push(text),
                _ => all_read = false,
            }
            Ok(())
        })
        .ok()?;
        all_read.then(|| Said::Exactly(vec![Condition::OneOf { column, values }]))
    }

    /// Texts are ordered by a collation that CDF does not know: no ranges of them.
    fn range(&self, column: usize, op: &BinaryOperator, bound: &Expr) -> Option<Said> {
        if !matches!(
            self.type_of(column),
            ColumnType::BigInt | ColumnType::TimestampTz
        ) {
            return None;
        }
        let is_from = matches!(op, BinaryOperator::Gt | BinaryOperator::GtEq);
        let is_inclusive = matches!(op, BinaryOperator::GtEq | BinaryOperator::LtEq);
        let (value, is_exact) = match self.constant(bound, column)? {
            Constant::Null => return Some(never(column)),
            Constant::Text(value) => (value, true),
            Constant::Around { us, off_us } => {
                let us = match is_from {
                    true => us.checked_sub(off_us)?,
                    false => us.checked_add(off_us)?,
                };
                (time_text(us)?, false)
            }
        };
        let bound = Some(Bound {
            value,
            is_inclusive,
        });
        let (from, to) = match is_from {
            true => (bound, None),
            false => (None, bound),
        };
        let condition = vec![Condition::Range { column, from, to }];
        Some(match is_exact {
            true => Said::Exactly(condition),
            false => Said::AtLeast(condition),
        })
    }
}

/// No row: what is compared with NULL is not known.
fn never(column: usize) -> Said {
    Said::Exactly(vec![Condition::OneOf {
        column,
        values: Vec::new(),
    }])
}

fn both(one: Said, other: Said) -> Said {
    match (one, other) {
        (Said::Exactly(mut one), Said::Exactly(other)) => {
            one.extend(other);
            Said::Exactly(one)
        }
        (
            Said::Exactly(mut one) | Said::AtLeast(mut one),
            Said::Exactly(other) | Said::AtLeast(other),
        ) => {
            one.extend(other);
            Said::AtLeast(one)
        }
        (Said::Nothing, said) | (said, Said::Nothing) => match said {
            Said::Exactly(conditions) | Said::AtLeast(conditions) => Said::AtLeast(conditions),
            Said::Nothing => Said::Nothing,
        },
    }
}

/// The operator with its sides changed.
fn mirrored(op: &BinaryOperator) -> Option<BinaryOperator> {
    Some(match op {
        BinaryOperator::Eq => BinaryOperator::Eq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        _ => return None,
    })
}

/// A pattern that is a text, or the beginning of one.
fn like(column: usize, pattern: &str) -> Option<Condition> {
    let (text, is_prefix) = match pattern.strip_suffix('%') {
        Some(text) => (text, true),
        None => (pattern, false),
    };
    if text.contains(['%', '_', '\\']) {
        return None;
    }
    Some(match is_prefix {
        true => Condition::Prefix {
            column,
            text: text.to_owned(),
        },
        false => Condition::equals(column, text),
    })
}
