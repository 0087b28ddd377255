//! Reading the rows of a change into a row builder: one for each key.
//!
//! Owns where reading stands: it stops when the builder is full and goes on later. Promises each
//! key once, and none for a null, which equals nothing. Never holds a row.

use super::elements::Elements;
use super::{ChangeStatement, KeyPlan, Plan};
use crate::diagnostic::Diagnostic;
use crate::rows::RowBuilder;
use crate::sql::{Bindings, InsertProgress, RowReader};
use std::collections::HashSet;

/// Reads rows; resumable.
#[derive(Debug)]
pub struct ChangeReader<'a> {
    statement: &'a ChangeStatement,
    plan: &'a Plan,
    bindings: &'a Bindings,
    keys: Keys<'a>,
    next: usize,
    /// Keys that were read, where there are several.
    seen: HashSet<Box<[u8]>>,
}

#[derive(Debug)]
enum Keys<'a> {
    Listed(&'a super::Template),
    Elements(Elements),
    None,
    /// One row that stands for all.
    All,
}

impl<'a> ChangeReader<'a> {
    pub(super) fn new(
        statement: &'a ChangeStatement,
        plan: &'a Plan,
        bindings: &'a Bindings,
    ) -> Result<Self, Box<Diagnostic>> {
        let matches_nothing =
            (0..statement.parts_of_key).any(|place| plan.values.is_null(0, place, bindings));
        let keys = match &plan.keys {
            _ if matches_nothing => Keys::None,
            KeyPlan::All => Keys::All,
            KeyPlan::Listed(template) => Keys::Listed(template),
            KeyPlan::Array(text) => Keys::Elements(Elements::of_text(text.as_bytes())?),
            KeyPlan::None => Keys::None,
            KeyPlan::Parameter(index) => match bindings.get(*index) {
                Some((format, Some(value))) => {
                    let column = &statement.table.columns[statement.columns[0]];
                    Keys::Elements(Elements::of_parameter(format, value, column.column_type)?)
                }
                Some((_, None)) => Keys::None,
                None => return Err(super::refusal::no_parameter(*index)),
            },
        };
        Ok(ChangeReader {
            statement,
            plan,
            bindings,
            keys,
            next: 0,
            seen: HashSet::new(),
        })
    }

    /// How many keys there are, some perhaps twice.
    pub fn keys(&self) -> usize {
        match &self.keys {
            Keys::Listed(template) => template.rows(),
            Keys::Elements(elements) => elements.len(),
            Keys::None => 0,
            Keys::All => 1,
        }
    }

    /// Whether the key was not read before, and is none that equals nothing.
    fn is_new(&mut self, index: usize) -> bool {
        let key = match &self.keys {
            Keys::Listed(template) if template.is_null(index, 0, self.bindings) => return false,
            Keys::Listed(template) => template.bytes(index, 0, self.bindings),
            Keys::Elements(elements) => elements.get(index),
            Keys::None => return false,
            Keys::All => return true,
        };
        self.keys() == 1 || self.seen.insert(key.into())
    }

    fn row<B: RowBuilder>(
        &self,
        builder: &mut B,
        index: usize,
        row_number: u64,
    ) -> Result<(), Box<Diagnostic>> {
        let columns = &self.statement.columns;
        match &self.keys {
            Keys::Listed(template) => {
                template.fill(index, &columns[..1], self.bindings, builder)?;
            }
            Keys::Elements(elements) => {
                builder.field(columns[0], elements.format, elements.get(index))?;
            }
            Keys::None | Keys::All => {}
        }
        if columns.len() > 1 {
            let values = &self.plan.values;
            values.fill(0, &columns[1..], self.bindings, builder)?;
        }
        builder.finish_row(row_number)
    }
}

impl RowReader for ChangeReader<'_> {
    fn read<B: RowBuilder>(
        &mut self,
        builder: &mut B,
        next_row_number: u64,
    ) -> Result<InsertProgress, Box<Diagnostic>> {
        let mut rows_read = 0;
        while self.next < self.keys() && !builder.is_full() {
            let index = self.next;
            self.next += 1;
            if !self.is_new(index) {
                continue;
            }
            if let Err(diagnostic) = self.row(builder, index, next_row_number + rows_read) {
                builder.abandon_row();
                return Err(diagnostic);
            }
            rows_read += 1;
        }
        Ok(InsertProgress {
            rows_read,
            finished: self.next >= self.keys(),
        })
    }
}
