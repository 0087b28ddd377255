//! Tables of which only rows are read that have a partner in another relation.
//!
//! Owns the order in which tables are read, and the way of a relation's values into the conditions of
//! another's. Promises that values come only of a relation that holds already what the statement will
//! see of it, and that PostgreSQL's own plan has that very relation by the name in the text. Where
//! anything is in doubt the table is read without.

use crate::catalog::Table;
use crate::engine::{
    Dressing, EngineFault, EngineLink, Possessions, Relation, Relations, distinct_texts,
};
use crate::scan::conditions::{JoinKey, Needed};
use crate::scan::{Condition, KeysOf, Scan, takes_keys};

/// The schema of temporary tables, as plans name it; older ones with a number behind it.
const TEMPORARY: &str = "pg_temp";
const NUMBERED: &str = "pg_temp_";

/// Values that are asked for, and the same where constants narrow the table already: then all that they
/// leave may be less.
const VALUES_MAX: usize = 100_000;
const NARROWED_VALUES_MAX: usize = 10_000;

/// What a statement reads, and where.
pub(super) struct Sources<'a> {
    pub(super) relations: &'a Relations,
    pub(super) has: &'a Possessions,
    pub(super) dressing: &'a Dressing,
}

/// A relation of values.
pub(super) enum Source<'a> {
    /// It is there with all its rows.
    Temporary(&'a Relation),
    /// A table of the gateway's, once it is filled.
    OfCdf(&'a Relation, &'static Table),
}

impl<'a> Sources<'a> {
    /// The relation that a key is of; `None`: that is not known for sure.
    pub(super) fn of(&self, key: &JoinKey) -> Option<Source<'a>> {
        // Behind views and functions a plan may have relations that the text does not name.
        if self.has.have_views() || self.has.have_routines() || self.has.may_read_unseen() {
            return None;
        }
        let is_it = |relation: &&Relation| {
            let is_in = |schema: &str| {
                schema == relation.schema || schema == TEMPORARY && is_temporary(relation)
            };
            relation.name == key.relation && key.schema.as_deref().is_none_or(is_in)
        };
        let mut found = self.relations.read.iter().filter(is_it);
        let (relation, None) = (found.next()?, found.next()) else {
            return None;
        };
        if is_temporary(relation) {
            return Some(Source::Temporary(relation));
        }
        let is_hidden = key.schema.is_none() && self.has.has_relation(&relation.name);
        let table = self.dressing.table(&relation.schema, &relation.name)?;
        (!is_hidden).then_some(Source::OfCdf(relation, table))
    }

    /// Which of the tables that wait is read next: one that waits for no other, or the one of which
    /// CDF is asked for the least.
    pub(super) fn next(&self, waiting: &[(&'static Table, Needed)]) -> Option<usize> {
        let waits = |table: &'static Table, needed: &Needed| {
            needed.keys.iter().any(|key| match self.of(key) {
                Some(Source::OfCdf(_, source)) => {
                    let mut others = waiting.iter().map(|(other, _)| *other);
                    !std::ptr::eq(source, table) && others.any(|other| std::ptr::eq(other, source))
                }
                _ => false,
            })
        };
        let rank = |(table, needed): &(&'static Table, Needed)| {
            let is_narrow = self.is_narrow(table, needed);
            (!waits(table, needed), is_narrow)
        };
        let mut best: Option<(usize, (bool, bool))> = None;
        for (place, waiting) in waiting.iter().enumerate() {
            let rank = rank(waiting);
            if best.is_none_or(|(_, before)| rank > before) {
                best = Some((place, rank));
            }
        }
        best.map(|(place, _)| place)
    }

    fn is_narrow(&self, table: &'static Table, needed: &Needed) -> bool {
        let has_temporary = needed.keys.iter().any(|key| {
            takes_keys(table, key.column) && matches!(self.of(key), Some(Source::Temporary(_)))
        });
        has_temporary || is_narrowed(table, needed)
    }

    /// Reads the values of keys and makes conditions of them. Returns what EXPLAIN says of them.
    /// `filled`: the tables whose rows are there; the others are waited for in vain.
    ///
    /// # Errors
    /// `Broken` when the engine is gone.
    pub(super) async fn resolve(
        &self,
        link: &mut EngineLink,
        table: &'static Table,
        needed: &mut Needed,
        filled: &[&'static Table],
    ) -> Result<Vec<KeysOf>, EngineFault> {
        let values_max = match is_narrowed(table, needed) {
            true => NARROWED_VALUES_MAX,
            false => VALUES_MAX,
        };
        let mut resolved: Vec<KeysOf> = Vec::new();
        for key in std::mem::take(&mut needed.keys) {
            let of = |values| KeysOf {
                column: key.column,
                relation: key.relation.clone(),
                key: key.key.clone(),
                values,
            };
            let is_known = |known: &KeysOf| {
                (known.column, &known.relation, &known.key) == (key.column, &key.relation, &key.key)
            };
            if !takes_keys(table, key.column) || resolved.iter().any(is_known) {
                continue;
            }
            let (relation, is_users) = match self.of(&key) {
                Some(Source::Temporary(relation)) => (relation, true),
                Some(Source::OfCdf(relation, source))
                    if filled.iter().any(|filled| std::ptr::eq(*filled, source)) =>
                {
                    (relation, false)
                }
                _ => continue,
            };
            let compared = table.columns[key.column].column_type;
            if is_users {
                // What the user made is the user's to read, as the statement will.
                let as_user = link.powers().as_user();
                link.run(&as_user).await?;
            }
            let values = distinct_texts(link, relation, &key.key, compared, values_max).await?;
            if is_users {
                let as_owner = link.powers().as_owner();
                link.run(as_owner).await?;
            }
            let Some(values) = values else {
                continue;
            };
            let count = values.len();
            needed.conditions.push(Condition::OneOf {
                column: key.column,
                values,
            });
            let scan = Scan {
                conditions: needed.conditions.clone(),
                ..Scan::of(table, 1)
            };
            // Of more values than CDF takes all rows are read.
            match scan.plan().takes(needed.conditions.len() - 1) {
                true => resolved.push(of(Some(count))),
                false => {
                    needed.conditions.pop();
                }
            }
        }
        Ok(resolved)
    }

    /// What EXPLAIN says of keys that come of tables of CDF, which it does not read.
    pub(super) fn foreseen(&self, table: &'static Table, needed: &Needed) -> Vec<KeysOf> {
        let of_cdf = needed.keys.iter().filter(|key| {
            takes_keys(table, key.column) && matches!(self.of(key), Some(Source::OfCdf(..)))
        });
        of_cdf
            .map(|key| KeysOf {
                column: key.column,
                relation: key.relation.clone(),
                key: key.key.clone(),
                values: None,
            })
            .collect()
    }
}

/// Whether CDF is asked for a part of the table only.
fn is_narrowed(table: &'static Table, needed: &Needed) -> bool {
    let scan = Scan {
        conditions: needed.conditions.clone(),
        ..Scan::of(table, 1)
    };
    scan.plan().filter.is_some()
}

fn is_temporary(relation: &Relation) -> bool {
    relation.schema == TEMPORARY || relation.schema.starts_with(NUMBERED)
}
