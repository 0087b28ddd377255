//! What a statement is, and the fast reader of INSERT.
//!
//! Owns splitting, classifying and parsing statements, session settings, and the answers
//! that need no CDF. Promises PostgreSQL's SQLSTATE and position for what it refuses. Never
//! talks to CDF and never touches a socket.

mod answer;
mod copy_options;
mod statement;

pub use answer::{Answer, Cell, ResultColumn};
pub use copy_options::{CopyEncoding, CopyFormat, CopyHeader, CopyOptions};
pub use statement::{CopyStatement, TransactionCommand};
