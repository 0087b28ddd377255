//! How tables look in the answers of version 2.0.
//!
//! Owns the three shapes: made, listed, built in. Promises types of the API's list of sixteen.
//! Never decides which tables are shown.

use crate::catalog::{Table, custom_type_name};
use crate::state::StoredTable;
use serde_json::{Map, Value, json};

/// A table as the call that made it answers: a view is a view there.
pub(super) fn created(table: &StoredTable) -> Value {
    let mut shown = listed(table);
    if shown["type"] != "raw_rows" {
        shown["type"] = json!("view");
    }
    shown
}

/// A table as lists show it: a view's is of nodes or of edges.
pub(super) fn listed(table: &StoredTable) -> Value {
    let mut shown = table.definition.to_json();
    shown["createdTime"] = json!(table.created_ms);
    shown
}

/// A table that every user has.
pub(super) fn built_in(table: &Table) -> Value {
    let columns: Map<String, Value> = table
        .columns
        .iter()
        .map(|column| {
            let described = json!({"type": custom_type_name(column.column_type)});
            (column.name.to_owned(), described)
        })
        .collect();
    json!({"type": "built_in", "tablename": table.name, "columns": columns})
}
