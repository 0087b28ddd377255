//! `DataPointInsertionItem`: the head that names a series.
//!
//! Owns the reference's fields. Promises that sizes computed are sizes written. Never writes
//! points.

use crate::cdf::encode::protobuf::{
    BYTES_1, BYTES_2, BYTES_5, VARINT_1, field_bytes, push_field_head, push_varint, varint_bytes,
};
use crate::rows::{InstanceName, SeriesKey, SeriesReference};

/// An item with `points_bytes` of points.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    pub key: &'a SeriesKey,
    /// Tag of the list of points, which tells their kind.
    pub tag: u8,
    pub points_bytes: usize,
}

impl Item<'_> {
    /// Bytes in the request, tag and length of the item included.
    pub fn bytes(&self) -> usize {
        field_bytes(self.content_bytes())
    }

    /// Appends all but the points.
    pub fn push_head(&self, body: &mut Vec<u8>) {
        push_field_head(body, BYTES_1, self.content_bytes());
        match self.key.reference() {
            SeriesReference::Id(id) => {
                body.push(VARINT_1);
                push_varint(body, *id as u64);
            }
            SeriesReference::ExternalId(external_id) => push_text(body, BYTES_2, external_id),
            SeriesReference::InstanceId(instance) => {
                push_field_head(body, BYTES_5, instance_bytes(instance));
                push_text(body, BYTES_1, &instance.space);
                push_text(body, BYTES_2, &instance.external_id);
            }
        }
        push_field_head(body, self.tag, self.points_bytes);
    }

    fn content_bytes(&self) -> usize {
        let reference_bytes = match self.key.reference() {
            SeriesReference::Id(id) => 1 + varint_bytes(*id as u64),
            SeriesReference::ExternalId(external_id) => field_bytes(external_id.len()),
            SeriesReference::InstanceId(instance) => field_bytes(instance_bytes(instance)),
        };
        reference_bytes + field_bytes(self.points_bytes)
    }
}

/// Bytes of an `InstanceId` without its own tag and length.
fn instance_bytes(instance: &InstanceName) -> usize {
    field_bytes(instance.space.len()) + field_bytes(instance.external_id.len())
}

fn push_text(body: &mut Vec<u8>, tag: u8, text: &str) {
    push_field_head(body, tag, text.len());
    body.extend_from_slice(text.as_bytes());
}
