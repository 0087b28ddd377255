//! Data sets: what other objects belong to.
//!
//! Owns the fields of a data set. CDF has no call to delete one, takes ten at once and
//! always shows metadata and `writeProtected`: clients rely on them.

use super::field::{Field, Rule};
use super::filter_rule::Filter;
use super::kind::{ObjectKind, Verb};
use super::schema::Schema;

/// Data sets.
pub const SCHEMA: Schema = Schema {
    verbs: &[
        Verb::Create,
        Verb::List,
        Verb::ByIds,
        Verb::Update,
        Verb::Aggregate,
    ],
    fields: &[
        Field::external_id(),
        Field::filled_text("name", 50),
        Field::filled_text("description", 500),
        Field::metadata(10_240, 10_240),
        Field::new("writeProtected", Rule::Flag).set_only(),
    ],
    filters: &[
        Filter::external_id_prefix(),
        Filter::equal("writeProtected"),
        Filter::metadata(),
        Filter::range("createdTime"),
        Filter::range("lastUpdatedTime"),
    ],
    created_status: 200,
    create_items_max: 10,
    lists_by_get: false,
    not_found: "Data set ids not found",
    complete: |fields| {
        fields
            .entry("metadata")
            .or_insert_with(|| serde_json::Map::new().into());
        fields.entry("writeProtected").or_insert(false.into());
    },
    ..Schema::plain(ObjectKind::DataSets, "data sets")
};
