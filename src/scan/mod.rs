//! Reading whole tables from CDF, for statements that a real PostgreSQL runs.
//!
//! Before such a statement runs, the rows that it needs are read here and copied into the tables
//! of that PostgreSQL. What goes in and what comes out:
//!
//! 1. [`conditions`] reads from the statement which rows of a table it needs, where that is safe.
//! 2. [`Scan`] is the order: a table, [`Condition`]s, perhaps a limit, and how many rows may be
//!    read. [`Scan::plan`] tells what will be asked of CDF, for EXPLAIN.
//! 3. [`Scanner::begin`] starts it, and [`ScanRows::next_chunk`] gives the rows as lines of
//!    `COPY … FROM STDIN` in text format, all columns of the table in the catalog's order.
//!
//! Promises a superset of the rows that meet all conditions, each once as far as CDF's own lists
//! do; PostgreSQL filters what came beside them. Requests are paced, repeated and signed as all
//! others are. Memory is bounded by [`ScanMemory`], over all scans: a caller who does not ask for the
//! next chunk stops the reading. Never writes, and never caches.
//!
//! The caller keeps three things: its own plan of the statement must read the table once (a view
//! or a function may read it a second time, unseen in the text); rows of this user that are still
//! to be delivered must have been waited for; and a [`ScanFault`] fails the statement, as part of
//! the rows may be missing.

mod condition;
pub mod conditions;
mod copy_text;
mod door;
mod fault;
mod filters;
mod memory;
mod paced;
mod plan;
mod rows;
mod scanner;
mod source;
mod sources;
mod tally;
mod typed;

pub use condition::{Bound, Condition};
pub use copy_text::push_escaped;
pub use door::ScanDoor;
pub use fault::ScanFault;
pub use memory::ScanMemory;
pub use plan::{KeysOf, PlannedCondition, Scan, ScanPlan, Taken, takes_keys};
pub use rows::ScanRows;
pub use scanner::Scanner;
pub use sources::raw_cell;
pub use tally::ScanFigures;
