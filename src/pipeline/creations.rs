//! Time series that are being made: whether what a datapoint misses may appear by itself.
//!
//! Owns a count for each project. Promises that rows on their way into CDF count until they have
//! their verdict, whatever becomes of them, and a little longer: CDF needs a moment to see what
//! it has made. Never knows which series they are: a row that waits in vain loses only time.

use crate::cdf::Project;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after the last creation a series may still appear.
const GRACE: Duration = Duration::from_secs(5);

/// The counts of all projects.
#[derive(Debug, Default)]
pub struct Creations {
    by_project: Mutex<HashMap<Project, Arc<ProjectCreations>>>,
}

/// The count of one project.
#[derive(Debug, Default)]
pub struct ProjectCreations {
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
pub struct Creation(Arc<ProjectCreations>);

impl Creations {
    /// The count of `project`.
    pub fn of(&self, project: &Project) -> Arc<ProjectCreations> {
        let mut by_project = self
            .by_project
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(creations) = by_project.get(project) {
            return creations.clone();
        }
        by_project.entry(project.clone()).or_default().clone()
    }
}

impl ProjectCreations {
    /// Rows that make series are on their way.
    pub fn begin(self: &Arc<Self>) -> Creation {
        self.state().open += 1;
        Creation(self.clone())
    }

    /// Whether a series that is missing now may appear.
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
        let of_plant = creations.of(&project("plant"));
        assert!(!of_plant.are_open(Instant::now()));
        let creation = of_plant.begin();
        assert!(creations.of(&project("plant")).are_open(Instant::now()));
        assert!(!creations.of(&project("other")).are_open(Instant::now()));
        drop(creation);
        let now = Instant::now();
        assert!(of_plant.are_open(now));
        assert!(!of_plant.are_open(now + GRACE));
    }
}
