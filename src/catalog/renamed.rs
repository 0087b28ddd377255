//! Names of Cognite's first gateway that the second one changed.
//!
//! Owns the list, for the HINTs of 42P01 and 42703. Promises the name to write instead. Never
//! resolves a name.

/// Tables: the old name and what to write instead.
const TABLES: [(&str, &str); 3] = [
    ("timeseries", "time_series"),
    ("datapoints", "double_datapoints or string_datapoints"),
    ("raw", "raw_rows"),
];

/// Columns: the table of today, the old name and what to write instead.
const COLUMNS: [(&str, &str, &str); 6] = [
    ("raw_rows", "database", "_raw_database"),
    ("raw_rows", "table", "_raw_table"),
    ("raw_rows", "key", "_raw_key"),
    ("raw_rows", "columns", "_raw_columns"),
    ("sequence_rows", "row_values", "values"),
    (
        "time_series",
        "legacy_name",
        "no other column: CDF ignores it",
    ),
];

/// What to write instead of an old table name.
pub fn table_hint(name: &str) -> Option<String> {
    TABLES
        .iter()
        .find(|(old, _)| *old == name)
        .map(|(old, new)| {
            format!("\"{old}\" is its name in version 1.0 of the gateway: write {new}.")
        })
}

/// What to write instead of an old column name.
pub fn column_hint(table: &str, name: &str) -> Option<String> {
    COLUMNS
        .iter()
        .find(|(of, old, _)| *of == table && *old == name)
        .map(|(_, old, new)| {
            format!("\"{old}\" is its name in version 1.0 of the gateway: write {new}.")
        })
}
