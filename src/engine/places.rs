//! How many engines there may be.
//!
//! Owns the places for them. Promises that one who waits for a place gets it before one who only
//! would like it, and that whoever keeps engines ready hears of a place that is free again. Never
//! starts an engine.

use super::fault::EngineFault;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{CountedEngine, EngineMeters};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Places for engines. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// Told when one is free again.
    freed: Arc<Notify>,
    meters: EngineMeters,
}

/// The place of one engine, until dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// Taken when it ends.
    permit: Option<OwnedSemaphorePermit>,
    freed: Arc<Notify>,
    /// The engine, as it is counted.
    pub counted: CountedEngine,
}

impl Places {
    /// So many, whose return is told to `freed`.
    pub fn new(count: usize, freed: Arc<Notify>, meters: EngineMeters) -> Self {
        Places {
            free: Arc::new(Semaphore::new(count)),
            freed,
            meters,
        }
    }

    /// A place, if one is free and nobody waits for it.
    pub fn try_take(&self) -> Option<Place> {
        Some(self.place(self.try_permit()?))
    }

    /// The right to a place, for an engine that is there or to come.
    pub fn try_permit(&self) -> Option<OwnedSemaphorePermit> {
        self.free.clone().try_acquire_owned().ok()
    }

    /// A place, once there is one.
    ///
    /// # Errors
    /// `Unavailable` with 53300 after `wait`.
    pub async fn take(&self, wait: Duration) -> Result<Place, EngineFault> {
        match timeout(wait, self.free.clone().acquire_owned()).await {
            Ok(Ok(permit)) => Ok(self.place(permit)),
            _ => {
                self.meters.refused.increment(1);
                Err(none_free())
            }
        }
    }

    /// Whether the place is one of these.
    pub fn has(&self, place: &Place) -> bool {
        let permit = place.permit.as_ref();
        permit.is_some_and(|permit| Arc::ptr_eq(permit.semaphore(), &self.free))
    }

    /// The place of a new engine.
    pub fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        Place {
            permit: Some(permit),
            freed: self.freed.clone(),
            counted: self.meters.count(),
        }
    }
}

impl Place {
    /// The engine moves to a place of `places`, and gives this one back.
    pub fn moves_to(&mut self, places: &Places, permit: OwnedSemaphorePermit) {
        self.permit = Some(permit);
        let freed = std::mem::replace(&mut self.freed, places.freed.clone());
        freed.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Free first: whoever is told looks at once.
        self.permit.take();
        self.freed.notify_one();
    }
}

/// `Unavailable`: all are in use.
fn none_free() -> EngineFault {
    EngineFault::Unavailable(Box::new(
        Diagnostic::error(
            SqlState::TOO_MANY_CONNECTIONS,
            "too many statements need a PostgreSQL at the same time",
        )
        .with_hint("Try again, or let the operator set engine.engines_max higher."),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_that_is_free_again_is_told() {
        let freed = Arc::new(Notify::new());
        let places = Places::new(1, freed.clone(), EngineMeters::new());
        let place = places.try_take().expect("it is free");
        assert!(places.try_take().is_none());
        drop(place);
        timeout(Duration::from_secs(10), freed.notified())
            .await
            .expect("it is told");
        assert!(places.try_take().is_some());
    }

    #[tokio::test]
    async fn who_waits_in_vain_is_told_what_to_raise() {
        let places = Places::new(1, Arc::default(), EngineMeters::new());
        let _place = places.try_take().expect("it is free");
        let refused = places.take(Duration::from_millis(1)).await;
        let refused = refused.expect_err("there is none").into_diagnostic();
        assert_eq!(refused.sqlstate, SqlState::TOO_MANY_CONNECTIONS);
        assert!(refused.hint.expect("a hint").contains("engine.engines_max"));
    }
}
