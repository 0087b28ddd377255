//! Batches of datapoints as bytes, and back.
//!
//! Owns their layout, and the kinds of batches that they are. Promises what the batch codec
//! promises. Never writes the numbers of rows: they stand before the points.
//!
//! ```text
//! [0 update or 1 delete, u8 · kind of values u8] · series · index of each row's series
//! times i64 × rows · values · [statuses]
//! ```

use super::batch_codec::{integers, put_texts, texts};
use super::fields::{Fields, Unreadable, put_column};
use super::point_fields::{put_series, put_statuses, series_reference, statuses};
use crate::catalog::Table;
use crate::rows::{ActionKind, DatapointBatch, DatapointValues, RowNumbers, SeriesKey, TimeSpan};
use std::sync::Arc;

const DOUBLES: u8 = 1;
const STRINGS: u8 = 2;
/// Datapoints with statuses, which follow the values. A version that does not know them does not
/// take them for points without.
const DOUBLES_WITH_STATUSES: u8 = 8;
const STRINGS_WITH_STATUSES: u8 = 9;
/// Datapoints that are changed or deleted: what they do, and the kind of their values, stands
/// before their series. A version that does not know them does not take them for new points.
const POINT_CHANGES: u8 = 16;

/// The values of a [`POINT_CHANGES`] that deletes: where each range ends. No kind of a batch.
const TIMES: u8 = 3;

/// Whether a batch of that kind holds datapoints.
pub(super) fn is_kind(kind: u8) -> bool {
    matches!(
        kind,
        DOUBLES | STRINGS | DOUBLES_WITH_STATUSES | STRINGS_WITH_STATUSES | POINT_CHANGES
    )
}

/// The kind of a batch.
pub(super) fn kind(batch: &DatapointBatch) -> u8 {
    match batch.action {
        ActionKind::Create => kind_of_values(batch),
        _ => POINT_CHANGES,
    }
}

/// The kind of the values of points.
fn kind_of_values(batch: &DatapointBatch) -> u8 {
    match (&batch.values, batch.statuses.is_empty()) {
        (DatapointValues::Double(_), true) => DOUBLES,
        (DatapointValues::Text(_), true) => STRINGS,
        (DatapointValues::Double(_), false) => DOUBLES_WITH_STATUSES,
        (DatapointValues::Text(_), false) => STRINGS_WITH_STATUSES,
        (DatapointValues::Deleted(_), _) => TIMES,
    }
}

/// What points do that are not just made, and the kind of their values.
fn point_change(fields: &mut Fields<'_>) -> Result<(ActionKind, u8), Unreadable> {
    match (fields.u8()?, fields.u8()?) {
        (0, values @ (DOUBLES | STRINGS | DOUBLES_WITH_STATUSES | STRINGS_WITH_STATUSES)) => {
            Ok((ActionKind::Update, values))
        }
        (1, TIMES) => Ok((ActionKind::Delete, TIMES)),
        _ => Err(Unreadable("its points do something unknown")),
    }
}

/// Appends all but the numbers of the rows. Few series need few bytes for the index of a row's
/// series.
pub(super) fn put(bytes: &mut Vec<u8>, batch: &DatapointBatch) {
    if batch.action != ActionKind::Create {
        bytes.push(u8::from(batch.action == ActionKind::Delete));
        bytes.push(kind_of_values(batch));
    }
    bytes.extend_from_slice(&(batch.series.len() as u32).to_le_bytes());
    for key in &batch.series {
        put_series(bytes, key.reference());
    }
    let index = batch.series_index.iter();
    match batch.series.len() {
        0..=1 => {}
        2..=0x100 => put_column(bytes, index.map(|index| [*index as u8])),
        0x101..=0x1_0000 => put_column(bytes, index.map(|index| (*index as u16).to_le_bytes())),
        _ => put_column(bytes, index.map(|index| index.to_le_bytes())),
    }
    put_column(
        bytes,
        batch.timestamps_ms.iter().map(|value| value.to_le_bytes()),
    );
    match &batch.values {
        DatapointValues::Double(values) => {
            put_column(bytes, values.iter().map(|value| value.to_le_bytes()));
        }
        DatapointValues::Text(values) => put_texts(bytes, values),
        DatapointValues::Deleted(ends_ms) => {
            put_column(bytes, ends_ms.iter().map(|value| value.to_le_bytes()));
        }
    }
    if !batch.statuses.is_empty() {
        put_statuses(bytes, &batch.statuses);
    }
}

/// Reads points of that kind, behind the numbers of their rows.
///
/// # Errors
/// The bytes are no such points.
pub(super) fn read(
    fields: &mut Fields<'_>,
    kind: u8,
    table: &'static Table,
    rows: usize,
    row_numbers: RowNumbers,
) -> Result<DatapointBatch, Unreadable> {
    let (action, kind) = match kind {
        POINT_CHANGES => point_change(fields)?,
        kind => (ActionKind::Create, kind),
    };
    let series_count = fields.length()?;
    let mut series = Vec::new();
    for _ in 0..series_count {
        let reference = series_reference(fields)?;
        series.push(Arc::new(SeriesKey::new(reference)));
    }
    // Every row has a time: what holds no times for them holds no rows either.
    if fields.len() / size_of::<i64>() < rows {
        return Err(Unreadable("it ends too early"));
    }
    let series_index: Vec<u32> = match series_count {
        0..=1 => vec![0; rows],
        2..=0x100 => fields
            .take(rows)?
            .iter()
            .map(|index| u32::from(*index))
            .collect(),
        0x101..=0x1_0000 => fields
            .column(rows)?
            .iter()
            .map(|index| u32::from(u16::from_le_bytes(*index)))
            .collect(),
        _ => fields
            .column(rows)?
            .iter()
            .map(|index| u32::from_le_bytes(*index))
            .collect(),
    };
    let timestamps_ms: Vec<i64> = fields
        .column(rows)?
        .iter()
        .map(|value| i64::from_le_bytes(*value))
        .collect();
    let values = match kind {
        DOUBLES | DOUBLES_WITH_STATUSES => DatapointValues::Double(
            fields
                .column(rows)?
                .iter()
                .map(|value| f64::from_le_bytes(*value))
                .collect(),
        ),
        TIMES => DatapointValues::Deleted(ends_ms(fields, &timestamps_ms)?),
        _ => DatapointValues::Text(texts(fields, rows)?),
    };
    let statuses = match kind {
        DOUBLES_WITH_STATUSES | STRINGS_WITH_STATUSES => statuses(fields, rows)?,
        _ => Vec::new(),
    };
    let last_ms = match &values {
        DatapointValues::Deleted(ends_ms) => ends_ms,
        DatapointValues::Double(_) | DatapointValues::Text(_) => &timestamps_ms,
    };
    let mut spans = spans(series.len(), &series_index, &timestamps_ms, last_ms)?;
    if kind == TIMES {
        for span in &mut spans {
            span.last_ms -= 1;
        }
    }
    Ok(DatapointBatch {
        table,
        action,
        series,
        spans,
        series_index,
        timestamps_ms,
        values,
        statuses,
        row_numbers,
    })
}

/// The ends of what is deleted, each after its beginning.
fn ends_ms(fields: &mut Fields<'_>, begins_ms: &[i64]) -> Result<Vec<i64>, Unreadable> {
    let ends_ms = integers(fields, begins_ms.len())?;
    match begins_ms
        .iter()
        .zip(&ends_ms)
        .all(|(begin, end)| begin < end)
    {
        true => Ok(ends_ms),
        false => Err(Unreadable("a time that is deleted ends before it begins")),
    }
}

/// The time that the points of each series span.
fn spans(
    series: usize,
    series_index: &[u32],
    first_ms: &[i64],
    last_ms: &[i64],
) -> Result<Vec<TimeSpan>, Unreadable> {
    let mut spans = vec![
        TimeSpan {
            first_ms: i64::MAX,
            last_ms: i64::MIN,
        };
        series
    ];
    for (index, (first, last)) in series_index.iter().zip(first_ms.iter().zip(last_ms)) {
        let span = spans
            .get_mut(*index as usize)
            .ok_or(Unreadable("a point belongs to no series"))?;
        span.first_ms = span.first_ms.min(*first);
        span.last_ms = span.last_ms.max(*last);
    }
    if spans.iter().any(|span| span.first_ms > span.last_ms) {
        return Err(Unreadable("a series has no points"));
    }
    Ok(spans)
}
