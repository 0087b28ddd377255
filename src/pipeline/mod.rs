//! From row batches to delivered rows.
//!
//! Owns tickets, the memory budget, sequencing and batching, pacing, sending and verdicts.
//! Promises that a ticket always resolves, that a row counts as accepted only after CDF
//! accepted it, and that two writes of one key never overtake each other. Never parses SQL
//! and never sees a socket of a client.

pub mod attempt;
mod batcher;
mod creations;
mod intake;
mod memory;
pub mod pacing;
mod quarantine;
mod refused_row;
mod rejected_rows;
mod retry;
pub mod segment;
pub mod sender;
pub mod sequencer;
mod split;
mod submission;
mod ticket;
mod weight;
mod writer;

pub use creations::{Creation, Creations, ResourceCreations};
pub use intake::{DrainTimedOut, Intake, PipelineSettings};
pub use memory::{ConnectionBudget, MemoryBudget, MemoryPermit};
pub use refused_row::RefusedRow;
pub use rejected_rows::{RejectedFate, RejectedRows, Rejection};
pub(crate) use retry::Retry;
pub use segment::RowVerdict;
pub use sequencer::{QueueFigures, QueueState};
pub use submission::{JOURNAL_CONNECTION, Submission};
pub use ticket::{JournalRecord, Outcome, Ticket, TicketHold, TicketPart};
