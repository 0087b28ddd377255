//! What the objects of a request are called and refer to.
//!
//! Owns the names and references that are met while objects are checked, so that their
//! existence can be looked up once for a whole request.

use super::field::Target;
use std::collections::HashSet;

/// What objects are called and refer to.
#[derive(Debug, Default)]
pub struct Found {
    pub external_ids: Vec<String>,
    pub data_sets: HashSet<i64>,
    pub assets: HashSet<i64>,
    pub labels: HashSet<String>,
    /// `startTime` and `endTime` of the object that is being read.
    pub start_ms: Option<i64>,
    pub end_ms: Option<i64>,
}

impl Found {
    /// Notes an id that an object refers to.
    pub fn note(&mut self, target: Target, id: i64) {
        match target {
            Target::DataSet => _ = self.data_sets.insert(id),
            Target::Asset => _ = self.assets.insert(id),
            Target::Unchecked => {}
        }
    }
}
