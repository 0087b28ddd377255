//! Relationships: links between two objects that are named by their external ids.
//!
//! Owns the fields of a relationship. Its ends need not exist. An external id that stands
//! twice in one create call is a 409, as one that is taken.

use super::kind::{ObjectKind, Verb};
use super::schema::{Field, Filter, FilterRule, Rule, Schema};

/// What a relationship can link.
const ENDS: Rule = Rule::Choice(&["asset", "timeSeries", "file", "event", "sequence"]);

/// Relationships.
pub const SCHEMA: Schema = Schema {
    verbs: &[
        Verb::Create,
        Verb::List,
        Verb::ByIds,
        Verb::Update,
        Verb::Delete,
    ],
    fields: &[
        Field::filled_text("externalId", 255).required().fixed(),
        Field::filled_text("sourceExternalId", 255).required(),
        Field::new("sourceType", ENDS).required(),
        Field::filled_text("targetExternalId", 255).required(),
        Field::new("targetType", ENDS).required(),
        Field::new("startTime", Rule::Time),
        Field::new("endTime", Rule::Time),
        Field::new("confidence", Rule::Number { min: 0.0, max: 1.0 }),
        Field::data_set(),
        Field::labels(),
    ],
    filters: &[
        Filter::new("sourceExternalIds", "sourceExternalId", FilterRule::OneOf),
        Filter::new("sourceTypes", "sourceType", FilterRule::OneOf),
        Filter::new("targetExternalIds", "targetExternalId", FilterRule::OneOf),
        Filter::new("targetTypes", "targetType", FilterRule::OneOf),
        Filter::new("sourcesOrTargets", "", FilterRule::SourcesOrTargets),
        Filter::range("startTime"),
        Filter::range("endTime"),
        Filter::new("activeAtTime", "startTime", FilterRule::ActiveAt),
        Filter::range("confidence"),
        Filter::labels(),
        Filter::data_sets(),
        Filter::range("createdTime"),
        Filter::range("lastUpdatedTime"),
    ],
    keyed_by_external_id: true,
    deleted_status: 202,
    doubled_is_conflict: true,
    not_found: "Relationship ids not found",
    ..Schema::plain(ObjectKind::Relationships, "relationships")
};
