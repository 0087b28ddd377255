//! The part of the core data model (`cdf_cdm`) that every project has from the start.
//!
//! Owns the views that make time series addressable, those that they inherit from, and a
//! small `CogniteAsset`. `core_model.json` holds them in the form in which a client would
//! send them. They belong to the system: nobody can change them.

use super::container::{Container, ContainerDefinition};
use super::identifier::ContainerId;
use super::schema::Schema;
use super::spaces::{Space, SpaceDefinition};
use super::stamps::Stamps;
use super::view::{View, ViewDefinition};
use crate::emulator::answer::Refusal;
use serde::Deserialize;
use std::sync::{Arc, LazyLock};

/// The space of the core data model.
pub const SPACE: &str = "cdf_cdm";

/// The container whose data makes a node a time series.
pub static TIME_SERIES: LazyLock<ContainerId> = LazyLock::new(|| ContainerId {
    space: SPACE.to_owned(),
    external_id: "CogniteTimeSeries".to_owned(),
});

/// The container of names and descriptions.
pub static DESCRIBABLE: LazyLock<ContainerId> = LazyLock::new(|| ContainerId {
    space: SPACE.to_owned(),
    external_id: "CogniteDescribable".to_owned(),
});

#[derive(Deserialize)]
struct CoreModel {
    spaces: Vec<SpaceDefinition>,
    containers: Vec<ContainerDefinition>,
    views: Vec<ViewDefinition>,
}

static CORE_MODEL: LazyLock<Schema> = LazyLock::new(|| {
    read(include_str!("core_model.json"))
        .expect("the core data model is part of the program, and a test reads it")
});

/// The schema of a new project.
pub fn schema() -> Schema {
    CORE_MODEL.clone()
}

fn read(text: &str) -> Result<Schema, Refusal> {
    let model: CoreModel = crate::emulator::json::read(text.as_bytes())?;
    let mut schema = Schema::default();
    // All of it is as old as the first project.
    let stamps = Stamps::now();
    for definition in model.spaces {
        let space = Space {
            definition,
            stamps,
            is_global: true,
        };
        schema.spaces.insert(space.definition.space.clone(), space);
    }
    for definition in model.containers {
        let container = Container {
            definition: definition.complete()?,
            stamps,
            is_global: true,
        };
        let id = container.definition.id.clone();
        schema.containers.insert(id, Arc::new(container));
    }
    for definition in model.views {
        let view = View {
            definition: definition.complete()?,
            stamps,
            is_global: true,
        };
        schema
            .views
            .insert(view.definition.id.clone(), Arc::new(view));
    }
    for container in schema.containers.values() {
        schema.check_container(container)?;
    }
    for view in schema.views.values() {
        schema.check_view(view)?;
    }
    Ok(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_data_model_follows_the_rules_for_everybody() {
        let schema = read(include_str!("core_model.json"));
        assert_eq!(schema.as_ref().err(), None);
        assert!(
            schema.is_ok_and(|schema| schema.containers.contains_key(&TIME_SERIES)
                && schema.containers.contains_key(&DESCRIBABLE))
        );
    }
}
