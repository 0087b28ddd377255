//! From a parsed query to a plan: SELECT lists, WHERE, ORDER BY, WITH.
//!
//! Owns which clauses the session's answers may have. Promises that every clause of the parsed
//! query was looked at: one that is not understood sends the query down the cold road. Never
//! evaluates anything.

use super::expression::Expression;
use super::plan::{Output, Plan, Source};
use super::scope::{Planned, Scope, Unplanned};
use super::select_list::{is_grouped, order_keys};
use super::typed::{self, Known, Typed, UNKNOWN, bring_to, common_type};
use crate::catalog::Namespace;
use sqlparser::ast::{self, Spanned};

/// A named query of WITH.
pub(super) struct NamedQuery {
    pub name: String,
    pub plan: Plan,
}

/// Expressions and queries that may stand one within the other.
const DEPTH_MAX: usize = 60;

/// State while one statement is planned.
pub(super) struct Planner<'q> {
    pub text: &'q str,
    pub known: Known<'q>,
    pub with: Vec<NamedQuery>,
    /// Databases that three-part names start with.
    pub databases: Vec<String>,
    /// Expressions and queries within which the one stands that is being planned.
    pub depth: usize,
}

impl<'q> Planner<'q> {
    /// A planner for a statement whose parameters have the declared types, 0 where open.
    pub fn new(text: &'q str, declared: &[u32], namespace: &'q Namespace) -> Self {
        Planner {
            text,
            known: Known {
                parameters: declared.to_vec(),
                namespace,
            },
            with: Vec::new(),
            databases: Vec::new(),
            depth: 0,
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

    /// Plans what stands within something else. A chain of a thousand operators is no question of a
    /// driver's, and takes more stack than there is.
    pub fn within<T>(
        &mut self,
        plan: impl FnOnce(&mut Self) -> Result<T, Unplanned>,
    ) -> Result<T, Unplanned> {
        if self.depth >= DEPTH_MAX {
            return Err(Unplanned::Cold);
        }
        self.depth += 1;
        let planned = plan(self);
        self.depth -= 1;
        planned
    }

    /// Plans a query; names that are not its own are looked up in the query around it.
    pub fn query(&mut self, query: &ast::Query, around: Option<&Scope>) -> Result<Plan, Unplanned> {
        self.within(|planner| planner.query_within(query, around))
    }

    fn query_within(
        &mut self,
        query: &ast::Query,
        around: Option<&Scope>,
    ) -> Result<Plan, Unplanned> {
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
            .settle(typed::INT8, &mut self.known)?;
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
                row.push(bring_to(item, type_oid, &mut self.known)?.expression);
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
            .settle(typed::BOOL, &mut self.known)?;
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
