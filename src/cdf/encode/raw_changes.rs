//! Changes and deletes of RAW rows.
//!
//! Owns the bodies of writes that were read for, and of deletes. Promises each key once, with all
//! changes of the request in their order, and that a row which was not found is not made by a
//! change. Never reads.

use super::grouping::CarriedHashMap;
use super::json;
use super::raw_rows::{KeyByHash, insert_request, raw_rows_path};
use crate::catalog::Resource;
use crate::cdf::client::JSON;
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat};
use crate::rows::{CellChanges, Cells, RawAction, RawBatch, RawDestination, RowBatch, RowRange};
use bytes::Bytes;
use serde_json::value::RawValue;
use std::collections::hash_map::Entry;

/// One key, and what becomes of its row.
struct Change<'a> {
    batch: &'a RawBatch,
    row: usize,
    /// What the row is, where cells of it change.
    cells: Option<Cells<'a>>,
}

/// Encodes the writing of rows that were read: `found` has what is under the key of each row.
pub fn encode(
    ranges: &[RowRange<'_>],
    found: &[Option<Box<RawValue>>],
) -> Result<EncodedRequest, EncodeError> {
    let mut found = found.iter();
    let mut changes: Vec<Change<'_>> = Vec::new();
    let mut positions: CarriedHashMap<KeyByHash<'_>, usize> = CarriedHashMap::default();
    let destination = destination(ranges)?;
    for (batch, row) in rows(ranges) {
        let batch = batch?;
        let found = found.next().ok_or(EncodeError::WrongShape)?.as_deref();
        let by_hash = KeyByHash {
            hash: batch.key_hashes[row],
            key: batch.keys.bytes(row),
        };
        let position = match positions.entry(by_hash) {
            Entry::Vacant(place) => *place.insert(changes.len()),
            Entry::Occupied(place) => *place.get(),
        };
        let mut changed = match batch.action.changes_cells() {
            true => Some(
                CellChanges::read(batch.columns.text(row)).map_err(|_| EncodeError::WrongShape)?,
            ),
            false => None,
        };
        if position == changes.len() {
            let cells = match (changed.is_some(), found) {
                (false, _) => None,
                (true, Some(columns)) => {
                    Some(Cells::read(columns.get()).map_err(|_| EncodeError::NoObject)?)
                }
                // A row that is made is not changed as well.
                (true, None) if batch.action == RawAction::Upsert => {
                    changed.take().and_then(CellChanges::made)
                }
                (true, None) => Some(Cells::default()),
            };
            changes.push(Change { batch, row, cells });
        } else {
            (changes[position].batch, changes[position].row) = (batch, row);
        }
        if let (Some(cells), Some(changed)) = (&mut changes[position].cells, changed) {
            cells.change(changed);
        }
    }
    let mut body = b"{\"items\":[".to_vec();
    for (index, change) in changes.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"key\":");
        json::push_string(&mut body, change.batch.keys.bytes(change.row));
        body.extend_from_slice(b",\"columns\":");
        match &change.cells {
            Some(cells) => cells.write(&mut body),
            None => body.extend_from_slice(change.batch.columns.bytes(change.row)),
        }
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    insert_request(destination, body, changes.len())
}

/// Whether rows that were read are to be deleted.
pub fn deletes(ranges: &[RowRange<'_>]) -> bool {
    let first = ranges.first().map(|range| range.batch);
    matches!(first, Some(RowBatch::RawRows(batch)) if batch.action == RawAction::DeleteFound)
}

/// Encodes the deleting of rows by their keys.
pub fn encode_delete(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let mut keys: Vec<&[u8]> = Vec::new();
    let mut seen: CarriedHashMap<KeyByHash<'_>, ()> = CarriedHashMap::default();
    let destination = destination(ranges)?;
    for (batch, row) in rows(ranges) {
        let batch = batch?;
        let key = batch.keys.bytes(row);
        let hash = batch.key_hashes[row];
        if seen.insert(KeyByHash { hash, key }, ()).is_none() {
            keys.push(key);
        }
    }
    delete_request(destination, keys.into_iter())
}

/// Encodes the deleting of rows whose keys were read.
pub fn encode_delete_of(
    ranges: &[RowRange<'_>],
    keys: &[Box<str>],
) -> Result<EncodedRequest, EncodeError> {
    delete_request(destination(ranges)?, keys.iter().map(|key| key.as_bytes()))
}

fn delete_request<'a>(
    destination: &RawDestination,
    keys: impl Iterator<Item = &'a [u8]>,
) -> Result<EncodedRequest, EncodeError> {
    let mut body = b"{\"items\":[".to_vec();
    let mut items = 0;
    for key in keys {
        if items > 0 {
            body.push(b',');
        }
        items += 1;
        body.extend_from_slice(b"{\"key\":");
        json::push_string(&mut body, key);
        body.push(b'}');
    }
    if items == 0 {
        return Err(EncodeError::Empty);
    }
    body.extend_from_slice(b"]}");
    let mut path = raw_rows_path(destination)?;
    path.push_str("/delete");
    Ok(EncodedRequest {
        operation: Operation::Delete(Resource::RawRows),
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

/// The rows of all ranges.
fn rows<'a>(
    ranges: &'a [RowRange<'_>],
) -> impl Iterator<Item = (Result<&'a RawBatch, EncodeError>, usize)> {
    ranges.iter().flat_map(|range| {
        range.rows.clone().map(move |row| match range.batch {
            RowBatch::RawRows(batch) => (Ok(batch), row),
            _ => (Err(EncodeError::WrongShape), row),
        })
    })
}

/// The one table that all ranges go to.
fn destination<'a>(ranges: &'a [RowRange<'_>]) -> Result<&'a RawDestination, EncodeError> {
    let mut destination: Option<&RawDestination> = None;
    for range in ranges {
        let RowBatch::RawRows(batch) = range.batch else {
            return Err(EncodeError::WrongShape);
        };
        match destination {
            Some(known) if *known != *batch.destination => {
                return Err(EncodeError::SeveralDestinations);
            }
            _ => destination = Some(&batch.destination),
        }
    }
    destination.ok_or(EncodeError::Empty)
}
