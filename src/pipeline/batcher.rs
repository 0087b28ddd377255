//! Batcher actors: the shell of a sequencer, one per project and resource.
//!
//! Owns the sequencer of its resource; budgets are shared with other batchers by pacing. Promises that the sequencer is asked what is due with every message, so that a
//! flooded mailbox does not hold up deadlines, and by a timer when there are none. Never
//! touches a row: messages carry batches.

use super::Submission;
use super::attempt::Attempt;
use super::quarantine::Quarantine;
use super::sequencer::{QueueFigures, QueueState, Sequencer};
use super::writer::{Finished, WriterPool};
use crate::cdf::Identity;
use actix::{Actor, AsyncContext, Context, Handler, Message, Recipient, SpawnHandle};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// Rows for the batcher.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Submit(pub Submission);

/// Somebody waits for all rows that this identity has sent so far.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct TicketWaits(pub Arc<Identity>, pub u64);

/// A statement with rows here was cancelled.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Cancelled;

/// Another batcher has freed what this one waits for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Nudged;

/// Send everything now, and tell when nothing is left.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Drain(pub oneshot::Sender<()>);

/// Tell what there is of this identity; `None`: nothing, ever.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Look(pub Arc<Identity>, pub oneshot::Sender<Option<QueueFigures>>);

/// The actor.
pub struct BatcherActor {
    sequencer: Sequencer,
    writers: Arc<WriterPool>,
    /// Held by every call under way.
    calls_token: Arc<()>,
    quarantine: Option<Quarantine>,
    reports_to: Option<Recipient<Finished>>,
    timer: Option<(Instant, SpawnHandle)>,
    calls: Vec<Attempt>,
    drains: Vec<oneshot::Sender<()>>,
}

impl BatcherActor {
    /// `calls_token` is known to the registry, so that a successor can wait for the calls.
    /// `quarantine`: what may still be under way of those before.
    pub fn new(
        sequencer: Sequencer,
        writers: Arc<WriterPool>,
        calls_token: Arc<()>,
        quarantine: Option<Quarantine>,
    ) -> Self {
        BatcherActor {
            sequencer,
            writers,
            calls_token,
            quarantine,
            reports_to: None,
            timer: None,
            calls: Vec::new(),
            drains: Vec::new(),
        }
    }

    /// Does what is due, hands out calls and sets the timer.
    fn work(&mut self, now: Instant, context: &mut Context<Self>) {
        if let Some(quarantine) = &mut self.quarantine {
            if let Some(look_again) = quarantine.check(now) {
                self.set_timer(now, Some(look_again), context);
                return;
            }
            self.quarantine = None;
        }
        self.sequencer.poll(now, &mut self.calls);
        if let Some(reports_to) = &self.reports_to {
            for attempt in self.calls.drain(..) {
                self.writers
                    .hand_out(attempt, reports_to.clone(), self.calls_token.clone());
            }
        }
        if !self.drains.is_empty() && self.sequencer.is_idle() {
            for drained in self.drains.drain(..) {
                // Nobody listens any more when the drain has timed out.
                let _ = drained.send(());
            }
        }
        self.set_timer(now, self.sequencer.wake_at(), context);
    }

    /// Sees to it that `work` runs at `wake_at`. A timer that fires too early costs one look;
    /// to set it anew with every message would cost more.
    fn set_timer(&mut self, now: Instant, wake_at: Option<Instant>, context: &mut Context<Self>) {
        let Some(wake_at) = wake_at else {
            return;
        };
        if let Some((at, handle)) = self.timer {
            if at <= wake_at {
                return;
            }
            context.cancel_future(handle);
        }
        let delay = wake_at.saturating_duration_since(now);
        let handle = context.run_later(delay, |batcher, context| {
            batcher.timer = None;
            batcher.work(Instant::now(), context);
        });
        self.timer = Some((wake_at, handle));
    }
}

impl Actor for BatcherActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.reports_to = Some(context.address().recipient());
    }
}

impl Handler<Submit> for BatcherActor {
    type Result = ();

    fn handle(&mut self, submit: Submit, context: &mut Self::Context) {
        let now = Instant::now();
        self.sequencer.submit(now, submit.0);
        self.work(now, context);
    }
}

impl Handler<TicketWaits> for BatcherActor {
    type Result = ();

    fn handle(&mut self, waits: TicketWaits, context: &mut Self::Context) {
        self.sequencer.ticket_waits(&waits.0, waits.1);
        self.work(Instant::now(), context);
    }
}

impl Handler<Finished> for BatcherActor {
    type Result = ();

    fn handle(&mut self, finished: Finished, context: &mut Self::Context) {
        let now = Instant::now();
        self.sequencer.finished(now, finished.id, finished.report);
        self.work(now, context);
    }
}

impl Handler<Cancelled> for BatcherActor {
    type Result = ();

    fn handle(&mut self, _cancelled: Cancelled, context: &mut Self::Context) {
        self.sequencer.drop_cancelled(Instant::now());
        self.work(Instant::now(), context);
    }
}

impl Handler<Nudged> for BatcherActor {
    type Result = ();

    fn handle(&mut self, _nudged: Nudged, context: &mut Self::Context) {
        self.work(Instant::now(), context);
    }
}

impl Handler<Look> for BatcherActor {
    type Result = ();

    fn handle(&mut self, Look(identity, told): Look, _context: &mut Self::Context) {
        let mut figures = self.sequencer.figures(Instant::now(), &identity);
        if self.quarantine.is_some()
            && let Some(figures) = &mut figures
            && figures.oldest_age.is_some()
        {
            figures.state = QueueState::Guarded;
        }
        // Whoever asked may have gone.
        let _ = told.send(figures);
    }
}

impl Handler<Drain> for BatcherActor {
    type Result = ();

    fn handle(&mut self, drain: Drain, context: &mut Self::Context) {
        self.sequencer.flush();
        self.drains.push(drain.0);
        self.work(Instant::now(), context);
    }
}
