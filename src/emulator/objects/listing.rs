//! Reading objects: by reference, as filtered and sorted pages, and their number.
//!
//! Owns the paging. A cursor holds where its page ended, the last id or the last sort
//! values, so that objects created in between never shift a page.

use super::changes::find_distinct;
use super::filter;
use super::kind::{ObjectKind, Verb};
use super::references::unknown;
use super::schema::Schema;
use super::shown::{Aggregates, Shown};
use super::sorting::{Position, Sorting};
use super::store::Object;
use super::{ITEMS_MAX, answers};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::cursor;
use crate::emulator::json;
use crate::emulator::partition::Partition;
use crate::emulator::project::Project;
use crate::emulator::query::Query;
use crate::emulator::reference::Reference;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const PAGE_DEFAULT: i64 = 100;
const PAGE_MAX: i64 = ITEMS_MAX as i64;

/// The parameters of `GET` that are no filters.
const PARAMETERS: [&str; 4] = ["limit", "cursor", "partition", "includeMetadata"];

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByIdsExtras {
    #[serde(default)]
    aggregated_properties: Option<Vec<String>>,
    #[serde(default)]
    fetch_resources: Option<bool>,
}

/// `POST …/byids`
pub fn by_ids(call: &mut Call<'_>, schema: &Schema) -> Result<Answer, Refusal> {
    let body = call.bytes();
    let (references, ignore_unknown) = schema.read_references(&body)?;
    let extras: ByIdsExtras = json::read_object(&body)?;
    let ends = ends_of(call, schema, extras.fetch_resources);
    call.tally.items = references.len() as u64;
    call.consume(call.tally.items, 0)?;
    if call.sink() && schema.kind != ObjectKind::DataSets {
        return Ok(answers::imagined(schema, references.iter()));
    }
    let aggregates = aggregates(extras.aggregated_properties.as_deref())?;
    let references: Vec<&Reference> = references.iter().collect();
    let index = call.project.objects.of(schema.kind).read();
    let ids = find_distinct(schema, &index, &references, ignore_unknown)?;
    let shown: Vec<_> = ids
        .iter()
        .filter_map(|id| index.get(*id))
        .map(|object| Shown {
            aggregates,
            ends,
            ..Shown::whole(schema, &index, object)
        })
        .collect();
    Ok(Answer::items(200, &shown))
}

/// `GET …/{id}`
pub fn get(call: &mut Call<'_>, schema: &Schema) -> Result<Answer, Refusal> {
    let id: i64 =
        call.names.key.parse().map_err(|_| {
            Refusal::invalid(format!("id: '{}' is not a whole number", call.names.key))
        })?;
    let index = call.project.objects.of(schema.kind).read();
    let object = index
        .get(id)
        .ok_or_else(|| unknown(schema.not_found, vec![json!({"id": id})]))?;
    call.tally.items = 1;
    Ok(Answer::json(200, &Shown::whole(schema, &index, object)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListRequest {
    filter: Option<Map<String, Value>>,
    limit: Option<i64>,
    cursor: Option<String>,
    partition: Option<String>,
    sort: Option<Value>,
    aggregated_properties: Option<Vec<String>>,
    include_metadata: Option<bool>,
    fetch_resources: Option<bool>,
}

impl ListRequest {
    /// `GET` takes filters as parameters; one that it does not know is refused by name.
    fn from_query(schema: &Schema, query: &Query) -> Result<Self, Refusal> {
        let mut filter = Map::new();
        for name in query.names().filter(|name| !PARAMETERS.contains(name)) {
            let text = query.get(name).unwrap_or_default();
            let is_text = schema
                .field(name)
                .is_some_and(|(_, field)| field.rule.is_text());
            let value = if is_text || name.ends_with("Prefix") {
                text.into()
            } else {
                // Lists, flags and ids are written as in JSON.
                json::read(text.as_bytes())?
            };
            filter.insert(name.to_owned(), value);
        }
        Ok(Self {
            filter: Some(filter),
            // As documented, GET gives 1000 at most whatever is asked for.
            limit: query.number("limit")?.map(|limit| limit.min(PAGE_MAX)),
            cursor: query.get("cursor").map(str::to_owned),
            partition: query.get("partition").map(str::to_owned),
            include_metadata: Some(query.flag("includeMetadata", true)?),
            ..Self::default()
        })
    }
}

/// `GET` and `POST …/list`
pub fn list(call: &mut Call<'_>, schema: &Schema) -> Result<Answer, Refusal> {
    let request = match call.bytes().as_ref() {
        [] => ListRequest::from_query(schema, call.query)?,
        body => json::read_object::<ListRequest>(body)?,
    };
    let ends = ends_of(call, schema, request.fetch_resources);
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refusal::invalid(format!(
            "limit: must be from 1 to {PAGE_MAX}, got {limit}"
        )));
    }
    let limit = usize::try_from(limit).unwrap_or(ITEMS_MAX);
    let aggregates = aggregates(request.aggregated_properties.as_deref())?;
    let partition = request
        .partition
        .as_deref()
        .map(|text| Partition::parse(text, schema.partitions_max))
        .transpose()?;
    let sorting = Sorting::read(schema, request.sort)?;
    let conditions = filter::read(schema, call.project, request.filter.unwrap_or_default())?;
    let list = schema.kind.operation_name(Verb::List);
    let start: Position = match &request.cursor {
        Some(text) => cursor::decode(list, text)?,
        None => Position::default(),
    };
    let index = call.project.objects.of(schema.kind).read();
    let fits = |object: &&Arc<Object>| {
        partition
            .as_ref()
            .is_none_or(|partition| partition.holds(object.id))
            && call.reaches_fields(object.id, &object.fields)
            && conditions.iter().all(|holds| holds(object))
    };
    // One more than fits tells whether there is another page.
    let mut page: Vec<&Arc<Object>> = match &sorting {
        None => index.after(start.id).filter(fits).take(limit + 1).collect(),
        Some(sorting) => sorting.page(index.after(0).filter(fits), &start, limit + 1),
    };
    let more = page.len() > limit;
    page.truncate(limit);
    let next_cursor = page.last().filter(|_| more).map(|last| {
        let position = match &sorting {
            None => Position::after(last),
            Some(sorting) => sorting.position(last),
        };
        cursor::encode(list, &position)
    });
    let shown: Vec<_> = page
        .iter()
        .map(|object| Shown {
            aggregates,
            ends,
            metadata: request.include_metadata.unwrap_or(true),
            ..Shown::whole(schema, &index, object)
        })
        .collect();
    call.tally.items = shown.len() as u64;
    Ok(Answer::page(200, &shown, next_cursor))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AggregateRequest {
    aggregate: Option<String>,
    filter: Option<Map<String, Value>>,
}

/// `POST …/aggregate`, of which only the count is served.
pub fn aggregate(call: &mut Call<'_>, schema: &Schema) -> Result<Answer, Refusal> {
    let request = call.json::<AggregateRequest>()?;
    if let Some(other) = request.aggregate.filter(|aggregate| aggregate != "count") {
        return Err(Refusal::invalid(format!(
            "aggregate: '{other}' is not served here, only count"
        )));
    }
    let conditions = filter::read(schema, call.project, request.filter.unwrap_or_default())?;
    let index = call.project.objects.of(schema.kind).read();
    let count = index
        .after(0)
        .filter(|object| call.reaches_fields(object.id, &object.fields))
        .filter(|object| conditions.iter().all(|holds| holds(object)))
        .count();
    Ok(Answer::items(200, &[json!({"count": count})]))
}

fn aggregates(properties: Option<&[String]>) -> Result<Aggregates, Refusal> {
    let mut aggregates = Aggregates::default();
    for property in properties.unwrap_or_default() {
        match property.as_str() {
            "childCount" => aggregates.child_count = true,
            "depth" => aggregates.depth = true,
            "path" => aggregates.path = true,
            other => {
                return Err(Refusal::invalid(format!(
                    "aggregatedProperties: '{other}' is not one of childCount, path, depth"
                )));
            }
        }
    }
    Ok(aggregates)
}

/// The project to fetch the ends of relationships from, where they are asked for.
fn ends_of<'a>(
    call: &Call<'a>,
    schema: &Schema,
    fetch_resources: Option<bool>,
) -> Option<&'a Project> {
    let wanted = fetch_resources.unwrap_or(false) && schema.kind == ObjectKind::Relationships;
    wanted.then_some(call.project)
}
