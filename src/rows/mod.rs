//! Rows as columns: what a statement's values become, and what requests are made of.
//!
//! Owns the batches and the builders that fill them. Promises that a batch holds only values
//! that CDF's documented rules accept, and that nothing is allocated per row once buffers
//! are warm. Never does I/O, knows no actor.

mod batch;
mod builder;
mod datapoints;
mod objects;
mod raw;
mod row_numbers;
mod series_key;
mod text_column;

pub use batch::{RowBatch, RowRange};
pub use builder::{RowBuilder, WireFormat};
pub use datapoints::{DatapointBatch, DatapointValues, TimeSpan};
pub use objects::{ObjectBatch, ObjectColumn, ObjectValues};
pub use raw::{RawBatch, RawDestination};
pub use row_numbers::RowNumbers;
pub use series_key::{SeriesKey, SeriesReference, hash_key};
pub use text_column::TextColumn;
