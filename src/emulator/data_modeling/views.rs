//! `/models/views`: making, reading and deleting views.
//!
//! Owns the endpoints. Views of one request may refer to each other. Instances keep their
//! data when a view is deleted: it is in containers.

use super::identifier::VersionedId;
use super::page::PageRequest;
use super::schema::Schema;
use super::stamps::Stamps;
use super::view::{View, ViewDefinition};
use super::{SCHEMA_ITEMS_MAX, body, check_distinct_items};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const CURSOR: &str = "models.views";

#[derive(Deserialize)]
struct ApplyList {
    items: Vec<ViewDefinition>,
}

#[derive(Deserialize)]
struct IdList {
    items: Vec<AnyVersion>,
}

/// Names a view or a data model, one version of it or all.
#[derive(Deserialize, PartialEq, Eq, Hash)]
#[serde(rename_all = "camelCase")]
pub struct AnyVersion {
    space: String,
    external_id: String,
    version: Option<String>,
}

impl AnyVersion {
    /// The entries that are meant.
    pub fn find<'m, V>(
        &self,
        entries: &'m BTreeMap<VersionedId, V>,
    ) -> impl Iterator<Item = (&'m VersionedId, &'m V)> {
        let first = VersionedId {
            space: self.space.clone(),
            external_id: self.external_id.clone(),
            version: self.version.clone().unwrap_or_default(),
        };
        entries
            .range(first.clone()..)
            .take_while(move |(id, _)| {
                id.space == first.space && id.external_id == first.external_id
            })
            .filter(|(id, _)| {
                self.version
                    .as_ref()
                    .is_none_or(|version| *version == id.version)
            })
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// The identifiers in the body of a byids call.
pub fn read_any_versions(call: &mut Call<'_>, what: &str) -> Result<Vec<AnyVersion>, Refusal> {
    let items = body::<IdList>(call)?.items;
    check_items(what, items.len(), SCHEMA_ITEMS_MAX)?;
    call.tally.items = items.len() as u64;
    check_distinct_items(&items)?;
    Ok(items)
}

/// The identifiers in the body of a delete call, which have to say the version.
pub fn read_versions(call: &mut Call<'_>, what: &str) -> Result<Vec<VersionedId>, Refusal> {
    let items = read_any_versions(call, what)?;
    items
        .into_iter()
        .map(|item| {
            let version = item
                .version
                .ok_or_else(|| Refusal::invalid("version: is required"))?;
            Ok(VersionedId {
                space: item.space,
                external_id: item.external_id,
                version,
            })
        })
        .collect()
}

/// Whether no other version of the same view or data model is newer.
pub fn is_newest<V>(
    entries: &BTreeMap<VersionedId, V>,
    id: &VersionedId,
    created_time: impl Fn(&V) -> i64,
) -> bool {
    let all = AnyVersion {
        space: id.space.clone(),
        external_id: id.external_id.clone(),
        version: None,
    };
    let newest = all
        .find(entries)
        .max_by_key(|(_, entry)| created_time(entry));
    newest.is_none_or(|(newest, _)| newest == id)
}

/// Puts views into a schema that is being changed and checks them.
pub fn put(schema: &mut Schema, items: Vec<ViewDefinition>) -> Result<Vec<Arc<View>>, Refusal> {
    check_distinct_items(items.iter().map(|item| &item.id))?;
    schema.check_spaces(items.iter().map(|item| item.id.space.as_str()))?;
    let mut made = Vec::with_capacity(items.len());
    for item in items {
        let definition = item.complete()?;
        schema.check_writable_space(&definition.id.space)?;
        let old = schema.views.get(&definition.id);
        let unchanged = old.is_some_and(|old| old.definition == definition);
        let view = Arc::new(View {
            stamps: Stamps::after(old.map(|old| old.stamps), unchanged),
            definition,
            is_global: false,
        });
        let id = view.definition.id.clone();
        schema.views.insert(id, Arc::clone(&view));
        made.push(view);
    }
    for view in &made {
        schema.check_view(view)?;
        super::instances::check_view_filter(schema, view)?;
    }
    schema.check_limits()?;
    Ok(made)
}

/// `POST /models/views`
pub fn apply(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = body::<ApplyList>(call)?.items;
    check_items("views", items.len(), SCHEMA_ITEMS_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let mut model = call.project.model.write();
    let mut schema = model.schema.clone();
    let made = put(&mut schema, items)?;
    let shown: Vec<Value> = made
        .iter()
        .map(|view| schema.show_view(view, true))
        .collect();
    model.schema = schema;
    Ok(Answer::items(200, &shown))
}

/// `GET /models/views`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = PageRequest::read(call.query)?;
    let inherited = call.query.flag("includeInheritedProperties", true)?;
    let model = call.project.model.read();
    let schema = &model.schema;
    let (page, next) = request.cut(CURSOR, &schema.views, |id, view| {
        request.wants(&id.space, view.is_global)
            && call.sees_space(&id.space)
            && (request.all_versions
                || is_newest(&schema.views, id, |view| view.stamps.created_time))
    })?;
    let shown: Vec<Value> = page
        .into_iter()
        .map(|view| schema.show_view(view, inherited))
        .collect();
    call.tally.items = shown.len() as u64;
    Ok(Answer::page(200, &shown, next))
}

/// `POST /models/views/byids`
pub fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let inherited = call.query.flag("includeInheritedProperties", true)?;
    let ids = read_any_versions(call, "views")?;
    let model = call.project.model.read();
    let schema = &model.schema;
    let shown: Vec<Value> = ids
        .iter()
        .flat_map(|id| id.find(&schema.views))
        .map(|(_, view)| schema.show_view(view, inherited))
        .collect();
    Ok(Answer::items(200, &shown))
}

/// `POST /models/views/delete`
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let ids = read_versions(call, "views")?;
    call.consume(call.tally.items, 0)?;
    let mut model = call.project.model.write();
    let known: Vec<VersionedId> = ids
        .into_iter()
        .filter(|id| model.schema.views.contains_key(id))
        .collect();
    for id in &known {
        model.schema.check_writable_space(&id.space)?;
    }
    for id in &known {
        model.schema.views.remove(id);
    }
    Ok(Answer::items(200, &known))
}
