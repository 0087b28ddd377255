//! What stands in one FROM.
//!
//! Owns the walk through its joins. Promises to tell the conditions that a row of the table must meet
//! from those of joins that keep it, or put NULLs in its place. Never leaves the FROM for a subquery.

use super::others::Other;
use super::place::{Place, is_named};
use super::{Named, folded};
use sqlparser::ast::{
    Expr, JoinConstraint, JoinOperator, ObjectName, Query, Select, TableFactor, TableWithJoins,
};

/// What is in a FROM.
#[derive(Default)]
pub(super) struct FromClause<'a> {
    /// The table's qualifier, and whether it is an alias.
    found: Option<(String, bool)>,
    /// All else that has a name.
    others: Vec<Other<'a>>,
    relations: usize,
    required: Vec<&'a Expr>,
    using: Vec<(String, usize)>,
    has_outer_join: bool,
    /// There is something whose meaning is not known here.
    is_odd: bool,
}

impl<'a> FromClause<'a> {
    /// Whether the table stands here.
    pub(super) fn has_found(&self) -> bool {
        self.found.is_some()
    }

    /// How many relations there are.
    pub(super) fn relations(&self) -> usize {
        self.relations
    }

    /// Whether there is something whose meaning is not known.
    pub(super) fn is_odd(&self) -> bool {
        self.is_odd
    }

    pub(super) fn into_others(self) -> Vec<Other<'a>> {
        self.others
    }

    pub(super) fn walk(&mut self, table: &'a TableWithJoins, named: &Named<'_>) {
        let was_before = self.has_found();
        let (relations, others) = (self.relations, self.others.len());
        self.factor(&table.relation, named);
        for join in &table.joins {
            let is_left = self.has_found() && !was_before;
            let left = (self.relations - relations, others);
            self.factor(&join.relation, named);
            let is_right = self.has_found() && !was_before && !is_left;
            match &join.join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::CrossJoin(constraint) => {
                    if let JoinConstraint::On(condition) = constraint {
                        self.required.push(condition);
                    }
                    self.share(constraint, left, is_left, is_right);
                }
                // A row of the table that has no partner here is in no row of the result.
                JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => {
                    self.has_outer_join = true;
                    if is_right {
                        self.require(constraint);
                        self.share(constraint, left, false, true);
                    }
                }
                JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
                    self.has_outer_join = true;
                    if is_left {
                        self.require(constraint);
                        self.share(constraint, left, true, false);
                    }
                }
                JoinOperator::FullOuter(_) => self.has_outer_join = true,
                _ => self.is_odd = true,
            }
        }
    }

    fn require(&mut self, constraint: &'a JoinConstraint) {
        if let JoinConstraint::On(condition) = constraint {
            self.required.push(condition);
        }
    }

    /// Notes the columns of a USING between the table and one other relation. `left`: how many
    /// relations the left side has, and where its others begin.
    fn share(
        &mut self,
        constraint: &JoinConstraint,
        left: (usize, usize),
        is_left: bool,
        is_right: bool,
    ) {
        let (relations, others) = left;
        let JoinConstraint::Using(columns) = constraint else {
            return;
        };
        let has_one_each = relations == 1 && self.others.len() == others + 1;
        if !has_one_each || !(is_left || is_right) {
            return;
        }
        for column in columns {
            if let [part] = column.0.as_slice()
                && let Some(name) = part.as_ident()
            {
                self.using.push((folded(name), others));
            }
        }
    }

    pub(super) fn factor(&mut self, factor: &'a TableFactor, named: &Named<'_>) {
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
                    self.others.push(Other::of_table(name, alias.as_ref()));
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
                table_with_joins,
                alias: Some(alias),
            } => {
                let before = self.found.take();
                let others = self.others.len();
                self.walk(table_with_joins, named);
                // Its names are hidden by that of the join.
                self.is_odd |= self.found.is_some();
                self.found = before.or(self.found.take());
                self.others.truncate(others);
                self.using.retain(|(_, other)| *other < others);
                self.others.push(Other::unknown(folded(&alias.name)));
            }
            TableFactor::Derived {
                subquery, alias, ..
            } => {
                self.relations += 1;
                self.others.extend(
                    alias
                        .as_ref()
                        .map(|alias| Other::of_derived(subquery, alias)),
                );
            }
            // A function that gives rows.
            TableFactor::Table {
                args: Some(_),
                name,
                alias,
                ..
            } => {
                self.relations += 1;
                self.others.push(Other::of_function(name, alias.as_ref()));
            }
            TableFactor::Function { name, alias, .. } => {
                self.relations += 1;
                self.others.push(Other::of_function(name, alias.as_ref()));
            }
            TableFactor::TableFunction { alias, .. } | TableFactor::UNNEST { alias, .. } => {
                self.relations += 1;
                let name = alias.as_ref().map(|alias| folded(&alias.name));
                self.others.push(Other::unknown(name.unwrap_or_default()));
            }
            // A table that is sampled, or something that PostgreSQL does not have.
            _ => {
                self.relations += 1;
                self.is_odd = true;
            }
        }
    }

    pub(super) fn place(
        self,
        selection: Option<&'a Expr>,
        select: Option<(&'a Query, &'a Select)>,
    ) -> Option<Place<'a>> {
        let (qualifier, is_aliased) = self.found?;
        if self.is_odd {
            return None;
        }
        Some(Place {
            required: selection.into_iter().chain(self.required).collect(),
            qualifier,
            is_aliased,
            is_alone: self.relations == 1,
            has_outer_join: self.has_outer_join,
            select,
            scopes: vec![self.others],
            using: self.using,
            is_closed: false,
            inserted: Vec::new(),
        })
    }
}

/// The last part of a name.
pub(super) fn last_part(name: &ObjectName) -> String {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.map(folded).unwrap_or_default()
}
