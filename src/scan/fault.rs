//! Why a scan did not come to its end.
//!
//! Owns the classes of faults, by what the one who asked does next. Promises that each says what
//! to do. Never retries.

use super::plan::{narrowing_columns, takes_keys};
use crate::catalog::Table;
use crate::diagnostic::{Diagnostic, SqlState};

/// By which columns a join narrows what is read, as a sentence; empty: by none.
fn joins_that_help(table: &'static Table) -> String {
    let columns = (0..table.columns.len()).filter(|column| takes_keys(table, *column));
    let names: Vec<&str> = columns.map(|column| table.columns[column].name).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(
            " Or join it with a temporary table, by = of a column of that: {}.",
            names.join(", ")
        ),
    }
}

/// A scan that has failed. Rows that were given out are not all there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanFault {
    /// It would read more rows than it may: the statement needs narrower conditions.
    TooManyRows(Box<Diagnostic>),
    /// CDF refused it, or could not be reached for as long as requests are repeated.
    Cdf(Box<Diagnostic>),
    /// CDF has a value that the table's column cannot hold.
    Unfit(Box<Diagnostic>),
}

impl ScanFault {
    /// More rows than `rows_max`.
    pub(super) fn too_many(table: &'static Table, rows_max: u64) -> Self {
        let helpful = narrowing_columns(table);
        let hint = match helpful.is_empty() {
            true => "Read fewer rows: CDF has no filter for this table.".to_owned(),
            false => format!(
                "Compare one of these columns with constants in WHERE, as CDF filters by them: {}.{}",
                helpful.join(", "),
                joins_that_help(table)
            ),
        };
        ScanFault::TooManyRows(Box::new(
            Diagnostic::error(
                SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                format!(
                    "the statement would read more than {rows_max} rows of {} from CDF",
                    table.full_name()
                ),
            )
            .with_detail("Conditions that CDF cannot take, joins and aggregates are worked out after the rows are read.")
            .with_hint(hint)
            .with_table(table.name),
        ))
    }

    /// More bytes than are read at once, of what cannot be asked for in smaller parts.
    pub(super) fn too_long(table: &'static Table, bytes_max: usize) -> Self {
        ScanFault::Unfit(Box::new(
            Diagnostic::error(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                format!(
                    "an answer of CDF about {} is longer than {bytes_max} bytes, which is all that is read at once",
                    table.full_name()
                ),
            )
            .with_hint("Leave the row out by a condition that CDF takes.")
            .with_table(table.name),
        ))
    }

    /// What the client is told.
    pub fn diagnostic(&self) -> &Diagnostic {
        match self {
            ScanFault::TooManyRows(diagnostic)
            | ScanFault::Cdf(diagnostic)
            | ScanFault::Unfit(diagnostic) => diagnostic,
        }
    }

    /// The same, to be sent.
    pub fn into_diagnostic(self) -> Box<Diagnostic> {
        match self {
            ScanFault::TooManyRows(diagnostic)
            | ScanFault::Cdf(diagnostic)
            | ScanFault::Unfit(diagnostic) => diagnostic,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::TABLES;
    use std::collections::BTreeSet;

    /// What stands in backticks.
    fn quoted(text: &str) -> BTreeSet<&str> {
        text.split('`').skip(1).step_by(2).collect()
    }

    /// The columns that the page about scans has for a table.
    fn documented(table: &'static Table) -> BTreeSet<&'static str> {
        let page = include_str!("../../docs/scans.md");
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.filter_map(|line| line.trim_matches('|').split_once('|'));
        let mut found: BTreeSet<&str> = BTreeSet::new();
        for (tables, columns) in cells {
            let tables = quoted(tables);
            if !tables.contains(table.name) && !tables.contains(table.full_name()) {
                continue;
            }
            found.extend(quoted(columns));
            if columns.contains("times") {
                found.extend(["created_time", "last_updated_time"]);
            }
        }
        let of_table = |name: &&str| table.column_index(name).is_ok();
        found.into_iter().filter(of_table).collect()
    }

    #[test]
    fn too_many_rows_of_any_table_are_told_with_the_columns_that_narrow_them() {
        for table in TABLES {
            let fault = ScanFault::too_many(table, 1);
            let hint = fault.diagnostic().hint.clone().unwrap_or_default();
            let (compared, joined) = hint.split_once(" Or join").unwrap_or((&hint, ""));
            let names = |text: &str| -> BTreeSet<String> {
                let (_, names) = text.rsplit_once(": ").unwrap_or_default();
                let names = names.trim_end_matches('.').split(", ");
                names
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect()
            };
            let documented: BTreeSet<String> =
                documented(table).into_iter().map(str::to_owned).collect();
            let name = table.full_name();
            match documented.is_empty() {
                true => assert_eq!(
                    hint, "Read fewer rows: CDF has no filter for this table.",
                    "{name}"
                ),
                false => assert_eq!(names(compared), documented, "{name}: {hint}"),
            }
            assert!(names(joined).is_subset(&documented), "{name}: {hint}");
            let has_name = documented.contains("external_id");
            let joins_by_name = names(joined).contains("external_id");
            assert_eq!(joins_by_name, has_name, "{name}: {hint}");
        }
    }
}
