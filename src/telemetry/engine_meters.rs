//! What the cold road counts: engines, what is read for their statements, what is answered again.
//!
//! Owns the handles of it. Promises that an engine is in one state at a time, and that its end is
//! counted once. Never counts an engine that the end of the process takes with it.

use super::labels::{CatalogAnswer, EngineEnd, EngineState, LabelValue};
use super::meters::CountersBy;
use super::names;
use crate::catalog::Resource;
use metrics::{Counter, Gauge, Histogram};

/// Engines of one gateway.
#[derive(Clone, Debug)]
pub struct EngineMeters {
    states: Vec<Gauge>,
    /// Starts, also those that failed.
    pub started: Counter,
    pub ended: CountersBy<EngineEnd>,
    /// Seconds from the wish for an engine to one that can be asked.
    pub start_seconds: Histogram,
    /// Seconds that a statement waited for an engine of its user's.
    pub wait_seconds: Histogram,
    /// Statements that got none in time.
    pub refused: Counter,
    pub catalog_answers: CountersBy<CatalogAnswer>,
    pub catalog_bytes: Gauge,
}

impl EngineMeters {
    pub fn new() -> Self {
        let states = EngineState::ALL
            .iter()
            .map(|state| names::ENGINES.gauge(&[state.label()]))
            .collect();
        EngineMeters {
            states,
            started: names::ENGINES_STARTED.counter(&[]),
            ended: CountersBy::register(&names::ENGINES_ENDED, &[]),
            start_seconds: names::ENGINE_START.histogram(&[]),
            wait_seconds: names::ENGINE_WAIT.histogram(&[]),
            refused: names::ENGINES_REFUSED.counter(&[]),
            catalog_answers: CountersBy::register(&names::CATALOG_ANSWERS, &[]),
            catalog_bytes: names::CATALOG_BYTES.gauge(&[]),
        }
    }

    /// One engine more, which starts.
    pub fn count(&self) -> CountedEngine {
        self.started.increment(1);
        self.states[EngineState::Starting.index()].increment(1.0);
        CountedEngine {
            meters: self.clone(),
            state: EngineState::Starting,
            end: EngineEnd::NotStarted,
        }
    }
}

impl Default for EngineMeters {
    fn default() -> Self {
        Self::new()
    }
}

/// An engine as it is counted, until dropped.
#[derive(Debug)]
pub struct CountedEngine {
    meters: EngineMeters,
    state: EngineState,
    end: EngineEnd,
}

impl CountedEngine {
    /// It is in that state now; if it ends in it, that is why.
    pub fn becomes(&mut self, state: EngineState, end: EngineEnd) {
        self.meters.states[self.state.index()].decrement(1.0);
        self.meters.states[state.index()].increment(1.0);
        self.state = state;
        self.end = end;
    }

    /// It ends, for this reason.
    pub fn ends(&mut self, end: EngineEnd) {
        self.end = end;
    }
}

impl Drop for CountedEngine {
    fn drop(&mut self) {
        self.meters.states[self.state.index()].decrement(1.0);
        self.meters.ended.add(self.end, 1);
    }
}

/// What is read of one resource for statements that an engine runs.
#[derive(Clone, Debug)]
pub struct ScanMeters {
    pub rows: Counter,
    /// Requests, repeats included.
    pub requests: Counter,
    pub answer_bytes: Counter,
}

impl ScanMeters {
    pub fn of(resource: Resource) -> Self {
        let labels = [resource.name()];
        ScanMeters {
            rows: names::SCAN_ROWS.counter(&labels),
            requests: names::SCAN_REQUESTS.counter(&labels),
            answer_bytes: names::SCAN_BYTES.counter(&labels),
        }
    }
}

/// What pages hold on their way into engines.
#[derive(Clone, Debug)]
pub struct ScanMemoryGauges {
    pub budget_bytes: Gauge,
    pub used_bytes: Gauge,
}

impl ScanMemoryGauges {
    pub fn new() -> Self {
        ScanMemoryGauges {
            budget_bytes: names::SCAN_MEMORY_BUDGET.gauge(&[]),
            used_bytes: names::SCAN_MEMORY_USED.gauge(&[]),
        }
    }
}

impl Default for ScanMemoryGauges {
    fn default() -> Self {
        Self::new()
    }
}
