//! `/models/statistics`: how much of the project's limits is used.
//!
//! Owns the counts and the figures that CDF publishes for a project. Deleted instances are
//! gone at once here, so that nothing is ever soft deleted.

use super::schema::{
    CONTAINER_PROPERTIES_MAX, CONTAINERS_MAX, DATA_MODELS_MAX, SPACES_MAX, VIEWS_MAX,
};
use super::spaces;
use super::store::Model;
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::budget::{
    INSTANCE_DELETES_CONCURRENT, INSTANCE_READS_CONCURRENT, INSTANCE_WRITES_CONCURRENT,
};
use crate::emulator::call::Call;
use serde_json::{Value, json};

/// Most nodes and edges of a project.
const INSTANCES_MAX: u64 = 5_000_000;
/// Most deleted ones that are kept.
const SOFT_DELETED_MAX: u64 = 10_000_000;

/// `GET /models/statistics`
pub fn project(call: &mut Call<'_>) -> Answer {
    let model = call.project.model.read();
    let schema = &model.schema;
    let used = |count: usize, limit: usize| json!({"count": count, "limit": limit});
    let (nodes, edges) = model.instances.count(|_| true);
    Answer::json(
        200,
        &json!({
            "spaces": used(schema.spaces.values().filter(|one| !one.is_global).count(), SPACES_MAX),
            "containers": used(
                schema.containers.values().filter(|one| !one.is_global).count(),
                CONTAINERS_MAX,
            ),
            "views": used(schema.views.values().filter(|one| !one.is_global).count(), VIEWS_MAX),
            "dataModels": used(
                schema.data_models.values().filter(|one| !one.is_global).count(),
                DATA_MODELS_MAX,
            ),
            "containerProperties": used(schema.container_properties(), CONTAINER_PROPERTIES_MAX),
            "instances": {
                "edges": edges,
                "softDeletedEdges": 0,
                "nodes": nodes,
                "softDeletedNodes": 0,
                "instances": nodes + edges,
                "instancesLimit": INSTANCES_MAX,
                "softDeletedInstances": 0,
                "softDeletedInstancesLimit": SOFT_DELETED_MAX,
            },
            "concurrentReadLimit": INSTANCE_READS_CONCURRENT,
            "concurrentWriteLimit": INSTANCE_WRITES_CONCURRENT,
            "concurrentDeleteLimit": INSTANCE_DELETES_CONCURRENT,
        }),
    )
}

/// `GET /models/statistics/spaces`
pub fn spaces(call: &mut Call<'_>) -> Answer {
    let model = call.project.model.read();
    let own = model.schema.spaces.values().filter(|one| !one.is_global);
    let own = own.filter(|one| call.sees_space(&one.definition.space));
    let shown: Vec<Value> = own
        .map(|space| show_space(&model, &space.definition.space))
        .collect();
    Answer::items(200, &shown)
}

/// `POST /models/statistics/spaces/byids`
pub fn spaces_by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let names = spaces::read_ids(call)?;
    let model = call.project.model.read();
    let known = names
        .iter()
        .filter(|name| model.schema.spaces.contains_key(*name));
    let shown: Vec<Value> = known.map(|name| show_space(&model, name)).collect();
    Ok(Answer::items(200, &shown))
}

fn show_space(model: &Model, space: &str) -> Value {
    let schema = &model.schema;
    let (nodes, edges) = model.instances.count(|id| id.space == space);
    json!({
        "space": space,
        "containers": schema.containers.keys().filter(|id| id.space == space).count(),
        "views": schema.views.keys().filter(|id| id.space == space).count(),
        "dataModels": schema.data_models.keys().filter(|id| id.space == space).count(),
        "edges": edges,
        "softDeletedEdges": 0,
        "nodes": nodes,
        "softDeletedNodes": 0,
    })
}
