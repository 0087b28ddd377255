//! Where a statement reads a table, and what it asks of the rows there.
//!
//! Owns the walk to the FROM in which the table stands. Promises only expressions of which each
//! must be true of a row for that row to count: those of WHERE and of inner joins. Never looks
//! into them.

use super::{Named, folded};
use sqlparser::ast::{
    self, CopySource, Expr, FromTable, JoinConstraint, JoinOperator, ObjectName, Query, Select,
    SetExpr, Statement, TableFactor, TableWithJoins, UpdateTableFromKind,
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
}

/// What is in a FROM.
#[derive(Default)]
struct FromClause<'a> {
    /// The qualifier, and whether it is an alias.
    found: Option<(String, bool)>,
    relations: usize,
    on: Vec<&'a Expr>,
    has_outer_join: bool,
    /// There is something whose meaning is not known here.
    is_odd: bool,
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
        _ => None,
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
    from.place(selection, None)
}

fn in_query<'a>(query: &'a Query, named: &Named<'_>) -> Option<Place<'a>> {
    let with = query.with.iter().flat_map(|with| &with.cte_tables);
    for cte in with {
        if let Some(place) = in_query(&cte.query, named) {
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
        SetExpr::Insert(statement) | SetExpr::Update(statement) | SetExpr::Delete(statement) => {
            find(statement, named)
        }
        SetExpr::Values(_) | SetExpr::Merge(_) | SetExpr::Table(_) => None,
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
    if from.found.is_some() {
        let query = query.map(|query| (query, select));
        return from.place(select.selection.as_ref(), query);
    }
    let derived = select
        .from
        .iter()
        .find_map(|table| in_derived(table, named));
    derived.or_else(|| in_subquery(select.selection.as_ref()?, named))
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

impl<'a> FromClause<'a> {
    fn walk(&mut self, table: &'a TableWithJoins, named: &Named<'_>) {
        self.factor(&table.relation, named);
        for join in &table.joins {
            self.factor(&join.relation, named);
            match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::CrossJoin(constraint) => {
                    if let JoinConstraint::On(condition) = constraint {
                        self.on.push(condition);
                    }
                }
                JoinOperator::Left(_)
                | JoinOperator::LeftOuter(_)
                | JoinOperator::Right(_)
                | JoinOperator::RightOuter(_)
                | JoinOperator::FullOuter(_) => self.has_outer_join = true,
                _ => self.is_odd = true,
            }
        }
    }

    fn factor(&mut self, factor: &'a TableFactor, named: &Named<'_>) {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                self.relations += 1;
                if !is_named(name, named) {
                    return;
                }
                match alias {
                    // Columns have other names.
                    Some(alias) if !alias.columns.is_empty() || alias.at.is_some() => {
                        self.is_odd = true;
                    }
                    Some(alias) => self.found = Some((folded(&alias.name), true)),
                    None => self.found = Some((named.name.to_owned(), false)),
                }
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.walk(table_with_joins, named),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => {
                let before = self.found.take();
                self.walk(table_with_joins, named);
                // Its names are hidden by that of the join.
                self.is_odd |= self.found.is_some();
                self.found = before.or(self.found.take());
            }
            TableFactor::Derived { .. }
            // A function that gives rows.
            | TableFactor::Table { args: Some(_), .. }
            | TableFactor::Function { .. }
            | TableFactor::TableFunction { .. }
            | TableFactor::UNNEST { .. } => self.relations += 1,
            // A table that is sampled, or something that PostgreSQL does not have.
            _ => {
                self.relations += 1;
                self.is_odd = true;
            }
        }
    }

    fn place(
        self,
        selection: Option<&'a Expr>,
        select: Option<(&'a Query, &'a Select)>,
    ) -> Option<Place<'a>> {
        let (qualifier, is_aliased) = self.found?;
        if self.is_odd {
            return None;
        }
        Some(Place {
            required: selection.into_iter().chain(self.on).collect(),
            qualifier,
            is_aliased,
            is_alone: self.relations == 1,
            has_outer_join: self.has_outer_join,
            select,
        })
    }
}

/// Whether a name in FROM is that of the table.
fn is_named(name: &ObjectName, named: &Named<'_>) -> bool {
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
