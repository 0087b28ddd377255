//! The data model of a project, behind one lock.
//!
//! Owns the lock and what a new project starts with: the part of the core data model that
//! `core_model` knows. One lock for schema and instances keeps a request that checks the
//! one and changes the other atomic.

use super::core_model;
use super::instances::Instances;
use super::schema::Schema;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Schema and instances.
#[derive(Debug)]
pub struct Model {
    pub schema: Schema,
    pub instances: Instances,
}

/// The data model of one project.
#[derive(Debug)]
pub struct ModelStore {
    model: RwLock<Model>,
}

impl Default for ModelStore {
    fn default() -> Self {
        Self {
            model: RwLock::new(Model {
                schema: core_model::schema(),
                instances: Instances::default(),
            }),
        }
    }
}

impl ModelStore {
    /// The model, to read.
    pub fn read(&self) -> RwLockReadGuard<'_, Model> {
        // Requests prepare their changes and put them in place in one step at the end.
        self.model.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The model, to change.
    pub fn write(&self) -> RwLockWriteGuard<'_, Model> {
        self.model.write().unwrap_or_else(PoisonError::into_inner)
    }
}
