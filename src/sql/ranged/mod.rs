//! UPDATE and DELETE of rows that have a position: points of series, rows of sequences.
//!
//! Owns the changes that name series and times, or sequences and row numbers. Promises that each
//! way of writing a range gives the rows that a filter over all of them would give. Never
//! guesses: any other condition is refused.

mod condition;
mod interval;
mod parse;
mod positions;
mod reader;
mod refusal;
mod shift;
#[cfg(test)]
mod tests;

pub(in crate::sql) use parse::naming_columns;
pub(crate) use parse::{delete, is_ranged, update};
pub use reader::RangedReader;
pub(in crate::sql) use refusal::moves;

use super::assignments::{SetItem, Source};
use super::bindings::Bindings;
use super::change::ChangeKind;
use super::insert::scanner::{RowSink, Value, value_at};
use super::insert::template::{Template, TemplateMaker, all_known};
use super::key_values::ValuesPlan;
use super::returning::Returning;
use crate::catalog::Table;
use crate::diagnostic::Diagnostic;
use crate::rows::value::ValueSettings;
use condition::{KeyTerm, Term};
use positions::Comparison;
use shift::Shift;
use std::sync::OnceLock;

/// What the columns of such a table are, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Roles {
    /// Each alone names a series or a sequence.
    keys: Vec<usize>,
    /// With the first of the keys it names a node of data modeling.
    space: Option<usize>,
    /// The time, or the row number.
    position: usize,
}

/// A change of rows by series and time, or by sequence and row number.
#[derive(Debug)]
pub struct RangedChange {
    kind: ChangeKind,
    table: &'static Table,
    database: Option<String>,
    text: Box<str>,
    /// The key, the position, the space if there is one, then the columns that are set.
    columns: Vec<usize>,
    key: KeyTerm,
    space: Option<KeyTerm>,
    terms: Vec<Term>,
    items: Vec<SetItem>,
    returning: Option<Returning>,
    plan: OnceLock<Plan>,
}

/// The values of a change, taken apart.
#[derive(Debug)]
struct Plan {
    key: ValuesPlan,
    space: Option<ValuesPlan>,
    terms: Vec<(Comparison, ValuesPlan, Vec<Shift>)>,
    /// One row: what is set.
    set: Template,
    parameter_types: Vec<u32>,
}

impl RangedChange {
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    pub fn table(&self) -> &'static Table {
        self.table
    }

    /// The database that a three-part name starts with.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// Indexes in the table's columns: those that name the rows, then those that are set.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// What the statement returns of its rows.
    pub fn returning(&self) -> Option<&Returning> {
        self.returning.as_ref()
    }

    /// The type of each parameter: as declared in Parse, or as its cast or column says.
    ///
    /// # Errors
    /// 42804 for types that do not fit the column, 42P18 for a parameter that is never used.
    pub fn parameter_types(&self, declared: &[u32]) -> Result<Vec<u32>, Box<Diagnostic>> {
        all_known(&self.plan(declared)?.parameter_types)
    }

    /// Reads the rows, with these parameters, and times by these settings.
    ///
    /// # Errors
    /// Those of the values of the condition; 0A000 for row numbers without bounds, and for the
    /// points of an UPDATE.
    pub fn reader<'a>(
        &'a self,
        bindings: &'a Bindings,
        settings: ValueSettings,
    ) -> Result<RangedReader<'a>, Box<Diagnostic>> {
        RangedReader::new(self, self.plan(bindings.types())?, bindings, settings)
    }

    fn plan(&self, declared: &[u32]) -> Result<&Plan, Box<Diagnostic>> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let set_columns: Vec<usize> = self.items.iter().map(|item| item.column).collect();
        let mut maker = TemplateMaker::new(self.table, &set_columns, declared);
        for (place, item) in self.items.iter().enumerate() {
            let value = match item.source {
                Source::Value(offset) => {
                    value_at(&self.text, offset, &self.table.columns[item.column])?
                }
                Source::Default | Source::Excluded(_) => Value::Null,
            };
            maker.value(place, value)?;
        }
        let set = maker.finish();
        let mut parameter_types = set.known_types().to_vec();
        let types = &mut parameter_types;
        let KeyTerm { column, place } = self.key;
        let key = ValuesPlan::new(&self.text, self.table, column, place, types)?;
        let space = match self.space {
            Some(KeyTerm { column, place }) => {
                let space = ValuesPlan::new(&self.text, self.table, column, place, types)?;
                Some(space)
            }
            None => None,
        };
        let position = self.columns[1];
        let terms = self
            .terms
            .iter()
            .map(|term| {
                let values = ValuesPlan::new(&self.text, self.table, position, term.place, types)?;
                for shift in &term.shifts {
                    shift.note_type(types)?;
                }
                Ok((term.comparison, values, term.shifts.clone()))
            })
            .collect::<Result<_, Box<Diagnostic>>>()?;
        Ok(self.plan.get_or_init(|| Plan {
            key,
            space,
            terms,
            set,
            parameter_types,
        }))
    }
}
