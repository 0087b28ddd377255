//! Reading instances: `POST /models/instances/byids`, and what the list call shares.
//!
//! Owns how the properties of an instance look through views, and the description of their
//! types. An instance that a view does not let through is left out.

use super::super::identifier::{ContainerId, Source, VersionedId};
use super::super::schema::Schema;
use super::super::store::Model;
use super::super::view::{View, ViewProperty};
use super::super::{body, check_distinct_items};
use super::filter::Filter;
use super::instance::{Instance, InstanceType};
use super::{ITEMS_MAX, SOURCES_READ_MAX};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use crate::emulator::reference::InstanceId;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A view to read through, as requests give it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GivenView {
    source: Source,
    target_units: Option<Value>,
}

/// The views that a call reads through.
pub struct Views<'m> {
    views: Vec<OpenView<'m>>,
}

struct OpenView<'m> {
    id: &'m VersionedId,
    filter: Filter,
    /// Name in the view, container, name there.
    mapped: Vec<(&'m str, &'m ContainerId, &'m str)>,
    view: &'m Arc<View>,
}

impl<'m> Views<'m> {
    /// Looks the views up.
    pub fn open(schema: &'m Schema, given: Option<Vec<GivenView>>) -> Result<Self, Refusal> {
        let given = given.unwrap_or_default();
        if given.len() > SOURCES_READ_MAX {
            return Err(Refusal::invalid(format!(
                "sources: at most {SOURCES_READ_MAX} are allowed, got {}",
                given.len()
            )));
        }
        if given.iter().any(|view| view.target_units.is_some()) {
            return Err(Refusal::invalid(
                "sources.targetUnits: not served by this local CDF",
            ));
        }
        for view in &given {
            view.source.view("sources.source")?;
        }
        schema.check_sources(given.iter().map(|view| &view.source))?;
        let views = given
            .iter()
            .map(|given| {
                let view = schema.view(given.source.view("sources.source")?)?;
                let mapped = schema
                    .properties_of(view)
                    .into_iter()
                    .filter_map(|(name, property)| match property {
                        ViewProperty::Mapped(mapped) => Some((
                            name,
                            mapped.container().ok()?,
                            mapped.container_property_identifier.as_str(),
                        )),
                        ViewProperty::Connection(_) => None,
                    })
                    .collect();
                Ok(OpenView {
                    id: &view.definition.id,
                    filter: Filter::of_view(schema, view)?,
                    mapped,
                    view,
                })
            })
            .collect::<Result<_, Refusal>>()?;
        Ok(Self { views })
    }

    /// Whether all views let an instance through.
    pub fn let_through(&self, model: &Model, instance: &Instance) -> bool {
        self.views
            .iter()
            .all(|view| view.filter.holds(&model.instances, instance))
    }

    /// An instance as answers show it.
    pub fn show(&self, instance: &Instance) -> Value {
        let mut properties = Map::new();
        for view in &self.views {
            let values: Map<String, Value> = view
                .mapped
                .iter()
                .filter_map(|(name, container, stored)| {
                    let value = instance.value(container, stored)?;
                    Some(((*name).to_owned(), value.clone()))
                })
                .collect();
            let space = properties
                .entry(&view.id.space)
                .or_insert_with(|| json!({}));
            space[view.id.key()] = Value::Object(values);
        }
        instance.show(properties)
    }

    /// What the properties are, for `includeTyping`.
    pub fn typing(&self, schema: &Schema) -> Value {
        let mut spaces = Map::new();
        for view in &self.views {
            let types: BTreeMap<&str, Value> = schema
                .properties_of(view.view)
                .into_iter()
                .filter(|(_, property)| matches!(property, ViewProperty::Mapped(_)))
                .map(|(name, property)| {
                    let mut shown = schema.show_property(property);
                    if let Some(fields) = shown.as_object_mut() {
                        fields.remove("container");
                        fields.remove("containerPropertyIdentifier");
                        fields.remove("source");
                    }
                    (name, shown)
                })
                .collect();
            let space = spaces
                .entry(view.id.space.clone())
                .or_insert_with(|| json!({}));
            space[view.id.key()] = json!(types);
        }
        Value::Object(spaces)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ByIdsRequest {
    items: Vec<GivenId>,
    sources: Option<Vec<GivenView>>,
    include_typing: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GivenId {
    #[serde(default)]
    instance_type: InstanceType,
    space: String,
    external_id: String,
}

/// `POST /models/instances/byids`: unknown instances are left out.
pub fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request: ByIdsRequest = body(call)?;
    check_items("instances", request.items.len(), ITEMS_MAX)?;
    call.tally.items = request.items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let ids: Vec<(InstanceType, InstanceId)> = request
        .items
        .into_iter()
        .map(|item| {
            let id = InstanceId {
                space: item.space,
                external_id: item.external_id,
            };
            (item.instance_type, id)
        })
        .collect();
    check_distinct_items(&ids)?;
    let model = call.project.model.read();
    let views = Views::open(&model.schema, request.sources)?;
    let shown: Vec<Value> = ids
        .iter()
        .filter_map(|(instance_type, id)| {
            let found = model.instances.get(id)?;
            let wanted = found.instance_type() == *instance_type;
            (wanted && views.let_through(&model, found)).then(|| views.show(found))
        })
        .collect();
    let typing = request
        .include_typing
        .unwrap_or(false)
        .then(|| views.typing(&model.schema));
    Ok(page(shown, typing, None))
}

/// `{items, typing, nextCursor}`, the latter two where there are any.
pub fn page(items: Vec<Value>, typing: Option<Value>, next_cursor: Option<String>) -> Answer {
    let mut shown = json!({"items": items});
    if let Some(typing) = typing {
        shown["typing"] = typing;
    }
    if let Some(next_cursor) = next_cursor {
        shown["nextCursor"] = json!(next_cursor);
    }
    Answer::json(200, &shown)
}
