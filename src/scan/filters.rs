//! Which conditions CDF's lists of objects take.
//!
//! Owns the filters of each list, by the field that a column stands for, as CDF's API description
//! has them. Promises a filter only where it means what the condition means: comparisons of texts
//! are by bytes and case there as here. Never sends.

use super::condition::Condition;
use super::plan::Taken;
use super::typed;
use crate::catalog::{Resource, Table};
use serde_json::{Map, Value, json};

/// Characters of an external id and of its prefix.
const EXTERNAL_ID_MAX: usize = 255;

/// One filter of a list.
#[derive(Clone, Copy, Debug)]
enum Rule {
    /// The text, as long as it may be.
    Text(&'static str, usize),
    Flag(&'static str),
    /// Ids of others, at most so many.
    Ids(&'static str, usize),
    /// External ids of others, at most so many.
    Names(&'static str, usize),
    /// `[{"id": 1}]`, at most so many.
    References(&'static str, usize),
    /// The same, and what lies below them.
    Subtrees(&'static str, usize),
    /// `{"min": 1, "max": 2}`, both included.
    Times(&'static str),
    /// The same, or `{"isNull": true}`.
    TimesOrNull(&'static str),
    Prefix(&'static str, usize),
    /// `true`: those where the field is NULL. What `false` lets through CDF does not say.
    Absent(&'static str),
}

/// The filters of the list of `resource` that look at `field`.
fn rules(resource: Resource, field: &str) -> &'static [Rule] {
    use Resource as R;
    use Rule::{Absent, Flag, Ids, Names, Prefix, References, Subtrees, Text, Times, TimesOrNull};
    match (resource, field) {
        (
            R::Assets
            | R::Events
            | R::TimeSeries
            | R::Files
            | R::Sequences
            | R::Labels
            | R::ExtractionPipelines
            | R::DataSets,
            "externalId",
        ) => &[Prefix("externalIdPrefix", EXTERNAL_ID_MAX)],
        (R::Labels, "createdTime") => &[],
        (R::ExtractionPipelineRuns, "status") => &[Names("statuses", 3)],
        (
            R::Assets
            | R::Events
            | R::TimeSeries
            | R::Files
            | R::Sequences
            | R::Relationships
            | R::ExtractionPipelines
            | R::ExtractionPipelineRuns
            | R::DataSets,
            "createdTime",
        ) => &[Times("createdTime")],
        (
            R::Assets
            | R::Events
            | R::TimeSeries
            | R::Files
            | R::Sequences
            | R::Relationships
            | R::ExtractionPipelines
            | R::DataSets,
            "lastUpdatedTime",
        ) => &[Times("lastUpdatedTime")],
        (R::Assets | R::Relationships, "dataSetId") => &[References("dataSetIds", 1000)],
        (
            R::Events | R::TimeSeries | R::Files | R::Sequences | R::ExtractionPipelines,
            "dataSetId",
        ) => &[References("dataSetIds", 100)],
        (R::Assets | R::Labels, "name") => &[Text("name", 140)],
        (R::TimeSeries | R::Sequences, "name") => &[Text("name", 255)],
        (R::Files, "name") => &[Text("name", 256)],
        (R::Assets | R::Events | R::Files, "source") => &[Text("source", 128)],
        (R::Assets, "parentId") => &[Ids("parentIds", 100), Absent("root")],
        (R::Assets, "parentExternalId") => &[Names("parentExternalIds", 100)],
        (R::Assets, "rootId") => &[Subtrees("assetSubtreeIds", 100)],
        (R::Events, "type") => &[Text("type", 64)],
        (R::Events, "subtype") => &[Text("subtype", 64)],
        (R::Events, "startTime") => &[Times("startTime")],
        (R::Events, "endTime") => &[TimesOrNull("endTime")],
        (R::TimeSeries, "unit") => &[Text("unit", 32)],
        (R::TimeSeries, "unitExternalId") => &[Text("unitExternalId", 64)],
        (R::TimeSeries, "isString") => &[Flag("isString")],
        (R::TimeSeries, "isStep") => &[Flag("isStep")],
        (R::TimeSeries | R::Sequences, "assetId") => &[Ids("assetIds", 100)],
        (R::Files, "mimeType") => &[Text("mimeType", 256)],
        (R::Files, "directory") => &[Prefix("directoryPrefix", 512)],
        (R::Files, "uploaded") => &[Flag("uploaded")],
        (R::Files, "uploadedTime") => &[Times("uploadedTime")],
        (R::Files, "sourceCreatedTime") => &[Times("sourceCreatedTime")],
        (R::Files, "sourceModifiedTime") => &[Times("sourceModifiedTime")],
        (R::Relationships, "sourceExternalId") => &[Names("sourceExternalIds", 1000)],
        (R::Relationships, "targetExternalId") => &[Names("targetExternalIds", 1000)],
        (R::Relationships, "sourceType") => &[Names("sourceTypes", 1000)],
        (R::Relationships, "targetType") => &[Names("targetTypes", 1000)],
        (R::Relationships, "startTime") => &[Times("startTime")],
        (R::Relationships, "endTime") => &[Times("endTime")],
        (R::DataSets, "writeProtected") => &[Flag("writeProtected")],
        _ => &[],
    }
}

/// Puts conditions into a filter of a list, each where CDF takes it. Returns what became of each;
/// `None`: no object meets them all.
pub(super) fn push(
    table: &'static Table,
    conditions: &[Condition],
    filter: &mut Map<String, Value>,
) -> Option<Vec<Taken>> {
    let mut taken = Vec::with_capacity(conditions.len());
    for condition in conditions {
        let field = table.columns[condition.column()].field;
        let mut best = Taken::No;
        for rule in rules(table.resource, field) {
            match rule.push(condition, filter) {
                Pushed::No => {}
                Pushed::As(taken) => {
                    best = taken;
                    break;
                }
                Pushed::Nothing => return None,
            }
        }
        taken.push(best);
    }
    Some(taken)
}

/// What became of a condition.
enum Pushed {
    As(Taken),
    No,
    /// No object meets it.
    Nothing,
}

impl Rule {
    fn push(self, condition: &Condition, filter: &mut Map<String, Value>) -> Pushed {
        self.read(condition, filter).unwrap_or(Pushed::No)
    }

    fn read(self, condition: &Condition, filter: &mut Map<String, Value>) -> Option<Pushed> {
        let (key, value, taken) = match (self, condition) {
            (Rule::Text(key, most), Condition::OneOf { values, .. }) => {
                match typed::texts(values, most)?.as_slice() {
                    [] => return Some(Pushed::Nothing),
                    [one] => (key, json!(one), Taken::Exactly),
                    _ => return None,
                }
            }
            (Rule::Flag(key), Condition::OneOf { values, .. }) => {
                let [one] = values.as_slice() else {
                    return None;
                };
                (key, json!(typed::boolean(one)?), Taken::Exactly)
            }
            (Rule::Ids(key, most), Condition::OneOf { values, .. }) => {
                let ids = typed::ids(values)?;
                if ids.is_empty() {
                    return Some(Pushed::Nothing);
                }
                if ids.len() > most {
                    return None;
                }
                (key, json!(ids), Taken::Exactly)
            }
            (
                Rule::References(key, most) | Rule::Subtrees(key, most),
                Condition::OneOf { values, .. },
            ) => {
                let ids = typed::ids(values)?;
                if ids.is_empty() {
                    return Some(Pushed::Nothing);
                }
                if ids.len() > most {
                    return None;
                }
                let references: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
                let taken = match self {
                    Rule::Subtrees(..) => Taken::Loosely,
                    _ => Taken::Exactly,
                };
                (key, references.into(), taken)
            }
            (Rule::Names(key, most), Condition::OneOf { values, .. }) => {
                let names = typed::texts(values, EXTERNAL_ID_MAX)?;
                if names.is_empty() {
                    return Some(Pushed::Nothing);
                }
                if names.len() > most {
                    return None;
                }
                (key, json!(names), Taken::Exactly)
            }
            (Rule::Prefix(key, most), Condition::Prefix { text, .. }) => {
                if text.is_empty() || text.chars().count() > most {
                    return None;
                }
                (key, json!(text), Taken::Exactly)
            }
            // What equals a text begins with it.
            (Rule::Prefix(key, most), Condition::OneOf { values, .. }) => {
                let [one] = values.as_slice() else {
                    return None;
                };
                if one.is_empty() || one.chars().count() > most {
                    return None;
                }
                (key, json!(one), Taken::Loosely)
            }
            (Rule::Absent(key), Condition::IsNull { .. }) => (key, json!(true), Taken::Exactly),
            (Rule::TimesOrNull(key), Condition::IsNull { .. }) => {
                (key, json!({"isNull": true}), Taken::Exactly)
            }
            (Rule::TimesOrNull(key), Condition::IsNotNull { .. }) => {
                (key, json!({"isNull": false}), Taken::Exactly)
            }
            (Rule::Times(key) | Rule::TimesOrNull(key), condition) => {
                return push_times(key, condition, filter);
            }
            _ => return None,
        };
        if filter.contains_key(key) {
            // Two conditions on one column: one is CDF's.
            return None;
        }
        filter.insert(key.to_owned(), value);
        Some(Pushed::As(taken))
    }
}

/// Times, which CDF counts from 1970 on. Several conditions on a column become one.
fn push_times(key: &str, condition: &Condition, filter: &mut Map<String, Value>) -> Option<Pushed> {
    let mut span = typed::times_ms(condition)?;
    if let Some(before) = filter.get(key) {
        if before.get("isNull").is_some() {
            return None;
        }
        span = span.and(typed::Span {
            from: before.get("min").and_then(Value::as_i64),
            to: before.get("max").and_then(Value::as_i64),
        });
    }
    if span.is_empty() || span.to.is_some_and(|to| to < 0) {
        return Some(Pushed::Nothing);
    }
    let mut range = Map::new();
    // Without any end it would let through what has no time.
    let from = span.from.map(|from| from.max(0));
    if let Some(from) = from {
        range.insert("min".to_owned(), from.into());
    }
    if let Some(to) = span.to {
        range.insert("max".to_owned(), to.into());
    }
    if range.is_empty() {
        return None;
    }
    filter.insert(key.to_owned(), range.into());
    Some(Pushed::As(Taken::Exactly))
}
