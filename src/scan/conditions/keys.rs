//! Columns of a table that equal columns of others: rows without such a partner do not count.
//!
//! Owns the reading of equalities between two plain columns, as `=`, IN, EXISTS and USING say them.
//! Promises that each must be true of a row for that row to count, and that the other side is a
//! relation which the statement names there, and no CTE. Whether the other column exists, and is
//! compared as the table's is, the text does not show: the caller asks. Never reads values.

use super::comparison::{Comparisons, Said};
use super::from::FromClause;
use super::occurrence::may_be_cte;
use super::others::{Other, OtherKind};
use super::{Named, folded, place};
use sqlparser::ast::{BinaryOperator, Expr, Ident, Query, Select, SelectItem, SetExpr};

/// A column of the table whose values are among those of a column of another relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinKey {
    /// By its index in the table.
    pub column: usize,
    /// As the statement names it.
    pub schema: Option<String>,
    pub relation: String,
    /// The other column.
    pub key: String,
}

/// Reads keys of a table from the parts of a statement that must be true.
pub(super) struct Keys<'a> {
    pub sql: &'a str,
    pub comparisons: &'a Comparisons<'a>,
}

/// What a part says of the values of a column.
pub(super) enum Among {
    /// They are those of another relation.
    Key(JoinKey),
    /// They are listed.
    Said(Said),
}

/// A column of something else than the table.
struct OtherColumn<'o> {
    other: &'o Other<'o>,
    name: String,
}

impl Keys<'_> {
    /// What the part says, if it is an equality with a column of another relation.
    pub(super) fn read(&self, part: &Expr) -> Option<Among> {
        match part {
            Expr::Nested(inner) => self.read(inner),
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } => self.equal(left, right).or_else(|| self.equal(right, left)),
            Expr::InSubquery {
                expr,
                subquery,
                negated: false,
            } => self.among(expr, subquery),
            Expr::AnyOp {
                left,
                compare_op: BinaryOperator::Eq,
                right,
                ..
            } => match &**right {
                Expr::Subquery(subquery) => self.among(left, subquery),
                _ => None,
            },
            Expr::Exists {
                subquery,
                negated: false,
            } => self.exists(subquery),
            _ => None,
        }
    }

    /// The keys that joins by USING say.
    pub(super) fn of_using(&self) -> Vec<Among> {
        let place = self.comparisons.place;
        let columns = self.comparisons.named.table.columns;
        let own = place.scopes.first();
        let keys = place.using.iter().filter_map(|(name, other)| {
            let column = columns.iter().position(|column| column.name == *name)?;
            let other = own?.get(*other)?;
            let name = name.clone();
            self.key(column, &OtherColumn { other, name })
        });
        keys.collect()
    }

    /// Whether an expression is the other column of a key.
    pub(super) fn is_column(&self, expression: &Expr, key: &JoinKey) -> bool {
        let other = self.other_column(expression);
        let found = other.and_then(|other| self.key(key.column, &other));
        matches!(found, Some(Among::Key(found)) if found == *key)
    }

    fn equal(&self, own: &Expr, other: &Expr) -> Option<Among> {
        let column = self.comparisons.column(own)?;
        let other = self.other_column(other)?;
        self.key(column, &other)
    }

    fn key(&self, column: usize, other: &OtherColumn<'_>) -> Option<Among> {
        match &other.other.kind {
            OtherKind::Relation { schema, name, .. } => {
                if may_be_cte(self.sql, name) {
                    return None;
                }
                Some(Among::Key(JoinKey {
                    column,
                    schema: schema.clone(),
                    relation: name.clone(),
                    key: other.name.clone(),
                }))
            }
            OtherKind::Values { rows, columns } => {
                let mut places = columns.iter().enumerate();
                let (place, _) = places.find(|(_, name)| **name == other.name)?;
                let cells: Option<Vec<&Expr>> =
                    rows.iter().map(|row| row.content.get(place)).collect();
                self.comparisons.among(column, cells?).map(Among::Said)
            }
            OtherKind::Unknown => None,
        }
    }

    /// A column of something that is seen from the table's place: the innermost of that name.
    fn other_column(&self, expression: &Expr) -> Option<OtherColumn<'_>> {
        let parts = match expression {
            Expr::Nested(inner) => return self.other_column(inner),
            Expr::CompoundIdentifier(parts) => parts,
            _ => return None,
        };
        let place = self.comparisons.place;
        if parts.len() == 2 && folded(&parts[0]) == place.qualifier {
            return None;
        }
        let mut found = place.scopes.iter().map(|scope| find(scope, parts));
        found.find_map(|found| found)
    }

    /// `column IN (SELECT …)`: whatever the query leaves out, what is left are values of its column.
    fn among(&self, own: &Expr, subquery: &Query) -> Option<Among> {
        let column = self.comparisons.column(own)?;
        let (select, from) = plain_select(subquery, self.comparisons.named)?;
        let [SelectItem::UnnamedExpr(shown) | SelectItem::ExprWithAlias { expr: shown, .. }] =
            select.projection.as_slice()
        else {
            return None;
        };
        let is_alone = from.relations() == 1;
        let others = from.into_others();
        let other = column_of(&others, is_alone, shown)?;
        self.key(column, &other)
    }

    /// `EXISTS (SELECT … WHERE other.key = table.column)`.
    fn exists(&self, subquery: &Query) -> Option<Among> {
        let (select, from) = plain_select(subquery, self.comparisons.named)?;
        if !makes_one_row_of_each(subquery, select) {
            return None;
        }
        let is_alone = from.relations() == 1;
        let others = from.into_others();
        // Within, a name of the subquery's own hides that of the table.
        let place = self.comparisons.place;
        if others
            .iter()
            .any(|other| other.qualifier == place.qualifier)
        {
            return None;
        }
        let mut parts = Vec::new();
        place::conjuncts(select.selection.as_ref()?, &mut parts);
        parts.into_iter().find_map(|part| {
            let Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } = part
            else {
                return None;
            };
            [(left, right), (right, left)]
                .into_iter()
                .find_map(|(own, other)| {
                    let Expr::CompoundIdentifier(_) = &**own else {
                        return None;
                    };
                    let column = self.comparisons.column(own)?;
                    let other = column_of(&others, is_alone, other)?;
                    self.key(column, &other)
                })
        })
    }
}

/// The one SELECT of a query, and what stands in its FROM.
fn plain_select<'q>(query: &'q Query, named: &Named<'_>) -> Option<(&'q Select, FromClause<'q>)> {
    let SetExpr::Select(select) = &*query.body else {
        return None;
    };
    if query.with.is_some() || select.into.is_some() {
        return None;
    }
    let mut from = FromClause::default();
    for table in &select.from {
        from.walk(table, named);
    }
    let is_understood = !from.is_odd() && !from.has_found();
    is_understood.then_some((select, from))
}

/// Whether a query without groups gives a row where its WHERE lets one through, and only there:
/// `SELECT count(*)` gives one always.
fn makes_one_row_of_each(query: &Query, select: &Select) -> bool {
    let is_constant = |item: &SelectItem| match item {
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => matches!(
            expr,
            Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_)
        ),
        SelectItem::ExprWithAliases { .. } => false,
    };
    let has_groups = match &select.group_by {
        sqlparser::ast::GroupByExpr::All(_) => true,
        sqlparser::ast::GroupByExpr::Expressions(expressions, modifiers) => {
            !expressions.is_empty() || !modifiers.is_empty()
        }
    };
    !has_groups
        && select.having.is_none()
        && select.qualify.is_none()
        && query.pipe_operators.is_empty()
        && select.projection.iter().all(is_constant)
}

/// The column that a name of two or three parts means in one FROM; `None`: none of it. What has the
/// name and is not known says so by its kind.
fn find<'o>(others: &'o [Other<'o>], parts: &[Ident]) -> Option<OtherColumn<'o>> {
    let (other, name) = match parts {
        [qualifier, name] => {
            let qualifier = folded(qualifier);
            let mut others = others.iter();
            (others.find(|other| other.qualifier == qualifier)?, name)
        }
        [schema, table, name] => {
            let (schema, table) = (folded(schema), folded(table));
            let is_it = |other: &&Other<'_>| match &other.kind {
                OtherKind::Relation {
                    schema: Some(own),
                    name,
                    is_aliased: false,
                } => *own == schema && *name == table,
                _ => false,
            };
            (others.iter().find(is_it)?, name)
        }
        _ => return None,
    };
    Some(OtherColumn {
        other,
        name: folded(name),
    })
}

/// The same, where a name without a qualifier means the only relation there is.
fn column_of<'o>(
    others: &'o [Other<'o>],
    is_alone: bool,
    expression: &Expr,
) -> Option<OtherColumn<'o>> {
    match (expression, others) {
        (Expr::Nested(inner), _) => column_of(others, is_alone, inner),
        (Expr::Identifier(name), [other]) if is_alone => Some(OtherColumn {
            other,
            name: folded(name),
        }),
        (Expr::CompoundIdentifier(parts), _) => find(others, parts),
        _ => None,
    }
}
