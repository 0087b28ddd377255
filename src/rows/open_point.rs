//! The datapoint between its first field and its end.
//!
//! Owns what a row has been given so far, and the rules across its columns: a status from code
//! and symbol, a value or a Bad status, a name for the series. Promises an error that names the
//! column at fault. Never touches a finished row.

use super::point_status::{is_bad, status_symbol};
use super::refusal::{in_column, null_value};
use crate::catalog::{Column, Table};
use crate::diagnostic::{Diagnostic, SqlState};

/// Bits of what the open row has been given.
pub mod given {
    pub const TIMESTAMP: u8 = 1;
    pub const VALUE: u8 = 2;
    pub const EXTERNAL_ID: u8 = 4;
    pub const ID: u8 = 8;
    pub const SPACE: u8 = 16;
    pub const STATUS_CODE: u8 = 32;
    pub const STATUS_SYMBOL: u8 = 64;
    /// The value is one that CDF takes with a Bad status only.
    pub const UNBOUNDED_VALUE: u8 = 128;

    /// What only the wider tables give: a row with one of these is looked at closely.
    pub const WIDE: u8 = SPACE | STATUS_CODE | STATUS_SYMBOL | UNBOUNDED_VALUE;
}

/// The row between `field` and `finish_row`; a text value waits at the end of its column.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenPoint {
    pub given: u8,
    /// Entries among the series' names.
    pub external_id: u32,
    pub space: u32,
    pub id: i64,
    pub timestamp_ms: i64,
    /// Up to where it deletes, if it does.
    pub end_ms: i64,
    pub value: f64,
    /// As a code said it, and as a symbol did.
    pub status_code: u32,
    pub symbol_code: u32,
}

/// What names the series of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    ExternalId(u32),
    Instance { space: u32, external_id: u32 },
    Id(i64),
}

impl OpenPoint {
    #[inline]
    pub fn has(&self, bits: u8) -> bool {
        self.given & bits == bits
    }

    /// The row's status code and what names its series, by all rules across columns.
    ///
    /// # Errors
    /// 22023 for a code and a symbol that disagree, 22003 for a value that only a Bad status
    /// allows, 23502 for what is missing.
    pub fn judge(&self, table: &'static Table) -> Result<(u32, Naming), Box<Diagnostic>> {
        let code = self.code(table)?;
        if !self.has(given::VALUE) && !is_bad(code) {
            return Err(missing_value(table));
        }
        if !self.has(given::TIMESTAMP) {
            return Err(null_value(table, column(table, "timestamp")));
        }
        if self.has(given::UNBOUNDED_VALUE) && !is_bad(code) {
            return Err(needs_bad_status(table, self.value));
        }
        let naming = match (
            self.has(given::SPACE),
            self.has(given::EXTERNAL_ID),
            self.has(given::ID),
        ) {
            (true, true, _) => Naming::Instance {
                space: self.space,
                external_id: self.external_id,
            },
            (true, false, _) => return Err(missing_external_id(table)),
            (false, true, _) => Naming::ExternalId(self.external_id),
            (false, false, true) => Naming::Id(self.id),
            (false, false, false) => return Err(unnamed_series(table)),
        };
        Ok((code, naming))
    }

    fn code(&self, table: &'static Table) -> Result<u32, Box<Diagnostic>> {
        match (self.has(given::STATUS_CODE), self.has(given::STATUS_SYMBOL)) {
            (false, false) => Ok(0),
            (true, false) => Ok(self.status_code),
            (false, true) => Ok(self.symbol_code),
            (true, true) if self.status_code == self.symbol_code => Ok(self.status_code),
            (true, true) => Err(disagreement(table, self.status_code, self.symbol_code)),
        }
    }
}

/// The column of the table that holds `field`; the first one if none does.
pub fn column(table: &'static Table, field: &str) -> &'static Column {
    let found = table.columns.iter().find(|column| column.field == field);
    found.unwrap_or(&table.columns[0])
}

fn has_status(table: &Table) -> bool {
    table
        .columns
        .iter()
        .any(|column| column.field == "status.code")
}

#[cold]
fn missing_value(table: &'static Table) -> Box<Diagnostic> {
    let missing = null_value(table, column(table, "value"));
    if !has_status(table) {
        return missing;
    }
    Box::new((*missing).with_hint(
        "Only a point with a Bad status may be without a value: give it a status_code such as \
         2147483648, or a status_symbol such as Bad.",
    ))
}

#[cold]
fn needs_bad_status(table: &'static Table, value: f64) -> Box<Diagnostic> {
    let mut refusal = super::cdf_rules::datapoint_value_out_of_range(value);
    refusal.hint = Some(
        "With a status that is not Bad, CDF takes numbers between -1e100 and 1e100, and neither \
         NaN nor infinity."
            .to_owned(),
    );
    in_column(table, column(table, "value"), refusal)
}

#[cold]
fn missing_external_id(table: &'static Table) -> Box<Diagnostic> {
    let missing = null_value(table, column(table, "externalId"));
    Box::new((*missing).with_hint(
        "An instance is named by its space and its external id: give both, or no instance_space.",
    ))
}

#[cold]
fn unnamed_series(table: &'static Table) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::NOT_NULL_VIOLATION,
            format!("a row of \"{}\" needs an external_id or an id", table.name),
        )
        .with_table(table.name)
        .with_column(column(table, "externalId").name),
    )
}

#[cold]
fn disagreement(table: &'static Table, by_code: u32, by_symbol: u32) -> Box<Diagnostic> {
    let refusal = Diagnostic::error(
        SqlState::INVALID_PARAMETER_VALUE,
        format!(
            "status_code {by_code} is {}, and status_symbol says {}",
            status_symbol(by_code),
            status_symbol(by_symbol)
        ),
    )
    .with_hint("Give one of the two, or both with one meaning.");
    in_column(table, column(table, "status.symbol"), Box::new(refusal))
}
