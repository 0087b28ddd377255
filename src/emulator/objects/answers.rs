//! What a sink answers about objects that it does not keep.
//!
//! Owns the answers to writes and lookups in sink mode. A created object is shown as it was
//! sent, its text copied, with an id and times; any other as little more than its name.

use super::field::{Fields, Rule};
use super::schema::Schema;
use super::shown::Shown;
use super::store::{Index, Object, id_from};
use crate::emulator::answer::Answer;
use crate::emulator::clock;
use crate::emulator::reference::Reference;
use serde_json::value::RawValue;
use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};

/// Ids of a sink only have to differ.
static NEXT_ID: AtomicI64 = AtomicI64::new(1);

/// The answer to a create call.
pub fn created(schema: &Schema, items: &[&RawValue]) -> Answer {
    let now_ms = clock::now_ms();
    let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let first_id = NEXT_ID.fetch_add(count, Ordering::Relaxed);
    let text_bytes: usize = items.iter().map(|item| item.get().len()).sum();
    let mut body = Vec::with_capacity(text_bytes + items.len() * 110 + 16);
    body.extend_from_slice(b"{\"items\":[");
    for (id, item) in (first_id..).zip(items) {
        if id > first_id {
            body.push(b',');
        }
        // The text was checked to be an object: it ends in a brace.
        let members = item.get().strip_suffix('}').unwrap_or("{").trim_end();
        body.extend_from_slice(members.as_bytes());
        if members != "{" {
            body.push(b',');
        }
        // Writing to a Vec does not fail.
        let _ = write!(body, "\"createdTime\":{now_ms}");
        if schema.shows_last_updated {
            let _ = write!(body, ",\"lastUpdatedTime\":{now_ms}");
        }
        if !schema.keyed_by_external_id {
            let _ = write!(body, ",\"id\":{id}");
        }
        if schema.is_tree() {
            let _ = write!(body, ",\"rootId\":{id}");
        }
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    Answer::raw(schema.created_status, body)
}

/// Objects under these references, for calls that need them to exist.
pub fn imagined<'a>(schema: &Schema, references: impl Iterator<Item = &'a Reference>) -> Answer {
    let index = Index::default();
    let objects: Vec<Object> = references
        .map(|reference| imagine(schema, reference))
        .collect();
    let shown: Vec<_> = objects
        .iter()
        .map(|object| Shown::whole(schema, &index, object))
        .collect();
    Answer::items(200, &shown)
}

fn imagine(schema: &Schema, reference: &Reference) -> Object {
    let mut fields = Fields::new();
    let id = match reference {
        Reference::Id(id) => *id,
        Reference::ExternalId(_) | Reference::InstanceId(_) => id_from(reference.checksum_factor()),
    };
    if let Reference::ExternalId(external_id) = reference {
        fields.insert("externalId".to_owned(), external_id.clone().into());
    }
    for field in schema.fields {
        if field.required && matches!(field.rule, Rule::Text { .. }) {
            let text = reference.label().into();
            fields.entry(field.name).or_insert(text);
        }
    }
    (schema.complete)(&mut fields);
    let now_ms = clock::now_ms();
    Object {
        id,
        fields,
        created_ms: now_ms,
        last_updated_ms: now_ms,
    }
}
