//! RAW rows as JSON, the columns as the client wrote them.
//!
//! Owns the body and the path of a RAW insert. Promises each key once, the last row winning,
//! and missing databases and tables made on the way. Never parses the columns.

use super::grouping::CarriedHashMap;
use super::json;
use crate::cdf::client::JSON;
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat, percent};
use crate::rows::{RawBatch, RawDestination, RowBatch, RowRange};
use bytes::Bytes;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

/// A key by its carried hash.
pub(super) struct KeyByHash<'a> {
    pub hash: u64,
    pub key: &'a [u8],
}

impl PartialEq for KeyByHash<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for KeyByHash<'_> {}

impl Hash for KeyByHash<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// `{"key":,"columns":},` around a row's own bytes.
const ROW_FRAME_BYTES: usize = 24;

/// Encodes rows of one RAW table.
pub fn encode(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let mut destination: Option<&RawDestination> = None;
    let mut rows: Vec<(&RawBatch, usize)> = Vec::new();
    rows.reserve_exact(ranges.iter().map(|range| range.rows.len()).sum());
    let mut positions: CarriedHashMap<KeyByHash<'_>, usize> = CarriedHashMap::default();
    positions.reserve(rows.capacity());
    let mut bytes = 0;
    for range in ranges {
        let RowBatch::RawRows(batch) = range.batch else {
            return Err(EncodeError::WrongShape);
        };
        match destination {
            Some(destination) if *destination != *batch.destination => {
                return Err(EncodeError::SeveralDestinations);
            }
            _ => destination = Some(&batch.destination),
        }
        for row in range.rows.clone() {
            let key = batch.keys.bytes(row);
            bytes += key.len() + batch.columns.bytes(row).len() + ROW_FRAME_BYTES;
            let by_hash = KeyByHash {
                hash: batch.key_hashes[row],
                key,
            };
            match positions.entry(by_hash) {
                Entry::Vacant(place) => {
                    place.insert(rows.len());
                    rows.push((batch, row));
                }
                Entry::Occupied(place) => rows[*place.get()] = (batch, row),
            }
        }
    }
    let destination = destination.ok_or(EncodeError::Empty)?;
    // Keys rarely need escapes; the sixteenth more spares a second allocation when some do.
    let mut body = Vec::with_capacity(bytes + bytes / 16 + 16);
    body.extend_from_slice(b"{\"items\":[");
    for (index, (batch, row)) in rows.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"key\":");
        json::push_string(&mut body, batch.keys.bytes(*row));
        body.extend_from_slice(b",\"columns\":");
        body.extend_from_slice(batch.columns.bytes(*row));
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    insert_request(destination, body, rows.len())
}

/// The request that writes the rows in `body`.
pub(super) fn insert_request(
    destination: &RawDestination,
    body: Vec<u8>,
    items: usize,
) -> Result<EncodedRequest, EncodeError> {
    let mut path = raw_rows_path(destination)?;
    path.push_str("?ensureParent=true");
    Ok(EncodedRequest {
        operation: Operation::InsertRawRows,
        repeat: Repeat::Harmless,
        path,
        uncompressed_bytes: body.len(),
        body: Bytes::from(body),
        content_type: JSON,
        gzip: false,
        items,
        points: 0,
    })
}

/// `/raw/dbs/{database}/tables/{table}/rows`.
pub fn raw_rows_path(destination: &RawDestination) -> Result<String, EncodeError> {
    if !percent::is_segment(&destination.database) || !percent::is_segment(&destination.table) {
        return Err(EncodeError::UnusableName);
    }
    let mut path = "/raw/dbs/".to_owned();
    percent::push_segment(&mut path, &destination.database);
    path.push_str("/tables/");
    percent::push_segment(&mut path, &destination.table);
    path.push_str("/rows");
    Ok(path)
}
