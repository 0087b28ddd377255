//! PostgreSQL's values: from the bytes of a field to a number, a time, a string.
//!
//! Owns the text and binary forms of the column types. Promises the SQLSTATEs and messages
//! of PostgreSQL's input functions. Never knows a table: what CDF takes beyond the type is
//! the builders' to check.

mod array;
mod bigint;
mod bigint_array;
mod blanks;
mod boolean;
mod bytea;
mod civil;
mod double;
mod json;
mod json_refusal;
pub(super) mod json_text;
mod list;
mod numeric;
mod reader;
mod real;
mod refusal;
mod settings;
mod text;
mod timestamp;
mod timestamp_fault;
mod timestamp_fields;
mod timestamp_forms;
#[cfg(test)]
mod timestamp_tests;
mod wire_type;
mod zone;
mod zone_names;

pub use array::{for_each_of_binary, for_each_of_text};
pub use bytea::bytea_text;
pub use json::{DEPTH_MAX, JsonKind, check_json};
pub use reader::ValueReader;
pub use refusal::{not_finite, quoted};
pub use settings::{DateOrder, ValueSettings};
pub use text::{check_text, check_varchar, invalid_encoding, is_plain_ascii};
pub use timestamp::TimestampReader;
pub use wire_type::{is_assignable, type_mismatch};
pub use zone::LocalOffsets;
