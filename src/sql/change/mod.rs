//! `UPDATE table SET … WHERE key …` and `DELETE FROM table WHERE key …`.
//!
//! Owns the changes that name their rows by key, one, several or an array of them. Promises that
//! a list of a hundred thousand keys is read without an allocation per key. Never guesses: a
//! condition on anything but the key goes the cold road.

mod condition;
mod elements;
mod parse;
mod reader;
mod refusal;
#[cfg(test)]
mod several_columns_tests;
#[cfg(test)]
mod tests;

pub(in crate::sql) use elements::Elements;
pub(crate) use parse::{delete, truncate, update};
pub use reader::ChangeReader;
pub(in crate::sql) use refusal::{empties, missing_from, names_itself, of_shape};

use super::assignments::{SetItem, Source};
use super::bindings::Bindings;
use super::cursor::Cursor;
use super::insert::expression::{self, Node};
use super::insert::scanner::{RowSink, Value, value_at, value_of};
use super::insert::template::{Template, TemplateMaker, all_known};
use super::returning::Returning;
use super::syntax::position;
use crate::catalog::{ColumnType, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use std::sync::OnceLock;

/// What becomes of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Update,
    Delete,
    /// Of all rows of a table.
    Truncate,
}

/// How the condition names the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// `=` one value, or `IN` several, the first at that byte.
    Listed(usize),
    /// `= ANY` of an array at that byte.
    AnyOf(usize),
    /// There is no condition: every row of the table.
    All,
}

/// A change of rows by key.
#[derive(Debug)]
pub struct ChangeStatement {
    kind: ChangeKind,
    table: &'static Table,
    database: Option<String>,
    text: Box<str>,
    /// The column of the key that may have several values, its others, then those that are set.
    columns: Vec<usize>,
    /// The other columns of the key, then what is set.
    items: Vec<SetItem>,
    /// How many of the items belong to the key.
    parts_of_key: usize,
    /// The refusal of columns that CDF fills, if some are set.
    read_only: Option<Box<Diagnostic>>,
    keys: Keys,
    returning: Option<Returning>,
    plan: OnceLock<Plan>,
}

/// The values of a change, taken apart.
#[derive(Debug)]
struct Plan {
    /// One row: what is set.
    values: Template,
    keys: KeyPlan,
    parameter_types: Vec<u32>,
}

#[derive(Debug)]
enum KeyPlan {
    /// A row for each key.
    Listed(Template),
    /// The text form of an array.
    Array(String),
    /// A parameter, from 0.
    Parameter(usize),
    /// `= ANY (NULL)`.
    None,
    /// One row that stands for all.
    All,
}

impl ChangeStatement {
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

    /// Whether every row of the table is meant.
    pub fn is_of_all(&self) -> bool {
        self.keys == Keys::All
    }

    /// Indexes in the table's columns: those of the key, then those that are set.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// What the statement returns of its rows.
    pub fn returning(&self) -> Option<&Returning> {
        self.returning.as_ref()
    }

    /// # Errors
    /// 428C9 where a column is set that CDF fills.
    pub fn check_read_only(&self) -> Result<(), Box<Diagnostic>> {
        match &self.read_only {
            Some(diagnostic) => Err(diagnostic.clone()),
            None => Ok(()),
        }
    }

    /// The type of each parameter: as declared in Parse, or as its cast or column says.
    ///
    /// # Errors
    /// 42804 for types that do not fit the column, 42P18 for a parameter that is never used.
    pub fn parameter_types(&self, declared: &[u32]) -> Result<Vec<u32>, Box<Diagnostic>> {
        all_known(&self.plan(declared)?.parameter_types)
    }

    /// Reads the rows, with these parameters.
    ///
    /// # Errors
    /// Those of the values, and of an array of keys.
    pub fn reader<'a>(
        &'a self,
        bindings: &'a Bindings,
    ) -> Result<ChangeReader<'a>, Box<Diagnostic>> {
        ChangeReader::new(self, self.plan(bindings.types())?, bindings)
    }

    fn plan(&self, declared: &[u32]) -> Result<&Plan, Box<Diagnostic>> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let mut maker = TemplateMaker::new(
            self.table,
            self.columns.get(1..).unwrap_or_default(),
            declared,
        );
        for (place, item) in self.items.iter().enumerate() {
            let value = match item.source {
                Source::Value(offset) => {
                    value_at(&self.text, offset, &self.table.columns[item.column])?
                }
                Source::Default | Source::Excluded(_) => Value::Null,
            };
            maker.value(place, value)?;
        }
        let values = maker.finish();
        let mut parameter_types = values.known_types().to_vec();
        let keys = match self.keys {
            Keys::Listed(offset) => {
                let keys = self.listed(offset, &parameter_types)?;
                parameter_types = keys.known_types().to_vec();
                KeyPlan::Listed(keys)
            }
            Keys::AnyOf(offset) => self.any_of(offset, &mut parameter_types)?,
            Keys::All => KeyPlan::All,
        };
        Ok(self.plan.get_or_init(|| Plan {
            values,
            keys,
            parameter_types,
        }))
    }

    /// Values up to a parenthesis or the end.
    fn listed(&self, offset: usize, known: &[u32]) -> Result<Template, Box<Diagnostic>> {
        let mut maker = TemplateMaker::new(self.table, &self.columns[..1], known);
        let column = &self.table.columns[self.columns[0]];
        let mut cursor = Cursor::starting_at(&self.text, offset)?;
        loop {
            let at = cursor.offset();
            let value = value_of(expression::value(&mut cursor)?, column)
                .map_err(|refusal| refusal.at(position(&self.text, at)))?;
            maker.value(0, value)?;
            if !cursor.accept_symbol(",")? {
                return Ok(maker.finish());
            }
        }
    }

    fn any_of(&self, offset: usize, types: &mut Vec<u32>) -> Result<KeyPlan, Box<Diagnostic>> {
        let mut cursor = Cursor::starting_at(&self.text, offset)?;
        if cursor.at_word("array") {
            cursor.advance()?;
            cursor.expect_symbol("[")?;
            if cursor.at_symbol("]") {
                return Ok(KeyPlan::None);
            }
            let keys = self.listed(cursor.offset(), types)?;
            *types = keys.known_types().to_vec();
            return Ok(KeyPlan::Listed(keys));
        }
        let expression = expression::value(&mut cursor)?;
        match expression.node {
            Node::Null => Ok(KeyPlan::None),
            Node::Text(text) => Ok(KeyPlan::Array(text.into_owned())),
            Node::Parameter(number) => {
                let index = (number as usize).saturating_sub(1);
                if types.len() <= index {
                    types.resize(index + 1, 0);
                }
                if types[index] == 0 {
                    let column = &self.table.columns[self.columns[0]];
                    let array = match column.column_type {
                        ColumnType::BigInt => ColumnType::BigIntArray,
                        _ => ColumnType::TextArray,
                    };
                    types[index] = expression
                        .casts
                        .first()
                        .map_or(array.oid(), |cast| cast.oid());
                }
                Ok(KeyPlan::Parameter(index))
            }
            _ => Err(crate::sql::syntax::error_at(
                &self.text,
                offset,
                SqlState::DATATYPE_MISMATCH,
                "op ANY/ALL (array) requires array on right side",
            )),
        }
    }
}
