//! Planning of what a query puts out: the SELECT list, ORDER BY, GROUP BY.
//!
//! Owns wildcards, aliases and result columns. Promises that `*` is only taken where every
//! column is known. Never evaluates.

use super::expression::Expression;
use super::plan::{OrderKey, Output};
use super::planner::{Planner, folded, name_parts};
use super::scope::{Scope, ScopeColumn, Unplanned};
use super::typed::{Typed, UNKNOWN};
use sqlparser::ast;

impl Planner<'_> {
    /// The columns of the SELECT list.
    pub fn outputs(
        &mut self,
        projection: &[ast::SelectItem],
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Vec<Output>, Unplanned> {
        let mut outputs = Vec::new();
        for item in projection {
            match item {
                ast::SelectItem::UnnamedExpr(expression) => {
                    let typed = self.expression(expression, scope, around)?;
                    let name = super::naming::column_name(expression);
                    outputs.push(self.output(typed, name)?);
                }
                ast::SelectItem::ExprWithAlias { expr, alias } => {
                    let typed = self.expression(expr, scope, around)?;
                    outputs.push(self.output(typed, folded(alias))?);
                }
                ast::SelectItem::Wildcard(options) if is_plain(options) => {
                    if !scope.whole || scope.columns.is_empty() {
                        return Err(Unplanned::Cold);
                    }
                    outputs.extend(scope.columns.iter().enumerate().map(passed_through));
                }
                ast::SelectItem::QualifiedWildcard(
                    ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) if is_plain(options) => {
                    let places = match name_parts(name)?.as_slice() {
                        [relation] => scope.of_relation(relation),
                        _ => return Err(Unplanned::Cold),
                    };
                    if places.is_empty() || !scope.whole {
                        return Err(Unplanned::Cold);
                    }
                    outputs.extend(
                        places
                            .into_iter()
                            .map(|place| passed_through((place, &scope.columns[place]))),
                    );
                }
                _ => return Err(Unplanned::Cold),
            }
        }
        Ok(outputs)
    }

    fn output(&mut self, typed: Typed, name: String) -> Result<Output, Unplanned> {
        // What nothing gave a type is text, as in PostgreSQL.
        let typed = if typed.type_oid == UNKNOWN {
            typed.settle_as_text(&mut self.known)?
        } else {
            typed
        };
        Ok(Output {
            name,
            expression: typed.expression,
            type_oid: typed.type_oid,
            type_modifier: typed.type_modifier,
            origin: typed.origin,
        })
    }

    /// One key of ORDER BY: an output by name or number, or an expression.
    pub fn order_key(
        &mut self,
        key: &ast::OrderByExpr,
        outputs: &[Output],
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<OrderKey, Unplanned> {
        let descending = match &key.options.sort {
            None | Some(ast::OrderBySort::Asc) => false,
            Some(ast::OrderBySort::Desc) => true,
            _ => return Err(Unplanned::Cold),
        };
        if key.with_fill.is_some() {
            return Err(Unplanned::Cold);
        }
        let output_named = |name: &ast::Ident| {
            let name = folded(name);
            outputs.iter().find(|output| output.name == name)
        };
        let expression = match &key.expr {
            ast::Expr::Identifier(name) if output_named(name).is_some() => {
                output_named(name).map(|output| output.expression.clone())
            }
            ast::Expr::Value(value) => match &value.value {
                ast::Value::Number(number, _) => number
                    .parse::<usize>()
                    .ok()
                    .and_then(|number| outputs.get(number.checked_sub(1)?))
                    .map(|output| output.expression.clone()),
                _ => None,
            },
            other => Some(self.expression(other, scope, around)?.expression),
        };
        Ok(OrderKey {
            expression: expression.ok_or(Unplanned::Cold)?,
            descending,
            // NULL is larger than everything.
            nulls_first: key.options.nulls_first.unwrap_or(descending),
        })
    }
}

fn passed_through((place, column): (usize, &ScopeColumn)) -> Output {
    Output {
        name: column.name.clone(),
        expression: Expression::Column(place),
        type_oid: column.type_oid,
        type_modifier: column.type_modifier,
        origin: column.origin,
    }
}

/// The keys of ORDER BY.
pub(super) fn order_keys(
    order_by: Option<&ast::OrderBy>,
) -> Result<Vec<&ast::OrderByExpr>, Unplanned> {
    match order_by {
        None => Ok(Vec::new()),
        Some(ast::OrderBy {
            kind: ast::OrderByKind::Expressions(keys),
            interpolate: None,
        }) => Ok(keys.iter().collect()),
        Some(_) => Err(Unplanned::Cold),
    }
}

/// GROUP BY of exactly the selected expressions is DISTINCT; any other grouping is cold.
pub(super) fn is_grouped(
    group_by: &ast::GroupByExpr,
    projection: &[ast::SelectItem],
) -> Result<bool, Unplanned> {
    let ast::GroupByExpr::Expressions(groups, modifiers) = group_by else {
        return Err(Unplanned::Cold);
    };
    if !modifiers.is_empty() {
        return Err(Unplanned::Cold);
    }
    if groups.is_empty() {
        return Ok(false);
    }
    let mut selected = Vec::new();
    for item in projection {
        match item {
            ast::SelectItem::UnnamedExpr(expr) | ast::SelectItem::ExprWithAlias { expr, .. } => {
                selected.push(expr);
            }
            _ => return Err(Unplanned::Cold),
        }
    }
    let same =
        groups.len() == selected.len() && groups.iter().all(|group| selected.contains(&group));
    if same { Ok(true) } else { Err(Unplanned::Cold) }
}

fn is_plain(options: &ast::WildcardAdditionalOptions) -> bool {
    let ast::WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none()
}
