//! Writer actors: one per writer thread, each with its own connections to CDF.
//!
//! Owns the calls under way on its thread. Promises a report for every task, a panic or the
//! death of the actor included: the reply reports by `Drop`, as "unknown" once the call had
//! begun and as "not sent" before. Never decides what a report means.

use super::attempt::{Attempt, AttemptReport, CallId};
use super::sender::RequestSender;
use crate::catalog::Resource;
use crate::cdf::AttemptFailure;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{
    Actor as ActorKind, ActorCounters, LabelValue, PipelineMeters, RequestAnswer,
};
use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message, Recipient};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The report of a call, on its way back to the batcher.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Finished {
    pub id: CallId,
    pub report: AttemptReport,
}

/// A call for a writer.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Task {
    pub attempt: Attempt,
    pub reply: Reply,
}

/// Reports once, by `Drop` if by nothing else.
#[derive(Debug)]
pub struct Reply {
    id: CallId,
    batcher: Recipient<Finished>,
    in_flight: Arc<AtomicUsize>,
    begun: bool,
    reported: bool,
    /// Tells the batcher's successor that a call of its predecessor is still under way.
    _token: Arc<()>,
}

impl Reply {
    fn report(mut self, report: AttemptReport) {
        self.reported = true;
        self.batcher.do_send(Finished {
            id: self.id,
            report,
        });
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        if self.reported {
            return;
        }
        let failure = if self.begun {
            AttemptFailure::Unknown {
                reason: Box::new(Diagnostic::error(
                    SqlState::STATEMENT_COMPLETION_UNKNOWN,
                    "a fault of the gateway broke off the request: the rows may or may not be \
                     in CDF",
                )),
            }
        } else {
            AttemptFailure::Retry {
                retry_after: None,
                answered: true,
                status: None,
                throttle: None,
                reason: Box::new(Diagnostic::error(
                    SqlState::SYSTEM_ERROR,
                    "the writer stopped before it sent the request",
                )),
            }
        };
        self.batcher.do_send(Finished {
            id: self.id,
            report: AttemptReport::of(Err(failure)),
        });
    }
}

/// Sends what batchers hand it.
pub struct WriterActor<S: RequestSender> {
    sender: Rc<S>,
    meters: Rc<Vec<PipelineMeters>>,
}

impl<S: RequestSender> WriterActor<S> {
    fn new(sender: S) -> Self {
        let meters = Resource::ALL
            .iter()
            .map(|resource| PipelineMeters::of(*resource));
        WriterActor {
            sender: Rc::new(sender),
            meters: Rc::new(meters.collect()),
        }
    }
}

impl<S: RequestSender> Actor for WriterActor<S> {
    type Context = Context<Self>;
}

impl<S: RequestSender> Handler<Task> for WriterActor<S> {
    type Result = ();

    fn handle(&mut self, task: Task, _context: &mut Self::Context) {
        let sender = self.sender.clone();
        let meters = self.meters.clone();
        let Task { attempt, mut reply } = task;
        // A task of its own: a panic in it ends this call and nothing else.
        actix::spawn(async move {
            reply.begun = true;
            let began = Instant::now();
            let report = sender.call(&attempt).await;
            let meters = &meters[attempt.resource.index()];
            meters.request_duration_seconds.record(began.elapsed());
            meters.requests.add(answer_of(&report), 1);
            if let Some(bytes) = report.sent_bytes {
                meters.request_body_bytes.record(bytes as f64);
            }
            // The rows go before the report does: what it settles is then really free.
            drop(attempt);
            reply.report(report);
        });
    }
}

fn answer_of(report: &AttemptReport) -> RequestAnswer {
    match &report.result {
        Ok(_) => RequestAnswer::Success,
        Err(AttemptFailure::Retry { status, .. }) => match status {
            Some(429) => RequestAnswer::Throttled,
            Some(500..=599) => RequestAnswer::ServerError,
            Some(_) => RequestAnswer::ClientError,
            None => RequestAnswer::None,
        },
        Err(AttemptFailure::Unknown { .. }) => RequestAnswer::None,
        Err(
            AttemptFailure::Split { .. }
            | AttemptFailure::Reject { .. }
            | AttemptFailure::Stop { .. },
        ) => RequestAnswer::ClientError,
    }
}

/// One writer, as batchers see it.
struct WriterHandle {
    address: Mutex<Recipient<Task>>,
    in_flight: Arc<AtomicUsize>,
    start: Box<dyn Fn() -> Result<Recipient<Task>, Box<Diagnostic>> + Send + Sync>,
}

/// All writers.
pub struct WriterPool {
    writers: Vec<WriterHandle>,
    counters: ActorCounters,
}

impl WriterPool {
    /// Starts one writer on each arbiter.
    ///
    /// # Errors
    /// When a sender cannot be made.
    pub fn start<S: RequestSender>(
        arbiters: Vec<ArbiterHandle>,
        make_sender: impl Fn() -> Result<S, Box<Diagnostic>> + Clone + Send + Sync + 'static,
    ) -> Result<Self, Box<Diagnostic>> {
        let mut writers = Vec::with_capacity(arbiters.len());
        for arbiter in arbiters {
            let make_sender = make_sender.clone();
            let start = move || {
                let sender = make_sender()?;
                let address: Addr<WriterActor<S>> =
                    WriterActor::start_in_arbiter(&arbiter, move |_| WriterActor::new(sender));
                Ok(address.recipient())
            };
            writers.push(WriterHandle {
                address: Mutex::new(start()?),
                in_flight: Arc::default(),
                start: Box::new(start),
            });
        }
        Ok(WriterPool {
            writers,
            counters: ActorCounters::new(),
        })
    }

    /// Hands a call to the writer with the fewest under way.
    pub fn hand_out(&self, attempt: Attempt, batcher: Recipient<Finished>, token: Arc<()>) {
        let Some(writer) = self
            .writers
            .iter()
            .min_by_key(|writer| writer.in_flight.load(Ordering::Relaxed))
        else {
            return;
        };
        writer.in_flight.fetch_add(1, Ordering::Relaxed);
        let reply = Reply {
            id: attempt.id,
            batcher,
            in_flight: writer.in_flight.clone(),
            begun: false,
            reported: false,
            _token: token,
        };
        // A message to a writer that has died drops, and with it the reply, which reports.
        self.address(writer).do_send(Task { attempt, reply });
    }

    fn address(&self, writer: &WriterHandle) -> Recipient<Task> {
        let mut address = writer
            .address
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !address.connected() {
            match (writer.start)() {
                Ok(started) => {
                    tracing::error!("a writer died and was started again");
                    self.counters.restarts.add(ActorKind::Writer, 1);
                    *address = started;
                }
                Err(reason) => tracing::error!(%reason, "a writer died and cannot be started"),
            }
        }
        address.clone()
    }
}
