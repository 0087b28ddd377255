//! Relationships: links between two objects that are named by their external ids.
//!
//! Owns the fields of a relationship. Its ends need not exist. An external id that stands
//! twice in one create call is a 409, as one that is taken.

use super::field::{Field, Rule};
use super::filter_rule::{Filter, FilterRule};
use super::kind::{ObjectKind, Verb};
use super::schema::Schema;
use super::shown::Shown;
use super::store::Object;
use crate::emulator::project::Project;
use crate::emulator::reference::Reference;
use serde::ser::SerializeMap;
use serde_json::Value;

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

/// Adds the ends of a relationship to it, as far as they exist.
pub fn show_ends<M: SerializeMap>(
    project: &Project,
    relationship: &Object,
    shown: &mut M,
) -> Result<(), M::Error> {
    for (end, kind, external_id) in [
        ("source", "sourceType", "sourceExternalId"),
        ("target", "targetType", "targetExternalId"),
    ] {
        let text = |field: &str| relationship.fields.get(field).and_then(Value::as_str);
        let (Some(kind), Some(external_id)) = (text(kind), text(external_id)) else {
            continue;
        };
        let kind = match kind {
            "asset" => ObjectKind::Assets,
            "event" => ObjectKind::Events,
            "file" => ObjectKind::Files,
            "sequence" => ObjectKind::Sequences,
            _ => {
                let reference = Reference::ExternalId(external_id.to_owned());
                let found = project.time_series.find_all(&[reference]);
                for series in found.into_iter().flatten() {
                    shown.serialize_entry(end, &*series.description())?;
                }
                continue;
            }
        };
        let index = project.objects.of(kind).read();
        if let Some(object) = index.find_named(external_id) {
            shown.serialize_entry(end, &Shown::whole(kind.schema(), &index, object))?;
        }
    }
    Ok(())
}
