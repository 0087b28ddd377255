//! The ways in which tables are read.
//!
//! Owns which way a table goes. Promises that every table of the catalog has one. One file says
//! how one kind of things is read.

mod by_ids;
mod instances;
mod objects;
mod points;
mod raw;
mod raw_cells;
mod raw_names;
mod runs;
mod schemas;
mod sequence_rows;
mod series;

pub use raw_cells::raw_cell;

use super::condition::Condition;
use super::plan::{Reading, Taken};
use crate::catalog::{CreateBody, Resource, RowShape, Table};

/// Parts of a list that are read beside each other, where CDF has parts.
const PARTITIONS: usize = 4;

/// How a table is read under these conditions.
pub(super) fn reading(table: &'static Table, conditions: &[Condition]) -> Reading {
    match (table.shape, table.resource) {
        (RowShape::DoubleDatapoints | RowShape::StringDatapoints, _) => {
            series::reading(table, conditions)
        }
        (RowShape::RawRows, _) => raw_names::reading(table, conditions),
        (RowShape::RawColumns(raw), _) => raw::reading(table, raw, conditions),
        (RowShape::Objects, Resource::RawTables) => raw_names::reading(table, conditions),
        (RowShape::Objects, Resource::SequenceRows) => sequence_rows::reading(table, conditions),
        (RowShape::Objects, Resource::ExtractionPipelineRuns) => runs::reading(table, conditions),
        (RowShape::Objects, Resource::Instances) => match table.endpoints.map(|all| all.body) {
            Some(CreateBody::Instances(view)) => instances::reading(table, view, conditions),
            _ => schemas::reading(table, conditions),
        },
        (RowShape::Objects, _) => objects::reading(table, conditions),
        // The gateway itself knows it: CDF is asked for nothing.
        (RowShape::GatewayState(_), _) => nothing(conditions),
    }
}

/// No row can meet the conditions: nothing is asked.
fn nothing(conditions: &[Condition]) -> Reading {
    Reading {
        sources: Vec::new(),
        operation: String::new(),
        filter: None,
        taken: vec![Taken::Exactly; conditions.len()],
    }
}

/// The condition that a column of that field is one of some values, and its place.
fn one_of<'a>(
    table: &'static Table,
    conditions: &'a [Condition],
    field: &str,
) -> Option<(usize, &'a [String])> {
    conditions
        .iter()
        .enumerate()
        .find_map(|(place, condition)| match condition {
            Condition::OneOf { column, values } if table.columns[*column].field == field => {
                Some((place, values.as_slice()))
            }
            _ => None,
        })
}
