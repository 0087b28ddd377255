//! One statement of a producer: its rows, its form, its text.
//!
//! Owns how rows become SQL and COPY data. Promises that the rows are those of the ledger, in
//! its order. Never sends anything.

use crate::ledger::{Key, Version};
use crate::payload;
use rand::Rng;
use rand::rngs::StdRng;
use std::fmt::Write;

/// How rows reach the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// INSERT of one row or several, by the simple protocol.
    Insert,
    /// One INSERT a row, sent without waiting for answers.
    Pipeline,
    /// COPY in text format.
    Copy,
    /// BEGIN, INSERT, COMMIT.
    Commit,
    /// BEGIN, INSERT, ROLLBACK.
    Rollback,
}

impl Form {
    /// Draws a form, and how many rows it takes.
    pub fn draw(random: &mut StdRng) -> (Self, usize) {
        match random.random_range(0..10) {
            0..3 => (Form::Insert, 1),
            3..5 => (Form::Insert, random.random_range(2..50)),
            5 => (Form::Pipeline, random.random_range(2..20)),
            6..8 => (Form::Copy, random.random_range(1..500)),
            8 => (Form::Commit, random.random_range(1..20)),
            _ => (Form::Rollback, random.random_range(1..20)),
        }
    }
}

/// What kind of keys a statement writes: one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Numbers,
    Texts,
    Raw,
    Series,
}

impl Table {
    /// Draws a table. New series are rare, as in a plant.
    pub fn draw(random: &mut StdRng) -> Self {
        match random.random_range(0..20) {
            0..9 => Table::Numbers,
            9..13 => Table::Texts,
            13..19 => Table::Raw,
            _ => Table::Series,
        }
    }

    /// Table and columns, as they stand in a statement.
    pub fn target(self) -> &'static str {
        match self {
            Table::Numbers => "double_datapoints (external_id, timestamp, value)",
            Table::Texts => "string_datapoints (external_id, timestamp, value)",
            Table::Raw => "raw_rows (_raw_database, _raw_table, _raw_key, _raw_columns)",
            Table::Series => "time_series (external_id, name, is_string)",
        }
    }
}

/// The RAW database of all rows.
pub const RAW_DATABASE: &str = "oracle";

/// The fields of a row, in the order of the table's columns.
pub fn fields(key: &Key, version: Version) -> Vec<String> {
    match key {
        Key::Number(series, time) => vec![
            series.to_string(),
            timestamp(*time),
            payload::number(key, version).to_string(),
        ],
        Key::Text(series, time) => vec![
            series.to_string(),
            timestamp(*time),
            payload::text(key, version),
        ],
        Key::Raw(table, row) => vec![
            RAW_DATABASE.to_owned(),
            table.to_string(),
            row.to_string(),
            payload::columns(key, version).to_string(),
        ],
        Key::Series(series) => vec![
            series.to_string(),
            format!("series {version}"),
            "false".to_owned(),
        ],
    }
}

/// Milliseconds as PostgreSQL reads them.
fn timestamp(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map(|time| time.to_string())
        .unwrap_or_default()
}

/// An INSERT of all rows.
pub fn insert(table: Table, rows: &[Vec<String>]) -> String {
    let mut text = format!("INSERT INTO {} VALUES ", table.target());
    for (index, row) in rows.iter().enumerate() {
        text.push_str(if index == 0 { "(" } else { ", (" });
        for (place, field) in row.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}'{}'", field.replace('\'', "''"));
        }
        text.push(')');
    }
    text
}

/// COPY data in text format.
pub fn copy_data(rows: &[Vec<String>]) -> String {
    let mut data = String::new();
    for row in rows {
        for (place, field) in row.iter().enumerate() {
            if place > 0 {
                data.push('\t');
            }
            for letter in field.chars() {
                match letter {
                    '\\' => data.push_str("\\\\"),
                    '\t' => data.push_str("\\t"),
                    '\n' => data.push_str("\\n"),
                    '\r' => data.push_str("\\r"),
                    letter => data.push(letter),
                }
            }
        }
        data.push('\n');
    }
    data
}
