//! Planning of FROM: relations, joins, subqueries, functions.
//!
//! Owns which relations there are and what joins do. Promises that `pg_proc` is only reached
//! through the types whose functions it lists, and 42P01 for tables that do not exist. Never
//! scans.

use super::expression::{Comparison, Expression};
use super::plan::{Join, Output, Plan, Source};
use super::planner::{Planner, folded, name_parts, split_conditions};
use super::scope::{Planned, Scope, ScopeColumn, Unplanned};
use super::system;
use super::typed::TEXT;
use crate::catalog::{Namespace, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use sqlparser::ast;

impl Planner<'_> {
    /// A FROM clause; several items are a cross join.
    pub fn from(&mut self, items: &[ast::TableWithJoins]) -> Result<Planned, Unplanned> {
        let mut planned: Option<Planned> = None;
        for item in items {
            let next = self.with_joins(item)?;
            planned = Some(match planned {
                None => next,
                Some(left) => self.join(left, next, false, None)?,
            });
        }
        let planned = planned.unwrap_or_else(|| Planned {
            source: Source::Nothing,
            scope: Scope::empty(),
        });
        check_reach_of_left(&planned.source)?;
        Ok(planned)
    }

    fn with_joins(&mut self, item: &ast::TableWithJoins) -> Result<Planned, Unplanned> {
        let mut planned = self.factor(&item.relation)?;
        for join in &item.joins {
            if join.global {
                return Err(Unplanned::Cold);
            }
            let right = self.factor(&join.relation)?;
            let (outer, constraint) = match &join.join_operator {
                ast::JoinOperator::Join(constraint) | ast::JoinOperator::Inner(constraint) => {
                    (false, constraint)
                }
                ast::JoinOperator::Left(constraint) | ast::JoinOperator::LeftOuter(constraint) => {
                    (true, constraint)
                }
                ast::JoinOperator::CrossJoin(constraint) => (false, constraint),
                _ => return Err(Unplanned::Cold),
            };
            let on = match constraint {
                ast::JoinConstraint::On(condition) => Some(condition),
                ast::JoinConstraint::None => None,
                ast::JoinConstraint::Using(_) | ast::JoinConstraint::Natural => {
                    return Err(Unplanned::Cold);
                }
            };
            planned = self.join(planned, right, outer, on)?;
        }
        Ok(planned)
    }

    fn join(
        &mut self,
        left: Planned,
        right: Planned,
        outer: bool,
        on: Option<&ast::Expr>,
    ) -> Result<Planned, Unplanned> {
        let left_width = left.scope.columns.len();
        let right_width = right.scope.columns.len();
        let mut columns = left.scope.columns;
        columns.extend(right.scope.columns);
        let scope = Scope {
            columns,
            whole: left.scope.whole && right.scope.whole,
        };
        let mut conditions = Vec::new();
        if let Some(on) = on {
            let condition = self.condition(on, &scope, None)?;
            split_conditions(condition, &mut conditions);
        }
        let key = take_key(&mut conditions, left_width);
        check_reach(&right.source, key.as_ref(), &scope, left_width)?;
        check_reach_of_left(&left.source)?;
        Ok(Planned {
            source: Source::Join(Box::new(Join {
                left: left.source,
                right: right.source,
                right_width,
                outer,
                key,
                on: conditions,
            })),
            scope,
        })
    }

    fn factor(&mut self, factor: &ast::TableFactor) -> Result<Planned, Unplanned> {
        match factor {
            ast::TableFactor::Table {
                name,
                alias,
                args,
                with_hints,
                version: None,
                with_ordinality: false,
                partitions,
                json_path: None,
                sample: None,
                index_hints,
            } if with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty() => {
                let planned = match args {
                    None => self.relation(name)?,
                    Some(args) => self.function_rows(name, args)?,
                };
                aliased(planned, alias.as_ref())
            }
            ast::TableFactor::Derived {
                lateral: false,
                subquery,
                alias,
                sample: None,
            } => {
                let plan = self.query(subquery, None)?;
                aliased(subquery_rows("", plan), alias.as_ref())
            }
            ast::TableFactor::NestedJoin {
                table_with_joins,
                alias: None,
            } => self.with_joins(table_with_joins),
            _ => Err(Unplanned::Cold),
        }
    }

    fn relation(&mut self, name: &ast::ObjectName) -> Result<Planned, Unplanned> {
        let parts = name_parts(name)?;
        if let [name] = parts.as_slice()
            && let Some(named) = self.with.iter().rev().find(|named| named.name == *name)
        {
            return Ok(subquery_rows(name, named.plan.clone()));
        }
        let (schema, relation_name) = match parts.as_slice() {
            [name] => (None, name.as_str()),
            [schema, name] => (Some(schema.as_str()), name.as_str()),
            [database, schema, name] => {
                self.databases.push(database.clone());
                (Some(schema.as_str()), name.as_str())
            }
            _ => return Err(Unplanned::Cold),
        };
        if schema.is_none_or(|schema| schema == "pg_catalog")
            && let Some(relation) = system::find(relation_name)
        {
            return Ok(system_rows(relation, self.known.namespace));
        }
        // The rest of the system's relations exist, only not here.
        if schema.is_some_and(|schema| matches!(schema, "pg_catalog" | "information_schema"))
            || (schema.is_none() && relation_name.starts_with("pg_"))
        {
            return Err(Unplanned::Cold);
        }
        match self.known.namespace.table(schema, relation_name) {
            Ok(table) => Ok(table_rows(table)),
            Err(mut diagnostic) => {
                diagnostic.position = self.position_of(name);
                Err(Unplanned::Wrong(diagnostic))
            }
        }
    }

    /// `FROM current_schema()`: a function as a table of one row.
    fn function_rows(
        &mut self,
        name: &ast::ObjectName,
        args: &ast::TableFunctionArgs,
    ) -> Result<Planned, Unplanned> {
        if args.settings.is_some() {
            return Err(Unplanned::Cold);
        }
        let parts = name_parts(name)?;
        if args.args.is_empty() && is_of_all_settings(&parts) {
            return Ok(setting_rows());
        }
        let mut arguments = Vec::new();
        for argument in &args.args {
            match argument {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expression)) => {
                    arguments.push(self.expression(expression, &Scope::empty(), None)?);
                }
                _ => return Err(Unplanned::Cold),
            }
        }
        let call = self.call(&parts, arguments)?;
        let name = parts.last().cloned().unwrap_or_default();
        Ok(Planned {
            source: Source::Values(vec![vec![call.expression]]),
            scope: Scope {
                columns: vec![ScopeColumn {
                    relation: name.clone(),
                    schema: None,
                    name,
                    type_oid: call.type_oid,
                    type_modifier: -1,
                    origin: None,
                }],
                whole: true,
            },
        })
    }
}

fn system_rows(relation: &'static system::SystemRelation, namespace: &Namespace) -> Planned {
    let columns = relation
        .columns
        .iter()
        .map(|(name, type_oid)| ScopeColumn {
            relation: relation.name.to_owned(),
            schema: Some("pg_catalog"),
            name: (*name).to_owned(),
            type_oid: *type_oid,
            type_modifier: -1,
            origin: None,
        })
        .collect();
    Planned {
        source: Source::System(relation, namespace.clone()),
        scope: Scope {
            columns,
            whole: relation.whole,
        },
    }
}

/// pgAdmin changes one setting for each row of this function that has its name.
const ALL_SETTINGS: &str = "pg_show_all_settings";

fn is_of_all_settings(parts: &[String]) -> bool {
    match parts {
        [name] => name == ALL_SETTINGS,
        [schema, name] => schema == "pg_catalog" && name == ALL_SETTINGS,
        _ => false,
    }
}

fn setting_rows() -> Planned {
    let columns = system::SETTING_COLUMNS.map(|name| ScopeColumn {
        relation: ALL_SETTINGS.to_owned(),
        schema: None,
        name: name.to_owned(),
        type_oid: TEXT,
        type_modifier: -1,
        origin: None,
    });
    Planned {
        source: Source::Settings,
        scope: Scope {
            columns: columns.into(),
            // PostgreSQL's has more columns.
            whole: false,
        },
    }
}

fn table_rows(table: &'static Table) -> Planned {
    let columns = table
        .columns
        .iter()
        .zip(1_i16..)
        .map(|(column, number)| ScopeColumn {
            relation: table.name.to_owned(),
            schema: Some(table.schema),
            name: column.name.to_owned(),
            type_oid: column.column_type.oid(),
            type_modifier: column.column_type.type_modifier(),
            origin: Some((table.oid, number)),
        })
        .collect();
    Planned {
        source: Source::Gateway(table),
        scope: Scope {
            columns,
            whole: true,
        },
    }
}

fn subquery_rows(relation: &str, plan: Plan) -> Planned {
    let columns = plan
        .outputs
        .iter()
        .map(|output: &Output| ScopeColumn {
            relation: relation.to_owned(),
            schema: None,
            name: output.name.clone(),
            type_oid: output.type_oid,
            type_modifier: output.type_modifier,
            origin: output.origin,
        })
        .collect();
    Planned {
        source: Source::Derived(Box::new(plan)),
        scope: Scope {
            columns,
            whole: true,
        },
    }
}

/// Gives a relation, and perhaps its columns, another name.
fn aliased(mut planned: Planned, alias: Option<&ast::TableAlias>) -> Result<Planned, Unplanned> {
    let Some(alias) = alias else {
        return Ok(planned);
    };
    let ast::TableAlias {
        explicit: _,
        name,
        columns,
        at: None,
    } = alias
    else {
        return Err(Unplanned::Cold);
    };
    let name = folded(name);
    if columns.len() > planned.scope.columns.len() {
        return Err(Unplanned::Cold);
    }
    // A function's only column takes the alias's name.
    let is_function = matches!(planned.source, Source::Values(_)) && columns.is_empty();
    for column in &mut planned.scope.columns {
        if is_function {
            column.name.clone_from(&name);
        }
        column.relation.clone_from(&name);
        column.schema = None;
    }
    for (column, alias) in planned.scope.columns.iter_mut().zip(columns) {
        if alias.data_type.is_some() {
            return Err(Unplanned::Cold);
        }
        column.name = folded(&alias.name);
    }
    Ok(planned)
}

/// Takes an equality between both sides out of the conditions, to join by.
fn take_key(
    conditions: &mut Vec<Expression>,
    left_width: usize,
) -> Option<(Expression, Expression)> {
    let side = |expression: &Expression| match expression {
        Expression::Column(place) => Some(*place < left_width),
        _ => None,
    };
    let place = conditions.iter().position(|condition| {
        matches!(
            condition,
            Expression::Compare(Comparison::Equal, left, right)
                if matches!((side(left), side(right)), (Some(first), Some(second)) if first != second)
        )
    })?;
    let Expression::Compare(_, left, right) = conditions.remove(place) else {
        return None;
    };
    let (left, right) = if side(&left) == Some(true) {
        (*left, *right)
    } else {
        (*right, *left)
    };
    match right {
        Expression::Column(place) => Some((left, Expression::Column(place - left_width))),
        _ => None,
    }
}

/// Refuses to scan a relation that only tells a part, except by the OIDs it knows.
fn check_reach(
    right: &Source,
    key: Option<&(Expression, Expression)>,
    scope: &Scope,
    left_width: usize,
) -> Result<(), Unplanned> {
    let Source::System(relation, _) = right else {
        return check_reach_of_left(right);
    };
    let Some(through) = relation.only_through else {
        return Ok(());
    };
    if let Some((Expression::Column(left), Expression::Column(right))) = key
        && scope.columns[left_width + right].name == "oid"
        && through.contains(&scope.columns[*left].name.as_str())
    {
        return Ok(());
    }
    Err(Unplanned::Cold)
}

/// The same for what stands first in FROM, where nothing leads to it.
fn check_reach_of_left(source: &Source) -> Result<(), Unplanned> {
    match source {
        Source::System(relation, _) if relation.only_through.is_some() => Err(Unplanned::Cold),
        _ => Ok(()),
    }
}

/// 0A000 for a table of another database.
pub(super) fn other_database(named: &str) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::FEATURE_NOT_SUPPORTED,
        format!("cross-database references are not implemented: \"{named}\""),
    ))
}
