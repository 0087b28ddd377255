//! The schema of a project: spaces, containers, views and data models.
//!
//! Owns the lookups, the limits of a project and the checks that need more than one of
//! them. A copy shares everything but the maps, so that a request changes a copy and puts
//! it in place when all of it is right.

use super::container::{Container, UsedFor};
use super::data_models::DataModel;
use super::identifier::{ContainerId, Source, VersionedId};
use super::spaces::Space;
use super::view::{MappedProperty, View, ViewProperty};
use crate::emulator::answer::Refusal;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most spaces of a project.
pub const SPACES_MAX: usize = 100;
/// Most containers of a project.
pub const CONTAINERS_MAX: usize = 1_000;
/// Most properties of all containers of a project.
pub const CONTAINER_PROPERTIES_MAX: usize = 25_000;
/// Most versions of views of a project.
pub const VIEWS_MAX: usize = 2_000;
/// Most versions of data models of a project.
pub const DATA_MODELS_MAX: usize = 500;

/// Views inherit over at most so many steps.
const INHERITANCE_DEPTH_MAX: usize = 10;

/// Everything but the instances.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    pub spaces: BTreeMap<String, Space>,
    pub containers: BTreeMap<ContainerId, Arc<Container>>,
    pub views: BTreeMap<VersionedId, Arc<View>>,
    pub data_models: BTreeMap<VersionedId, Arc<DataModel>>,
}

impl Schema {
    /// Refuses spaces that do not exist.
    pub fn check_spaces<'a>(
        &self,
        spaces: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Refusal> {
        let unknown = spaces
            .into_iter()
            .filter(|space| !self.spaces.contains_key(*space));
        refuse_unknown("spaces", unknown)
    }

    /// Refuses to change what belongs to the system.
    pub fn check_writable_space(&self, space: &str) -> Result<(), Refusal> {
        self.check_spaces([space])?;
        match self.spaces.get(space) {
            Some(found) if found.is_global => Err(Refusal::invalid(format!(
                "Cannot change the system space '{space}'"
            ))),
            _ => Ok(()),
        }
    }

    /// A container; an unknown one is a 400.
    pub fn container(&self, id: &ContainerId) -> Result<&Arc<Container>, Refusal> {
        self.containers
            .get(id)
            .ok_or_else(|| unknown("containers", id))
    }

    /// A view; an unknown one is a 400.
    pub fn view(&self, id: &VersionedId) -> Result<&Arc<View>, Refusal> {
        self.views.get(id).ok_or_else(|| unknown("views", id))
    }

    /// Refuses references to views and containers that do not exist, all of a kind at once.
    pub fn check_sources<'a>(
        &self,
        sources: impl IntoIterator<Item = &'a Source>,
    ) -> Result<(), Refusal> {
        let (mut views, mut containers) = (BTreeSet::new(), BTreeSet::new());
        for source in sources {
            match source {
                Source::View(view) if !self.views.contains_key(view) => {
                    views.insert(view);
                }
                Source::Container(container) if !self.containers.contains_key(container) => {
                    containers.insert(container);
                }
                _ => {}
            }
        }
        refuse_unknown("views", views)?;
        refuse_unknown("containers", containers)
    }

    /// All properties of a view, the inherited ones included. What it says itself goes
    /// before what it inherits, and later parents before earlier ones.
    pub fn properties_of<'a>(&'a self, view: &'a View) -> BTreeMap<&'a str, &'a ViewProperty> {
        let mut all = BTreeMap::new();
        self.collect(view, &mut BTreeSet::new(), &mut all);
        all
    }

    fn collect<'a>(
        &'a self,
        view: &'a View,
        seen: &mut BTreeSet<&'a VersionedId>,
        all: &mut BTreeMap<&'a str, &'a ViewProperty>,
    ) {
        // Each view once: a parent may be inherited over several ways.
        if !seen.insert(&view.definition.id) {
            return;
        }
        for parent in view.definition.parents() {
            if let Some(parent) = self.views.get(parent) {
                self.collect(parent, seen, all);
            }
        }
        let own = view.definition.properties.iter();
        all.extend(own.map(|(name, property)| (name.as_str(), property)));
    }

    /// The containers that a view shows properties of.
    pub fn mapped_containers<'a>(&'a self, view: &'a View) -> BTreeSet<&'a ContainerId> {
        self.properties_of(view)
            .into_values()
            .filter_map(|property| match property {
                ViewProperty::Mapped(mapped) => mapped.container().ok(),
                ViewProperty::Connection(_) => None,
            })
            .collect()
    }

    /// Checks a container of this schema against the rest of it.
    pub fn check_container(&self, container: &Container) -> Result<(), Refusal> {
        let required = container.definition.required_containers();
        refuse_unknown(
            "containers",
            required.filter(|id| !self.containers.contains_key(*id)),
        )
    }

    /// Checks a view of this schema against the rest of it.
    pub fn check_view(&self, view: &View) -> Result<(), Refusal> {
        let parents = view.definition.parents();
        refuse_unknown("views", parents.filter(|id| !self.views.contains_key(*id)))?;
        self.check_inheritance(view, &mut Vec::new(), &mut BTreeSet::new())?;
        for (name, property) in &view.definition.properties {
            match property {
                ViewProperty::Mapped(mapped) => {
                    let container = self.container(mapped.container()?)?;
                    let property = &mapped.container_property_identifier;
                    if !container.definition.properties.contains_key(property) {
                        return Err(Refusal::invalid(format!(
                            "properties.{name}: container '{}' has no property '{property}'",
                            container.definition.id
                        )));
                    }
                }
                ViewProperty::Connection(connection) => {
                    if let Some(through) = &connection.through {
                        self.check_sources([&through.source])?;
                    }
                }
            }
        }
        self.used_for(view).map(|_| ())
    }

    /// Refuses a view that inherits from itself. `above` leads to this view, `fine` has
    /// been looked at.
    fn check_inheritance<'a>(
        &'a self,
        view: &'a View,
        above: &mut Vec<&'a VersionedId>,
        fine: &mut BTreeSet<&'a VersionedId>,
    ) -> Result<(), Refusal> {
        let id = &view.definition.id;
        if above.contains(&id) || above.len() > INHERITANCE_DEPTH_MAX {
            return Err(Refusal::invalid(format!(
                "implements: view '{id}' inherits from itself, or over more than {INHERITANCE_DEPTH_MAX} steps"
            )));
        }
        if fine.contains(id) {
            return Ok(());
        }
        above.push(id);
        for parent in view.definition.parents() {
            if let Some(parent) = self.views.get(parent) {
                self.check_inheritance(parent, above, fine)?;
            }
        }
        above.pop();
        fine.insert(id);
        Ok(())
    }

    /// What a view can show: what all its containers can hold.
    fn used_for(&self, view: &View) -> Result<UsedFor, Refusal> {
        let mut narrowed = UsedFor::All;
        for container in self.mapped_containers(view) {
            let Some(container) = self.containers.get(container) else {
                continue;
            };
            narrowed = match (narrowed, container.used_for()) {
                (any, UsedFor::All) => any,
                (UsedFor::All, one) => one,
                (one, other) if one == other => one,
                _ => {
                    return Err(Refusal::invalid(format!(
                        "View '{}' maps containers for nodes only and for edges only",
                        view.definition.id
                    )));
                }
            };
        }
        Ok(narrowed)
    }

    /// A view as answers show it.
    pub fn show_view(&self, view: &View, inherited: bool) -> Value {
        let definition = &view.definition;
        let mut shown = serde_json::to_value(definition)
            .expect("definitions are plain structures that always serialise");
        let all = self.properties_of(view);
        let properties: serde_json::Map<String, Value> = all
            .iter()
            .filter(|(name, _)| inherited || definition.properties.contains_key(**name))
            .map(|(name, property)| ((*name).to_owned(), self.show_property(property)))
            .collect();
        let mapped = self.mapped_containers(view);
        let writable = !mapped.is_empty() && mapped.iter().all(|id| self.maps_required(id, &all));
        shown["properties"] = Value::Object(properties);
        shown["queryable"] = json!(definition.filter.is_some() || !mapped.is_empty());
        shown["mappedContainers"] = mapped
            .into_iter()
            .map(|id| json!(Source::Container(id.clone())))
            .collect();
        shown["writable"] = json!(writable);
        shown["usedFor"] = json!(self.used_for(view).unwrap_or_default().name());
        view.stamps.show(&mut shown, view.is_global);
        shown
    }

    fn maps_required(&self, id: &ContainerId, all: &BTreeMap<&str, &ViewProperty>) -> bool {
        let Some(container) = self.containers.get(id) else {
            return false;
        };
        let mut required = container.definition.properties.iter();
        required.all(|(name, property)| {
            !property.is_required()
                || all.values().any(|mapped| match mapped {
                    ViewProperty::Mapped(mapped) => {
                        mapped.container().is_ok_and(|mapped| mapped == id)
                            && mapped.container_property_identifier == *name
                    }
                    ViewProperty::Connection(_) => false,
                })
        })
    }

    /// A property of a view as answers show it: with what its container says of it.
    pub fn show_property(&self, property: &ViewProperty) -> Value {
        let mut shown = serde_json::to_value(property)
            .expect("definitions are plain structures that always serialise");
        match property {
            ViewProperty::Mapped(mapped) => self.show_mapped(mapped, &mut shown),
            ViewProperty::Connection(connection) => {
                if let Some(through) = &connection.through {
                    let list = self.is_list(&through.source, &through.identifier);
                    shown["targetsList"] = json!(list);
                }
            }
        }
        shown
    }

    fn show_mapped(&self, mapped: &MappedProperty, shown: &mut Value) {
        let name = &mapped.container_property_identifier;
        let container = mapped
            .container()
            .ok()
            .and_then(|id| self.containers.get(id));
        let stored = container.and_then(|container| container.definition.properties.get(name));
        let Some(Ok(Value::Object(stored))) = stored.map(serde_json::to_value) else {
            return;
        };
        for (field, value) in stored {
            if shown.get(&field).is_none() {
                shown[field] = value;
            }
        }
        if let Some(source) = &mapped.source {
            shown["type"]["source"] = json!(source);
        }
        shown["constraintState"] = json!({});
    }

    fn is_list(&self, source: &Source, name: &str) -> bool {
        let (container, name) = match source {
            Source::Container(id) => (self.containers.get(id), name),
            Source::View(id) => {
                let view = self.views.get(id);
                let property = view.and_then(|view| self.properties_of(view).remove(name));
                let Some(ViewProperty::Mapped(mapped)) = property else {
                    return false;
                };
                let container = mapped.container().ok();
                (
                    container.and_then(|id| self.containers.get(id)),
                    mapped.container_property_identifier.as_str(),
                )
            }
        };
        container
            .and_then(|container| container.definition.properties.get(name))
            .is_some_and(|property| property.property_type.is_list())
    }

    /// How many properties the containers have that belong to the project.
    pub fn container_properties(&self) -> usize {
        let own = self.containers.values().filter(|one| !one.is_global);
        own.map(|container| container.definition.properties.len())
            .sum()
    }

    /// Refuses a schema that is larger than a project may have.
    pub fn check_limits(&self) -> Result<(), Refusal> {
        for (what, count, most) in [
            (
                "spaces",
                self.spaces.values().filter(|one| !one.is_global).count(),
                SPACES_MAX,
            ),
            (
                "containers",
                self.containers
                    .values()
                    .filter(|one| !one.is_global)
                    .count(),
                CONTAINERS_MAX,
            ),
            (
                "container properties",
                self.container_properties(),
                CONTAINER_PROPERTIES_MAX,
            ),
            (
                "views",
                self.views.values().filter(|one| !one.is_global).count(),
                VIEWS_MAX,
            ),
            (
                "data models",
                self.data_models
                    .values()
                    .filter(|one| !one.is_global)
                    .count(),
                DATA_MODELS_MAX,
            ),
        ] {
            if count > most {
                return Err(Refusal::invalid(format!(
                    "The project would have {count} {what}, at most {most} are allowed"
                )));
            }
        }
        Ok(())
    }
}

fn unknown(what: &str, id: impl std::fmt::Display) -> Refusal {
    Refusal::invalid(format!("One or more {what} do not exist: '{id}'"))
}

/// CDF's 400 for things that do not exist, unless there are none.
fn refuse_unknown<T: std::fmt::Display>(
    what: &str,
    ids: impl IntoIterator<Item = T>,
) -> Result<(), Refusal> {
    let mut names: Vec<String> = ids.into_iter().map(|id| format!("'{id}'")).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "One or more {what} do not exist: {}",
        names.join(", ")
    )))
}
