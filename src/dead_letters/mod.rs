//! Dead letters: rows that were taken from a client and that CDF will not have as they are.
//!
//! Owns the durable store of such rows, what operators do with them (list, edit, export, purge)
//! and their replay. Promises that a letter is on the disk before anybody relies on it, and that
//! none is deleted without being counted and logged. Never sits in the way of rows that CDF
//! takes.

mod changes;
mod clock;
mod csv;
mod database;
mod error;
mod export;
mod filter;
mod key;
mod letter;
mod rebuild;
mod rejected;
mod replay;
mod schema;
mod store;
mod written_since;

pub use crate::config::DeadLetterSettings;
pub use changes::{Edit, Purged, ReplayEnd};
pub use database::{Added, Database, Totals};
pub use error::StoreError;
pub use export::{
    ExportFormat, ImportError, csv_header, csv_record, json_line, read_csv, read_json_lines,
};
pub use filter::{IDS_MAX, LetterFilter};
pub use letter::{Letter, LetterOrigin, LetterReason, LetterSource, LetterState, NewLetter};
pub use rebuild::rebuild;
pub use replay::{LetterReplay, ReplayReport, ReplayedLetter, Replayer};
pub use store::DeadLetterStore;
