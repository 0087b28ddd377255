//! The rows of sequences.
//!
//! `store` owns the cells, `insertion` writes them, `reading` shows and deletes them. A row
//! is known by its number; a cell that is written replaces the one that was there, the other
//! cells of its row stay.

mod insertion;
mod reading;
mod store;

pub use insertion::insert;
pub use reading::{delete, latest, list};
pub use store::RowStore;

use super::kind::ObjectKind;
use super::references::unknown;
use super::store::{Index, Object};
use crate::emulator::answer::Refusal;
use crate::emulator::reference::Reference;
use serde_json::{Value, json};

/// Most sequences per insert and delete call.
const SEQUENCES_MAX: usize = 1_000;

/// Most rows per call: inserted, of one page, or deleted from one sequence.
const ROWS_MAX: usize = 10_000;

/// The columns of a sequence, as they were described.
fn columns_of(sequence: &Object) -> &[Value] {
    let columns = sequence.fields.get("columns").and_then(Value::as_array);
    columns.map(Vec::as_slice).unwrap_or_default()
}

/// The columns under these names; an unknown one is a 404.
fn named_columns<'a>(sequence: &'a Object, names: &[String]) -> Result<Vec<&'a Value>, Refusal> {
    let columns = columns_of(sequence);
    let mut missing = Vec::new();
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        match columns.iter().find(|column| column["externalId"] == *name) {
            Some(column) => found.push(column),
            None => missing.push(json!({"externalId": name})),
        }
    }
    if missing.is_empty() {
        return Ok(found);
    }
    Err(Refusal::NotFound {
        message: format!("Columns not found in sequence {}", label(sequence)),
        missing,
    })
}

fn label(sequence: &Object) -> String {
    let external_id = sequence.external_id().map(str::to_owned);
    external_id.unwrap_or_else(|| sequence.id.to_string())
}

/// One sequence; an unknown one is a 400 with `missing`.
fn find<'a>(index: &'a Index, reference: &Reference) -> Result<&'a Object, Refusal> {
    let schema = ObjectKind::Sequences.schema();
    match index.find(reference) {
        Some(sequence) => Ok(sequence),
        None => Err(unknown(schema.not_found, vec![reference.to_json()])),
    }
}
