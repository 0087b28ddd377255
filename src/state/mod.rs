//! What a gateway remembers of its users beyond the configuration: their custom tables.
//!
//! Owns the store, and the thread that makes its tables known to the process. Promises that a
//! change by another process is seen within seconds, by sessions that begin then. Never on a
//! row's way.

mod error;
mod store;
mod watch;

pub use error::StateError;
pub use store::{StateStore, StoredTable, TABLES_MAX_PER_USER};
pub use watch::StateWatch;
