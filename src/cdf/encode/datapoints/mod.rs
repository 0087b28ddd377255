//! Datapoints as `DataPointInsertionRequest`, straight from columns.
//!
//! Owns the choice between two ways. Promises the exact size before the first byte, each
//! series once, and of several rows for one point the last. Never copies a string twice.
//!
//! The straight way writes each numeric point where it belongs in the body, in one pass: all
//! points have one size when their timestamps lie between 1971 and 2109, and none is dropped
//! when each series' timestamps rise, and nothing stands behind a value. All others are gathered by series first, put in order
//! and measured.

pub(super) mod deletes;
mod gathered;
mod item;
mod part;
mod straight;

use crate::cdf::client::PROTOBUF;
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat};
use crate::rows::{DatapointValues, RowBatch, RowRange};
use bytes::Bytes;
use gathered::{Doubles, Texts, WithStatus};
use part::Part;

/// Whether a status is to be written.
fn have_statuses<C>(parts: &[Part<'_, C>]) -> bool {
    parts.iter().any(|part| !part.batch.statuses.is_empty())
}

/// Encodes datapoints of both kinds.
pub fn encode(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let mut doubles = Vec::new();
    let mut texts = Vec::new();
    for range in ranges {
        let RowBatch::Datapoints(batch) = range.batch else {
            return Err(EncodeError::WrongShape);
        };
        let rows = range.rows.clone();
        match &batch.values {
            DatapointValues::Double(values) => doubles.push(Part::new(batch, values, rows)),
            DatapointValues::Text(values) => texts.push(Part::new(batch, values, rows)),
            DatapointValues::Deleted(_) => return Err(EncodeError::WrongShape),
        }
    }
    let mut body = Vec::new();
    let mut items = 0;
    let mut points = 0;
    if !doubles.is_empty() {
        let tally = part::tally(&mut doubles);
        items += tally.series.len();
        points += match (have_statuses(&doubles), tally.straight) {
            (true, _) => gathered::write::<WithStatus<Doubles>>(&doubles, &tally, &mut body),
            (false, true) => straight::write(&doubles, &tally, &mut body),
            (false, false) => gathered::write::<Doubles>(&doubles, &tally, &mut body),
        };
    }
    if !texts.is_empty() {
        let tally = part::tally(&mut texts);
        items += tally.series.len();
        points += match have_statuses(&texts) {
            true => gathered::write::<WithStatus<Texts>>(&texts, &tally, &mut body),
            false => gathered::write::<Texts>(&texts, &tally, &mut body),
        };
    }
    Ok(EncodedRequest {
        operation: Operation::InsertDatapoints,
        repeat: Repeat::Harmless,
        path: "/timeseries/data".to_owned(),
        uncompressed_bytes: body.len(),
        body: Bytes::from(body),
        content_type: PROTOBUF,
        gzip: false,
        items,
        points,
    })
}
