//! Queries that the session answers itself: constants, functions about the session, SHOW,
//! probes of a table, and the catalog questions of drivers.
//!
//! Owns deciding which queries these are, their columns and their rows. Promises never to
//! answer wrongly: a query that it does not understand whole is left to the cold road, and rows
//! of the gateway's tables are never made up. Never talks to CDF.

use super::answer::{Answer, Cell, ResultColumn};
use super::bindings::Bindings;
use super::classify::cold;
use super::cursor::Cursor;
use super::settings::Settings;
use super::statement::Statement;
use crate::diagnostic::Diagnostic;
use jiff::Timestamp;

/// What an answer may depend on.
#[derive(Debug)]
pub struct QueryContext<'a> {
    /// Changed by set_config.
    pub settings: &'a mut Settings,
    pub user: &'a str,
    pub database: &'a str,
    pub backend_pid: i32,
    /// When the transaction began: what now() says.
    pub transaction_started: Timestamp,
    /// Whether set_config(…, true) has a transaction to be local to.
    pub in_transaction: bool,
}

/// A query that the session answers itself.
#[derive(Debug)]
pub struct Query {
    show: String,
}

impl Query {
    /// The type of each parameter.
    ///
    /// # Errors
    /// 42P18 where none can be told.
    pub fn parameter_types(&self, declared: &[u32]) -> Result<Vec<u32>, Box<Diagnostic>> {
        Ok(declared.to_vec())
    }

    /// The columns of the answer.
    ///
    /// # Errors
    /// 42704 for SHOW of an unknown setting.
    pub fn columns(&self) -> Result<Vec<ResultColumn>, Box<Diagnostic>> {
        Ok(vec![ResultColumn::of_type(&self.show, 25)])
    }

    /// The answer.
    ///
    /// # Errors
    /// 0A000 for rows of the gateway's tables; those of the functions called.
    pub fn answer(
        &self,
        context: &mut QueryContext<'_>,
        _bindings: &Bindings,
    ) -> Result<Answer, Box<Diagnostic>> {
        let value = context.settings.get(&self.show)?.to_owned();
        Ok(Answer {
            columns: self.columns()?,
            rows: vec![vec![Some(Cell::Text(value))]],
            tag: "SHOW",
        })
    }

    /// # Errors
    /// 0A000 when the query names a table of another database.
    pub fn check_database(&self, _database: &str) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }
}

/// Parses SELECT, VALUES or SHOW.
///
/// # Errors
/// 42601, 42P01, 42703.
pub(crate) fn parse(text: &str) -> Result<Statement, Box<Diagnostic>> {
    let mut cursor = Cursor::new(text)?;
    if cursor.accept_word("show")? {
        let show = cursor.name()?.into_owned();
        cursor.expect_end()?;
        return Ok(Statement::Query(Query { show }));
    }
    Ok(cold("SELECT", text))
}
