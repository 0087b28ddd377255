//! What the gateway itself says is not in CDF: dead letters, and reports of damage.
//!
//! Owns the reading of both, as an operator would read them. Promises that a letter counts
//! only for the key and the version whose values it holds. Never asks the gateway's memory.

use crate::ledger::{Key, Version};
use crate::payload;
use crate::plant::Plant;
use crate::statement::RAW_DATABASE;
use crate::verdict::Confessed;
use anyhow::Context;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

/// Reads everything that is confessed.
pub fn read(plant: &Plant) -> anyhow::Result<Confessed> {
    let mut confessed = Confessed::default();
    let exported = Command::new(plant.binary())
        .args(["dead-letters", "export", "--directory"])
        .arg(plant.dead_letters())
        .stderr(Stdio::inherit())
        .output()?;
    for line in std::str::from_utf8(&exported.stdout)?.lines() {
        let letter: Value = serde_json::from_str(line)?;
        let (key, version) = named_by(&letter).with_context(|| format!("the letter {line}"))?;
        confessed.letters.insert((key, version));
    }
    for store in [plant.journal(), plant.journal().join("parked")] {
        confessed.corrupt_rows += rows_damaged(&store.join("damaged/report.jsonl"))?;
    }
    Ok(confessed)
}

/// Rows that a report of damage counts.
fn rows_damaged(report: &Path) -> anyhow::Result<u64> {
    let Ok(text) = std::fs::read_to_string(report) else {
        // Nothing was ever damaged.
        return Ok(0);
    };
    let mut rows = 0;
    for line in text.lines() {
        let damage: Value = serde_json::from_str(line)?;
        rows += damage["rows"].as_u64().unwrap_or(0);
    }
    Ok(rows)
}

/// The key and the version that a letter's values are.
fn named_by(letter: &Value) -> Option<(Key, Version)> {
    let columns = letter["columns"].as_array()?;
    let values = letter["values"].as_array()?;
    let value = |name: &str| {
        let place = columns.iter().position(|column| column == name)?;
        values.get(place)?.as_str()
    };
    let series = || Some(value("external_id")?.into());
    let time = || {
        let text = value("timestamp")?.replace(' ', "T").replace("+00", "Z");
        Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond())
    };
    match letter["table"].as_str()? {
        "double_datapoints" => {
            let key = Key::Number(series()?, time()?);
            let version = payload::version_of_number(&key, value("value")?.parse().ok()?)?;
            Some((key, version))
        }
        "string_datapoints" => {
            let key = Key::Text(series()?, time()?);
            let version = payload::version_of_text(&key, value("value")?)?;
            Some((key, version))
        }
        "raw_rows" if value("_raw_database")? == RAW_DATABASE => {
            let key = Key::Raw(value("_raw_table")?.into(), value("_raw_key")?.into());
            let row = serde_json::from_str(value("_raw_columns")?).ok()?;
            let version = payload::version_of_columns(&key, &row)?;
            Some((key, version))
        }
        "time_series" => Some((Key::Series(series()?), 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_letter_names_its_key_and_version() {
        let key = Key::Number("a".into(), 1_767_225_600_000);
        let letter = json!({
            "table": "double_datapoints",
            "columns": ["value", "timestamp", "external_id", "id"],
            "values": [payload::number(&key, 7).to_string(), "2026-01-01 00:00:00+00", "a", null],
        });
        assert_eq!(named_by(&letter), Some((key, 7)));
        assert_eq!(named_by(&json!({"table": "double_datapoints"})), None);
    }
}
