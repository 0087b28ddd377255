//! RAW: databases, tables and rows of JSON.
//!
//! `store` owns what is kept, `databases` and `tables` the naming of both, `insertion`
//! and `removal` the writing of rows, `reading` pages, single rows and parallel cursors.

mod databases;
mod insertion;
mod reading;
mod removal;
mod store;
mod tables;

pub use databases::{
    create as create_databases, delete as delete_databases, list as list_databases,
};
pub use insertion::{check_row, insert as insert_rows};
pub use reading::{cursors as list_cursors, get as get_row, list as list_rows};
pub use removal::delete as delete_rows;
pub use store::RawStore;
pub use tables::{create as create_tables, delete as delete_tables, list as list_tables};

use super::answer::Refusal;
use super::query::Query;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashSet;

/// Longest database name, in characters.
const DATABASE_CHARS_MAX: usize = 32;

/// Longest table name, in characters.
const TABLE_CHARS_MAX: usize = 64;

/// Longest row key, in characters.
pub const KEY_CHARS_MAX: usize = 1_024;

/// Most rows per insert, delete and page.
pub const ROWS_MAX: usize = 10_000;

/// Most bytes of the columns of one row.
pub const COLUMNS_BYTES_MAX: usize = 5 << 20;

/// Longest name and longest value of one column, in characters.
pub const COLUMN_CHARS_MAX: usize = 2_621_440;

/// Most databases or tables per call and page.
const NAMES_MAX: usize = 1_000;

const PAGE_DEFAULT: i64 = 25;

/// A database or a table as requests and answers show it.
#[derive(Debug, Serialize, Deserialize)]
struct Named {
    name: String,
}

/// Checks the names of a create call: their number, their lengths, doubled ones.
fn check_names(what: &str, items: &[Named], chars_max: usize) -> Result<(), Refusal> {
    super::json::check_items(what, items.len(), NAMES_MAX)?;
    let mut seen = HashSet::new();
    let mut duplicated = Vec::new();
    for item in items {
        check_name(what, &item.name, chars_max)?;
        if !seen.insert(&item.name) {
            duplicated.push(json!({"name": item.name}));
        }
    }
    super::reference::refuse_doubled(duplicated)
}

fn check_name(what: &str, name: &str, chars_max: usize) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid(format!(
            "{what}: a name must not be empty"
        )));
    }
    super::reference::check_chars(what, name, chars_max)
}

/// The page size of a listing.
fn page_limit(query: &Query, most: usize) -> Result<usize, Refusal> {
    let limit = query.number("limit")?.unwrap_or(PAGE_DEFAULT);
    usize::try_from(limit)
        .ok()
        .filter(|limit| (1..=most).contains(limit))
        .ok_or_else(|| Refusal::invalid(format!("limit: must be from 1 to {most}, got {limit}")))
}
