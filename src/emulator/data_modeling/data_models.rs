//! `/models/datamodels`: named sets of views.
//!
//! Owns the data models of a project and their endpoints. A view of a data model may be
//! given as a reference or whole; a whole one is made along with the data model.

use super::identifier::{
    Source, VersionedId, check_schema_external_id, check_space, check_version,
};
use super::page::PageRequest;
use super::schema::Schema;
use super::stamps::Stamps;
use super::view::ViewDefinition;
use super::views::{self, is_newest, read_any_versions, read_versions};
use super::{SCHEMA_ITEMS_MAX, body, check_distinct_items, check_texts};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// Most views of one data model.
const VIEWS_MAX: usize = 100;
const CURSOR: &str = "models.datamodels";

#[derive(Deserialize)]
struct ApplyList {
    items: Vec<NewDataModel>,
}

#[derive(Deserialize)]
struct NewDataModel {
    #[serde(flatten)]
    id: VersionedId,
    name: Option<String>,
    description: Option<String>,
    views: Option<Vec<Value>>,
}

/// What is kept of a data model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataModelDefinition {
    #[serde(flatten)]
    pub id: VersionedId,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    views: Vec<Source>,
}

/// A data model of a project.
#[derive(Debug, Clone)]
pub struct DataModel {
    pub definition: DataModelDefinition,
    pub stamps: Stamps,
    pub is_global: bool,
}

impl DataModel {
    fn to_json(&self, schema: &Schema, inline: bool) -> Value {
        let mut shown = json!(self.definition);
        if inline {
            let views = self.definition.views.iter();
            shown["views"] = views
                .filter_map(|source| schema.views.get(source.view("views").ok()?))
                .map(|view| schema.show_view(view, true))
                .collect();
        }
        self.stamps.show(&mut shown, self.is_global);
        shown
    }
}

/// `POST /models/datamodels`
pub fn apply(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = body::<ApplyList>(call)?.items;
    check_items("data models", items.len(), SCHEMA_ITEMS_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    check_distinct_items(items.iter().map(|item| &item.id))?;
    let mut model = call.project.model.write();
    let mut schema = model.schema.clone();
    schema.check_spaces(items.iter().map(|item| item.id.space.as_str()))?;
    let mut shown = Vec::with_capacity(items.len());
    for item in items {
        let definition = complete(&mut schema, item)?;
        schema.check_writable_space(&definition.id.space)?;
        schema.check_sources(&definition.views)?;
        let old = schema.data_models.get(&definition.id);
        let unchanged = old.is_some_and(|old| old.definition == definition);
        let data_model = Arc::new(DataModel {
            stamps: Stamps::after(old.map(|old| old.stamps), unchanged),
            definition,
            is_global: false,
        });
        shown.push(data_model.to_json(&schema, false));
        let id = data_model.definition.id.clone();
        schema.data_models.insert(id, data_model);
    }
    schema.check_limits()?;
    model.schema = schema;
    Ok(Answer::items(200, &shown))
}

fn complete(schema: &mut Schema, item: NewDataModel) -> Result<DataModelDefinition, Refusal> {
    check_space(&item.id.space)?;
    check_schema_external_id(&item.id.external_id)?;
    check_version(&item.id.version)?;
    check_texts(&item.name, &item.description)?;
    let given = item.views.unwrap_or_default();
    if given.len() > VIEWS_MAX {
        return Err(Refusal::invalid(format!(
            "views: at most {VIEWS_MAX} are allowed, got {}",
            given.len()
        )));
    }
    let (mut references, mut whole) = (Vec::new(), Vec::new());
    for view in given {
        let refused = |error: serde_json::Error| Refusal::invalid(format!("views: {error}"));
        if view.get("type").is_some() {
            let source: Source = serde_json::from_value(view).map_err(refused)?;
            source.view("views")?;
            references.push(source);
        } else {
            let definition: ViewDefinition = serde_json::from_value(view).map_err(refused)?;
            references.push(Source::View(definition.id.clone()));
            whole.push(definition);
        }
    }
    check_distinct_items(&references)?;
    views::put(schema, whole)?;
    Ok(DataModelDefinition {
        id: item.id,
        name: item.name,
        description: item.description,
        views: references,
    })
}

/// `GET /models/datamodels`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = PageRequest::read(call.query)?;
    let inline = call.query.flag("inlineViews", false)?;
    let model = call.project.model.read();
    let data_models = &model.schema.data_models;
    let (page, next) = request.cut(CURSOR, data_models, |id, data_model| {
        request.wants(&id.space, data_model.is_global)
            && call.sees_space(&id.space)
            && (request.all_versions || is_newest(data_models, id, |one| one.stamps.created_time))
    })?;
    let shown: Vec<Value> = page
        .into_iter()
        .map(|data_model| data_model.to_json(&model.schema, inline))
        .collect();
    call.tally.items = shown.len() as u64;
    Ok(Answer::page(200, &shown, next))
}

/// `POST /models/datamodels/byids`
pub fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let inline = call.query.flag("inlineViews", false)?;
    let ids = read_any_versions(call, "data models")?;
    let model = call.project.model.read();
    let shown: Vec<Value> = ids
        .iter()
        .flat_map(|id| id.find(&model.schema.data_models))
        .map(|(_, data_model)| data_model.to_json(&model.schema, inline))
        .collect();
    Ok(Answer::items(200, &shown))
}

/// `POST /models/datamodels/delete`
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let ids = read_versions(call, "data models")?;
    call.consume(call.tally.items, 0)?;
    let mut model = call.project.model.write();
    let known: Vec<VersionedId> = ids
        .into_iter()
        .filter(|id| model.schema.data_models.contains_key(id))
        .collect();
    for id in &known {
        model.schema.check_writable_space(&id.space)?;
    }
    for id in &known {
        model.schema.data_models.remove(id);
    }
    Ok(Answer::items(200, &known))
}
