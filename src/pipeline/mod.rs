//! From row batches to delivered rows.
//!
//! Owns tickets, the memory budget, sequencing and batching, pacing, sending and verdicts.
//! Promises that a ticket always resolves, that a row counts as accepted only after CDF
//! accepted it, and that two writes of one key never overtake each other. Never parses SQL
//! and never sees a socket of a client.

mod memory;
mod submission;
mod ticket;

pub use memory::{ConnectionBudget, MemoryBudget, MemoryPermit};
pub use submission::Submission;
pub use ticket::{Outcome, Ticket, TicketPart};
