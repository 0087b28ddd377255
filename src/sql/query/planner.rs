//! From a parsed query to a plan: SELECT lists, WHERE, ORDER BY, WITH.
//!
//! Owns which clauses the session's answers may have. Promises that every clause of the parsed
//! query was looked at: one that is not understood sends the query down the cold road. Never
//! evaluates anything.

use super::expression::Expression;
use super::plan::{OrderKey, Output, Plan, Source};
use super::scope::{Planned, Scope, ScopeColumn, Unplanned};
use super::typed::{self, Typed, UNKNOWN, bring_to, common_type};
use sqlparser::ast::{self, Spanned};

/// A named query of WITH.
pub(super) struct NamedQuery {
    pub name: String,
    pub plan: Plan,
}

/// State while one statement is planned.
pub(super) struct Planner<'q> {
    pub text: &'q str,
    /// OIDs; 0 where nothing told yet.
    pub parameters: Vec<u32>,
    pub with: Vec<NamedQuery>,
    /// Databases that three-part names start with.
    pub databases: Vec<String>,
}

impl<'q> Planner<'q> {
    /// A planner for a statement whose parameters have the declared types, 0 where open.
    pub fn new(text: &'q str, declared: &[u32]) -> Self {
        Planner {
            text,
            parameters: declared.to_vec(),
            with: Vec::new(),
            databases: Vec::new(),
        }
    }

    /// The character position of a piece of the query, from 1.
    pub fn position_of(&self, piece: &impl Spanned) -> Option<u32> {
        let start = piece.span().start;
        if start.line == 0 {
            return None;
        }
        let lines_before = usize::try_from(start.line - 1).ok()?;
        let before: usize = self
            .text
            .split_inclusive('\n')
            .take(lines_before)
            .map(|line| line.chars().count())
            .sum();
        u32::try_from(before)
            .ok()?
            .checked_add(u32::try_from(start.column).ok()?)
    }

    /// Plans a query; names that are not its own are looked up in the query around it.
    pub fn query(&mut self, query: &ast::Query, around: Option<&Scope>) -> Result<Plan, Unplanned> {
        let ast::Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        if fetch.is_some()
            || !locks.is_empty()
            || for_clause.is_some()
            || settings.is_some()
            || format_clause.is_some()
            || !pipe_operators.is_empty()
        {
            return Err(Unplanned::Cold);
        }
        let named_before = self.with.len();
        if let Some(with) = with {
            self.with(with)?;
        }
        let order = order_keys(order_by.as_ref())?;
        let mut plan = match body.as_ref() {
            ast::SetExpr::Select(select) => self.select(select, &order, around)?,
            ast::SetExpr::Values(values) if order.is_empty() => self.values(values, around)?,
            ast::SetExpr::Query(inner) if order.is_empty() => {
                let inner = self.query(inner, around)?;
                derived(inner)
            }
            _ => return Err(Unplanned::Cold),
        };
        if let Some(clause) = limit_clause {
            let ast::LimitClause::LimitOffset {
                limit,
                offset,
                limit_by,
            } = clause
            else {
                return Err(Unplanned::Cold);
            };
            if !limit_by.is_empty() {
                return Err(Unplanned::Cold);
            }
            plan.limit = limit.as_ref().map(|limit| self.count(limit)).transpose()?;
            plan.offset = offset
                .as_ref()
                .map(|offset| self.count(&offset.value))
                .transpose()?;
        }
        self.with.truncate(named_before);
        Ok(plan)
    }

    fn with(&mut self, with: &ast::With) -> Result<(), Unplanned> {
        let ast::With {
            with_token: _,
            recursive: false,
            cte_tables,
        } = with
        else {
            return Err(Unplanned::Cold);
        };
        for table in cte_tables {
            if table.from.is_some() || !table.alias.columns.is_empty() || table.alias.at.is_some() {
                return Err(Unplanned::Cold);
            }
            let plan = self.query(&table.query, None)?;
            self.with.push(NamedQuery {
                name: folded(&table.alias.name),
                plan,
            });
        }
        Ok(())
    }

    /// A number of rows.
    fn count(&mut self, expression: &ast::Expr) -> Result<Expression, Unplanned> {
        let typed = self
            .expression(expression, &Scope::empty(), None)?
            .settle(typed::INT8, &mut self.parameters)?;
        Ok(typed.expression)
    }

    fn select(
        &mut self,
        select: &ast::Select,
        order: &[&ast::OrderByExpr],
        around: Option<&Scope>,
    ) -> Result<Plan, Unplanned> {
        let ast::Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        if !optimizer_hints.is_empty()
            || select_modifiers.is_some()
            || top.is_some()
            || exclude.is_some()
            || into.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || having.is_some()
            || !named_window.is_empty()
            || qualify.is_some()
            || value_table_mode.is_some()
            || *flavor != ast::SelectFlavor::Standard
        {
            return Err(Unplanned::Cold);
        }
        let Planned { source, scope } = self.from(from)?;
        let mut filter = Vec::new();
        if let Some(condition) = selection {
            let condition = self.condition(condition, &scope, around)?;
            split_conditions(condition, &mut filter);
        }
        let outputs = self.outputs(projection, &scope, around)?;
        let grouped = is_grouped(group_by, projection)?;
        let distinct = match distinct {
            None | Some(ast::Distinct::All) => grouped,
            Some(ast::Distinct::Distinct) => true,
            Some(ast::Distinct::On(_)) => return Err(Unplanned::Cold),
        };
        let mut keys = Vec::with_capacity(order.len());
        for key in order {
            keys.push(self.order_key(key, &outputs, &scope, around)?);
        }
        Ok(Plan {
            outputs,
            source,
            filter,
            distinct,
            order: keys,
            limit: None,
            offset: None,
        })
    }

    /// The columns of the SELECT list.
    fn outputs(
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
            typed.settle_as_text(&mut self.parameters)?
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

    fn order_key(
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

    /// `VALUES (…), (…)`: columns column1, column2, …
    pub fn values(
        &mut self,
        values: &ast::Values,
        around: Option<&Scope>,
    ) -> Result<Plan, Unplanned> {
        let ast::Values {
            explicit_row: false,
            value_keyword: false,
            rows,
        } = values
        else {
            return Err(Unplanned::Cold);
        };
        let width = rows.first().map_or(0, |row| row.content.len());
        let mut columns: Vec<Vec<Typed>> = vec![Vec::new(); width];
        for row in rows {
            if row.content.len() != width {
                return Err(Unplanned::Cold);
            }
            for (column, expression) in columns.iter_mut().zip(&row.content) {
                column.push(self.expression(expression, &Scope::empty(), around)?);
            }
        }
        let mut planned = vec![Vec::with_capacity(width); rows.len()];
        let mut outputs = Vec::with_capacity(width);
        for (place, column) in columns.into_iter().enumerate() {
            let type_oid = match common_type(&column)? {
                UNKNOWN => typed::TEXT,
                known => known,
            };
            outputs.push(Output {
                name: format!("column{}", place + 1),
                expression: Expression::Column(place),
                type_oid,
                type_modifier: -1,
                origin: None,
            });
            for (row, item) in planned.iter_mut().zip(column) {
                row.push(bring_to(item, type_oid, &mut self.parameters)?.expression);
            }
        }
        Ok(Plan {
            outputs,
            source: Source::Values(planned),
            filter: Vec::new(),
            distinct: false,
            order: Vec::new(),
            limit: None,
            offset: None,
        })
    }

    /// A condition; a constant of no type is a boolean there.
    pub fn condition(
        &mut self,
        expression: &ast::Expr,
        scope: &Scope,
        around: Option<&Scope>,
    ) -> Result<Expression, Unplanned> {
        let typed = self
            .expression(expression, scope, around)?
            .settle(typed::BOOL, &mut self.parameters)?;
        if typed.type_oid == typed::BOOL {
            Ok(typed.expression)
        } else {
            Err(Unplanned::Cold)
        }
    }
}

/// A whole query as the source of another.
fn derived(plan: Plan) -> Plan {
    let outputs = plan
        .outputs
        .iter()
        .enumerate()
        .map(|(place, output)| Output {
            expression: Expression::Column(place),
            ..output.clone()
        })
        .collect();
    Plan {
        outputs,
        source: Source::Derived(Box::new(plan)),
        filter: Vec::new(),
        distinct: false,
        order: Vec::new(),
        limit: None,
        offset: None,
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

fn order_keys(order_by: Option<&ast::OrderBy>) -> Result<Vec<&ast::OrderByExpr>, Unplanned> {
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
fn is_grouped(
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

/// `a AND b AND c` as a list.
pub(super) fn split_conditions(condition: Expression, into: &mut Vec<Expression>) {
    match condition {
        Expression::And(left, right) => {
            split_conditions(*left, into);
            split_conditions(*right, into);
        }
        other => into.push(other),
    }
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

/// An identifier as PostgreSQL folds it.
pub(super) fn folded(name: &ast::Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_ascii_lowercase(),
    }
}

/// The parts of a dotted name.
pub(super) fn name_parts(name: &ast::ObjectName) -> Result<Vec<String>, Unplanned> {
    name.0
        .iter()
        .map(|part| match part {
            ast::ObjectNamePart::Identifier(name) => Ok(folded(name)),
            ast::ObjectNamePart::Function(_) => Err(Unplanned::Cold),
        })
        .collect()
}
