//! Letters as files: JSON Lines and CSV, and edits read back from them.
//!
//! Owns the two layouts. Promises that an export which is read back unchanged changes nothing
//! but the state of its letters, and that an import names the line of what it cannot read.
//! Never touches the store.

use super::changes::Edit;
use super::csv;
use super::letter::Letter;
use crate::catalog::{Resource, Table};
use crate::rows::LAST_TIMESTAMP;
use serde::{Deserialize, Serialize};

/// The layout of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// One letter a line, with everything that is known of it.
    #[default]
    Jsonl,
    /// One table: what names a letter and why it was refused, then the table's columns.
    Csv,
}

/// The first columns of a CSV export; those of the table may have any other name.
const LETTER_COLUMNS: [&str; 7] = [
    "letter_id",
    "letter_time",
    "letter_state",
    "letter_user",
    "letter_sqlstate",
    "letter_message",
    "letter_request_id",
];

/// Why an edited export cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct ImportError {
    /// From 1.
    pub line: usize,
    pub fault: String,
}

/// One line of JSON.
pub fn json_line(letter: &Letter) -> Result<String, serde_json::Error> {
    let mut line = serde_json::to_string(letter)?;
    line.push('\n');
    Ok(line)
}

/// The header of a CSV export of `table`.
pub fn csv_header(table: &Table) -> String {
    let mut line = String::new();
    csv::write_record(
        &mut line,
        LETTER_COLUMNS
            .into_iter()
            .chain(row_columns(table))
            .map(Some),
    );
    line
}

/// A letter of `table` as a CSV record.
pub fn csv_record(table: &Table, letter: &Letter) -> String {
    let mut line = String::new();
    let (id, time) = (letter.id.to_string(), letter.time.to_string());
    let value = |name: &str| {
        let index = letter.columns.iter().position(|column| column == name)?;
        letter.values.get(index)?.as_deref()
    };
    let of_letter = [
        Some(id.as_str()),
        Some(time.as_str()),
        Some(letter.state.name()),
        Some(letter.user.as_str()),
        Some(letter.reason.sqlstate.as_str()),
        Some(letter.reason.message.as_str()),
        letter.reason.request_id.as_deref(),
    ];
    let of_row = row_columns(table).map(value);
    csv::write_record(&mut line, of_letter.into_iter().chain(of_row));
    line
}

/// What a row of `table` may have values for: its columns, and the end of what a delete of points
/// takes away.
fn row_columns(table: &Table) -> impl Iterator<Item = &'static str> {
    let last = (table.resource == Resource::Datapoints).then_some(LAST_TIMESTAMP);
    let columns = table.columns.iter().map(|column| column.name);
    columns.chain(last)
}

#[derive(Deserialize)]
struct EditedLine {
    id: i64,
    columns: Vec<String>,
    values: Vec<Option<String>>,
}

/// The edits of an export in JSON Lines; empty lines are passed over, and keys other than id,
/// columns and values are not looked at.
///
/// # Errors
/// The first line that cannot be read.
pub fn read_json_lines(text: &str) -> Result<Vec<Edit>, ImportError> {
    let mut edits = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let EditedLine {
            id,
            columns,
            values,
        } = serde_json::from_str(line).map_err(|error| ImportError {
            line: index + 1,
            fault: error.to_string(),
        })?;
        edits.push(Edit {
            id,
            columns,
            values,
        });
    }
    Ok(edits)
}

/// The edits of a CSV export. A column of the table that has no value in a record is left out of
/// that row: NULL and absent mean the same in every table.
///
/// # Errors
/// The first record that cannot be read.
pub fn read_csv(text: &str) -> Result<Vec<Edit>, ImportError> {
    let failed = |line: usize, fault: &str| ImportError {
        line,
        fault: fault.to_owned(),
    };
    let records = csv::records(text).map_err(|line| failed(line, "a quote is not closed"))?;
    let mut records = records.into_iter();
    let Some((_, header)) = records.next() else {
        return Ok(Vec::new());
    };
    let header: Vec<String> = header.into_iter().map(Option::unwrap_or_default).collect();
    let id_at = header
        .iter()
        .position(|name| name == "letter_id")
        .ok_or_else(|| failed(1, "the header has no column letter_id"))?;
    let mut edits = Vec::new();
    for (line, record) in records {
        if record.len() != header.len() {
            return Err(failed(
                line,
                &format!(
                    "{} fields, and the header has {}",
                    record.len(),
                    header.len()
                ),
            ));
        }
        let id = record[id_at]
            .as_deref()
            .and_then(|id| id.trim().parse().ok())
            .ok_or_else(|| failed(line, "letter_id is no number"))?;
        let (columns, values) = header
            .iter()
            .zip(record)
            .filter(|(name, value)| !LETTER_COLUMNS.contains(&name.as_str()) && value.is_some())
            .map(|(name, value)| (name.clone(), value))
            .unzip();
        edits.push(Edit {
            id,
            columns,
            values,
        });
    }
    Ok(edits)
}
