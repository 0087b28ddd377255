//! How PostgreSQL names a result column without an alias.
//!
//! Owns that rule: columns and functions lend their names, casts those of their types, the rest
//! is `?column?`. Never looks at values.

use super::planner::folded;
use crate::sql::cursor::Cursor;
use crate::sql::type_name::{self, CastType};
use sqlparser::ast;

/// The name of the column that an expression makes.
pub(super) fn column_name(expression: &ast::Expr) -> String {
    match figure(expression) {
        Some((name, _)) => name,
        None => "?column?".to_owned(),
    }
}

/// A name, and whether it is a strong one that a cast keeps.
fn figure(expression: &ast::Expr) -> Option<(String, bool)> {
    let strong = |name: String| Some((name, true));
    match expression {
        ast::Expr::Identifier(name) => strong(folded(name)),
        ast::Expr::CompoundIdentifier(parts) => strong(folded(parts.last()?)),
        ast::Expr::Function(function) => match function.name.0.last()? {
            ast::ObjectNamePart::Identifier(name) => strong(folded(name)),
            ast::ObjectNamePart::Function(_) => None,
        },
        ast::Expr::Nested(inner) | ast::Expr::Collate { expr: inner, .. } => figure(inner),
        ast::Expr::Cast {
            expr, data_type, ..
        } => match figure(expr) {
            Some((name, true)) => strong(name),
            _ => Some((type_of(data_type)?.entry.internal_name.to_owned(), false)),
        },
        ast::Expr::TypedString(typed) => Some((
            type_of(&typed.data_type)?.entry.internal_name.to_owned(),
            false,
        )),
        ast::Expr::Case { else_result, .. } => match else_result.as_deref().and_then(figure) {
            Some((name, true)) => strong(name),
            _ => Some(("case".to_owned(), false)),
        },
        ast::Expr::Exists { .. } => strong("exists".to_owned()),
        ast::Expr::Array(_) => strong("array".to_owned()),
        ast::Expr::Subquery(query) => match query.body.as_ref() {
            ast::SetExpr::Select(select) => match select.projection.first()? {
                ast::SelectItem::ExprWithAlias { alias, .. } => strong(folded(alias)),
                ast::SelectItem::UnnamedExpr(expression) => figure(expression),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// The type that a parsed type name means; `None` for one that is not known here.
pub(super) fn type_of(data_type: &ast::DataType) -> Option<CastType> {
    let written = data_type.to_string();
    let mut cursor = Cursor::new(&written).ok()?;
    let cast = type_name::parse(&mut cursor).ok()?;
    cursor.at_end().then_some(cast)
}
