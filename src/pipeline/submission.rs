//! A batch on its way: rows, whose they are, and who waits for them.
//!
//! Owns nothing of its own; it ties a batch to its identity, ticket part and memory permit, so
//! that none of them outlives or is outlived by the rows. Never travels without its permit.

use super::{MemoryPermit, TicketPart};
use crate::cdf::Identity;
use crate::rows::RowBatch;
use std::sync::Arc;
use std::time::SystemTime;

/// The connection that rows of the journal belong to, whoever wrote them: they have one order.
pub const JOURNAL_CONNECTION: u64 = u64::MAX;

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
    /// An attempt with these rows may have been made before, not earlier than this: an object
    /// that exists already may be our own.
    pub sent_before: Option<SystemTime>,
}
