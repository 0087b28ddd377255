//! Nodes and edges as JSON, through the view of their table.
//!
//! Owns the body of `POST /models/instances`. Promises each instance once: of several rows of one
//! instance each property has its last value. A null is left out, so that the property stays as
//! it is; times are ISO 8601. Never looks at what CDF has.

use super::field::{head, push_value};
use super::grouping::CarriedHashMap;
use super::json;
use super::objects::{objects, range_bytes, request};
use crate::catalog::{CreateBody, InstanceType, Resource, View};
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat};
use crate::rows::{Action, ObjectBatch, ObjectColumn, ObjectValues, RowRange};
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};

/// Columns that name the instance, in every table of a view.
const SPACE: usize = 0;
const EXTERNAL_ID: usize = 1;

/// Columns that every table of nodes has before its properties, and every table of edges.
const NODE_COLUMNS: usize = 2;
const EDGE_COLUMNS: usize = 5;

/// An instance by its carried hash.
struct InstanceByHash<'a> {
    hash: u64,
    space: &'a [u8],
    external_id: &'a [u8],
}

impl PartialEq for InstanceByHash<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.space == other.space && self.external_id == other.external_id
    }
}

impl Eq for InstanceByHash<'_> {}

impl Hash for InstanceByHash<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

/// A batch with the heads of its columns, `"name":`.
pub(super) struct Fields<'a> {
    pub batch: &'a ObjectBatch,
    /// In the order of the table's columns.
    pub columns: Vec<(&'a ObjectColumn, Vec<u8>)>,
}

/// One row, and the row of the same instance before it.
struct Row {
    /// Index in the batches.
    batch: usize,
    row: usize,
    before: Option<usize>,
    /// A later row of the request is of the same instance.
    is_superseded: bool,
}

/// Encodes the making and changing of instances through one view.
pub fn encode(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let first = objects(Resource::Instances, ranges)?;
    let view = view_of(first)?;
    let only_missing = first.action == Action::CreateMissing;
    let mut batches = Vec::with_capacity(ranges.len());
    let mut rows: Vec<Row> = Vec::new();
    rows.reserve_exact(ranges.iter().map(|range| range.rows.len()).sum());
    let mut last_of: CarriedHashMap<InstanceByHash<'_>, usize> = CarriedHashMap::default();
    last_of.reserve(rows.capacity());
    for range in ranges {
        let fields = Fields::of(range)?;
        if !std::ptr::eq(view_of(fields.batch)?, view) {
            return Err(EncodeError::SeveralDestinations);
        }
        for row in range.rows.clone() {
            let name = InstanceByHash {
                hash: fields.batch.key_hashes[row],
                space: fields.name(SPACE, row)?,
                external_id: fields.name(EXTERNAL_ID, row)?,
            };
            let index = rows.len();
            let before = match last_of.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(index);
                    None
                }
                // Of two rows that are to be made, the second one is there already.
                Entry::Occupied(_) if only_missing => continue,
                Entry::Occupied(mut place) => Some(place.insert(index)),
            };
            if let Some(before) = before {
                rows[before].is_superseded = true;
            }
            rows.push(Row {
                batch: batches.len(),
                row,
                before,
                is_superseded: false,
            });
        }
        batches.push(fields);
    }
    let source = source(view);
    let frame_bytes = source.len() + 96;
    let bytes: usize = ranges
        .iter()
        .map(|range| range_bytes(range) + range.rows.len() * frame_bytes)
        .sum();
    let mut body = Vec::with_capacity(bytes + 160);
    body.extend_from_slice(b"{\"items\":[");
    let mut items = 0;
    for (index, row) in rows.iter().enumerate() {
        if row.is_superseded {
            continue;
        }
        if items > 0 {
            body.push(b',');
        }
        items += 1;
        push_instance(
            &mut body,
            view,
            &source,
            &batches,
            &rows,
            index,
            only_missing,
        );
    }
    body.extend_from_slice(
        b"],\"autoCreateDirectRelations\":true,\"autoCreateStartNodes\":true,\
          \"autoCreateEndNodes\":true,\"replace\":false",
    );
    if only_missing {
        body.extend_from_slice(b",\"skipOnVersionConflict\":true");
    }
    body.push(b'}');
    Ok(request(
        Operation::Create(Resource::Instances),
        Repeat::Harmless,
        "/models/instances".to_owned(),
        body,
        items,
    ))
}

impl<'a> Fields<'a> {
    pub fn of(range: &'a RowRange<'_>) -> Result<Self, EncodeError> {
        let batch = super::objects::of_resource(Resource::Instances, range)?;
        let columns = batch
            .columns
            .iter()
            .map(|column| (column, head(&batch.table.columns[column.column])))
            .collect();
        Ok(Fields { batch, columns })
    }

    fn column(&self, index: usize) -> Option<&(&'a ObjectColumn, Vec<u8>)> {
        self.columns
            .iter()
            .find(|(column, _)| column.column == index)
    }

    /// Space and external id of a row.
    pub fn names(&self, row: usize) -> Result<(&'a [u8], &'a [u8]), EncodeError> {
        Ok((self.name(SPACE, row)?, self.name(EXTERNAL_ID, row)?))
    }

    /// A part of the instance's name.
    fn name(&self, index: usize, row: usize) -> Result<&'a [u8], EncodeError> {
        match self.column(index) {
            Some((column, _)) if column.present[row] => match &column.values {
                ObjectValues::Text(values) => Ok(values.bytes(row)),
                _ => Err(EncodeError::WrongShape),
            },
            _ => Err(EncodeError::Unnamed),
        }
    }

    /// Appends the value of a column; times as DMS has them.
    pub fn push(&self, body: &mut Vec<u8>, column: &ObjectColumn, head: &[u8], row: usize) {
        body.extend_from_slice(head);
        match &column.values {
            ObjectValues::TimestampMs(values) => json::push_time(body, values[row]),
            values => push_value(body, &self.batch.table.columns[column.column], values, row),
        }
    }
}

/// Columns that every table of a view's instances has before its properties.
pub(super) fn own_columns(view: &View) -> usize {
    match view.instance_type {
        InstanceType::Node => NODE_COLUMNS,
        InstanceType::Edge => EDGE_COLUMNS,
    }
}

pub(super) fn view_of(batch: &ObjectBatch) -> Result<&'static View, EncodeError> {
    match batch.table.endpoints.map(|endpoints| endpoints.body) {
        Some(CreateBody::Instances(view)) => Ok(view),
        _ => Err(EncodeError::WrongShape),
    }
}

/// `"source":{…},"properties":{` of the view.
pub(super) fn source(view: &View) -> Vec<u8> {
    let mut source = b"\"source\":{\"type\":\"view\",\"space\":".to_vec();
    json::push_string(&mut source, view.space.as_bytes());
    source.extend_from_slice(b",\"externalId\":");
    json::push_string(&mut source, view.external_id.as_bytes());
    source.extend_from_slice(b",\"version\":");
    json::push_string(&mut source, view.version.as_bytes());
    source.extend_from_slice(b"},\"properties\":{");
    source
}

fn push_instance(
    body: &mut Vec<u8>,
    view: &View,
    source: &[u8],
    batches: &[Fields<'_>],
    rows: &[Row],
    index: usize,
    only_missing: bool,
) {
    let own_columns = own_columns(view);
    body.extend_from_slice(b"{\"instanceType\":\"");
    body.extend_from_slice(view.instance_type.name().as_bytes());
    body.push(b'"');
    if only_missing {
        body.extend_from_slice(b",\"existingVersion\":0");
    }
    let last = &rows[index];
    let own = &batches[last.batch];
    for (column, head) in &own.columns {
        if column.column < own_columns && column.present[last.row] {
            body.push(b',');
            own.push(body, column, head, last.row);
        }
    }
    let begin = body.len();
    body.extend_from_slice(b",\"sources\":[{");
    body.extend_from_slice(source);
    let empty = body.len();
    let mut at = Some(index);
    while let Some(row) = at.map(|at| &rows[at]) {
        let fields = &batches[row.batch];
        for (column, head) in &fields.columns {
            let is_given = column.column >= own_columns && column.present[row.row];
            if !is_given || is_given_later(batches, rows, index, row, column.column) {
                continue;
            }
            if body.len() > empty {
                body.push(b',');
            }
            fields.push(body, column, head, row.row);
        }
        at = row.before;
    }
    if body.len() == empty {
        // An instance alone: it gets no data, and needs none.
        body.truncate(begin);
    } else {
        body.extend_from_slice(b"}}]");
    }
    body.push(b'}');
}

/// Whether a row of the same instance behind `row` has a value for the column; rows of one
/// instance are walked from the last one, at `index`, to the first.
fn is_given_later(
    batches: &[Fields<'_>],
    rows: &[Row],
    index: usize,
    row: &Row,
    column: usize,
) -> bool {
    let mut at = &rows[index];
    while !std::ptr::eq(at, row) {
        let given = batches[at.batch]
            .column(column)
            .is_some_and(|(column, _)| column.present[at.row]);
        if given {
            return true;
        }
        match at.before {
            Some(before) => at = &rows[before],
            None => return false,
        }
    }
    false
}
