//! The tables as version 1.0 of Cognite's gateway names them, for users who have not moved yet.
//!
//! Owns the names that differ and the columns that did not exist. Promises that every such table
//! leads back to the table of today, column by column: rows on their way know today's tables
//! only. Never holds a table of its own: what CDF takes is described once.

use super::table::{RowRule, Table};
use super::{Column, ColumnType, PUBLIC};
use crate::diagnostic::{Diagnostic, SqlState};
use std::sync::LazyLock;

/// Which names a user writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Version 1.0.
    First,
    /// Version 2.0, and the schema cdf.
    #[default]
    Second,
}

/// How a table of version 1.0 differs from today's.
struct Difference {
    name: &'static str,
    today: &'static Table,
    /// Columns by their names then and now.
    renamed: &'static [(&'static str, &'static str)],
    /// Columns of today that did not exist.
    absent: &'static [&'static str],
    /// Columns that CDF takes no more.
    gone: &'static [Column],
}

/// OIDs of these tables are those of today's and so many.
const OID_STEP: u32 = 1000;

const fn same(today: &'static Table, absent: &'static [&'static str]) -> Difference {
    Difference {
        name: today.name,
        today,
        renamed: &[],
        absent,
        gone: &[],
    }
}

static DIFFERENCES: [Difference; 12] = [
    same(
        &super::assets::TABLE,
        &["created_time", "last_updated_time"],
    ),
    Difference {
        name: "datapoints",
        ..same(&super::double_datapoints::TABLE, &[])
    },
    same(
        &super::events::TABLE,
        &["created_time", "last_updated_time"],
    ),
    same(&super::extraction_pipeline_runs::TABLE, &["id"]),
    same(
        &super::extraction_pipelines::TABLE,
        &[
            "contacts",
            "raw_tables",
            "documentation",
            "created_by",
            "last_updated_time",
        ],
    ),
    same(
        &super::files::TABLE,
        &[
            "directory",
            "asset_ids",
            "source_created_time",
            "source_modified_time",
            "security_categories",
            "created_time",
            "last_updated_time",
        ],
    ),
    same(&super::labels::TABLE, &["data_set_id", "created_time"]),
    Difference {
        name: "raw",
        renamed: &[
            ("database", "_raw_database"),
            ("table", "_raw_table"),
            ("key", "_raw_key"),
            ("columns", "_raw_columns"),
        ],
        ..same(&super::raw_rows::TABLE, &["_raw_last_updated_time"])
    },
    same(&super::relationships::TABLE, &[]),
    Difference {
        renamed: &[("row_values", "values")],
        ..same(&super::sequence_rows::TABLE, &[])
    },
    same(&super::sequences::TABLE, &["created_time"]),
    Difference {
        name: "timeseries",
        // Read-only and without a field: what is written to it is dropped.
        gone: &[Column::read_only(
            "legacy_name",
            ColumnType::Varchar(255),
            "",
        )],
        ..same(&super::time_series::TABLE, &[])
    },
];

/// A table of version 1.0 and what it is today.
#[derive(Debug)]
pub struct FirstTable {
    table: Table,
    today: &'static Table,
    /// Per column, its index in today's table; `None` for one that CDF takes no more.
    columns: Vec<Option<usize>>,
}

static TABLES: LazyLock<Vec<FirstTable>> =
    LazyLock::new(|| DIFFERENCES.iter().map(FirstTable::of).collect());

impl FirstTable {
    fn of(difference: &Difference) -> Self {
        let today = difference.today;
        let mut columns = Vec::new();
        let mut places = Vec::new();
        for (index, column) in today.columns.iter().enumerate() {
            if difference.absent.contains(&column.name) {
                continue;
            }
            let renamed = difference
                .renamed
                .iter()
                .find(|(_, now)| *now == column.name);
            columns.push(Column {
                name: renamed.map_or(column.name, |(then, _)| then),
                ..*column
            });
            places.push(Some(index));
        }
        for column in difference.gone {
            columns.push(*column);
            places.push(None);
        }
        let then = |index: usize| places.iter().position(|place| *place == Some(index));
        // The rules are on columns that existed then; where not, there is nothing to keep.
        let pair = |first, second| then(first).zip(then(second));
        let row_rule = match today.row_rule {
            RowRule::None | RowRule::PointOfSeries | RowRule::Cells => today.row_rule,
            RowRule::Ordered(first, second) => pair(first, second)
                .map_or(RowRule::None, |(first, second)| {
                    RowRule::Ordered(first, second)
                }),
            RowRule::Later(first, second) => pair(first, second)
                .map_or(RowRule::None, |(first, second)| {
                    RowRule::Later(first, second)
                }),
            RowRule::OnlyUnless(first, second) => pair(first, second)
                .map_or(RowRule::None, |(first, second)| {
                    RowRule::OnlyUnless(first, second)
                }),
            RowRule::OneAtMost(first, second) => pair(first, second)
                .map_or(RowRule::None, |(first, second)| {
                    RowRule::OneAtMost(first, second)
                }),
            RowRule::ExactlyOne(first, second) => pair(first, second)
                .map_or(RowRule::None, |(first, second)| {
                    RowRule::ExactlyOne(first, second)
                }),
        };
        let key: Vec<usize> = today.key.iter().filter_map(|index| then(*index)).collect();
        FirstTable {
            table: Table {
                schema: today.schema,
                name: difference.name,
                oid: today.oid + OID_STEP,
                resource: today.resource,
                shape: today.shape,
                on_existing: today.on_existing,
                // Made once, and there until the process ends.
                columns: Vec::leak(columns),
                key: Vec::leak(key),
                id: today.id.and_then(then),
                endpoints: today.endpoints,
                row_rule,
                is_writable: today.is_writable,
                comment: today.comment,
            },
            today,
            columns: places,
        }
    }

    /// What the table is today.
    pub fn today(&self) -> &'static Table {
        self.today
    }

    /// Index of a column in today's table.
    pub fn column_today(&self, column: usize) -> Option<usize> {
        self.columns.get(column).copied().flatten()
    }
}

/// The table of version 1.0 of that name.
///
/// # Errors
/// 42P01 with the names that exist.
pub fn table(schema: Option<&str>, name: &str) -> Result<&'static Table, Box<Diagnostic>> {
    let found = TABLES
        .iter()
        .find(|first| first.table.name == name && schema.is_none_or(|schema| schema == PUBLIC));
    match found {
        Some(first) => Ok(&first.table),
        None => {
            let relation = match schema {
                Some(schema) => format!("{schema}.{name}"),
                None => name.to_owned(),
            };
            let names: Vec<&str> = TABLES.iter().map(|first| first.table.name).collect();
            Err(Box::new(
                Diagnostic::error(
                    SqlState::UNDEFINED_TABLE,
                    format!("relation \"{relation}\" does not exist"),
                )
                .with_hint(format!(
                    "This user writes the names of version 1.0, by users.dialect. The tables are {}.",
                    names.join(", ")
                )),
            ))
        }
    }
}

/// What is known of a table of version 1.0; `None` for tables of today.
pub fn first_table(table: &Table) -> Option<&'static FirstTable> {
    TABLES
        .iter()
        .find(|first| std::ptr::eq(&raw const first.table, table))
}

/// The table of today that a table stands for: most stand for themselves.
pub fn today(table: &'static Table) -> &'static Table {
    first_table(table).map_or(table, |first| first.today)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_leads_to_the_same_column_of_today() {
        for first in TABLES.iter() {
            for (index, column) in first.table.columns.iter().enumerate() {
                match first.column_today(index) {
                    Some(today) => {
                        let today = &first.today.columns[today];
                        assert_eq!(column.field, today.field);
                        assert_eq!(column.column_type, today.column_type);
                    }
                    None => assert_eq!(column.name, "legacy_name"),
                }
            }
            let keys = |table: &Table| -> Vec<&str> {
                table
                    .key
                    .iter()
                    .map(|index| table.columns[*index].field)
                    .collect()
            };
            assert_eq!(
                keys(&first.table),
                keys(first.today),
                "{}",
                first.table.name
            );
        }
    }

    #[test]
    fn old_names_are_found_and_new_ones_are_not() {
        for name in ["timeseries", "datapoints", "raw", "assets", "sequence_rows"] {
            assert!(table(None, name).is_ok(), "{name}");
        }
        for name in ["time_series", "double_datapoints", "raw_rows", "views"] {
            let error = table(Some("public"), name).expect_err(name);
            assert_eq!(error.sqlstate.code(), "42P01");
            assert!(error.hint.is_some());
        }
        let files = table(None, "files").expect("the table exists");
        assert!(files.column_index("directory").is_err());
        let rows = table(None, "sequence_rows").expect("the table exists");
        assert!(rows.column_index("row_values").is_ok());
    }
}
