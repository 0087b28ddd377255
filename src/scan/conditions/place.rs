//! Where a statement reads a table, and what it asks of the rows there.
//!
//! Owns the walk to the FROM in which the table stands. Promises only expressions of which each
//! must be true of a row for that row to count: those of WHERE, of inner joins, and of outer joins
//! that leave the table's row out where they are not true. Never looks into them.

use super::from::FromClause;
use super::merged::insertions;
use super::others::Other;
use super::{Named, folded};
use sqlparser::ast::{
    self, CopySource, Expr, FromTable, Merge, MergeClauseKind, MergeInsertExpr, ObjectName, Query,
    Select, SetExpr, Statement, TableFactor, TableObject, TableWithJoins, UpdateTableFromKind,
};

/// The place of a table in a statement.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// What must be true, each perhaps an AND of more.
    pub required: Vec<&'a Expr>,
    /// The name that columns go by.
    pub qualifier: String,
    /// The qualifier is an alias: the table's own name is hidden.
    pub is_aliased: bool,
    /// It is the only one in its FROM: columns need no qualifier.
    pub is_alone: bool,
    /// Outer joins may put a row of NULLs in a row's place.
    pub has_outer_join: bool,
    /// The query that the table stands in, if that is a SELECT.
    pub select: Option<(&'a Query, &'a Select)>,
    /// What else its conditions may name: what stands in its own FROM, then what stands in those
    /// around it, as far as they are seen from there.
    pub scopes: Vec<Vec<Other<'a>>>,
    /// Columns that it has in common with one of the others by USING.
    pub using: Vec<(String, usize)>,
    /// Nothing further out is seen.
    pub is_closed: bool,
    /// Rows of the table that a MERGE makes.
    pub inserted: Vec<&'a MergeInsertExpr>,
}

/// Where the statement reads the table; `None`: nowhere that is understood.
pub(super) fn find<'a>(statement: &'a Statement, named: &Named<'_>) -> Option<Place<'a>> {
    match statement {
        Statement::Query(query) => in_query(query, named),
        Statement::Explain { statement, .. } => find(statement, named),
        Statement::Insert(insert) => in_query(insert.source.as_deref()?, named),
        Statement::CreateTable(table) => in_query(table.query.as_deref()?, named),
        Statement::Declare { stmts } => stmts
            .iter()
            .filter_map(|declared| declared.for_query.as_deref())
            .find_map(|query| in_query(query, named)),
        Statement::Copy {
            source: CopySource::Query(query),
            to: true,
            ..
        } => in_query(query, named),
        Statement::Update(update) => {
            let others: &[TableWithJoins] = match &update.from {
                None => &[],
                Some(UpdateTableFromKind::AfterSet(from)) => from,
                Some(UpdateTableFromKind::BeforeSet(_)) => return None,
            };
            in_change(&update.table, others, update.selection.as_ref(), named)
        }
        Statement::Delete(delete) => {
            let FromTable::WithFromKeyword(from) = &delete.from else {
                return None;
            };
            let [target] = from.as_slice() else {
                return None;
            };
            let others = delete.using.as_deref().unwrap_or_default();
            in_change(target, others, delete.selection.as_ref(), named)
        }
        Statement::Merge(merge) => in_merge(merge, named),
        _ => None,
    }
}

/// Whether it is an INSERT into the table.
pub(super) fn inserts_into(statement: &Statement, named: &Named<'_>) -> bool {
    match statement {
        Statement::Insert(insert) => match &insert.table {
            TableObject::TableName(name) => is_named(name, named),
            _ => false,
        },
        Statement::Explain { statement, .. } => inserts_into(statement, named),
        _ => false,
    }
}

/// The table as that which an UPDATE or DELETE changes, or one that is read beside it.
fn in_change<'a>(
    target: &'a TableWithJoins,
    others: &'a [TableWithJoins],
    selection: Option<&'a Expr>,
    named: &Named<'_>,
) -> Option<Place<'a>> {
    let mut from = FromClause::default();
    from.walk(target, named);
    for other in others {
        from.walk(other, named);
    }
    match from.has_found() {
        true => from.place(selection, None),
        false => within(in_subquery(selection?, named), from),
    }
}

/// The table as that which a MERGE changes. Its rows without a row of the source count for nothing,
/// unless the statement says what becomes of them.
fn in_merge<'a>(merge: &'a Merge, named: &Named<'_>) -> Option<Place<'a>> {
    let is_whole = merge
        .clauses
        .iter()
        .any(|clause| clause.clause_kind == MergeClauseKind::NotMatchedBySource);
    let mut from = FromClause::default();
    from.factor(&merge.table, named);
    if is_whole || !from.has_found() {
        return None;
    }
    from.factor(&merge.source, named);
    let place = from.place(Some(&merge.on), None)?;
    Some(Place {
        has_outer_join: true,
        inserted: insertions(merge),
        ..place
    })
}

/// A place in a subquery of which `from` is around.
fn within<'a>(place: Option<Place<'a>>, from: FromClause<'a>) -> Option<Place<'a>> {
    let mut place = place?;
    if !place.is_closed {
        place.scopes.push(from.into_others());
    }
    Some(place)
}

/// A place that is not seen from where the names around it are.
fn closed(place: Option<Place<'_>>) -> Option<Place<'_>> {
    place.map(|place| Place {
        is_closed: true,
        ..place
    })
}

fn in_query<'a>(query: &'a Query, named: &Named<'_>) -> Option<Place<'a>> {
    let with = query.with.iter().flat_map(|with| &with.cte_tables);
    for cte in with {
        if let Some(place) = closed(in_query(&cte.query, named)) {
            return Some(place);
        }
    }
    in_set(&query.body, query, named)
}

fn in_set<'a>(body: &'a SetExpr, query: &'a Query, named: &Named<'_>) -> Option<Place<'a>> {
    match body {
        SetExpr::Select(select) => {
            // The LIMIT of a UNION is not that of its parts.
            let is_whole = std::ptr::eq(&*query.body, body);
            in_select(select, is_whole.then_some(query), named)
        }
        SetExpr::Query(query) => in_query(query, named),
        SetExpr::SetOperation { left, right, .. } => {
            in_set(left, query, named).or_else(|| in_set(right, query, named))
        }
        SetExpr::Insert(statement)
        | SetExpr::Update(statement)
        | SetExpr::Delete(statement)
        | SetExpr::Merge(statement) => find(statement, named),
        SetExpr::Values(_) | SetExpr::Table(_) => None,
    }
}

fn in_select<'a>(
    select: &'a Select,
    query: Option<&'a Query>,
    named: &Named<'_>,
) -> Option<Place<'a>> {
    let mut from = FromClause::default();
    for table in &select.from {
        from.walk(table, named);
    }
    if from.has_found() {
        let query = query.map(|query| (query, select));
        return from.place(select.selection.as_ref(), query);
    }
    let derived = select
        .from
        .iter()
        .find_map(|table| closed(in_derived(table, named)));
    derived.or_else(|| within(in_subquery(select.selection.as_ref()?, named), from))
}

/// The table within a subquery that stands in FROM.
fn in_derived<'a>(table: &'a TableWithJoins, named: &Named<'_>) -> Option<Place<'a>> {
    let factors =
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation));
    for factor in factors {
        let place = match factor {
            TableFactor::Derived {
                subquery,
                sample: None,
                ..
            } => in_query(subquery, named),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => in_derived(table_with_joins, named),
            _ => None,
        };
        if place.is_some() {
            return place;
        }
    }
    None
}

/// The table within a subquery that stands in a condition.
fn in_subquery<'a>(condition: &'a Expr, named: &Named<'_>) -> Option<Place<'a>> {
    match condition {
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => in_subquery(inner, named),
        Expr::BinaryOp { left, right, .. } => {
            in_subquery(left, named).or_else(|| in_subquery(right, named))
        }
        Expr::Exists { subquery, .. } | Expr::Subquery(subquery) => in_query(subquery, named),
        Expr::InSubquery { subquery, .. } => in_query(subquery, named),
        _ => None,
    }
}

/// Whether a name in FROM is that of the table.
pub(super) fn is_named(name: &ObjectName, named: &Named<'_>) -> bool {
    let parts: Option<Vec<String>> = name
        .0
        .iter()
        .map(|part| part.as_ident().map(folded))
        .collect();
    match parts.as_deref() {
        Some([table]) => table == named.name,
        Some([schema, table] | [_, schema, table]) => table == named.name && schema == named.schema,
        _ => false,
    }
}

/// The parts of a condition that must all be true.
pub(super) fn conjuncts<'a>(condition: &'a Expr, parts: &mut Vec<&'a Expr>) {
    match condition {
        Expr::Nested(inner) => conjuncts(inner, parts),
        Expr::BinaryOp {
            left,
            op: ast::BinaryOperator::And,
            right,
        } => {
            conjuncts(left, parts);
            conjuncts(right, parts);
        }
        other => parts.push(other),
    }
}
