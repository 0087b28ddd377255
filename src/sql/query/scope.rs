//! The names that an expression may use.
//!
//! Owns finding a column by its name, alone or behind a relation's. Promises PostgreSQL's errors
//! for names of the gateway's tables; a name of a system relation that is not known here sends
//! the query down the cold road. Never evaluates.

use super::plan::Source;
use crate::diagnostic::{Diagnostic, SqlState};

/// Why a query is not planned.
#[derive(Debug)]
pub(super) enum Unplanned {
    /// It is not for the session to answer.
    Cold,
    /// It is wrong.
    Wrong(Box<Diagnostic>),
}

impl From<Box<Diagnostic>> for Unplanned {
    fn from(diagnostic: Box<Diagnostic>) -> Self {
        Unplanned::Wrong(diagnostic)
    }
}

/// A column that can be named.
#[derive(Clone, Debug)]
pub(super) struct ScopeColumn {
    /// The alias or name of its relation; empty: none.
    pub relation: String,
    /// The schema, unless an alias hides it.
    pub schema: Option<&'static str>,
    pub name: String,
    pub type_oid: u32,
    pub type_modifier: i32,
    pub origin: Option<(u32, i16)>,
}

/// The columns of a FROM clause, in the order of its rows.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub columns: Vec<ScopeColumn>,
    /// Whether each column that PostgreSQL would find is listed.
    pub whole: bool,
}

/// A planned FROM clause.
pub(super) struct Planned {
    pub source: Source,
    pub scope: Scope,
}

/// Where a name was found.
pub(super) enum Found<'s> {
    Here(usize, &'s ScopeColumn),
    Around(usize, &'s ScopeColumn),
}

impl Scope {
    /// Of a query without FROM.
    pub fn empty() -> Self {
        Scope {
            columns: Vec::new(),
            whole: true,
        }
    }

    fn places(&self, schema: Option<&str>, relation: Option<&str>, name: &str) -> Vec<usize> {
        self.columns
            .iter()
            .enumerate()
            .filter(|(_, column)| {
                column.name == name
                    && relation.is_none_or(|relation| column.relation == relation)
                    && schema.is_none_or(|schema| column.schema == Some(schema))
            })
            .map(|(place, _)| place)
            .collect()
    }

    /// Whether a relation is called so: its name alone is a row of it.
    fn has_relation(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.relation == name)
    }

    /// Columns of one relation, for `relation.*`.
    pub fn of_relation(&self, relation: &str) -> Vec<usize> {
        self.columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.relation == relation)
            .map(|(place, _)| place)
            .collect()
    }
}

/// Finds `[schema.][relation.]name` in a scope, or else in the one around it.
///
/// # Errors
/// 42703. Ambiguous names are cold, as are whole rows and unknown ones of system relations.
pub(super) fn find<'s>(
    scope: &'s Scope,
    around: Option<&'s Scope>,
    parts: &[String],
    position: Option<u32>,
) -> Result<Found<'s>, Unplanned> {
    let (schema, relation, name) = match parts {
        [name] => (None, None, name),
        [relation, name] => (None, Some(relation.as_str()), name),
        [schema, relation, name] => (Some(schema.as_str()), Some(relation.as_str()), name),
        _ => return Err(Unplanned::Cold),
    };
    match scope.places(schema, relation, name).as_slice() {
        [place] => return Ok(Found::Here(*place, &scope.columns[*place])),
        [] => {}
        _ => return Err(Unplanned::Cold),
    }
    if let Some(around) = around {
        match around.places(schema, relation, name).as_slice() {
            [place] => return Ok(Found::Around(*place, &around.columns[*place])),
            [] => {}
            _ => return Err(Unplanned::Cold),
        }
    }
    if !scope.whole || around.is_some_and(|around| !around.whole) {
        return Err(Unplanned::Cold);
    }
    let is_row = scope.has_relation(name) || around.is_some_and(|around| around.has_relation(name));
    if is_row {
        return Err(Unplanned::Cold);
    }
    let shown = match relation {
        Some(relation) => format!("{relation}.{name}"),
        None => format!("\"{name}\""),
    };
    let mut diagnostic = Diagnostic::error(
        SqlState::UNDEFINED_COLUMN,
        format!("column {shown} does not exist"),
    );
    diagnostic.position = position;
    Err(Unplanned::Wrong(Box::new(diagnostic)))
}
