//! How many rows of a table a statement needs at most.
//!
//! Owns the reading of LIMIT. Promises a bound only where each row of the table is one row of the
//! result, in no order: without joins, groups, windows, functions that make rows, or a sort. Never
//! looks at conditions.

use super::constant::parameter;
use super::{Place, Surroundings};
use sqlparser::ast::{
    Expr, GroupByExpr, LimitClause, Query, Select, SelectItem, Value, WildcardAdditionalOptions,
};

/// Rows after which the statement has all it wants.
pub(super) fn limit(place: &Place<'_>, around: &Surroundings<'_>) -> Option<u64> {
    let (query, select) = place.select?;
    if !place.is_alone || !is_plain_query(query) || !is_plain_select(select) {
        return None;
    }
    let Some(LimitClause::LimitOffset {
        limit: Some(limit),
        offset,
        limit_by,
    }) = &query.limit_clause
    else {
        return None;
    };
    if !limit_by.is_empty() {
        return None;
    }
    let limit = number(limit, around)?;
    match offset {
        None => Some(limit),
        Some(offset) => limit.checked_add(number(&offset.value, around)?),
    }
}

fn is_plain_query(query: &Query) -> bool {
    query.with.is_none()
        && query.order_by.is_none()
        && query.fetch.is_none()
        && query.locks.is_empty()
        && query.for_clause.is_none()
        && query.pipe_operators.is_empty()
}

fn is_plain_select(select: &Select) -> bool {
    let has_groups = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(expressions, modifiers) => {
            !expressions.is_empty() || !modifiers.is_empty()
        }
    };
    select.distinct.is_none()
        && select.top.is_none()
        && select.into.is_none()
        && !has_groups
        && select.having.is_none()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && select.connect_by.is_empty()
        && select.lateral_views.is_empty()
        && select.projection.iter().all(is_plain_item)
}

fn is_plain_item(item: &SelectItem) -> bool {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => is_plain(expr),
        SelectItem::Wildcard(options) => *options == WildcardAdditionalOptions::default(),
        SelectItem::QualifiedWildcard(..) => true,
        SelectItem::ExprWithAliases { .. } => false,
    }
}

/// One value for each row: columns, constants and operators. A function could make many rows of
/// one, or one of all.
fn is_plain(expression: &Expr) -> bool {
    match expression {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) => true,
        Expr::Nested(inner)
        | Expr::UnaryOp { expr: inner, .. }
        | Expr::Cast { expr: inner, .. }
        | Expr::IsNull(inner)
        | Expr::IsNotNull(inner) => is_plain(inner),
        Expr::BinaryOp { left, right, .. } => is_plain(left) && is_plain(right),
        _ => false,
    }
}

fn number(expression: &Expr, around: &Surroundings<'_>) -> Option<u64> {
    let Expr::Value(value) = expression else {
        return None;
    };
    match &value.value {
        Value::Number(digits, false) => digits.parse().ok(),
        Value::Placeholder(name) => parameter(name, around)?.text.as_ref()?.parse().ok(),
        _ => None,
    }
}
