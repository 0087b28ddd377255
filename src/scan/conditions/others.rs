//! What stands beside a table, and what its columns are.
//!
//! Owns the names that conditions of a statement may go by. Promises that a name means what PostgreSQL
//! takes it for, or nothing: what hides another is noted, also where its columns are not known.

use super::folded;
use super::from::last_part;
use sqlparser::ast::{Expr, ObjectName, Parens, Query, SetExpr, TableAlias};

/// Something with a name in a FROM.
#[derive(Debug)]
pub(super) struct Other<'a> {
    /// The name that its columns go by.
    pub qualifier: String,
    pub kind: OtherKind<'a>,
}

/// What it is.
#[derive(Debug)]
pub(super) enum OtherKind<'a> {
    /// A relation by that name, or a CTE.
    Relation {
        schema: Option<String>,
        name: String,
        is_aliased: bool,
    },
    /// Rows that the statement lists, and the names of their columns.
    Values {
        rows: &'a [Parens<Vec<Expr>>],
        columns: Vec<String>,
    },
    Unknown,
}

impl<'a> Other<'a> {
    pub(super) fn of_table(name: &ObjectName, alias: Option<&TableAlias>) -> Self {
        let parts: Option<Vec<String>> = name
            .0
            .iter()
            .map(|part| part.as_ident().map(folded))
            .collect();
        let qualifier = alias.map_or_else(|| last_part(name), |alias| folded(&alias.name));
        // Columns may have other names.
        let is_plain = alias.is_none_or(|alias| alias.columns.is_empty() && alias.at.is_none());
        let kind = match parts.as_deref() {
            Some([name]) if is_plain => OtherKind::Relation {
                schema: None,
                name: name.clone(),
                is_aliased: alias.is_some(),
            },
            Some([schema, name]) if is_plain => OtherKind::Relation {
                schema: Some(schema.clone()),
                name: name.clone(),
                is_aliased: alias.is_some(),
            },
            _ => OtherKind::Unknown,
        };
        Other { qualifier, kind }
    }

    pub(super) fn of_derived(subquery: &'a Query, alias: &TableAlias) -> Self {
        let is_plain = subquery.with.is_none()
            && subquery.limit_clause.is_none()
            && subquery.fetch.is_none()
            && alias.at.is_none();
        let kind = match &*subquery.body {
            SetExpr::Values(values) if is_plain && !alias.columns.is_empty() => OtherKind::Values {
                rows: &values.rows,
                columns: alias.columns.iter().map(|one| folded(&one.name)).collect(),
            },
            _ => OtherKind::Unknown,
        };
        Other {
            qualifier: folded(&alias.name),
            kind,
        }
    }

    pub(super) fn of_function(name: &ObjectName, alias: Option<&TableAlias>) -> Self {
        let own = || last_part(name);
        Other::unknown(alias.map_or_else(own, |alias| folded(&alias.name)))
    }

    pub(super) fn unknown(qualifier: String) -> Self {
        Other {
            qualifier,
            kind: OtherKind::Unknown,
        }
    }
}
