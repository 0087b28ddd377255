//! Numbers of tables (OIDs), where those of the engines are others than the gateway's.
//!
//! Owns what the gateway says by itself then. Promises that a number which a client is told means the
//! same table in every later question: what the gateway does not know is told by an engine, or not at
//! all. Never translates one.

use super::session::Session;
use crate::sql::{Query, ResultColumn, Returning};

impl Session {
    /// Whether an engine is to answer what the session could, because it knows more.
    pub(super) fn is_for_engine(&self, query: &Query) -> bool {
        self.has_engines()
            && (query.leaves_out_relations()
                || (self.gateway.engines.number_tables() && query.tells_numbers()))
    }

    /// Columns that the gateway describes by itself, as a client may be told of them.
    pub(super) fn numbered(&self, mut columns: Vec<ResultColumn>) -> Vec<ResultColumn> {
        if self.gateway.engines.number_tables() {
            columns.iter_mut().for_each(ResultColumn::forget_table);
        }
        columns
    }

    /// The same of what a statement returns.
    pub(super) fn numbered_returning(&self, returning: &Returning) -> Returning {
        match self.gateway.engines.number_tables() {
            true => returning.clone().without_numbers(),
            false => returning.clone(),
        }
    }
}
