//! Deletes of datapoints: `POST /timeseries/data/delete`.
//!
//! Owns the body: an item for each series and range of time. Promises that a single time is
//! named by itself, without an end. Never looks whether there are points.

use crate::catalog::Resource;
use crate::cdf::encode::json;
use crate::cdf::encode::objects::request;
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat};
use crate::rows::{DELETED_ITEM_BYTES, DatapointValues, RowBatch, RowRange, SeriesReference};

/// Encodes the deleting of points.
pub fn encode(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let rows: usize = ranges.iter().map(|range| range.rows.len()).sum();
    let mut body = Vec::with_capacity(16 + rows * DELETED_ITEM_BYTES);
    body.extend_from_slice(b"{\"items\":[");
    for range in ranges {
        let RowBatch::Datapoints(batch) = range.batch else {
            return Err(EncodeError::WrongShape);
        };
        let DatapointValues::Deleted(ends_ms) = &batch.values else {
            return Err(EncodeError::WrongShape);
        };
        for row in range.rows.clone() {
            if body.last() != Some(&b'[') {
                body.push(b',');
            }
            body.push(b'{');
            let series = &batch.series[batch.series_index[row] as usize];
            push_series(&mut body, series.reference());
            let (begin_ms, end_ms) = (batch.timestamps_ms[row], ends_ms[row]);
            body.extend_from_slice(b",\"inclusiveBegin\":");
            json::push_integer(&mut body, begin_ms);
            if end_ms > begin_ms + 1 {
                body.extend_from_slice(b",\"exclusiveEnd\":");
                json::push_integer(&mut body, end_ms);
            }
            body.push(b'}');
        }
    }
    body.extend_from_slice(b"]}");
    Ok(request(
        Operation::Delete(Resource::Datapoints),
        Repeat::Harmless,
        "/timeseries/data/delete".to_owned(),
        body,
        rows,
    ))
}

/// `"externalId":"a"`, `"id":1` or `"instanceId":{…}`.
pub(in crate::cdf) fn push_series(body: &mut Vec<u8>, series: &SeriesReference) {
    match series {
        SeriesReference::Id(id) => {
            body.extend_from_slice(b"\"id\":");
            json::push_integer(body, *id);
        }
        SeriesReference::ExternalId(external_id) => {
            body.extend_from_slice(b"\"externalId\":");
            json::push_string(body, external_id.as_bytes());
        }
        SeriesReference::InstanceId(instance) => {
            body.extend_from_slice(b"\"instanceId\":{\"space\":");
            json::push_string(body, instance.space.as_bytes());
            body.extend_from_slice(b",\"externalId\":");
            json::push_string(body, instance.external_id.as_bytes());
            body.push(b'}');
        }
    }
}
