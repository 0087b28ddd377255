//! What a scan asks of CDF.
//!
//! Owns the order for a scan and its plan. Promises that a condition counts as taken exactly only
//! where CDF leaves out every other row, and that a limit is used only where all are. Never does
//! I/O: a plan may be shown without running it.

use super::condition::{Bound, Condition};
use super::source::Source;
use super::sources;
use crate::catalog::{ColumnType, Table};
use serde_json::{Map, Value, json};
use std::fmt;

/// Which rows are wanted.
#[derive(Clone, Debug)]
pub struct Scan {
    pub table: &'static Table,
    /// A row must meet all of them.
    pub conditions: Vec<Condition>,
    /// Which of them are values of other relations, for EXPLAIN.
    pub keys: Vec<KeysOf>,
    /// So many rows are enough, if all conditions are taken exactly; which ones is open.
    pub limit: Option<u64>,
    /// More rows than these are a fault.
    pub rows_max: u64,
}

/// A condition that comes of the rows of another relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysOf {
    pub column: usize,
    pub relation: String,
    /// Its column there.
    pub key: String,
    /// How many values it has; `None`: that is known when it runs.
    pub values: Option<usize>,
}

impl KeysOf {
    fn in_words(&self, table: &Table) -> String {
        let KeysOf { relation, key, .. } = self;
        let name = table.columns[self.column].name;
        let count = match self.values {
            Some(1) => "1 value".to_owned(),
            Some(values) => format!("{values} values"),
            None => "read first".to_owned(),
        };
        format!("Keys of {relation}: {name} = {relation}.{key} ({count})")
    }
}

/// Columns by which CDF narrows what is read of a table, where they are compared with constants.
pub(super) fn narrowing_columns(table: &'static Table) -> Vec<&'static str> {
    let narrows = |condition: Condition| {
        let scan = Scan {
            conditions: vec![condition],
            ..Scan::of(table, 1)
        };
        let plan = scan.plan();
        plan.conditions.iter().any(|one| one.taken != Taken::No)
    };
    let columns = table.columns.iter().enumerate();
    columns
        .filter(|(place, column)| {
            let column = (*place, column.column_type);
            comparisons(column).into_iter().any(narrows)
        })
        .map(|(_, column)| column.name)
        .collect()
}

/// Comparisons of a column of that type with constants, one of each kind.
fn comparisons((column, column_type): (usize, ColumnType)) -> Vec<Condition> {
    let value = match column_type {
        ColumnType::BigInt => "7",
        ColumnType::Bool => "true",
        ColumnType::TimestampTz => "2026-01-01 00:00:00+00",
        _ => "value",
    };
    let range = Condition::Range {
        column,
        from: Some(Bound::inclusive(value)),
        to: None,
    };
    let mut comparisons = vec![Condition::equals(column, value), range];
    if matches!(column_type, ColumnType::Text | ColumnType::Varchar(_)) {
        let text = value.to_owned();
        comparisons.push(Condition::Prefix { column, text });
    }
    comparisons
}

/// Whether CDF takes many values of that column at once, and gives the rows that have one of them.
pub fn takes_keys(table: &'static Table, column: usize) -> bool {
    let values = ["1".to_owned(), "2".to_owned()].into();
    let scan = Scan {
        conditions: vec![Condition::OneOf { column, values }],
        ..Scan::of(table, 1)
    };
    let is_text_or_number = matches!(
        table.columns[column].column_type,
        ColumnType::Text | ColumnType::Varchar(_) | ColumnType::BigInt
    );
    let plan = scan.plan();
    is_text_or_number && plan.operation.is_some() && plan.takes(0)
}

/// What CDF does with a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It leaves out every row that does not meet it.
    Exactly,
    /// It leaves out some of them.
    Loosely,
    /// It never hears of it.
    No,
}

/// A condition and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedCondition {
    pub condition: Condition,
    pub taken: Taken,
}

/// What a scan does, for EXPLAIN.
#[derive(Clone, Debug)]
pub struct ScanPlan {
    pub table: &'static Table,
    /// The first call: `POST /assets/list`. Nothing where no row can meet the conditions.
    pub operation: Option<String>,
    /// What narrows it, as CDF's JSON.
    pub filter: Option<Value>,
    /// The limit, where it is used.
    pub limit: Option<u64>,
    /// Items that a page has at most.
    pub page_size: usize,
    /// Parts of the list that are read beside each other.
    pub partitions: usize,
    pub conditions: Vec<PlannedCondition>,
    pub keys: Vec<KeysOf>,
}

/// A plan and the stretches that carry it out.
pub(super) struct Planned {
    pub plan: ScanPlan,
    pub sources: Vec<Box<dyn Source>>,
}

/// What the reading of a table makes of the conditions.
pub(super) struct Reading {
    pub sources: Vec<Box<dyn Source>>,
    pub operation: String,
    pub filter: Option<Value>,
    /// Per condition.
    pub taken: Vec<Taken>,
}

impl Scan {
    /// All rows of a table, up to `rows_max`.
    pub fn of(table: &'static Table, rows_max: u64) -> Self {
        Scan {
            table,
            conditions: Vec::new(),
            keys: Vec::new(),
            limit: None,
            rows_max,
        }
    }

    /// What will be asked of CDF.
    pub fn plan(&self) -> ScanPlan {
        planned(self).plan
    }
}

/// Plans a scan.
pub(super) fn planned(scan: &Scan) -> Planned {
    let can_be = |condition: &Condition| match condition {
        Condition::OneOf { values, .. } => !values.is_empty(),
        _ => true,
    };
    let reading = match scan.conditions.iter().all(can_be) {
        true => sources::reading(scan.table, &scan.conditions),
        false => Reading {
            sources: Vec::new(),
            operation: String::new(),
            filter: None,
            taken: vec![Taken::Exactly; scan.conditions.len()],
        },
    };
    let all_exact = reading.taken.iter().all(|taken| *taken == Taken::Exactly);
    let limit = scan.limit.filter(|_| all_exact);
    let page_size = reading
        .sources
        .iter()
        .map(|source| source.page_max())
        .max()
        .unwrap_or(0);
    let plan = ScanPlan {
        table: scan.table,
        operation: (!reading.sources.is_empty()).then_some(reading.operation),
        filter: reading.filter,
        limit,
        page_size,
        partitions: reading.sources.len(),
        conditions: scan
            .conditions
            .iter()
            .cloned()
            .zip(reading.taken)
            .map(|(condition, taken)| PlannedCondition { condition, taken })
            .collect(),
        keys: scan.keys.clone(),
    };
    Planned {
        plan,
        sources: reading.sources,
    }
}

impl ScanPlan {
    /// Whether CDF leaves out every row that does not meet that condition.
    pub fn takes(&self, condition: usize) -> bool {
        let planned = self.conditions.get(condition);
        planned.is_some_and(|planned| planned.taken == Taken::Exactly)
    }

    /// The same for programs, with the names that EXPLAIN's JSON has for such things.
    pub fn to_json(&self) -> Map<String, Value> {
        let conditions = |taken: Taken| -> Vec<String> { self.conditions_of(taken).collect() };
        let members = [
            ("Schema", Some(json!(self.table.schema))),
            ("Relation Name", Some(json!(self.table.name))),
            ("CDF Operation", Some(json!(self.operation))),
            ("CDF Filter", self.filter.clone()),
            (
                "Filter, in part by CDF",
                Some(json!(conditions(Taken::Loosely))),
            ),
            ("Filter, after reading", Some(json!(conditions(Taken::No)))),
            (
                "Keys",
                (!self.keys.is_empty()).then(|| {
                    self.keys
                        .iter()
                        .map(|keys| json!(keys.in_words(self.table)))
                        .collect()
                }),
            ),
            ("CDF Limit", self.limit.map(|limit| json!(limit))),
            ("Page Size", Some(json!(self.page_size))),
            ("Partitions", Some(json!(self.partitions))),
        ];
        (members.into_iter())
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }

    /// The conditions that CDF takes so, in words.
    fn conditions_of(&self, taken: Taken) -> impl Iterator<Item = String> {
        let planned = self.conditions.iter();
        planned
            .filter(move |planned| planned.taken == taken)
            .map(|planned| {
                let column = &self.table.columns[planned.condition.column()];
                planned.condition.in_words(column.name)
            })
    }
}

impl fmt::Display for ScanPlan {
    /// Lines as EXPLAIN has them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.table.full_name();
        let Some(operation) = &self.operation else {
            return write!(
                formatter,
                "CDF Scan on {name}: no row can meet the conditions"
            );
        };
        write!(formatter, "CDF Scan on {name}: {operation}")?;
        if let Some(filter) = &self.filter {
            write!(formatter, "\n  CDF Filter: {filter}")?;
        }
        for (taken, label) in [
            (Taken::Loosely, "Filter, in part by CDF"),
            (Taken::No, "Filter, after reading"),
        ] {
            for condition in self.conditions_of(taken) {
                write!(formatter, "\n  {label}: {condition}")?;
            }
        }
        for keys in &self.keys {
            write!(formatter, "\n  {}", keys.in_words(self.table))?;
        }
        if let Some(limit) = self.limit {
            write!(formatter, "\n  CDF Limit: {limit}")?;
        }
        write!(formatter, "\n  Page Size: {}", self.page_size)?;
        if self.partitions > 1 {
            write!(formatter, "\n  Partitions: {}", self.partitions)?;
        }
        Ok(())
    }
}
