//! Datapoints: inserting, reading and deleting the values of time series.
//!
//! `points` owns what is stored, `status` and `status_symbols` the status codes,
//! `messages` the protobuf messages (by prost, hence independent of the gateway's
//! encoder), `given` the points of an insert before the type of their series is known,
//! `times` the time expressions. Aggregates and unit conversion are not served.

mod given;
mod insert;
mod latest;
mod listing;
pub mod messages;
mod points;
mod removal;
mod status;
mod status_symbols;
mod times;
mod view;

pub use given::{check_number, check_string, check_timestamp};
pub use insert::{check_points, insert};
pub use latest::latest;
pub use listing::list;
pub use points::Points;
pub use removal::delete;
pub use status::StatusCode;

/// Earliest timestamp: 1900-01-01T00:00:00.000Z, in ms.
pub const TIMESTAMP_MIN_MS: i64 = -2_208_988_800_000;

/// Latest timestamp: 2099-12-31T23:59:59.999Z, in ms.
pub const TIMESTAMP_MAX_MS: i64 = 4_102_444_799_999;

/// Numeric values lie strictly between minus and plus this.
pub const VALUE_LIMIT: f64 = 1e100;

/// Longest string value, in UTF-8 bytes.
pub const STRING_BYTES_MAX: usize = 1_023;

/// Most series per insert.
pub const SERIES_MAX: usize = 10_000;

/// Most points per insert, over all series.
pub const POINTS_MAX: u64 = 100_000;
