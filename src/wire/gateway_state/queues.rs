//! Rows of `penstock.queues`.
//!
//! Owns the look at what is on its way of one identity. Promises no other identity's rows but in the
//! count of the journal's records, which have one order. Asks batchers in their turn, and gives up
//! on one that does not answer.

use super::rows::{Moment, StateWriter, Value, number, optional, seconds, text};
use crate::catalog::Resource;
use crate::cdf::Identity;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::journal::{Journal, JournalDepth};
use crate::pipeline::{Intake, QueueFigures, QueueState};
use futures::future::try_join_all;
use std::sync::Arc;
use std::time::Duration;

/// How long a batcher may take to answer: it works through its mailbox first.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What is known of one queue.
struct Queue {
    resource: Resource,
    figures: Option<QueueFigures>,
    /// `None`: there is no journal.
    depth: Option<JournalDepth>,
}

/// Writes a row for each resource that `identity` has written to.
pub(super) async fn write(
    writer: &mut StateWriter,
    intake: &Intake,
    journal: Option<&Journal>,
    identity: &Arc<Identity>,
) -> Result<(), Box<Diagnostic>> {
    let asked = Resource::ALL.into_iter().map(|resource| async move {
        let figures = intake.figures(identity, resource, ANSWER_WITHIN).await;
        Ok::<_, Box<Diagnostic>>(Queue {
            resource,
            figures: figures.map_err(|_| silent(resource))?,
            depth: journal.map(|journal| journal.depth(identity, resource)),
        })
    });
    let moment = Moment::read();
    for queue in try_join_all(asked).await? {
        let is_journaled = queue.depth.is_some_and(|depth| depth.is_known);
        if queue.figures.is_some() || is_journaled {
            writer.row(queue.values(identity, moment))?;
        }
    }
    Ok(())
}

impl Queue {
    fn values(self, identity: &Identity, moment: Moment) -> [Value; 15] {
        let depth = self.depth;
        let figures = self.figures.unwrap_or_else(QueueFigures::nothing);
        let age = depth.and_then(|depth| {
            let age_ms = moment.wall.as_millisecond() - depth.next_ms?;
            Some(Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)))
        });
        [
            text(&identity.project.name),
            text(self.resource.name()),
            text(state(&figures, depth).name()),
            optional(figures.reason),
            moment.time(figures.until),
            number(figures.waiting_batches),
            number(figures.waiting_rows),
            number(figures.waiting_bytes),
            number(figures.waiting_requests),
            number(figures.in_flight_requests),
            number(figures.requested_rows),
            seconds(figures.oldest_age),
            optional(depth.map(|depth| depth.records)),
            seconds(age),
            optional(depth.map(|depth| depth.parked_records)),
        ]
    }
}

/// The word for a queue. Nothing in memory is no rest, if something waits on disk.
fn state(figures: &QueueFigures, depth: Option<JournalDepth>) -> QueueState {
    match (figures.state, depth) {
        (QueueState::Idle, Some(depth)) if depth.parked_records > 0 => QueueState::Stopped,
        (QueueState::Idle, Some(depth)) if depth.records > 0 => QueueState::Waiting,
        (state, _) => state,
    }
}

/// A batcher does not answer.
fn silent(resource: Resource) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::SYSTEM_ERROR,
            format!(
                "the batcher of {} did not say within {} s what it has",
                resource.name(),
                ANSWER_WITHIN.as_secs()
            ),
        )
        .with_hint("Look at penstock_heartbeats_total: its thread may be overloaded, or hang."),
    )
}
