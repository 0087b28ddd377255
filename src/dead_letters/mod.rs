//! Dead letters: rows that were taken from a client and that CDF will not have as they are.
//!
//! Owns the durable store of such rows, what operators do with them (list, edit, export, purge)
//! and their replay. Promises that a letter is on the disk before anybody relies on it, and that
//! none is deleted without being counted and logged. Never sits in the way of rows that CDF
//! takes.

mod changes;
mod clock;
mod database;
mod error;
mod filter;
mod key;
mod letter;
mod schema;
mod store;

pub use crate::config::DeadLetterSettings;
pub use changes::{Edit, Purged, ReplayEnd};
pub use database::{Added, Database, Totals};
pub use error::StoreError;
pub use filter::{IDS_MAX, LetterFilter};
pub use letter::{Letter, LetterOrigin, LetterReason, LetterSource, LetterState, NewLetter};
pub use store::DeadLetterStore;
