//! Changes and deletes of objects, by reference.
//!
//! Owns the bodies of `…/update` and `…/delete`. Promises that each object is named once, by
//! external id where the row has one and by CDF's id otherwise. Never makes an object.

use super::field::{head, push_value};
use super::objects::{objects, of_resource, range_bytes, request};
use crate::catalog::{Column, Resource};
use crate::cdf::{EncodeError, EncodedRequest, Operation, Repeat};
use crate::rows::{Action, Assigned, ObjectBatch, ObjectColumn, ObjectValues, RowRange};

/// Encodes the changing of objects: what an UPDATE sets, or `DO UPDATE`.
pub fn encode_update(
    resource: Resource,
    ranges: &[RowRange<'_>],
) -> Result<EncodedRequest, EncodeError> {
    let path = objects(resource, ranges)?
        .table
        .endpoints
        .and_then(|endpoints| endpoints.update)
        .ok_or(EncodeError::WrongShape)?;
    let mut body = Vec::with_capacity(16 + 2 * ranges.iter().map(range_bytes).sum::<usize>());
    body.extend_from_slice(b"{\"items\":[");
    let mut items = 0;
    for range in ranges {
        let batch = of_resource(resource, range)?;
        let setters = setters(batch);
        for row in range.rows.clone() {
            if items > 0 {
                body.push(b',');
            }
            body.push(b'{');
            push_reference(&mut body, batch, row)?;
            body.extend_from_slice(b",\"update\":{");
            push_setters(&mut body, &setters, row);
            body.extend_from_slice(b"}}");
            items += 1;
        }
    }
    body.extend_from_slice(b"]}");
    let operation = Operation::Update(resource);
    Ok(request(
        operation,
        Repeat::Harmless,
        path.to_owned(),
        body,
        items,
    ))
}

/// Encodes the deleting of objects.
pub fn encode_delete(
    resource: Resource,
    ranges: &[RowRange<'_>],
) -> Result<EncodedRequest, EncodeError> {
    let deletion = objects(resource, ranges)?
        .table
        .endpoints
        .and_then(|endpoints| endpoints.delete)
        .ok_or(EncodeError::WrongShape)?;
    let mut body = Vec::with_capacity(48 + ranges.iter().map(range_bytes).sum::<usize>());
    body.extend_from_slice(b"{\"items\":[");
    let mut items = 0;
    for range in ranges {
        let batch = of_resource(resource, range)?;
        for row in range.rows.clone() {
            if items > 0 {
                body.push(b',');
            }
            body.push(b'{');
            push_reference(&mut body, batch, row)?;
            body.push(b'}');
            items += 1;
        }
    }
    body.push(b']');
    if deletion.ignores_unknown {
        body.extend_from_slice(b",\"ignoreUnknownIds\":true");
    }
    body.push(b'}');
    let operation = Operation::Delete(resource);
    Ok(request(
        operation,
        Repeat::Harmless,
        deletion.path.to_owned(),
        body,
        items,
    ))
}

/// `"externalId":"a"` or `"id":1`.
pub(super) fn push_reference(
    body: &mut Vec<u8>,
    batch: &ObjectBatch,
    row: usize,
) -> Result<(), EncodeError> {
    for reference in batch.table.references() {
        let Some(column) = batch.column(reference).filter(|column| column.present[row]) else {
            continue;
        };
        let described = &batch.table.columns[reference];
        body.extend_from_slice(&head(described));
        push_value(body, described, &column.values, row);
        return Ok(());
    }
    Err(EncodeError::Unnamed)
}

/// One column that is set, and from what.
struct Setter<'a> {
    described: &'a Column,
    head: Vec<u8>,
    /// Where the value stands; `None` for a constant null.
    source: Option<Source<'a>>,
}

struct Source<'a> {
    values: &'a ObjectValues,
    present: &'a [bool],
    /// The same row for all: a constant.
    is_constant: bool,
}

impl<'a> Source<'a> {
    fn of(column: &'a ObjectColumn, is_constant: bool) -> Self {
        Source {
            values: &column.values,
            present: &column.present,
            is_constant,
        }
    }
}

fn setters(batch: &ObjectBatch) -> Vec<Setter<'_>> {
    let setter = |column: usize, source| {
        let described = &batch.table.columns[column];
        Setter {
            described,
            head: head(described),
            source,
        }
    };
    match &batch.action {
        Action::Upsert(update) => update
            .assignments
            .iter()
            // What names the object stays as it is.
            .filter(|assignment| {
                assignment.value != Assigned::Excluded(assignment.column)
                    || !batch.table.key.contains(&assignment.column)
            })
            .map(|assignment| {
                let source = match assignment.value {
                    Assigned::Excluded(column) => {
                        batch.column(column).map(|column| Source::of(column, false))
                    }
                    Assigned::Constant => update
                        .constants
                        .as_ref()
                        .and_then(|constants| constants.column(assignment.column))
                        .map(|column| Source::of(column, true)),
                };
                setter(assignment.column, source)
            })
            .collect(),
        Action::Create
        | Action::CreateMissing
        | Action::Update
        | Action::Delete
        | Action::DeleteFound
        | Action::Empty => batch
            .columns
            .iter()
            .filter(|column| !batch.table.references().any(|index| index == column.column))
            .map(|column| setter(column.column, Some(Source::of(column, false))))
            .collect(),
    }
}

fn push_setters(body: &mut Vec<u8>, setters: &[Setter<'_>], row: usize) {
    let mut first = true;
    for setter in setters {
        let value = setter.source.as_ref().and_then(|source| {
            let row = if source.is_constant { 0 } else { row };
            source.present[row].then_some((source.values, row))
        });
        // A null that CDF cannot store is left out: the value stays.
        if value.is_none() && !setter.described.clearable {
            continue;
        }
        if !first {
            body.push(b',');
        }
        first = false;
        body.extend_from_slice(&setter.head);
        match value {
            Some((values, row)) => {
                body.extend_from_slice(b"{\"set\":");
                push_value(body, setter.described, values, row);
                body.push(b'}');
            }
            None if is_list(setter.described) => body.extend_from_slice(b"{\"set\":[]}"),
            None if setter.described.field == "metadata" => {
                body.extend_from_slice(b"{\"set\":{}}");
            }
            None => body.extend_from_slice(b"{\"setNull\":true}"),
        }
    }
}

/// CDF empties lists by setting an empty one.
fn is_list(described: &Column) -> bool {
    described.column_type.is_array() && described.shape != crate::catalog::JsonShape::Single
}
