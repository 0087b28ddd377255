//! One column of a batch as a field of JSON objects.
//!
//! Owns how a value stands in CDF's JSON. Promises a value for every row that has one. Never
//! decides whether a field is written.

use super::json;
use super::objects::DATABASE_FIELD;
use crate::catalog::{Column, JsonShape};
use crate::rows::{ObjectBatch, ObjectColumn, ObjectValues};
use std::borrow::Cow;

/// A column with its field's name ready to be written.
pub(super) struct Field<'a> {
    pub described: &'a Column,
    pub column: &'a ObjectColumn,
    /// `"name":`
    pub head: Vec<u8>,
    pub in_path: bool,
}

impl<'a> Field<'a> {
    pub fn new(batch: &'a ObjectBatch, column: &'a ObjectColumn) -> Self {
        let described = &batch.table.columns[column.column];
        Field {
            described,
            column,
            head: head(described),
            in_path: described.field == DATABASE_FIELD,
        }
    }

    /// Appends the value of row `row`, which must have one.
    pub fn push_value(&self, body: &mut Vec<u8>, row: usize) {
        push_value(body, self.described, &self.column.values, row);
    }
}

/// `"name":` of a column.
pub(super) fn head(described: &Column) -> Vec<u8> {
    let mut head = Vec::with_capacity(described.field.len() + 3);
    json::push_string(&mut head, described.field.as_bytes());
    head.push(b':');
    head
}

/// Appends the value of row `row` of a column.
pub(super) fn push_value(
    body: &mut Vec<u8>,
    described: &Column,
    values: &ObjectValues,
    row: usize,
) {
    match values {
        ObjectValues::Bool(values) => json::push_bool(body, values[row]),
        ObjectValues::BigInt(values) | ObjectValues::TimestampMs(values) => {
            json::push_integer(body, values[row]);
        }
        ObjectValues::Double(values) => json::push_double(body, values[row]),
        ObjectValues::Text(values) => json::push_string(body, values.bytes(row)),
        ObjectValues::Json(values) => body.extend_from_slice(values.bytes(row)),
        ObjectValues::BigIntArray(values) if described.shape == JsonShape::Single => {
            match values[row].first() {
                Some(value) => json::push_integer(body, *value),
                None => body.extend_from_slice(b"null"),
            }
        }
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
        ObjectValues::TextArray(values) if described.shape == JsonShape::ExternalIds => {
            push_external_ids(body, values.bytes(row));
        }
        ObjectValues::TextArray(values) => body.extend_from_slice(values.bytes(row)),
    }
}

/// `["a"]` as `[{"externalId":"a"}]`.
fn push_external_ids(body: &mut Vec<u8>, list: &[u8]) {
    // The builder made the list: it is JSON.
    let names: Vec<Cow<'_, str>> = serde_json::from_slice(list).unwrap_or_default();
    body.push(b'[');
    for (index, name) in names.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(b"{\"externalId\":");
        json::push_string(body, name.as_bytes());
        body.push(b'}');
    }
    body.push(b']');
}
