//! Rows of the metadata tables as JSON objects, by the catalog's field names.
//!
//! Owns the body of a create. Promises that a null is left out, as CDF wants it, and that
//! times are milliseconds. Never knows a table beyond its path.

use super::json;
use crate::catalog::{Column, Resource};
use crate::cdf::client::JSON;
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat, percent};
use crate::rows::{ObjectBatch, ObjectColumn, ObjectValues, RowBatch, RowRange};
use bytes::Bytes;

/// The field of a RAW table's database: it goes into the path.
const DATABASE_FIELD: &str = "dbName";

/// The field that makes a repeated create conflict rather than double.
const EXTERNAL_ID_FIELD: &str = "externalId";

/// Encodes rows of one metadata resource.
pub fn encode(resource: Resource, ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let mut body = Vec::with_capacity(16 + ranges.iter().map(range_bytes).sum::<usize>());
    body.extend_from_slice(b"{\"items\":[");
    let mut database: Option<&str> = None;
    let mut all_named = true;
    let mut items = 0;
    for range in ranges {
        let RowBatch::Objects(batch) = range.batch else {
            return Err(EncodeError::WrongShape);
        };
        if batch.table.resource != resource {
            return Err(EncodeError::WrongShape);
        }
        let fields: Vec<Field<'_>> = batch
            .columns
            .iter()
            .map(|column| Field::new(batch, column))
            .collect();
        let external_id = field(&fields, EXTERNAL_ID_FIELD);
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
    body.extend_from_slice(b"]}");
    let (path, repeat) = match (resource, database) {
        (Resource::RawTables, Some(database)) => (tables_path(database)?, Repeat::Conflicts),
        (Resource::TimeSeries, _) if all_named => ("/timeseries".to_owned(), Repeat::Conflicts),
        (Resource::TimeSeries, _) => ("/timeseries".to_owned(), Repeat::Doubles),
        _ => return Err(EncodeError::WrongShape),
    };
    Ok(EncodedRequest {
        operation: Operation::writing(resource),
        repeat,
        path,
        uncompressed_bytes: body.len(),
        body: Bytes::from(body),
        content_type: JSON,
        gzip: false,
        items,
        points: 0,
    })
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

/// A column with its field's name ready to be written.
struct Field<'a> {
    described: &'a Column,
    column: &'a ObjectColumn,
    /// `"name":`
    head: Vec<u8>,
    in_path: bool,
}

impl<'a> Field<'a> {
    fn new(batch: &'a ObjectBatch, column: &'a ObjectColumn) -> Self {
        let described = &batch.table.columns[column.column];
        let mut head = Vec::with_capacity(described.field.len() + 3);
        json::push_string(&mut head, described.field.as_bytes());
        head.push(b':');
        Field {
            described,
            column,
            head,
            in_path: described.field == DATABASE_FIELD,
        }
    }
}

fn field<'a, 'b>(fields: &'b [Field<'a>], name: &str) -> Option<&'b Field<'a>> {
    fields.iter().find(|field| field.described.field == name)
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
        push_value(body, &field.column.values, row);
    }
    body.push(b'}');
}

fn push_value(body: &mut Vec<u8>, values: &ObjectValues, row: usize) {
    match values {
        ObjectValues::Bool(values) => json::push_bool(body, values[row]),
        ObjectValues::BigInt(values) | ObjectValues::TimestampMs(values) => {
            json::push_integer(body, values[row]);
        }
        ObjectValues::Double(values) => json::push_double(body, values[row]),
        ObjectValues::Text(values) => json::push_string(body, values.bytes(row)),
        ObjectValues::Json(values) => body.extend_from_slice(values.bytes(row)),
        ObjectValues::BigIntArray(values) => {
            body.push(b'[');
            for (index, value) in values[row].iter().enumerate() {
                if index > 0 {
                    body.push(b',');
                }
                json::push_integer(body, *value);
            }
            body.push(b']');
        }
    }
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
fn range_bytes(range: &RowRange<'_>) -> usize {
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
