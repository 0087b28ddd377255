//! `POST …/rows/delete`: deleting rows by key.
//!
//! Owns the call. Unknown keys are ignored, an unknown table is a 404.

use super::{ROWS_MAX, store::Table};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct DeleteRequest {
    items: Vec<RowKey>,
}

#[derive(Deserialize)]
struct RowKey {
    key: String,
}

/// Deletes rows.
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<DeleteRequest>()?.items;
    check_items("rows", items.len(), ROWS_MAX)?;
    call.tally.items = items.len() as u64;
    call.tally.rows = call.tally.items;
    call.consume(call.tally.items, 0)?;
    if call.sink() {
        return Ok(Answer::empty());
    }
    let names = call.names;
    let table: Arc<Table> = call.project.raw.table(&names.database, &names.table)?;
    table.remove(items.into_iter().map(|item| item.key));
    Ok(Answer::empty())
}
