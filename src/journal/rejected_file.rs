//! Rejected rows in a file of JSON lines: the keeper where there is no other.
//!
//! Owns the file. Promises that rows are on disk when it says so, each with the reason, the
//! user, the table and its values. Never deletes anything.

use super::disk::make_directory;
use crate::pipeline::{RejectedFate, RejectedRows, Rejection};
use crate::rows::{
    DatapointBatch, DatapointValues, ObjectBatch, ObjectValues, RowBatch, SeriesReference,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

/// Appends to one file.
#[derive(Debug)]
pub struct RejectedFile {
    path: PathBuf,
    /// One line after the other.
    turn: Mutex<()>,
}

impl RejectedFile {
    /// In this file, which is made with the first row.
    pub fn new(path: PathBuf) -> Self {
        RejectedFile {
            path,
            turn: Mutex::new(()),
        }
    }
}

impl RejectedRows for RejectedFile {
    fn keep(&self, rejection: &Rejection<'_>) -> io::Result<()> {
        let mut lines = Vec::new();
        for row in rejection.rows.iter().cloned().flatten() {
            serde_json::to_writer(&mut lines, &line(rejection, row))?;
            lines.push(b'\n');
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(directory) = self.path.parent() {
            make_directory(directory)?;
        }
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        file.write_all(&lines)?;
        file.sync_all()
    }
}

fn line(rejection: &Rejection<'_>, row: usize) -> Value {
    let acknowledged_ms = rejection
        .acknowledged_at
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64);
    json!({
        "record": rejection.record,
        "row": rejection.batch.row_number(row),
        "acknowledged_ms": acknowledged_ms,
        "user": rejection.user,
        "identity": rejection.identity,
        "project": rejection.project.name,
        "table": rejection.table.full_name(),
        "fate": match rejection.fate {
            RejectedFate::Refused => "refused",
            RejectedFate::Unknown => "unknown",
        },
        "sqlstate": rejection.reason.sqlstate.code(),
        "message": rejection.reason.message,
        "detail": rejection.reason.detail,
        "action": rejection.batch.action_name(),
        "values": values(rejection.batch, row),
    })
}

fn values(batch: &RowBatch, row: usize) -> Value {
    match batch {
        RowBatch::Datapoints(batch) => datapoint(batch, row),
        RowBatch::RawRows(batch) => json!({
            "_raw_database": batch.destination.database,
            "_raw_table": batch.destination.table,
            "_raw_key": batch.keys.text(row),
            "_raw_columns": as_json(batch.columns.text(row)),
        }),
        RowBatch::Objects(batch) => object(batch, row),
    }
}

fn datapoint(batch: &DatapointBatch, row: usize) -> Value {
    let series = batch.series[batch.series_index[row] as usize].reference();
    let status = batch.status(row);
    let value = match &batch.values {
        _ if status.has_no_value => Value::Null,
        // JSON has neither NaN nor infinity: they are kept as text.
        DatapointValues::Double(values) if !values[row].is_finite() => {
            json!(values[row].to_string())
        }
        DatapointValues::Double(values) => json!(values[row]),
        DatapointValues::Text(values) => json!(values.text(row)),
        DatapointValues::Deleted(_) => Value::Null,
    };
    let mut point = json!({"timestamp_ms": batch.timestamps_ms[row]});
    match batch.values {
        DatapointValues::Deleted(_) => point["last_timestamp_ms"] = json!(batch.last_ms(row)),
        _ => point["value"] = value,
    }
    match series {
        SeriesReference::Id(id) => point["id"] = json!(id),
        SeriesReference::ExternalId(external_id) => point["external_id"] = json!(external_id),
        SeriesReference::InstanceId(instance) => {
            point["instance_space"] = json!(instance.space);
            point["external_id"] = json!(instance.external_id);
        }
    }
    if status.code != 0 {
        point["status_code"] = json!(status.code);
    }
    point
}

fn object(batch: &ObjectBatch, row: usize) -> Value {
    let mut values = Map::new();
    for column in batch.columns.iter().filter(|column| column.present[row]) {
        let value = match &column.values {
            ObjectValues::Bool(values) => json!(values[row]),
            ObjectValues::BigInt(values) | ObjectValues::TimestampMs(values) => json!(values[row]),
            ObjectValues::Double(values) => json!(values[row]),
            ObjectValues::Text(values) => json!(values.text(row)),
            ObjectValues::Json(values) | ObjectValues::TextArray(values) => {
                as_json(values.text(row))
            }
            ObjectValues::BigIntArray(values) => json!(values[row]),
        };
        values.insert(batch.table.columns[column.column].name.to_owned(), value);
    }
    Value::Object(values)
}

/// JSON as the client wrote it; what is none stays a string.
fn as_json(text: &str) -> Value {
    serde_json::from_str::<&RawValue>(text)
        .ok()
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_else(|| Value::String(text.to_owned()))
}
