//! Rows of the metadata tables as JSON objects, by the catalog's field names.
//!
//! Owns the body of a create. Promises that a null is left out, as CDF wants it, and that
//! times are milliseconds. Never knows a table beyond what the catalog says of it.

use super::field::Field;
use crate::catalog::{CreateBody, Resource};
use crate::cdf::client::JSON;
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat, percent};
use crate::rows::{ObjectBatch, ObjectValues, RowBatch, RowRange};
use bytes::Bytes;

/// The field of a RAW table's database: it goes into the path.
pub(super) const DATABASE_FIELD: &str = "dbName";

/// The field that makes a repeated create conflict rather than double.
const EXTERNAL_ID_FIELD: &str = "externalId";

/// Encodes the making of rows of one metadata resource.
pub fn encode(resource: Resource, ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let rows: usize = ranges.iter().map(|range| range.rows.len()).sum();
    let endpoints = objects(resource, ranges)?.table.endpoints;
    let is_bare = endpoints.is_some_and(|endpoints| endpoints.body == CreateBody::Bare);
    if is_bare && rows != 1 {
        return Err(EncodeError::SeveralDestinations);
    }
    let mut body = Vec::with_capacity(16 + ranges.iter().map(range_bytes).sum::<usize>());
    if !is_bare {
        body.extend_from_slice(b"{\"items\":[");
    }
    let mut database: Option<&str> = None;
    let mut all_named = true;
    let mut items = 0;
    for range in ranges {
        let batch = of_resource(resource, range)?;
        let fields: Vec<Field<'_>> = batch
            .columns
            .iter()
            .map(|column| Field::new(batch, column))
            .collect();
        let external_id = fields
            .iter()
            .find(|field| field.described.field == EXTERNAL_ID_FIELD);
        for row in range.rows.clone() {
            if resource == Resource::RawTables {
                let own = database_of(batch, row).ok_or(EncodeError::UnusableName)?;
                if database.is_some_and(|database| database != own) {
                    return Err(EncodeError::SeveralDestinations);
                }
                database = Some(own);
            }
            all_named &= external_id.is_some_and(|field| field.column.present[row]);
            if items > 0 {
                body.push(b',');
            }
            push_object(&mut body, &fields, row);
            items += 1;
        }
    }
    if !is_bare {
        body.extend_from_slice(b"]}");
    }
    let (path, repeat) = match (resource, database, endpoints) {
        (Resource::RawTables, Some(database), _) => (tables_path(database)?, Repeat::Conflicts),
        (Resource::ExtractionPipelineRuns, _, Some(endpoints)) => {
            (endpoints.create.to_owned(), Repeat::Doubles)
        }
        (_, _, Some(endpoints)) if all_named => (endpoints.create.to_owned(), Repeat::Conflicts),
        (_, _, Some(endpoints)) => (endpoints.create.to_owned(), Repeat::Doubles),
        _ => return Err(EncodeError::WrongShape),
    };
    Ok(request(
        Operation::writing(resource),
        repeat,
        path,
        body,
        items,
    ))
}

/// A request of objects as JSON.
pub(super) fn request(
    operation: Operation,
    repeat: Repeat,
    path: String,
    body: Vec<u8>,
    items: usize,
) -> EncodedRequest {
    EncodedRequest {
        operation,
        repeat,
        path,
        uncompressed_bytes: body.len(),
        body: Bytes::from(body),
        content_type: JSON,
        gzip: false,
        items,
        points: 0,
    }
}

/// The batch of the first range.
pub(super) fn objects<'a>(
    resource: Resource,
    ranges: &'a [RowRange<'_>],
) -> Result<&'a ObjectBatch, EncodeError> {
    of_resource(resource, ranges.first().ok_or(EncodeError::Empty)?)
}

/// The batch of a range, which must be of that resource.
pub(super) fn of_resource<'a>(
    resource: Resource,
    range: &'a RowRange<'_>,
) -> Result<&'a ObjectBatch, EncodeError> {
    match range.batch {
        RowBatch::Objects(batch) if batch.table.resource == resource => Ok(batch),
        _ => Err(EncodeError::WrongShape),
    }
}

/// The RAW database that a row of `raw_tables` names.
fn database_of(batch: &ObjectBatch, row: usize) -> Option<&str> {
    batch.columns.iter().find_map(|column| {
        let described = batch.table.columns.get(column.column)?;
        match &column.values {
            ObjectValues::Text(values)
                if described.field == DATABASE_FIELD && column.present[row] =>
            {
                Some(values.text(row))
            }
            _ => None,
        }
    })
}

fn push_object(body: &mut Vec<u8>, fields: &[Field<'_>], row: usize) {
    body.push(b'{');
    let mut first = true;
    for field in fields {
        if !field.column.present[row] || field.in_path {
            continue;
        }
        if !first {
            body.push(b',');
        }
        first = false;
        body.extend_from_slice(&field.head);
        field.push_value(body, row);
    }
    body.push(b'}');
}

fn tables_path(database: &str) -> Result<String, EncodeError> {
    if !percent::is_segment(database) {
        return Err(EncodeError::UnusableName);
    }
    let mut path = "/raw/dbs/".to_owned();
    percent::push_segment(&mut path, database);
    path.push_str("/tables?ensureParent=true");
    Ok(path)
}

/// Room for a range's rows: their bytes, and the names of the fields.
pub(super) fn range_bytes(range: &RowRange<'_>) -> usize {
    let rows = range.batch.rows().max(1);
    let share = range.batch.bytes() / rows + 1;
    let RowBatch::Objects(batch) = range.batch else {
        return 0;
    };
    let heads: usize = batch
        .columns
        .iter()
        .filter_map(|column| batch.table.columns.get(column.column))
        .map(|described| described.field.len() + 6)
        .sum();
    range.rows.len() * (share + heads)
}
