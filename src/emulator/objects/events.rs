//! Events.
//!
//! Owns the fields of an event. Nothing is required of one, not even a name.

use super::field::{Field, Rule, Target};
use super::filter_rule::{Filter, FilterRule};
use super::kind::ObjectKind;
use super::schema::Schema;

/// Events.
pub const SCHEMA: Schema = Schema {
    fields: &[
        Field::external_id(),
        Field::new("startTime", Rule::Time),
        Field::new("endTime", Rule::Time),
        Field::text("type", 64),
        Field::text("subtype", 64),
        Field::text("description", 500),
        Field::text("source", 128),
        Field::metadata(128_000, 200_000),
        Field::new(
            "assetIds",
            Rule::Ids {
                of: Target::Asset,
                most: 10_000,
            },
        ),
        Field::data_set(),
    ],
    filters: &[
        Filter::range("startTime"),
        Filter::range("endTime"),
        Filter::new("activeAtTime", "startTime", FilterRule::ActiveAt),
        Filter::equal("type"),
        Filter::equal("subtype"),
        Filter::equal("source"),
        Filter::external_id_prefix(),
        Filter::metadata(),
        Filter::new("assetIds", "assetIds", FilterRule::AnyOf),
        Filter::new("assetExternalIds", "assetIds", FilterRule::AssetExternalIds),
        Filter::new("assetSubtreeIds", "assetIds", FilterRule::Subtree),
        Filter::data_sets(),
        Filter::range("createdTime"),
        Filter::range("lastUpdatedTime"),
    ],
    partitions_max: Some(10),
    sorts: true,
    not_found: "Event ids not found",
    ..Schema::plain(ObjectKind::Events, "events")
};
