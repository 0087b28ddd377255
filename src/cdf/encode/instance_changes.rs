//! Changes and deletes of instances.
//!
//! Owns the body that sets properties of instances which exist, and that of deletes. Promises
//! that a null takes a property away, and that an edge stays between its nodes. Never makes an
//! instance that was not found.

use super::instances::{Fields, own_columns, source, view_of};
use super::json;
use super::objects::{objects, range_bytes, request};
use crate::catalog::{InstanceType, Resource, View};
use crate::cdf::{EncodeError, EncodedRequest, InstanceName, Operation, Repeat};
use crate::rows::RowRange;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What an edge is between.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Edge<'a> {
    #[serde(borrow, rename = "type")]
    edge_type: &'a RawValue,
    #[serde(borrow)]
    start_node: &'a RawValue,
    #[serde(borrow)]
    end_node: &'a RawValue,
}

/// Encodes the changing of instances: `found` has each as it is.
pub fn encode(
    ranges: &[RowRange<'_>],
    found: &[Option<Box<RawValue>>],
) -> Result<EncodedRequest, EncodeError> {
    let view = view_of(objects(Resource::Instances, ranges)?)?;
    let source = source(view);
    let mut found = found.iter();
    let mut body = Vec::with_capacity(160 + 2 * ranges.iter().map(range_bytes).sum::<usize>());
    body.extend_from_slice(b"{\"items\":[");
    let mut items = 0;
    for range in ranges {
        let fields = Fields::of(range)?;
        if !std::ptr::eq(view_of(fields.batch)?, view) {
            return Err(EncodeError::SeveralDestinations);
        }
        for row in range.rows.clone() {
            let found = found.next().ok_or(EncodeError::WrongShape)?;
            // A row without one is none to be changed: the caller has taken it out.
            let found = found.as_deref().ok_or(EncodeError::Unnamed)?;
            if items > 0 {
                body.push(b',');
            }
            items += 1;
            push_reference(&mut body, view, &fields, row)?;
            if view.instance_type == InstanceType::Edge {
                let edge: Edge<'_> =
                    serde_json::from_str(found.get()).map_err(|_| EncodeError::NoObject)?;
                for (name, value) in [
                    ("\"type\":", edge.edge_type),
                    ("\"startNode\":", edge.start_node),
                    ("\"endNode\":", edge.end_node),
                ] {
                    body.push(b',');
                    body.extend_from_slice(name.as_bytes());
                    body.extend_from_slice(value.get().as_bytes());
                }
            }
            body.extend_from_slice(b",\"sources\":[{");
            body.extend_from_slice(&source);
            let first = body.len();
            for (column, head) in &fields.columns {
                if column.column < own_columns(view) {
                    continue;
                }
                if body.len() > first {
                    body.push(b',');
                }
                if column.present[row] {
                    fields.push(&mut body, column, head, row);
                } else {
                    body.extend_from_slice(head);
                    body.extend_from_slice(b"null");
                }
            }
            body.extend_from_slice(b"}}]}");
        }
    }
    body.extend_from_slice(
        b"],\"autoCreateDirectRelations\":true,\"autoCreateStartNodes\":false,\
          \"autoCreateEndNodes\":false,\"replace\":false}",
    );
    Ok(request(
        Operation::Create(Resource::Instances),
        Repeat::Harmless,
        "/models/instances".to_owned(),
        body,
        items,
    ))
}

/// Encodes the deleting of instances.
pub fn encode_delete(ranges: &[RowRange<'_>]) -> Result<EncodedRequest, EncodeError> {
    let view = view_of(objects(Resource::Instances, ranges)?)?;
    let mut body = b"{\"items\":[".to_vec();
    let mut items = 0;
    for range in ranges {
        let fields = Fields::of(range)?;
        for row in range.rows.clone() {
            if items > 0 {
                body.push(b',');
            }
            items += 1;
            push_reference(&mut body, view, &fields, row)?;
            body.push(b'}');
        }
    }
    body.extend_from_slice(b"]}");
    Ok(request(
        Operation::Delete(Resource::Instances),
        Repeat::Harmless,
        "/models/instances/delete".to_owned(),
        body,
        items,
    ))
}

/// The kind and the names of the instances of these rows, in their order.
///
/// # Errors
/// Rows of something else, or without a name.
pub fn instance_names(
    ranges: &[RowRange<'_>],
) -> Result<(InstanceType, Vec<InstanceName>), EncodeError> {
    let view = view_of(objects(Resource::Instances, ranges)?)?;
    let mut names = Vec::new();
    for range in ranges {
        let fields = Fields::of(range)?;
        for row in range.rows.clone() {
            let (space, external_id) = fields.names(row)?;
            let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned().into_boxed_str();
            names.push(InstanceName {
                space: text(space),
                external_id: text(external_id),
            });
        }
    }
    Ok((view.instance_type, names))
}

/// `{"instanceType":…,"space":…,"externalId":…`, left open.
fn push_reference(
    body: &mut Vec<u8>,
    view: &View,
    fields: &Fields<'_>,
    row: usize,
) -> Result<(), EncodeError> {
    let (space, external_id) = fields.names(row)?;
    body.extend_from_slice(b"{\"instanceType\":\"");
    body.extend_from_slice(view.instance_type.name().as_bytes());
    body.extend_from_slice(b"\",\"space\":");
    json::push_string(body, space);
    body.extend_from_slice(b",\"externalId\":");
    json::push_string(body, external_id);
    Ok(())
}
