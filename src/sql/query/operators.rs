//! Planning of expressions.
//!
//! Owns which expressions the session's answers may hold and how they are typed. Promises that
//! everything else sends the query down the cold road. Never evaluates.

use super::calls::bare_function;
use super::expression::{Arithmetic, Comparison, Expression};
use super::naming::type_of;
use super::planner::{Planner, folded};
use super::scope::{Found, Scope, Unplanned, find};
use super::typed::{self, BOOL, Known, TEXT, Typed, UNKNOWN, bring_to, common_type, reconcile};
use super::value::is_known;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::sql::Cell;
use crate::sql::type_name::CastType;
use sqlparser::ast;

/// Most parameters that Bind can carry.
const PARAMETERS_MAX: usize = 65_535;

impl Planner<'_> {
    /// Plans one expression over the columns of a scope.
    pub fn expression(
        &mut self,
        expression: &ast::Expr,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        self.within(|planner| planner.expression_within(expression, scope, around))
    }

    fn expression_within(
        &mut self,
        expression: &ast::Expr,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        match expression {
            ast::Expr::Identifier(name) => match bare_function(name, scope) {
                Some(function) => self.call(&[function.to_owned()], Vec::new()),
                None => self.column(&[folded(name)], expression, scope, around),
            },
            ast::Expr::CompoundIdentifier(parts) => {
                let parts: Vec<String> = parts.iter().map(folded).collect();
                self.column(&parts, expression, scope, around)
            }
            ast::Expr::Value(value) => self.constant(&value.value),
            ast::Expr::Nested(inner) => self.expression(inner, scope, around),
            ast::Expr::TypedString(string) => {
                let inner = self.constant(&string.value.value)?;
                cast_to(inner, &string.data_type, &mut self.known)
            }
            ast::Expr::Cast {
                kind: ast::CastKind::Cast | ast::CastKind::DoubleColon,
                expr,
                data_type,
                format: None,
            } => {
                let inner = self.expression(expr, scope, around)?;
                cast_to(inner, data_type, &mut self.known)
            }
            ast::Expr::IsNull(inner) => {
                let inner = self.expression(inner, scope, around)?;
                Ok(Typed::truth(Expression::IsNull(Box::new(inner.expression))))
            }
            ast::Expr::IsNotNull(inner) => {
                let inner = self.expression(inner, scope, around)?;
                let is_null = Expression::IsNull(Box::new(inner.expression));
                Ok(Typed::truth(Expression::Not(Box::new(is_null))))
            }
            ast::Expr::IsTrue(inner) => self.is(inner, true, false, scope, around),
            ast::Expr::IsFalse(inner) => self.is(inner, false, false, scope, around),
            ast::Expr::IsNotTrue(inner) => self.is(inner, true, true, scope, around),
            ast::Expr::IsNotFalse(inner) => self.is(inner, false, true, scope, around),
            ast::Expr::IsDistinctFrom(left, right) => {
                self.distinct(left, right, false, scope, around)
            }
            ast::Expr::IsNotDistinctFrom(left, right) => {
                self.distinct(left, right, true, scope, around)
            }
            ast::Expr::InList {
                expr,
                list,
                negated,
            } => {
                let found = self.in_list(expr, list, scope, around)?;
                Ok(negated_if(*negated, found))
            }
            ast::Expr::AnyOp {
                left,
                compare_op: ast::BinaryOperator::Eq,
                right,
                is_some: _,
            } => match unnested(right) {
                ast::Expr::Array(array) => Ok(Typed::truth(self.in_list(
                    left,
                    &array.elem,
                    scope,
                    around,
                )?)),
                _ => Err(Unplanned::Cold),
            },
            ast::Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => {
                let text = self.text(expr, scope, around)?;
                let pattern = self.text(pattern, scope, around)?;
                let like = Expression::Like(Box::new(text), Box::new(pattern));
                Ok(negated_if(*negated, like))
            }
            ast::Expr::BinaryOp { left, op, right } => self.binary(left, op, right, scope, around),
            ast::Expr::UnaryOp {
                op: ast::UnaryOperator::Not,
                expr,
            } => {
                let inner = self.condition(expr, scope, around)?;
                Ok(Typed::truth(Expression::Not(Box::new(inner))))
            }
            ast::Expr::UnaryOp {
                op: ast::UnaryOperator::Minus,
                expr,
            } => match expr.as_ref() {
                ast::Expr::Value(value) => match &value.value {
                    ast::Value::Number(number, _) => typed::number(&format!("-{number}")),
                    _ => Err(Unplanned::Cold),
                },
                _ => Err(Unplanned::Cold),
            },
            ast::Expr::Case {
                case_token: _,
                end_token: _,
                operand,
                conditions,
                else_result,
            } => self.case(
                operand.as_deref(),
                conditions,
                else_result.as_deref(),
                scope,
                around,
            ),
            ast::Expr::Function(function) => self.function(function, scope, around),
            ast::Expr::Subquery(query) => {
                let plan = self.query(query, Some(scope))?;
                match plan.outputs.as_slice() {
                    [output] => {
                        let type_oid = output.type_oid;
                        Ok(Typed::new(Expression::Scalar(Box::new(plan)), type_oid))
                    }
                    _ => Err(Unplanned::Cold),
                }
            }
            ast::Expr::Exists { subquery, negated } => {
                let plan = self.query(subquery, Some(scope))?;
                Ok(negated_if(*negated, Expression::Exists(Box::new(plan))))
            }
            _ => Err(Unplanned::Cold),
        }
    }

    fn column(
        &mut self,
        parts: &[String],
        expression: &ast::Expr,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        let found = find(scope, around, parts, self.position_of(expression))?;
        let (expression, column) = match found {
            Found::Here(place, column) => (Expression::Column(place), column),
            Found::Around(place, column) => (Expression::Outer(place), column),
        };
        Ok(Typed {
            expression,
            type_oid: column.type_oid,
            type_modifier: column.type_modifier,
            origin: column.origin,
        })
    }

    fn constant(&mut self, value: &ast::Value) -> Result<Typed, Unplanned> {
        let text = |text: &String| Ok(Typed::constant(Some(Cell::Text(text.clone())), UNKNOWN));
        match value {
            ast::Value::Number(number, false) => typed::number(number),
            ast::Value::SingleQuotedString(string)
            | ast::Value::EscapedStringLiteral(string)
            | ast::Value::NationalStringLiteral(string) => text(string),
            ast::Value::DollarQuotedString(string) => text(&string.value),
            ast::Value::Boolean(value) => Ok(Typed::constant(Some(Cell::Bool(*value)), BOOL)),
            ast::Value::Null => Ok(Typed::constant(None, UNKNOWN)),
            ast::Value::Placeholder(name) => {
                let number: usize = name
                    .strip_prefix('$')
                    .and_then(|number| number.parse().ok())
                    .ok_or(Unplanned::Cold)?;
                let index = number
                    .checked_sub(1)
                    .filter(|index| *index < PARAMETERS_MAX)
                    .ok_or_else(|| {
                        Box::new(Diagnostic::error(
                            SqlState::UNDEFINED_PARAMETER,
                            format!("there is no parameter {name}"),
                        ))
                    })?;
                if self.known.parameters.len() <= index {
                    self.known.parameters.resize(index + 1, 0);
                }
                let type_oid = match self.known.parameters[index] {
                    0 => UNKNOWN,
                    known => known,
                };
                Ok(Typed::new(Expression::Parameter(index), type_oid))
            }
            _ => Err(Unplanned::Cold),
        }
    }

    fn is(
        &mut self,
        inner: &ast::Expr,
        expected: bool,
        negated: bool,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        let inner = self.condition(inner, scope, around)?;
        Ok(negated_if(
            negated,
            Expression::Is(Box::new(inner), expected),
        ))
    }

    fn distinct(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        same: bool,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        let (left, right) = self.pair(left, right, scope, around)?;
        Ok(Typed::truth(Expression::Distinct(
            Box::new(left.expression),
            Box::new(right.expression),
            same,
        )))
    }

    fn pair(
        &mut self,
        left: &ast::Expr,
        right: &ast::Expr,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<(Typed, Typed), Unplanned> {
        let left = self.expression(left, scope, around)?;
        let right = self.expression(right, scope, around)?;
        reconcile(left, right, &mut self.known)
    }

    fn in_list(
        &mut self,
        needle: &ast::Expr,
        list: &[ast::Expr],
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Expression, Unplanned> {
        let mut needle = self.expression(needle, scope, around)?;
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            let item = self.expression(item, scope, around)?;
            let (settled, item) = reconcile(needle, item, &mut self.known)?;
            needle = settled;
            items.push(item.expression);
        }
        Ok(Expression::In(Box::new(needle.expression), items))
    }

    /// An expression whose text is looked at.
    fn text(
        &mut self,
        expression: &ast::Expr,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Expression, Unplanned> {
        let typed = self
            .expression(expression, scope, around)?
            .settle_as_text(&mut self.known)?;
        match CastType::of_oid(typed.type_oid) {
            Some(cast) if matches!(cast.entry.internal_name, "text" | "varchar" | "name") => {
                Ok(typed.expression)
            }
            _ => Err(Unplanned::Cold),
        }
    }

    fn binary(
        &mut self,
        left: &ast::Expr,
        operator: &ast::BinaryOperator,
        right: &ast::Expr,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        use ast::BinaryOperator as Operator;
        let comparison = match operator {
            Operator::Eq => Comparison::Equal,
            Operator::NotEq => Comparison::NotEqual,
            Operator::Lt => Comparison::Less,
            Operator::LtEq => Comparison::LessOrEqual,
            Operator::Gt => Comparison::Greater,
            Operator::GtEq => Comparison::GreaterOrEqual,
            Operator::And | Operator::Or => {
                let left = Box::new(self.condition(left, scope, around)?);
                let right = Box::new(self.condition(right, scope, around)?);
                return Ok(Typed::truth(if *operator == Operator::And {
                    Expression::And(left, right)
                } else {
                    Expression::Or(left, right)
                }));
            }
            Operator::StringConcat => {
                let left = Box::new(self.text(left, scope, around)?);
                let right = Box::new(self.text(right, scope, around)?);
                return Ok(Typed::new(Expression::Concatenate(left, right), TEXT));
            }
            Operator::Plus => return self.sum(Arithmetic::Add, left, right, scope, around),
            Operator::Minus => return self.sum(Arithmetic::Subtract, left, right, scope, around),
            Operator::Multiply => {
                return self.sum(Arithmetic::Multiply, left, right, scope, around);
            }
            _ => return Err(Unplanned::Cold),
        };
        let (left, right) = self.pair(left, right, scope, around)?;
        Ok(Typed::truth(Expression::Compare(
            comparison,
            Box::new(left.expression),
            Box::new(right.expression),
        )))
    }

    fn sum(
        &mut self,
        operation: Arithmetic,
        left: &ast::Expr,
        right: &ast::Expr,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        let (left, right) = self.pair(left, right, scope, around)?;
        let type_oid = match (left.type_oid, right.type_oid) {
            (typed::INT4, typed::INT4) => typed::INT4,
            (typed::INT4 | typed::INT8, typed::INT4 | typed::INT8) => typed::INT8,
            _ => return Err(Unplanned::Cold),
        };
        Ok(Typed::new(
            Expression::Calculate(
                operation,
                Box::new(left.expression),
                Box::new(right.expression),
            ),
            type_oid,
        ))
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        conditions: &[ast::CaseWhen],
        otherwise: Option<&ast::Expr>,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Typed, Unplanned> {
        let mut whens = Vec::with_capacity(conditions.len());
        let mut results = Vec::with_capacity(conditions.len() + 1);
        for branch in conditions {
            whens.push(match operand {
                Some(operand) => {
                    let (left, right) = self.pair(operand, &branch.condition, scope, around)?;
                    Expression::Compare(
                        Comparison::Equal,
                        Box::new(left.expression),
                        Box::new(right.expression),
                    )
                }
                None => self.condition(&branch.condition, scope, around)?,
            });
            results.push(self.expression(&branch.result, scope, around)?);
        }
        results.push(match otherwise {
            Some(otherwise) => self.expression(otherwise, scope, around)?,
            None => Typed::constant(None, UNKNOWN),
        });
        let (type_oid, mut results) = self.brought_together(results)?;
        let otherwise = results.pop().ok_or(Unplanned::Cold)?;
        Ok(Typed::new(
            Expression::Case(
                whens.into_iter().zip(results).collect(),
                Box::new(otherwise),
            ),
            type_oid,
        ))
    }

    /// Expressions of one common type.
    pub fn brought_together(
        &mut self,
        items: Vec<Typed>,
    ) -> Result<(u32, Vec<Expression>), Unplanned> {
        let type_oid = match common_type(&items)? {
            UNKNOWN => TEXT,
            known => known,
        };
        let mut brought = Vec::with_capacity(items.len());
        for item in items {
            brought.push(bring_to(item, type_oid, &mut self.known)?.expression);
        }
        Ok((type_oid, brought))
    }
}

fn unnested(expression: &ast::Expr) -> &ast::Expr {
    match expression {
        ast::Expr::Nested(inner) => unnested(inner),
        other => other,
    }
}

fn negated_if(negated: bool, expression: Expression) -> Typed {
    Typed::truth(if negated {
        Expression::Not(Box::new(expression))
    } else {
        expression
    })
}

fn cast_to(
    inner: Typed,
    data_type: &ast::DataType,
    known: &mut Known<'_>,
) -> Result<Typed, Unplanned> {
    let target = type_of(data_type)
        .filter(|target| is_known(*target))
        .ok_or(Unplanned::Cold)?;
    let type_oid = target.oid();
    let type_modifier = match target.length {
        Some(length) => i32::try_from(length).map_or(-1, |length| length + 4),
        None => -1,
    };
    let expression = match inner.expression {
        // A parameter takes the type of its cast.
        Expression::Parameter(_) => inner.settle(type_oid, known)?.expression,
        other => other,
    };
    Ok(Typed {
        expression: Expression::Cast(Box::new(expression), target),
        type_oid,
        type_modifier,
        origin: None,
    })
}
