//! `/models/spaces`: the namespaces of everything else.
//!
//! Owns the spaces of a project and their endpoints. A space is deleted only when nothing
//! is in it.

use super::identifier::{check_new_space, check_space};
use super::page::PageRequest;
use super::stamps::Stamps;
use super::store::Model;
use super::{SCHEMA_ITEMS_MAX, body, check_distinct_items, check_texts};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const CURSOR: &str = "models.spaces";

/// What a client sends to make a space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpaceDefinition {
    pub space: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// A space of a project.
#[derive(Debug, Clone)]
pub struct Space {
    pub definition: SpaceDefinition,
    pub stamps: Stamps,
    pub is_global: bool,
}

impl Space {
    fn to_json(&self) -> Value {
        let mut shown = json!(self.definition);
        self.stamps.show(&mut shown, self.is_global);
        shown
    }
}

#[derive(Deserialize)]
struct ApplyList {
    items: Vec<SpaceDefinition>,
}

#[derive(Deserialize)]
struct IdList {
    items: Vec<SpaceId>,
}

#[derive(Deserialize)]
struct SpaceId {
    space: String,
}

/// The names in the body of a byids or delete call.
pub fn read_ids(call: &mut Call<'_>) -> Result<Vec<String>, Refusal> {
    let items = body::<IdList>(call)?.items;
    check_items("spaces", items.len(), SCHEMA_ITEMS_MAX)?;
    call.tally.items = items.len() as u64;
    let names: Vec<String> = items.into_iter().map(|item| item.space).collect();
    names.iter().try_for_each(|space| check_space(space))?;
    check_distinct_items(&names)?;
    Ok(names)
}

/// `POST /models/spaces`
pub fn apply(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = body::<ApplyList>(call)?.items;
    check_items("spaces", items.len(), SCHEMA_ITEMS_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    check_distinct_items(items.iter().map(|item| &item.space))?;
    let mut model = call.project.model.write();
    let mut schema = model.schema.clone();
    let mut shown = Vec::with_capacity(items.len());
    for definition in items {
        check_new_space(&definition.space)?;
        check_texts(&definition.name, &definition.description)?;
        let old = schema.spaces.get(&definition.space);
        if old.is_some() {
            schema.check_writable_space(&definition.space)?;
        }
        let unchanged = old.is_some_and(|old| old.definition == definition);
        let space = Space {
            stamps: Stamps::after(old.map(|old| old.stamps), unchanged),
            definition,
            is_global: false,
        };
        shown.push(space.to_json());
        schema.spaces.insert(space.definition.space.clone(), space);
    }
    schema.check_limits()?;
    model.schema = schema;
    Ok(Answer::items(200, &shown))
}

/// `GET /models/spaces`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = PageRequest::read(call.query)?;
    let model = call.project.model.read();
    let (page, next) = request.cut(CURSOR, &model.schema.spaces, |name, space| {
        (request.include_global || !space.is_global) && call.sees_space(name)
    })?;
    let shown: Vec<Value> = page.into_iter().map(Space::to_json).collect();
    call.tally.items = shown.len() as u64;
    Ok(Answer::page(200, &shown, next))
}

/// `POST /models/spaces/byids`
pub fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let names = read_ids(call)?;
    let model = call.project.model.read();
    let found = names
        .iter()
        .filter_map(|name| model.schema.spaces.get(name));
    let shown: Vec<Value> = found.map(Space::to_json).collect();
    Ok(Answer::items(200, &shown))
}

/// `POST /models/spaces/delete`
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let names = read_ids(call)?;
    call.consume(call.tally.items, 0)?;
    let mut model = call.project.model.write();
    let known: Vec<String> = names
        .into_iter()
        .filter(|name| model.schema.spaces.contains_key(name))
        .collect();
    for name in &known {
        model.schema.check_writable_space(name)?;
        if !is_empty(&model, name) {
            return Err(Refusal::invalid(format!(
                "Cannot delete the space '{name}': it is not empty"
            )));
        }
    }
    for name in &known {
        model.schema.spaces.remove(name);
    }
    let shown: Vec<Value> = known.iter().map(|name| json!({"space": name})).collect();
    Ok(Answer::items(200, &shown))
}

fn is_empty(model: &Model, space: &str) -> bool {
    let schema = &model.schema;
    !schema.containers.keys().any(|id| id.space == space)
        && !schema.views.keys().any(|id| id.space == space)
        && !schema.data_models.keys().any(|id| id.space == space)
        && model.instances.in_space(space).next().is_none()
}
