//! The builder of a table, whichever shape its rows have.
//!
//! Owns the choice by the table's shape. Promises static dispatch: no table of functions stands
//! between a decoder and the builder.

use super::value::ValueSettings;
use super::{Action, BatchBounds, DatapointBuilder, ObjectBuilder, RawAction, RawBuilder};
use super::{RawColumnsBuilder, RowBatch, RowBuilder, RowFiller, WireFormat};
use crate::catalog::{RowShape, Table};
use crate::diagnostic::Diagnostic;

/// A builder of any shape.
#[derive(Debug)]
pub enum AnyBuilder {
    Datapoints(DatapointBuilder),
    RawRows(RawBuilder),
    RawColumns(RawColumnsBuilder),
    Objects(ObjectBuilder),
}

/// Calls the same method of whichever builder it is.
macro_rules! dispatch {
    ($any:expr, $builder:ident => $call:expr) => {
        match $any {
            AnyBuilder::Datapoints($builder) => $call,
            AnyBuilder::RawRows($builder) => $call,
            AnyBuilder::RawColumns($builder) => $call,
            AnyBuilder::Objects($builder) => $call,
        }
    };
}

impl AnyBuilder {
    /// A builder for the rows of one statement on `table`, which names `columns` (indexes in
    /// the table's columns).
    pub fn new(
        table: &'static Table,
        columns: &[usize],
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        Self::doing(table, Action::Create, columns, settings, bounds)
    }

    /// A builder for rows of `table` with which `action` is to be done.
    pub fn doing(
        table: &'static Table,
        action: Action,
        columns: &[usize],
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        match table.shape {
            RowShape::DoubleDatapoints | RowShape::StringDatapoints => {
                let action = action.kind();
                AnyBuilder::Datapoints(DatapointBuilder::doing(table, action, settings, bounds))
            }
            RowShape::RawRows => {
                Self::of_raw(table, RawAction::of(&action, false), settings, bounds)
            }
            RowShape::RawColumns(raw) => {
                let does = RawAction::of(&action, true);
                let mut builder = RawColumnsBuilder::new(table, raw, does, settings, bounds);
                if let Action::Upsert(update) = action {
                    builder.change_existing(update);
                }
                AnyBuilder::RawColumns(builder)
            }
            // Each column of the gateway's own state is read only: such a builder takes no value.
            RowShape::Objects | RowShape::GatewayState(_) => {
                Self::of_objects(table, action, columns, settings, bounds)
            }
        }
    }

    /// A builder for rows of `table`, which must be the table of RAW rows, that do `action`.
    pub fn of_raw(
        table: &'static Table,
        action: RawAction,
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        AnyBuilder::RawRows(RawBuilder::new(table, action, settings, bounds))
    }

    /// A builder for objects of `table` with which `action` is to be done.
    pub fn of_objects(
        table: &'static Table,
        action: Action,
        columns: &[usize],
        settings: ValueSettings,
        bounds: BatchBounds,
    ) -> Self {
        AnyBuilder::Objects(ObjectBuilder::new(table, action, columns, settings, bounds))
    }

    /// Drops values for columns that CDF fills instead of refusing them.
    pub fn ignore_read_only(&mut self) {
        match self {
            // No column of theirs is filled by CDF.
            AnyBuilder::Datapoints(_) | AnyBuilder::RawColumns(_) => {}
            AnyBuilder::RawRows(builder) => builder.ignore_read_only(),
            AnyBuilder::Objects(builder) => builder.ignore_read_only(),
        }
    }
}

impl RowBuilder for AnyBuilder {
    fn field(
        &mut self,
        column: usize,
        format: WireFormat,
        value: &[u8],
    ) -> Result<(), Box<Diagnostic>> {
        dispatch!(self, builder => builder.field(column, format, value))
    }

    fn delete_between(&mut self, begin_ms: i64, end_ms: i64) -> Result<(), Box<Diagnostic>> {
        dispatch!(self, builder => builder.delete_between(begin_ms, end_ms))
    }

    fn null(&mut self, column: usize) -> Result<(), Box<Diagnostic>> {
        dispatch!(self, builder => builder.null(column))
    }

    fn finish_row(&mut self, row_number: u64) -> Result<(), Box<Diagnostic>> {
        dispatch!(self, builder => builder.finish_row(row_number))
    }

    fn abandon_row(&mut self) {
        dispatch!(self, builder => builder.abandon_row());
    }

    fn rows(&self) -> usize {
        dispatch!(self, builder => builder.rows())
    }

    fn is_full(&self) -> bool {
        dispatch!(self, builder => builder.is_full())
    }

    fn take(&mut self) -> Vec<RowBatch> {
        dispatch!(self, builder => builder.take())
    }

    fn fill_with<F: RowFiller>(&mut self, filler: F) -> F::Output {
        dispatch!(self, builder => filler.fill(builder))
    }
}
