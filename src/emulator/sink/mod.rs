//! Reading writes without keeping them.
//!
//! Owns the readers of sink mode: `protobuf` (with `elements` and `wire_format`) for
//! datapoints, while they arrive, and `raw_rows` (with `json_text`) for RAW rows. They are hand made because the far end of a
//! load test must cost less than what it measures. They check what the storing readers
//! check; property tests hold the two against each other.

mod elements;
mod json_text;
mod protobuf;
mod raw_rows;
mod wire_format;

pub use protobuf::{PointStream, StreamedPoints};
pub use raw_rows::read_rows;
