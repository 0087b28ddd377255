//! From columns to the body of one request.
//!
//! Owns the encoders. Promises that a body holds each series and each key once, the last row
//! winning, and that it is allocated once. Never looks at CDF's answer, never does I/O.

mod changes;
mod datapoints;
mod field;
mod grouping;
mod instance_changes;
mod instances;
pub(super) mod json;
mod objects;
mod protobuf;
mod raw_changes;
mod raw_rows;
mod sequence_rows;

pub(super) use datapoints::deletes::push_series;
pub use instance_changes::instance_names;
pub(super) use raw_rows::raw_rows_path;

use super::{EncodeError, EncodedRequest, Found, Operation};
use crate::catalog::Resource;
use crate::config::BatchSettings;
use crate::rows::RowRange;
use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};
use std::cell::RefCell;

/// Makes one request of `ranges`, with which `operation` is to be done, in the order in which
/// they take effect.
///
/// The caller has cut them to CDF's limits, and has put RAW rows of one table, or RAW tables
/// of one database, into each call.
///
/// # Errors
/// When the rows do not fit into one request; see [`EncodeError`].
pub fn encode(
    operation: Operation,
    ranges: &[RowRange<'_>],
    settings: &BatchSettings,
) -> Result<EncodedRequest, EncodeError> {
    if ranges.iter().all(|range| range.rows.is_empty()) {
        return Err(EncodeError::Empty);
    }
    let request = match operation {
        Operation::InsertDatapoints => datapoints::encode(ranges)?,
        Operation::InsertRawRows => raw_rows::encode(ranges)?,
        Operation::CreateRawTables => objects::encode(Resource::RawTables, ranges)?,
        Operation::Delete(Resource::RawRows) => raw_changes::encode_delete(ranges)?,
        Operation::Delete(Resource::Instances) => instance_changes::encode_delete(ranges)?,
        Operation::Create(Resource::SequenceRows) => sequence_rows::encode(ranges)?,
        Operation::Delete(Resource::Datapoints) => datapoints::deletes::encode(ranges)?,
        Operation::Delete(Resource::SequenceRows) => sequence_rows::encode_delete(ranges)?,
        Operation::Create(Resource::Instances) => instances::encode(ranges)?,
        Operation::Create(resource) => objects::encode(resource, ranges)?,
        Operation::Update(resource) => changes::encode_update(resource, ranges)?,
        Operation::Delete(resource) => changes::encode_delete(resource, ranges)?,
        Operation::LookUp(_) | Operation::ReadBack => return Err(EncodeError::WrongShape),
    };
    Ok(compressed(request, settings))
}

/// The same for rows that were read before: `found` is what CDF has of them. Rows that are to be
/// changed and were not found have been taken out.
///
/// # Errors
/// As [`encode`].
pub fn encode_found(
    resource: Resource,
    ranges: &[RowRange<'_>],
    found: &Found,
    settings: &BatchSettings,
) -> Result<EncodedRequest, EncodeError> {
    let request = match (resource, found) {
        (Resource::RawRows, Found::Rows(_)) if raw_changes::deletes(ranges) => {
            raw_changes::encode_delete(ranges)?
        }
        (Resource::RawRows, Found::Rows(rows)) => raw_changes::encode(ranges, rows)?,
        (Resource::RawRows, Found::Keys(page)) => {
            raw_changes::encode_delete_of(ranges, &page.keys)?
        }
        (Resource::Instances, Found::Rows(instances)) => {
            instance_changes::encode(ranges, instances)?
        }
        _ => return Err(EncodeError::WrongShape),
    };
    Ok(compressed(request, settings))
}

fn compressed(request: EncodedRequest, settings: &BatchSettings) -> EncodedRequest {
    let worth_it =
        settings.gzip_bytes_min > 0 && request.uncompressed_bytes >= settings.gzip_bytes_min;
    match worth_it {
        true => compress(request),
        false => request,
    }
}

thread_local! {
    /// A compressor owns a few hundred kilobytes of tables: one per thread, kept.
    static COMPRESSOR: RefCell<Compressor> = RefCell::new(Compressor::new(level()));
}

/// Level 1: higher ones cost two to four times the time for some percent. The library's
/// "fastest" is level 0, which only stores.
fn level() -> CompressionLvl {
    CompressionLvl::new(1).expect("level 1 is one of 0 to 12")
}

fn compress(request: EncodedRequest) -> EncodedRequest {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let mut body = vec![0; compressor.gzip_compress_bound(request.body.len())];
        match compressor.gzip_compress(&request.body, &mut body) {
            Ok(length) => {
                body.truncate(length);
                EncodedRequest {
                    body: Bytes::from(body),
                    gzip: true,
                    ..request
                }
            }
            // Only a buffer below the bound fails, and the body is right as it is.
            Err(_) => request,
        }
    })
}
