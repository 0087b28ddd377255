//! From columns to the body of one request.
//!
//! Owns the encoders. Promises that a body holds each series and each key once, the last row
//! winning, and that it is allocated once. Never looks at CDF's answer, never does I/O.

mod datapoints;
mod grouping;
pub(super) mod json;
mod objects;
mod protobuf;
mod raw_rows;

use super::{EncodeError, EncodedRequest};
use crate::catalog::Resource;
use crate::config::BatchSettings;
use crate::rows::RowRange;
use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};
use std::cell::RefCell;

/// Makes one request of `ranges`, all of `resource`, in the order in which they take effect.
///
/// The caller has cut them to CDF's limits, and has put RAW rows of one table, or RAW tables
/// of one database, into each call.
///
/// # Errors
/// When the rows do not fit into one request; see [`EncodeError`].
pub fn encode(
    resource: Resource,
    ranges: &[RowRange<'_>],
    settings: &BatchSettings,
) -> Result<EncodedRequest, EncodeError> {
    if ranges.iter().all(|range| range.rows.is_empty()) {
        return Err(EncodeError::Empty);
    }
    let request = match resource {
        Resource::Datapoints => datapoints::encode(ranges)?,
        Resource::RawRows => raw_rows::encode(ranges)?,
        Resource::RawTables | Resource::TimeSeries => objects::encode(resource, ranges)?,
    };
    let worth_it =
        settings.gzip_bytes_min > 0 && request.uncompressed_bytes >= settings.gzip_bytes_min;
    Ok(match worth_it {
        true => compress(request),
        false => request,
    })
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
