//! `penstock tables`: every table as documentation.
//!
//! Owns the text of `docs/tables.md`. Promises that it says nothing that the catalog does not
//! say. Never connects.

use crate::catalog::{
    ColumnType, CreateBody, OnExisting, Resource, RowRule, STATE_TABLES, TABLES, Table,
};
use clap::Args;
use std::fmt::Write;
use std::process::ExitCode;

#[derive(Args, Debug)]
pub struct TablesArguments {}

/// Prints all tables as Markdown.
pub fn run(_arguments: &TablesArguments) -> ExitCode {
    print!("{}", markdown());
    ExitCode::SUCCESS
}

/// The whole document.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Tables\n\n\
         Printed by `penstock tables`: every table, its columns with their rules, and the calls \
         to CDF behind it. `key` marks the columns that name a row in `ON CONFLICT`, `UPDATE` and \
         `DELETE`. Lengths of VARCHAR are characters.\n\n\
         | table | CDF | written by | an existing key |\n|---|---|---|---|\n",
    );
    for table in TABLES {
        // Writing into a String cannot fail, here and below.
        let _ = writeln!(
            text,
            "| [{name}](#{anchor}) | {resource} | {written} | {existing} |",
            name = table.full_name(),
            anchor = table.full_name().replace('.', ""),
            resource = table.resource.in_words(),
            written = written_by(table),
            existing = if table.is_writable {
                existing(table)
            } else {
                ""
            },
        );
    }
    for table in TABLES {
        push_table(&mut text, table);
    }
    text.push_str(
        "\n## The gateway's own state\n\n\
         Relations of schema `penstock`, for every user: made anew for each statement, only read, and \
         of the user's own. [Operations](operations.md#in-sql) has questions that they answer.\n",
    );
    for table in STATE_TABLES {
        push_state(&mut text, table);
    }
    text
}

fn push_state(text: &mut String, table: &Table) {
    let _ = writeln!(text, "\n### {}\n\n{}.\n", table.full_name(), table.comment);
    text.push_str("| column | type | what it is |\n|---|---|---|\n");
    for column in table.columns {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} |",
            column.name,
            type_name(column.column_type),
            column.meaning,
        );
    }
}

fn written_by(table: &Table) -> &'static str {
    if !table.is_writable {
        return "nobody: read only";
    }
    if matches!(
        table.resource,
        Resource::Datapoints | Resource::SequenceRows
    ) {
        return "COPY, INSERT, UPDATE, DELETE";
    }
    match table.endpoints {
        None if table.resource == Resource::RawRows => "COPY, INSERT, UPDATE, DELETE",
        None => "COPY, INSERT",
        Some(endpoints) => match (endpoints.update.is_some(), endpoints.delete.is_some()) {
            (true, true) => "COPY, INSERT, UPDATE, DELETE",
            (true, false) => "COPY, INSERT, UPDATE",
            (false, true) => "COPY, INSERT, DELETE",
            (false, false) => "COPY, INSERT",
        },
    }
}

fn existing(table: &Table) -> &'static str {
    match table.on_existing {
        OnExisting::Overwrite => "is overwritten",
        OnExisting::Refuse => "is refused: 23505",
        OnExisting::Append => "none: each row is one more",
    }
}

fn push_table(text: &mut String, table: &Table) {
    let _ = writeln!(text, "\n## {}\n\n{}.\n", table.full_name(), table.comment);
    text.push_str("| column | type | in CDF | rules |\n|---|---|---|---|\n");
    for (index, column) in table.columns.iter().enumerate() {
        let _ = writeln!(
            text,
            "| `{}` | {} | `{}` | {} |",
            column.name,
            type_name(column.column_type),
            column.field,
            table.rules_in_words(index).join("; "),
        );
    }
    if let Some(rule) = row_rule(table) {
        let _ = writeln!(text, "\n{rule}");
    }
    if let (true, Some(endpoints)) = (table.is_writable, table.endpoints) {
        let body = match endpoints.body {
            CreateBody::Bare => "one object a request",
            CreateBody::Items | CreateBody::SequenceRows | CreateBody::Instances(_) => "",
        };
        let items = match (body, endpoints.creates_max) {
            ("", count) => format!("up to {count} a request"),
            (words, _) => words.to_owned(),
        };
        let mut calls = vec![format!("`POST {}` ({items})", endpoints.create)];
        calls.extend(endpoints.update.map(|path| format!("`POST {path}`")));
        calls.extend(
            endpoints
                .delete
                .map(|deletion| format!("`POST {}`", deletion.path)),
        );
        let _ = writeln!(text, "\nCalls: {}.", calls.join(", "));
    }
}

/// The type with its length, as in CREATE TABLE.
fn type_name(column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Varchar(0) => "VARCHAR".to_owned(),
        ColumnType::Varchar(length) => format!("VARCHAR({length})"),
        other => other.sql_name().to_uppercase(),
    }
}

fn row_rule(table: &Table) -> Option<String> {
    let name = |index: usize| table.columns[index].name;
    match table.row_rule {
        RowRule::None => None,
        RowRule::Ordered(first, second) => Some(format!(
            "`{}` is not before `{}`.",
            name(second),
            name(first)
        )),
        RowRule::OnlyUnless(first, second) => Some(format!(
            "`{}` has no value where `{}` is true.",
            name(second),
            name(first)
        )),
        RowRule::Later(first, second) => {
            Some(format!("`{}` is after `{}`.", name(second), name(first)))
        }
        RowRule::OneAtMost(first, second) => Some(format!(
            "Only one of `{}` and `{}` has a value.",
            name(first),
            name(second)
        )),
        RowRule::ExactlyOne(first, second) => Some(format!(
            "One of `{}` and `{}` has a value.",
            name(first),
            name(second)
        )),
        RowRule::PointOfSeries => Some(
            "`instance_space` and `external_id` name the node that the series is; without \
             `instance_space` it is the series with that `external_id` or `id`. A status is given \
             by code, by symbol or by both if they agree, and is Good without either. Only with a \
             Bad status may the value be missing, NaN, infinite or beyond ±1e100. A point is \
             written whole: its status goes with its value."
                .to_owned(),
        ),
        RowRule::Cells => Some(
            "One of `external_id` and `id` has a value. `values` is a list as long as `columns`, \
             or an object of values by column, and then `columns` has no value. A value is a \
             string of up to 256 characters, a number within ±1e100 or null; a row has up to 200, \
             each of a column of its own."
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_in_the_repository_is_what_the_command_prints() {
        let written = include_str!("../../docs/tables.md");
        assert!(
            written == markdown(),
            "docs/tables.md is stale: cargo run -- tables > docs/tables.md"
        );
    }
}
