//! Names of series and statuses of points as bytes, and back.
//!
//! Owns the layout of both. Promises what the batch codec promises of its columns. Never knows a
//! batch.

use super::fields::{Fields, Unreadable, put_column, put_text};
use crate::rows::{PointStatus, SeriesReference};

/// Appends how a writer named a series.
pub fn put_series(bytes: &mut Vec<u8>, reference: &SeriesReference) {
    match reference {
        SeriesReference::Id(id) => {
            bytes.push(0);
            bytes.extend_from_slice(&id.to_le_bytes());
        }
        SeriesReference::ExternalId(external_id) => {
            bytes.push(1);
            put_text(bytes, external_id);
        }
        SeriesReference::InstanceId(instance) => {
            bytes.push(2);
            put_text(bytes, &instance.space);
            put_text(bytes, &instance.external_id);
        }
    }
}

/// Reads how a writer named a series.
///
/// # Errors
/// The bytes are no such name.
pub fn series_reference(fields: &mut Fields<'_>) -> Result<SeriesReference, Unreadable> {
    Ok(match fields.u8()? {
        0 => SeriesReference::Id(fields.i64()?),
        1 => SeriesReference::ExternalId(fields.text()?.into()),
        2 => {
            let space = fields.text()?;
            SeriesReference::instance(space, fields.text()?)
        }
        _ => return Err(Unreadable("a series is named in an unknown way")),
    })
}

/// Appends the codes of all points, then which have no value.
pub fn put_statuses(bytes: &mut Vec<u8>, statuses: &[PointStatus]) {
    let codes = statuses.iter().map(|status| status.code.to_le_bytes());
    put_column(bytes, codes);
    let marks = statuses
        .iter()
        .map(|status| [u8::from(status.has_no_value)]);
    put_column(bytes, marks);
}

/// Reads the statuses of `rows` points.
///
/// # Errors
/// The bytes end too early.
pub fn statuses(fields: &mut Fields<'_>, rows: usize) -> Result<Vec<PointStatus>, Unreadable> {
    let codes = fields.column(rows)?.iter();
    let marks = fields.take(rows)?.iter();
    Ok(codes
        .zip(marks)
        .map(|(code, mark)| PointStatus {
            code: u32::from_le_bytes(*code),
            has_no_value: *mark != 0,
        })
        .collect())
}
