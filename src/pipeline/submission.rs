//! A batch on its way: rows, whose they are, and who waits for them.
//!
//! Owns nothing of its own; it ties a batch to its identity, ticket part and memory permit, so
//! that none of them outlives or is outlived by the rows. Never travels without its permit.

use super::{MemoryPermit, TicketPart};
use crate::cdf::Identity;
use crate::rows::RowBatch;
use std::sync::Arc;

/// What a connection hands to a batcher.
#[derive(Debug)]
pub struct Submission {
    /// With whose credentials the rows are sent: never with another's.
    pub identity: Arc<Identity>,
    pub batch: RowBatch,
    /// Stands before the part: dropped first, so that the memory is free when the client
    /// hears of the end.
    pub permit: MemoryPermit,
    pub part: TicketPart,
    /// The connection, for fair shares and logs.
    pub connection: u64,
    /// The statement has no more rows: somebody waits, so do not linger.
    pub ticket_waits: bool,
}
