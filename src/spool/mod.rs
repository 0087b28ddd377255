//! Spool files: where rows wait for their COMMIT that memory has no room for.
//!
//! Owns one file per transaction, and the bytes that all of them may use. Promises that a file
//! has no name from the moment it exists, so that nothing survives a crash or a restart; that
//! what is read equals what was written; and that room is given back however a transaction ends.
//! Never holds rows that were acknowledged as written: those are the [`journal`](crate::journal)'s.
//!
//! Everything here blocks on the disk: callers on an event loop use a thread that may block.

mod budget;
mod error;
mod file;
mod store;

pub use error::SpoolError;
pub use file::{Spool, SpoolReader, SpooledBatch};
pub use store::{SpoolOpenError, SpoolStore};
