//! A stand-in for the pipeline: takes batches and gives the verdicts that a test wants.
//!
//! Rows are accepted at once, unless the test holds them or refuses some by their value.

use penstock::catalog::Resource;
use penstock::cdf::Identity;
use penstock::diagnostic::{Diagnostic, SqlState};
use penstock::pipeline::Submission;
use penstock::rows::{DatapointValues, RowBatch};
use penstock::wire::Destination;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Longest wait for something that must happen.
const WAIT: Duration = Duration::from_secs(20);

#[derive(Default)]
struct State {
    /// Rows that came, by resource, as text: what they would be in CDF.
    rows: Vec<String>,
    batches: usize,
    identities: Vec<Arc<Identity>>,
    hold: bool,
    held: Vec<Submission>,
    refused_values: Vec<f64>,
    waits: usize,
}

#[derive(Default)]
pub struct Pipeline {
    state: Mutex<State>,
    changed: Condvar,
}

impl Pipeline {
    /// From now on batches wait for [`Pipeline::release`].
    pub fn hold(&self) {
        self.state().hold = true;
    }

    /// Gives verdicts to all that is held and accepts what comes.
    pub fn release(&self) {
        let mut state = self.state();
        state.hold = false;
        let refused = state.refused_values.clone();
        for submission in std::mem::take(&mut state.held) {
            judge(&submission, &refused);
        }
    }

    /// Refuses datapoints with that value, as CDF would refuse a missing series.
    pub fn refuse_value(&self, value: f64) {
        self.state().refused_values.push(value);
    }

    /// Every row so far, in the order of arrival: `datapoints external_id timestamp value`.
    pub fn rows(&self) -> Vec<String> {
        self.state().rows.clone()
    }

    /// As whom each batch came.
    pub fn identities(&self) -> Vec<Arc<Identity>> {
        self.state().identities.clone()
    }

    pub fn batches(&self) -> usize {
        self.state().batches
    }

    /// Waits until `rows` rows have come.
    pub fn wait_for_rows(&self, rows: usize) {
        let deadline = Instant::now() + WAIT;
        let mut state = self.state();
        while state.rows.len() < rows {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} of {rows} rows came", state.rows.len());
            state = self.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until held rows were aborted by their statement, and drops them as a batcher
    /// would.
    pub fn wait_for_abort(&self) {
        let deadline = Instant::now() + WAIT;
        loop {
            let mut state = self.state();
            if state.held.iter().any(|held| held.part.is_aborted()) {
                state.held.retain(|held| !held.part.is_aborted());
                return;
            }
            assert!(Instant::now() < deadline, "nothing was aborted");
            // Aborting is a flag: the hint that somebody waits comes with it.
            drop(
                self.changed
                    .wait_timeout(state, Duration::from_millis(20))
                    .unwrap(),
            );
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Destination for Pipeline {
    fn submit(&self, resource: Resource, submission: Submission) {
        let mut state = self.state();
        state.batches += 1;
        state.identities.push(submission.identity.clone());
        for row in 0..submission.batch.rows() {
            state.rows.push(describe(resource, &submission.batch, row));
        }
        if state.hold {
            state.held.push(submission);
        } else {
            let refused = state.refused_values.clone();
            judge(&submission, &refused);
        }
        self.changed.notify_all();
    }

    fn ticket_waits(&self, _: &Arc<Identity>, _: Resource, _: u64) {
        self.state().waits += 1;
        self.changed.notify_all();
    }

    fn cancelled(&self, _: &Identity, _: Resource) {
        self.changed.notify_all();
    }
}

fn judge(submission: &Submission, refused: &[f64]) {
    submission.part.mark_sent();
    for row in 0..submission.batch.rows() {
        match value(&submission.batch, row) {
            Some(value) if refused.contains(&value) => submission.part.reject(
                1,
                submission.batch.row_number(row),
                &Diagnostic::error(
                    SqlState::FOREIGN_KEY_VIOLATION,
                    "the time series does not exist",
                ),
            ),
            _ => submission.part.accept(1),
        }
    }
}

fn value(batch: &RowBatch, row: usize) -> Option<f64> {
    match batch {
        RowBatch::Datapoints(points) => match &points.values {
            DatapointValues::Double(values) => values.get(row).copied(),
            DatapointValues::Text(_) | DatapointValues::Deleted(_) => None,
        },
        _ => None,
    }
}

fn describe(resource: Resource, batch: &RowBatch, row: usize) -> String {
    let rest = match batch {
        RowBatch::Datapoints(points) => {
            let series = &points.series[points.series_index[row] as usize];
            let value = match &points.values {
                DatapointValues::Double(values) => values[row].to_string(),
                DatapointValues::Text(values) => values.text(row).to_owned(),
                DatapointValues::Deleted(ends_ms) => format!("deleted up to {}", ends_ms[row]),
            };
            format!(
                "{:?} {} {value}",
                series.reference(),
                points.timestamps_ms[row]
            )
        }
        RowBatch::RawRows(rows) => format!(
            "{}.{} {} {}",
            rows.destination.database,
            rows.destination.table,
            rows.keys.text(row),
            rows.columns.text(row)
        ),
        RowBatch::Objects(objects) => format!("{} row {row}", objects.table.name),
    };
    format!("{} {rest}", resource.name())
}
