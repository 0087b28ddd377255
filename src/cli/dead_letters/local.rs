//! Letters in the directory of a gateway, without the gateway.
//!
//! Owns the commands that need nobody else. Promises to leave a running gateway alone: SQLite
//! keeps readers and writers apart. Never edits and never replays.

use super::Done;
use super::table;
use crate::catalog;
use crate::dead_letters::{
    Database, ExportFormat, Letter, LetterFilter, StoreError, csv_header, csv_record, json_line,
};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Letters of one step.
const STEP_LETTERS: usize = 500;

pub fn list(directory: &Path, filter: &LetterFilter, after: i64, limit: usize) -> Done {
    println!("{}", table::head());
    let mut left = limit;
    each(directory, filter, after, |letter| {
        if left == 0 {
            return Ok(false);
        }
        left -= 1;
        println!("{}", table::line(letter));
        Ok(true)
    })
}

pub fn show(directory: &Path, id: i64) -> Done {
    let database = open(directory)?;
    let mut page = database.page(&LetterFilter::one(id), 0, 1).map_err(told)?;
    let letter = page
        .pop()
        .ok_or_else(|| format!("There is no letter {id}."))?;
    print!("{}", table::block(&letter));
    Ok(ExitCode::SUCCESS)
}

pub fn export(directory: &Path, filter: &LetterFilter, format: ExportFormat) -> Done {
    let mut output = std::io::stdout().lock();
    let mut write = |text: String| {
        output
            .write_all(text.as_bytes())
            .map_err(|error| format!("Standard output cannot be written: {error}."))
    };
    match format {
        ExportFormat::Jsonl => each(directory, filter, 0, |letter| {
            let line =
                json_line(letter).map_err(|error| format!("Letter {}: {error}.", letter.id))?;
            write(line).map(|()| true)
        }),
        ExportFormat::Csv => {
            let name = filter.table.as_deref().unwrap_or_default();
            let described = catalog::table_of_full_name(name)
                .ok_or_else(|| "A CSV export is of one table: name it with --table.".to_owned())?;
            write(csv_header(described))?;
            each(directory, filter, 0, |letter| {
                write(csv_record(described, letter)).map(|()| true)
            })
        }
    }
}

pub fn purge(directory: &Path, filter: &LetterFilter) -> Done {
    let purged = open(directory)?.purge(filter).map_err(told)?;
    println!("Deleted {purged}.");
    Ok(ExitCode::SUCCESS)
}

/// Visits the letters that `filter` means, until `visit` says that it is enough.
fn each(
    directory: &Path,
    filter: &LetterFilter,
    after: i64,
    mut visit: impl FnMut(&Letter) -> Result<bool, String>,
) -> Done {
    let database = open(directory)?;
    let mut after = after;
    loop {
        let page = database.page(filter, after, STEP_LETTERS).map_err(told)?;
        let Some(last) = page.last() else {
            return Ok(ExitCode::SUCCESS);
        };
        after = last.id;
        for letter in &page {
            if !visit(letter)? {
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
}

fn open(directory: &Path) -> Result<Database, String> {
    Database::open_existing(directory).map_err(told)
}

fn told(error: StoreError) -> String {
    format!("{error}.")
}
