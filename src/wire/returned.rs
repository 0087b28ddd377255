//! The rows of RETURNING.
//!
//! Owns which of their columns the client has sent and which CDF makes, and the rows as far as
//! they are known. Promises rows in the order of the statement, without those that were skipped, and
//! no more of them than memory has room for. Never waits: what CDF made comes with the verdicts.

use super::encoding::ClientEncoding;
use super::result::{ResultFormats, put_description, put_row};
use super::returned_cells::{of_batch, of_object};
use super::returned_raw::of_raw_row;
use crate::catalog::{self, CreateBody, Resource, RowShape, Table};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::rows::{Action, RowBatch};
use crate::sql::{Cell, Returning};
use bytes::BytesMut;
use jiff::tz::TimeZone;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What rows may take of memory until CDF has accepted all of them, and what one takes beside its
/// values: an object that CDF makes of it comes with its verdict.
const BYTES_MAX: usize = 64 << 20;
const ROW_BYTES: usize = 256;

/// How a client wants results.
#[derive(Clone, Debug, Default)]
pub(super) struct ResultTarget {
    pub(super) formats: ResultFormats,
    /// Whether a description goes before the rows: in the simple protocol.
    pub(super) describes: bool,
}

/// What a statement returns.
#[derive(Debug)]
pub(super) struct Returned {
    table: &'static Table,
    returning: Returning,
    target: ResultTarget,
    zone: TimeZone,
    /// Per column of the result, whether CDF makes its values.
    from_cdf: Vec<bool>,
    /// Number of the statement's first row in its numbering.
    first_row: u64,
    rows: Vec<Vec<Option<Cell>>>,
    bytes: usize,
}

impl Returned {
    /// For a statement that writes `columns` of `table`.
    ///
    /// # Errors
    /// 0A000 for columns that neither the client sends nor CDF answers with.
    pub(super) fn new(
        table: &'static Table,
        returning: Returning,
        columns: &[usize],
        action: &Action,
        target: ResultTarget,
        zone: TimeZone,
    ) -> Result<Self, Box<Diagnostic>> {
        let answers = match action {
            Action::Delete | Action::DeleteFound | Action::Empty => false,
            _ => answers_with_rows(table),
        };
        let from_cdf = returning
            .columns()
            .iter()
            .map(|column| {
                let described = &table.columns[*column];
                let by_reference =
                    matches!(action, Action::Update | Action::Delete) && table.id == Some(*column);
                let sent = columns.contains(column) && (described.is_writable() || by_reference);
                let is_kept = match action {
                    // What is in CDF may be older than what was sent.
                    Action::Upsert(_) => table.key.contains(column),
                    _ => true,
                };
                if sent && is_kept {
                    return Ok(false);
                }
                // A row that CDF may have had keeps what it had.
                let makes_rows = match table.resource {
                    Resource::Instances => false,
                    _ => matches!(action, Action::Create | Action::CreateMissing),
                };
                let is_null = !answers && described.is_writable() && makes_rows;
                if answers || is_null {
                    return Ok(answers);
                }
                Err(Box::new(
                    Diagnostic::error(
                        SqlState::FEATURE_NOT_SUPPORTED,
                        format!("column \"{}\" cannot be returned", described.name),
                    )
                    .with_hint(
                        "CDF does not answer with it: return columns that the statement names.",
                    )
                    .with_table(table.name)
                    .with_column(described.name),
                ))
            })
            .collect::<Result<Vec<bool>, _>>()?;
        Ok(Returned {
            table,
            returning,
            target,
            zone,
            from_cdf,
            first_row: 1,
            rows: Vec::new(),
            bytes: 0,
        })
    }

    /// The first column of the result that CDF makes.
    pub(super) fn made_by_cdf(&self) -> Option<&'static str> {
        let place = self.from_cdf.iter().position(|from_cdf| *from_cdf)?;
        Some(self.table.columns[self.returning.columns()[place]].name)
    }

    /// The statement's rows are numbered from here.
    pub(super) fn begin(&mut self, first_row: u64) {
        self.first_row = first_row;
    }

    /// Keeps what the client has sent of these rows.
    ///
    /// # Errors
    /// 53400 past what may be kept.
    pub(super) fn keep(&mut self, batches: &[RowBatch]) -> Result<(), Box<Diagnostic>> {
        let width = self.from_cdf.len();
        let first = catalog::first_table(self.table);
        for batch in batches {
            for row in 0..batch.rows() {
                let index = batch.row_number(row).saturating_sub(self.first_row) as usize;
                if self.rows.len() <= index {
                    self.rows.resize(index + 1, vec![None; width]);
                }
                let columns = self.returning.columns().iter().zip(&self.from_cdf);
                let cells: Vec<Option<Cell>> = columns
                    .map(|(place, from_cdf)| match from_cdf {
                        true => None,
                        false => {
                            let column = first.and_then(|first| first.column_today(*place));
                            let column = column.unwrap_or(*place);
                            match (self.table.shape, batch) {
                                (RowShape::RawColumns(raw), RowBatch::RawRows(batch)) => {
                                    of_raw_row(self.table, raw, batch, column, row, &self.zone)
                                }
                                _ => of_batch(batch, column, row, &self.zone),
                            }
                        }
                    })
                    .collect();
                self.bytes += bytes_of(&cells);
                if self.bytes > BYTES_MAX {
                    return Err(too_much());
                }
                self.rows[index] = cells;
            }
        }
        Ok(())
    }

    /// Appends the rows but those with the numbers `skipped`, which ascend. `object`: what CDF made of a row.
    ///
    /// # Errors
    /// 40003 for a row of which CDF did not tell what it made.
    pub(super) fn put<'o>(
        &self,
        output: &mut BytesMut,
        encoding: ClientEncoding,
        skipped: &[u64],
        object: impl Fn(u64) -> Option<&'o RawValue>,
    ) -> Result<(), Box<Diagnostic>> {
        if self.target.describes {
            put_description(output, self.returning.described(), &self.target.formats);
        }
        let wants_objects = self.from_cdf.contains(&true);
        for (row, number) in self.rows.iter().zip(1_u64..) {
            if skipped.binary_search(&number).is_ok() {
                continue;
            }
            if !wants_objects {
                put_row(output, encoding, row, &self.target.formats);
                continue;
            }
            let fields: BTreeMap<String, Box<RawValue>> = object(number)
                .and_then(|object| serde_json::from_str(object.get()).ok())
                .ok_or_else(not_told)?;
            let cells: Vec<Option<Cell>> = self
                .returning
                .columns()
                .iter()
                .zip(row)
                .zip(&self.from_cdf)
                .map(|((column, sent), from_cdf)| match from_cdf {
                    true => of_object(&self.table.columns[*column], &fields, &self.zone),
                    false => sent.clone(),
                })
                .collect();
            put_row(output, encoding, &cells, &self.target.formats);
        }
        Ok(())
    }
}

/// What a row takes of memory, as far as it is known.
fn bytes_of(cells: &[Option<Cell>]) -> usize {
    let own = |cell: &Option<Cell>| match cell {
        Some(Cell::Text(text)) => text.len(),
        Some(Cell::Bytes(bytes)) => bytes.len(),
        Some(Cell::Array { elements, .. }) => elements
            .iter()
            .map(|element| match element {
                Some(Cell::Text(text)) => text.len() + size_of::<Cell>(),
                _ => size_of::<Cell>(),
            })
            .sum(),
        _ => 0,
    };
    let values: usize = cells.iter().map(own).sum();
    ROW_BYTES + size_of_val(cells) + values
}

/// 53400: the rows would take too much memory.
#[cold]
fn too_much() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::CONFIGURATION_LIMIT_EXCEEDED,
            "the statement returns too many rows",
        )
        .with_detail(format!(
            "They wait until CDF has what it changes, in {BYTES_MAX} bytes at most."
        ))
        .with_hint("Return fewer columns, or change fewer rows at a time."),
    )
}

/// Whether CDF answers with the rows of the table that it wrote.
pub(super) fn answers_with_rows(table: &Table) -> bool {
    table
        .endpoints
        .is_some_and(|endpoints| matches!(endpoints.body, CreateBody::Items | CreateBody::Bare))
}

#[cold]
pub(super) fn not_told() -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::STATEMENT_COMPLETION_UNKNOWN,
            "the rows are in CDF, and what CDF made of them is not known",
        )
        .with_hint("Read them by their keys instead of writing them again."),
    )
}
