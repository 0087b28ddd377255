//! What the emulator has done: figures per operation, and the checksums.
//!
//! Owns the counters behind `GET /_emulator/statistics`. Writes count as accepted when
//! they were committed, also if the answer was then lost or replaced by a fault. One lock
//! is taken at the start and one at the end of a request, never per row.

use super::call::Tally;
use super::route::Operation;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Figures of one operation.
#[derive(Debug, Clone, Default, Serialize)]
pub struct OperationFigures {
    /// Requests that arrived.
    pub requests: u64,
    /// Requests that were committed.
    pub accepted: u64,
    /// Elements of `items` in committed requests: for datapoints, series.
    pub items: u64,
    /// Datapoints in committed requests.
    pub points: u64,
    /// Rows, of RAW and of sequences, in committed requests.
    pub rows: u64,
    /// Body bytes as they came over the wire, of all requests.
    pub body_bytes: u64,
    /// Body bytes after decompression, of all requests.
    pub decoded_bytes: u64,
    /// Answers by HTTP status.
    pub answers: BTreeMap<u16, u64>,
    /// Connections reset by a fault.
    pub resets: u64,
    /// Requests being served now.
    pub in_flight: u64,
    /// The most requests served at the same time.
    pub in_flight_max: u64,
}

/// Count and sum of one kind of row; the sum is described in
/// [`checksum`](super::checksum).
#[derive(Debug, Clone, Default)]
struct Sum {
    count: u64,
    sum: u64,
}

#[derive(Debug, Default)]
struct State {
    operations: BTreeMap<Operation, OperationFigures>,
    in_flight: u64,
    in_flight_max: u64,
    points: Sum,
    rows: Sum,
    /// Of the items of other writes, by operation.
    items: BTreeMap<Operation, Sum>,
}

/// The counters of one emulator.
#[derive(Debug, Default)]
pub struct Statistics {
    state: Mutex<State>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// The status that was sent, or that was lost with the connection.
    pub status: u16,
    /// Whether what it asked for took effect.
    pub committed: bool,
    /// Whether the connection was reset instead of answered.
    pub reset: bool,
    pub body_bytes: u64,
    pub decoded_bytes: u64,
}

/// Marks one request as being served; dropping it ends that.
#[derive(Debug)]
pub struct Serving {
    statistics: Arc<Statistics>,
    operation: Operation,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let mut state = self.statistics.lock();
        state.in_flight = state.in_flight.saturating_sub(1);
        if let Some(figures) = state.operations.get_mut(&self.operation) {
            figures.in_flight = figures.in_flight.saturating_sub(1);
        }
    }
}

impl Statistics {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The counters are plain numbers: a panic elsewhere cannot leave them half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that arrived.
    pub fn begin(self: &Arc<Self>, operation: Operation) -> Serving {
        let mut state = self.lock();
        state.in_flight += 1;
        state.in_flight_max = state.in_flight_max.max(state.in_flight);
        let figures = state.operations.entry(operation).or_default();
        figures.requests += 1;
        figures.in_flight += 1;
        figures.in_flight_max = figures.in_flight_max.max(figures.in_flight);
        drop(state);
        Serving {
            statistics: Arc::clone(self),
            operation,
        }
    }

    /// Counts how a request ended and what it carried.
    pub fn end(&self, operation: Operation, ending: Ending, tally: &Tally) {
        let mut state = self.lock();
        let figures = state.operations.entry(operation).or_default();
        figures.body_bytes += ending.body_bytes;
        figures.decoded_bytes += ending.decoded_bytes;
        if ending.reset {
            figures.resets += 1;
        } else {
            *figures.answers.entry(ending.status).or_default() += 1;
        }
        if !ending.committed {
            return;
        }
        figures.accepted += 1;
        figures.items += tally.items;
        figures.points += tally.points;
        figures.rows += tally.rows;
        if operation == Operation::DatapointsInsert {
            state.points.count += tally.points;
            state.points.sum = state.points.sum.wrapping_add(tally.points_sum);
        }
        if operation == Operation::RawRowsInsert {
            state.rows.count += tally.rows;
            state.rows.sum = state.rows.sum.wrapping_add(tally.rows_sum);
        }
        if tally.items_sum != 0 {
            let items = state.items.entry(operation).or_default();
            items.count += tally.items;
            items.sum = items.sum.wrapping_add(tally.items_sum);
        }
    }

    /// All figures as JSON.
    pub fn report(&self) -> serde_json::Value {
        let state = self.lock();
        let operations: BTreeMap<&str, &OperationFigures> = state
            .operations
            .iter()
            .map(|(operation, figures)| (operation.name(), figures))
            .collect();
        // Sums are text: a JSON reader that knows doubles only would round them.
        let sum =
            |sum: &Sum| serde_json::json!({"count": sum.count, "sum": format!("{:016x}", sum.sum)});
        let items: BTreeMap<&str, serde_json::Value> = state
            .items
            .iter()
            .map(|(operation, items)| (operation.name(), sum(items)))
            .collect();
        serde_json::json!({
            "in_flight": state.in_flight,
            "in_flight_max": state.in_flight_max,
            "operations": operations,
            "checksums": {"points": sum(&state.points), "rows": sum(&state.rows), "items": items},
        })
    }

    /// Sets everything to zero, except what is in flight now.
    pub fn clear(&self) {
        let mut state = self.lock();
        let (in_flight, mut operations) = (state.in_flight, std::mem::take(&mut state.operations));
        operations.retain(|_, figures| figures.in_flight > 0);
        for figures in operations.values_mut() {
            *figures = OperationFigures {
                in_flight: figures.in_flight,
                in_flight_max: figures.in_flight,
                ..OperationFigures::default()
            };
        }
        *state = State {
            operations,
            in_flight,
            in_flight_max: in_flight,
            ..State::default()
        };
    }
}
