//! Rows as columns: what a statement's values become, and what requests are made of.
//!
//! Owns the batches and the builders that fill them. Promises that a batch holds only values
//! that CDF's documented rules accept, and that nothing is allocated per row once buffers
//! are warm. Never does I/O, knows no actor.

mod action;
mod any_builder;
mod batch;
mod builder;
#[cfg(test)]
mod builder_tests;
mod cdf_rules;
mod cell_changes;
mod datapoint_builder;
mod datapoints;
mod geo_location;
mod json_forms;
mod metadata;
mod object_builder;
mod objects;
mod open_point;
mod point_status;
mod pool;
mod raw;
mod raw_builder;
mod raw_columns_builder;
#[cfg(test)]
mod raw_columns_tests;
mod refusal;
mod row_numbers;
mod row_rules;
mod row_text;
mod selection;
mod sequence_cells;
mod series_interner;
mod series_key;
mod status_categories;
mod text_column;
pub mod value;
#[cfg(test)]
mod wide_point_tests;

pub use action::{Action, ActionKind, Assigned, Assignment, ConflictUpdate};
pub use any_builder::AnyBuilder;
pub use batch::{DELETED_ITEM_BYTES, POINT_STATUS_BYTES, RowBatch, RowRange};
pub use builder::{BatchBounds, RowBuilder, RowFiller, WireFormat};
pub use cdf_rules::{DATAPOINT_FIRST_MS, DATAPOINT_LAST_MS};
pub use cell_changes::{CellChanges, Cells};
pub use datapoint_builder::DatapointBuilder;
pub use datapoints::{DatapointBatch, DatapointValues, TimeSpan};
pub use object_builder::ObjectBuilder;
pub use objects::{ObjectBatch, ObjectColumn, ObjectValues, SEQUENCE_ROW_COLUMNS, row_key_hash};
pub use point_status::{PointStatus, is_bad, status_symbol};
pub use raw::{RawAction, RawBatch, RawDestination};
pub use raw_builder::RawBuilder;
pub use raw_columns_builder::RawColumnsBuilder;
pub use row_numbers::RowNumbers;
pub use row_text::{LAST_TIMESTAMP, RowText};
pub use series_key::{InstanceName, SeriesKey, SeriesReference, hash_key};
pub use text_column::TextColumn;
