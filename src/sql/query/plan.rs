//! What a query does, and doing it.
//!
//! Owns scanning, joining, filtering, ordering. Promises bounds on the rows that a query may
//! touch, and that rows of the gateway's tables are never made up: a scan of one is refused
//! unless the query can have no rows. Never looks at SQL text.

use super::expression::{Evaluation, Expression, truth};
use super::system::{self, SystemRelation};
use super::value::{Row, Value, compare, integer_of, key_of};
use crate::catalog::{Namespace, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};

/// Rows between two steps of a query, at most.
const ROWS_MAX: usize = 100_000;

/// Pairs of rows that a join without a key looks at, at most.
const PAIRS_MAX: usize = 2_000_000;

/// A column of the result.
#[derive(Clone, Debug)]
pub(super) struct Output {
    pub name: String,
    pub expression: Expression,
    pub type_oid: u32,
    pub type_modifier: i32,
    /// The table's OID and the column's number, where the value is that column's.
    pub origin: Option<(u32, i16)>,
}

/// A key of ORDER BY.
#[derive(Clone, Debug)]
pub(super) struct OrderKey {
    pub expression: Expression,
    pub descending: bool,
    pub nulls_first: bool,
}

/// A query.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub outputs: Vec<Output>,
    pub source: Source,
    /// Conditions that must all be true.
    pub filter: Vec<Expression>,
    pub distinct: bool,
    pub order: Vec<OrderKey>,
    pub limit: Option<Expression>,
    pub offset: Option<Expression>,
}

/// Where rows come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// One row without columns: a SELECT without FROM.
    Nothing,
    System(&'static SystemRelation, Namespace),
    /// Name, value and description of every setting, as they are when the query begins.
    Settings,
    Gateway(&'static Table),
    Derived(Box<Plan>),
    Values(Vec<Vec<Expression>>),
    Join(Box<Join>),
}

/// Two sources side by side; the right one's columns follow the left one's.
#[derive(Clone, Debug)]
pub(super) struct Join {
    pub left: Source,
    pub right: Source,
    pub right_width: usize,
    /// Whether a left row without a partner stays.
    pub outer: bool,
    /// An expression of the left row and one of the right row (its columns from 0) that must be
    /// equal.
    pub key: Option<(Expression, Expression)>,
    pub on: Vec<Expression>,
}

impl Plan {
    /// The rows, inside the row of an outer query.
    ///
    /// # Errors
    /// 0A000 for rows of the gateway's tables, 54000 past the bounds, and those of expressions.
    pub fn rows(
        &self,
        evaluation: &mut Evaluation<'_, '_>,
        outer: &[Value],
    ) -> Result<Vec<Row>, Box<Diagnostic>> {
        let limit = count(self.limit.as_ref(), "LIMIT", evaluation)?.unwrap_or(usize::MAX);
        let offset = count(self.offset.as_ref(), "OFFSET", evaluation)?.unwrap_or(0);
        if limit == 0 {
            return Ok(Vec::new());
        }
        for condition in self
            .filter
            .iter()
            .filter(|condition| condition.is_constant())
        {
            if truth(condition.evaluate(evaluation, &[], outer)?) != Some(true) {
                return Ok(Vec::new());
            }
        }
        let mut found: Vec<(Vec<Value>, Row)> = Vec::new();
        let mut seen = HashSet::new();
        'rows: for row in self.source.rows(evaluation, outer)? {
            for condition in &self.filter {
                if truth(condition.evaluate(evaluation, &row, outer)?) != Some(true) {
                    continue 'rows;
                }
            }
            let mut values = Vec::with_capacity(self.outputs.len());
            for output in &self.outputs {
                values.push(output.expression.evaluate(evaluation, &row, outer)?);
            }
            if self.distinct && !seen.insert(values.iter().map(key_of).collect::<Vec<_>>()) {
                continue;
            }
            let mut keys = Vec::with_capacity(self.order.len());
            for key in &self.order {
                keys.push(key.expression.evaluate(evaluation, &row, outer)?);
            }
            found.push((keys, values));
        }
        if !self.order.is_empty() {
            found.sort_by(|(left, _), (right, _)| order_of(&self.order, left, right));
        }
        Ok(found
            .into_iter()
            .map(|(_, row)| row)
            .skip(offset)
            .take(limit)
            .collect())
    }
}

fn order_of(order: &[OrderKey], left: &[Value], right: &[Value]) -> Ordering {
    for ((key, left), right) in order.iter().zip(left).zip(right) {
        let ordering = match (left, right) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) if key.nulls_first => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) if key.nulls_first => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(left), Some(right)) => {
                let ordering = compare(left, right).unwrap_or(Ordering::Equal);
                if key.descending {
                    ordering.reverse()
                } else {
                    ordering
                }
            }
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    Ordering::Equal
}

/// The number behind LIMIT or OFFSET; NULL is no limit.
fn count(
    expression: Option<&Expression>,
    clause: &str,
    evaluation: &mut Evaluation<'_, '_>,
) -> Result<Option<usize>, Box<Diagnostic>> {
    let Some(expression) = expression else {
        return Ok(None);
    };
    let Some(cell) = expression.evaluate(evaluation, &[], &[])? else {
        return Ok(None);
    };
    match integer_of(&cell).map(usize::try_from) {
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(Box::new(Diagnostic::error(
            SqlState::INVALID_PARAMETER_VALUE,
            format!("{clause} must not be negative"),
        ))),
        None => Err(Box::new(Diagnostic::error(
            SqlState::DATATYPE_MISMATCH,
            format!("argument of {clause} must be type bigint"),
        ))),
    }
}

impl Source {
    /// Adds the names of the system relations that rows come from.
    pub fn name_system_relations(&self, names: &mut Vec<&'static str>) {
        match self {
            Source::System(relation, _) => names.push(relation.name),
            Source::Derived(plan) => plan.source.name_system_relations(names),
            Source::Join(join) => {
                join.left.name_system_relations(names);
                join.right.name_system_relations(names);
            }
            Source::Nothing | Source::Settings | Source::Gateway(_) | Source::Values(_) => {}
        }
    }

    fn rows(
        &self,
        evaluation: &mut Evaluation<'_, '_>,
        outer: &[Value],
    ) -> Result<Vec<Row>, Box<Diagnostic>> {
        match self {
            Source::Nothing => Ok(vec![Vec::new()]),
            Source::System(relation, namespace) => Ok((relation.rows)(namespace)),
            Source::Settings => Ok(system::setting_rows(&evaluation.context.settings.all())),
            Source::Gateway(table) => Err(no_reading(table)),
            Source::Derived(plan) => plan.rows(evaluation, &[]),
            Source::Values(rows) => {
                let mut values = Vec::with_capacity(rows.len());
                for row in rows {
                    let mut cells = Vec::with_capacity(row.len());
                    for expression in row {
                        cells.push(expression.evaluate(evaluation, &[], outer)?);
                    }
                    values.push(cells);
                }
                Ok(values)
            }
            Source::Join(join) => join.rows(evaluation, outer),
        }
    }
}

impl Join {
    fn rows(
        &self,
        evaluation: &mut Evaluation<'_, '_>,
        outer: &[Value],
    ) -> Result<Vec<Row>, Box<Diagnostic>> {
        let left_rows = self.left.rows(evaluation, outer)?;
        let right_rows = self.right.rows(evaluation, outer)?;
        let every: Vec<usize> = (0..right_rows.len()).collect();
        let index = match &self.key {
            Some((_, right_key)) => {
                let mut index: HashMap<String, Vec<usize>> = HashMap::new();
                for (place, row) in right_rows.iter().enumerate() {
                    if let Some(key) = key_of(&right_key.evaluate(evaluation, row, outer)?) {
                        index.entry(key).or_default().push(place);
                    }
                }
                Some(index)
            }
            None if left_rows.len().saturating_mul(right_rows.len()) > PAIRS_MAX => {
                return Err(too_large());
            }
            None => None,
        };
        let mut joined = Vec::new();
        for left in left_rows {
            let partners = match (&self.key, &index) {
                (Some((left_key, _)), Some(index)) => {
                    match key_of(&left_key.evaluate(evaluation, &left, outer)?) {
                        Some(key) => index.get(&key).map_or(&[][..], Vec::as_slice),
                        None => &[],
                    }
                }
                _ => every.as_slice(),
            };
            let mut alone = true;
            'partners: for &partner in partners {
                let mut row = left.clone();
                row.extend(right_rows[partner].iter().cloned());
                for condition in &self.on {
                    if truth(condition.evaluate(evaluation, &row, outer)?) != Some(true) {
                        continue 'partners;
                    }
                }
                alone = false;
                joined.push(row);
            }
            if alone && self.outer {
                let mut row = left;
                row.extend(std::iter::repeat_n(None, self.right_width));
                joined.push(row);
            }
            if joined.len() > ROWS_MAX {
                return Err(too_large());
            }
        }
        Ok(joined)
    }
}

fn too_large() -> Box<Diagnostic> {
    Box::new(Diagnostic::error(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        "the query looks at too many rows",
    ))
}

fn no_reading(table: &Table) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("reading rows of \"{}\" is not supported", table.name),
        )
        .with_table(table.name)
        .with_hint("Rows can be written with COPY and INSERT; read them with CDF's API."),
    )
}
