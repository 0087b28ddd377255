//! `/models/containers`: making, reading and deleting containers.
//!
//! Owns the endpoints. Containers of one request may refer to each other. A container
//! that is deleted takes the data in it along.

use super::container::{Container, ContainerDefinition};
use super::identifier::{ContainerId, check_constraint};
use super::page::PageRequest;
use super::stamps::Stamps;
use super::{SCHEMA_ITEMS_MAX, body, check_distinct_items};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Most constraints or indexes per delete call.
const PARTS_MAX: usize = 10;
const CURSOR: &str = "models.containers";

#[derive(Deserialize)]
struct ApplyList {
    items: Vec<ContainerDefinition>,
}

#[derive(Deserialize)]
struct IdList {
    items: Vec<ContainerId>,
}

fn read_ids(call: &mut Call<'_>) -> Result<Vec<ContainerId>, Refusal> {
    let items = body::<IdList>(call)?.items;
    check_items("containers", items.len(), SCHEMA_ITEMS_MAX)?;
    call.tally.items = items.len() as u64;
    check_distinct_items(&items)?;
    Ok(items)
}

/// `POST /models/containers`
pub fn apply(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = body::<ApplyList>(call)?.items;
    check_items("containers", items.len(), SCHEMA_ITEMS_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    check_distinct_items(items.iter().map(|item| &item.id))?;
    let mut model = call.project.model.write();
    let mut schema = model.schema.clone();
    schema.check_spaces(items.iter().map(|item| item.id.space.as_str()))?;
    let mut made = Vec::with_capacity(items.len());
    for item in items {
        let definition = item.complete()?;
        schema.check_writable_space(&definition.id.space)?;
        let old = schema.containers.get(&definition.id);
        if let Some(old) = old {
            old.definition.check_change(&definition)?;
        }
        let unchanged = old.is_some_and(|old| old.definition == definition);
        let container = Arc::new(Container {
            stamps: Stamps::after(old.map(|old| old.stamps), unchanged),
            definition,
            is_global: false,
        });
        let id = container.definition.id.clone();
        schema.containers.insert(id, Arc::clone(&container));
        made.push(container);
    }
    for container in &made {
        schema.check_container(container)?;
    }
    schema.check_limits()?;
    model.schema = schema;
    Ok(show(made.iter()))
}

fn show<'a>(containers: impl Iterator<Item = &'a Arc<Container>>) -> Answer {
    let shown: Vec<Value> = containers.map(|one| one.to_json()).collect();
    Answer::items(200, &shown)
}

/// `GET /models/containers`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = PageRequest::read(call.query)?;
    // Given once per value, or as one list.
    let used_for: Vec<&str> = call
        .query
        .all("usedFor")
        .flat_map(|text| text.trim_matches(['[', ']']).split(','))
        .map(|one| one.trim_matches(['"', ' ']))
        .filter(|one| !one.is_empty())
        .collect();
    let model = call.project.model.read();
    let (page, next) = request.cut(CURSOR, &model.schema.containers, |id, container| {
        request.wants(&id.space, container.is_global)
            && call.sees_space(&id.space)
            && (used_for.is_empty() || used_for.contains(&container.used_for().name()))
    })?;
    let shown: Vec<Value> = page.into_iter().map(|one| one.to_json()).collect();
    call.tally.items = shown.len() as u64;
    Ok(Answer::page(200, &shown, next))
}

/// `POST /models/containers/byids`
pub fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let ids = read_ids(call)?;
    let model = call.project.model.read();
    Ok(show(
        ids.iter().filter_map(|id| model.schema.containers.get(id)),
    ))
}

/// `POST /models/containers/delete`
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let ids = read_ids(call)?;
    call.consume(call.tally.items, 0)?;
    let mut model = call.project.model.write();
    let known: Vec<ContainerId> = ids
        .into_iter()
        .filter(|id| model.schema.containers.contains_key(id))
        .collect();
    for id in &known {
        model.schema.check_writable_space(&id.space)?;
    }
    for id in &known {
        model.schema.containers.remove(id);
    }
    model.instances.drop_data(&known);
    Ok(Answer::items(200, &known))
}

#[derive(Deserialize)]
struct PartList {
    items: Vec<Part>,
}

/// Names a constraint or an index of a container.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    space: String,
    container_external_id: String,
    identifier: String,
}

/// `POST /models/containers/constraints/delete`
pub fn delete_constraints(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    delete_parts(call, true)
}

/// `POST /models/containers/indexes/delete`
pub fn delete_indexes(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    delete_parts(call, false)
}

fn delete_parts(call: &mut Call<'_>, constraints: bool) -> Result<Answer, Refusal> {
    let items = body::<PartList>(call)?.items;
    check_items("identifiers", items.len(), PARTS_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    check_distinct_items(&items)?;
    let mut model = call.project.model.write();
    let mut schema = model.schema.clone();
    let mut deleted = Vec::new();
    for part in items {
        check_constraint("identifier", &part.identifier)?;
        let id = ContainerId {
            space: part.space.clone(),
            external_id: part.container_external_id.clone(),
        };
        schema.check_writable_space(&id.space)?;
        let left = schema
            .container(&id)?
            .without(constraints, &part.identifier);
        if let Some(left) = left {
            schema.containers.insert(id, Arc::new(left));
            deleted.push(part);
        }
    }
    model.schema = schema;
    Ok(Answer::items(200, &deleted))
}
