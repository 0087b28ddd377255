//! Data modeling: spaces, containers, views, data models, nodes and edges.
//!
//! `identifier` owns names, `property_type` and `value` the types and what fits them,
//! `container`, `view` and `data_models` the parts of a schema, `schema` what holds between
//! them, `core_model` what every project starts with, `instances` the nodes and edges,
//! `statistics` the counts. `store` keeps it all behind one lock per project. GraphQL,
//! records, search, aggregation, graph queries and sync are not served.

mod container;
mod containers;
mod core_model;
mod data_models;
mod identifier;
mod instances;
mod page;
mod property_type;
mod route;
mod schema;
mod spaces;
mod stamps;
mod statistics;
mod store;
mod value;
mod view;
mod views;

pub use route::{DataModelingOperation, resolve};
pub use store::ModelStore;

use super::answer::{Answer, Refusal};
use super::call::Call;
use super::reference::check_chars;
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::hash::Hash;

/// Most spaces, containers, views or data models per call.
const SCHEMA_ITEMS_MAX: usize = 100;
const NAME_CHARS_MAX: usize = 255;
const DESCRIPTION_CHARS_MAX: usize = 1_024;

/// Calls the handler of an operation.
pub fn serve(call: &mut Call<'_>, operation: DataModelingOperation) -> Result<Answer, Refusal> {
    use DataModelingOperation as O;
    match operation {
        O::SpacesApply => spaces::apply(call),
        O::SpacesList => spaces::list(call),
        O::SpacesByIds => spaces::by_ids(call),
        O::SpacesDelete => spaces::delete(call),
        O::ContainersApply => containers::apply(call),
        O::ContainersList => containers::list(call),
        O::ContainersByIds => containers::by_ids(call),
        O::ContainersDelete => containers::delete(call),
        O::ConstraintsDelete => containers::delete_constraints(call),
        O::IndexesDelete => containers::delete_indexes(call),
        O::ViewsApply => views::apply(call),
        O::ViewsList => views::list(call),
        O::ViewsByIds => views::by_ids(call),
        O::ViewsDelete => views::delete(call),
        O::DataModelsApply => data_models::apply(call),
        O::DataModelsList => data_models::list(call),
        O::DataModelsByIds => data_models::by_ids(call),
        O::DataModelsDelete => data_models::delete(call),
        O::InstancesApply => instances::apply(call),
        O::InstancesDelete => instances::delete(call),
        O::InstancesByIds => instances::by_ids(call),
        O::InstancesList => instances::list(call),
        O::Statistics => Ok(statistics::project(call)),
        O::StatisticsBySpace => Ok(statistics::spaces(call)),
        O::StatisticsBySpaceIds => statistics::spaces_by_ids(call),
    }
}

/// The body as JSON.
fn body<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Refusal> {
    call.json().map_err(in_envelope)
}

/// Absent fields are a 400 in the usual envelope here, unlike elsewhere.
fn in_envelope(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::MissingFields { message, .. } => Refusal::Invalid(message),
        other => other,
    }
}

/// Checks a name and a description.
fn check_texts(name: &Option<String>, description: &Option<String>) -> Result<(), Refusal> {
    for (field, text, most) in [
        ("name", name, NAME_CHARS_MAX),
        ("description", description, DESCRIPTION_CHARS_MAX),
    ] {
        if let Some(text) = text {
            check_chars(field, text, most)?;
        }
    }
    Ok(())
}

/// Refuses what stands twice in one request.
fn check_distinct_items<T: Eq + Hash>(items: impl IntoIterator<Item = T>) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    if items.into_iter().all(|item| seen.insert(item)) {
        return Ok(());
    }
    Err(Refusal::invalid(
        "items: contains duplicated identifiers, each may be given only once",
    ))
}
