//! Objects that are being made: whether what a row misses may appear by itself.
//!
//! Owns a count for each project and resource. Promises that rows on their way into CDF count until they have
//! their verdict, whatever becomes of them, and a little longer: CDF needs a moment to see what
//! it has made. Never knows which objects they are: a row that waits in vain loses only time.

use crate::catalog::Resource;
use crate::cdf::Project;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after the last creation an object may still appear.
const GRACE: Duration = Duration::from_secs(5);

/// The counts of all projects.
#[derive(Debug, Default)]
pub struct Creations {
    by_resource: Mutex<HashMap<(Project, Resource), Arc<ResourceCreations>>>,
}

/// The count of one resource of a project.
#[derive(Debug, Default)]
pub struct ResourceCreations {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: u64,
    /// When the last of them ended.
    ended: Option<Instant>,
}

/// Counts until it drops.
#[derive(Debug)]
pub struct Creation(Arc<ResourceCreations>);

impl Creations {
    /// The count of `resource` in `project`.
    pub fn of(&self, project: &Project, resource: Resource) -> Arc<ResourceCreations> {
        let mut by_resource = self
            .by_resource
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        by_resource
            .entry((project.clone(), resource))
            .or_default()
            .clone()
    }
}

impl ResourceCreations {
    /// Rows that make objects are on their way.
    pub fn begin(self: &Arc<Self>) -> Creation {
        self.state().open += 1;
        Creation(self.clone())
    }

    /// Whether an object that is missing now may appear.
    pub fn are_open(&self, now: Instant) -> bool {
        let state = self.state();
        state.open > 0 || state.ended.is_some_and(|ended| ended + GRACE > now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Creation {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.open -= 1;
        state.ended = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_may_appear_while_it_is_made_and_a_moment_after() {
        let creations = Creations::default();
        let project = |name: &str| Project {
            base_url: "https://cdf".to_owned(),
            name: name.to_owned(),
        };
        let of_plant = creations.of(&project("plant"), Resource::TimeSeries);
        assert!(!of_plant.are_open(Instant::now()));
        let creation = of_plant.begin();
        assert!(
            creations
                .of(&project("plant"), Resource::TimeSeries)
                .are_open(Instant::now())
        );
        assert!(
            !creations
                .of(&project("other"), Resource::TimeSeries)
                .are_open(Instant::now())
        );
        drop(creation);
        let now = Instant::now();
        assert!(of_plant.are_open(now));
        assert!(!of_plant.are_open(now + GRACE));
    }
}
