//! What a statement is, and the fast reader of INSERT.
//!
//! Owns splitting, classifying and parsing statements, session settings, and the answers
//! that need no CDF. Promises PostgreSQL's SQLSTATE and position for what it refuses. Never
//! talks to CDF and never touches a socket.

mod answer;
mod assignments;
mod bindings;
mod cell_text;
mod change;
mod classify;
#[cfg(test)]
mod classify_tests;
mod cold;
mod cold_manner;
mod cold_text;
mod copy_encoding;
mod copy_option_check;
mod copy_options;
mod copy_statement;
#[cfg(test)]
mod copy_tests;
mod cursor;
mod depth;
mod escape;
mod explanation;
mod insert;
mod json_cell;
mod key_values;
mod lexer;
mod planned_change;
mod query;
mod ranged;
mod raw_copy_option;
mod returning;
mod session_command;
mod settings;
mod split;
mod statement;
mod syntax;
mod target;
mod temporary;
mod transaction;
mod type_name;

pub use answer::{Answer, Cell, ResultColumn, array_text, bytes_text};
pub use bindings::Bindings;
pub use cell_text::push_cell_text;
pub use change::{ChangeKind, ChangeReader, ChangeStatement};
pub use classify::classify;
pub use cold::{ColdStatement, Planned};
pub use cold_manner::Manner;
pub use cold_text::{mentions, query_within};
pub use copy_encoding::EncodedCopy;
pub use copy_options::{CopyEncoding, CopyFormat, CopyHeader, CopyOptions, LogVerbosity, OnError};
pub use copy_statement::conditional_copy;
pub use depth::is_deep;
pub use explanation::{Explanation, ExplanationFormat};
pub use insert::{
    Arbiter, InsertProgress, InsertReader, InsertStatement, PlannedInsert, RowReader,
};
pub use json_cell::{Misfit, cell_of_field, cell_of_json, string_cell};
pub use planned_change::{RowChange, check_delete_of_all, check_set, naming_columns};
pub use query::{CancelOutcome, Query, QueryContext, Said, Sessions, time_cell};
pub use ranged::{RangedChange, RangedReader};
pub use returning::Returning;
pub use session_command::{DiscardTarget, SessionCommand, SetScope};
pub use settings::{SessionTimeouts, SettingRow, Settings};
pub use split::split_statements;
pub use statement::{
    CopyStatement, IsolationLevel, Statement, TransactionCommand, TransactionModes,
};
pub use syntax::locate_in_query;
pub use temporary::on_temporary;

/// The PostgreSQL version whose rules the gateway follows, and its own: what `server_version`
/// says. Drivers read the leading digits and dots.
pub const SERVER_VERSION: &str = concat!("17.5 (Penstock ", env!("CARGO_PKG_VERSION"), ")");
