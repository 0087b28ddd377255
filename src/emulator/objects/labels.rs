//! Labels: the words that other objects can be marked with.
//!
//! Owns the fields of a label. A label is known by its external id alone and never changes.
//! Deleting one leaves it on the objects that have it.

use super::field::Field;
use super::filter_rule::Filter;
use super::kind::{ObjectKind, Verb};
use super::schema::Schema;

/// Labels.
pub const SCHEMA: Schema = Schema {
    verbs: &[Verb::Create, Verb::List, Verb::ByIds, Verb::Delete],
    fields: &[
        Field::external_id().required(),
        Field::filled_text("name", 140).required(),
        Field::text("description", 500),
        Field::data_set(),
    ],
    filters: &[
        Filter::equal("name"),
        Filter::external_id_prefix(),
        Filter::data_sets(),
    ],
    keyed_by_external_id: true,
    shows_last_updated: false,
    lists_by_get: false,
    not_found: "Label ids not found",
    ..Schema::plain(ObjectKind::Labels, "labels")
};
