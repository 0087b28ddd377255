//! The actors around the sequencer: threads, panics, restarts, drains.

use crate::rows::{datapoints, raw_rows};
use actix::System;
use async_trait::async_trait;
use penstock::catalog::Resource;
use penstock::cdf::{AttemptFailure, Credentials, Identity, Project, Secret};
use penstock::config::{BatchSettings, BatchTable, RetrySettings, RuntimeSettings};
use penstock::diagnostic::SqlState;
use penstock::pipeline::attempt::{Attempt, AttemptReport, Call, CallAnswer};
use penstock::pipeline::sender::RequestSender;
use penstock::pipeline::sequencer::SeriesNames;
use penstock::pipeline::{
    ConnectionBudget, DrainTimedOut, Intake, MemoryBudget, PipelineSettings, Submission, Ticket,
};
use penstock::rows::{RowBatch, SeriesKey, SeriesReference};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, mpsc};

/// Answers by what the first row's key says, and tells the test what it was asked to write.
struct Scripted {
    told: mpsc::UnboundedSender<u64>,
    /// Calls wait here until the test lets them go.
    gate: Arc<Semaphore>,
    attempts: Arc<AtomicUsize>,
}

/// RAW tables whose rows meet a special fate.
const PANICS: &str = "panics";
const BUSY_ONCE: &str = "busy once";

#[async_trait(?Send)]
impl RequestSender for Scripted {
    async fn call(&self, attempt: &Attempt) -> AttemptReport {
        let Call::Write(piece) = &attempt.call else {
            return AttemptReport::of(Ok(CallAnswer::Done));
        };
        let attempts = self.attempts.fetch_add(1, Ordering::SeqCst);
        self.told.send(piece.rows()).expect("the test listens");
        self.gate
            .acquire()
            .await
            .expect("the gate is never closed")
            .forget();
        let table = match &piece.segments[0].submission.batch {
            RowBatch::RawRows(batch) => batch.destination.table.to_string(),
            RowBatch::Datapoints(_) | RowBatch::Objects(_) => String::new(),
        };
        let busy = AttemptFailure::Retry {
            retry_after: None,
            answered: true,
            status: Some(503),
            throttle: None,
            reason: Box::new(penstock::diagnostic::Diagnostic::error(
                SqlState::CONNECTION_FAILURE,
                "busy",
            )),
        };
        match table.as_str() {
            PANICS => panic!("a fault in a writer, on purpose"),
            BUSY_ONCE if attempts == 0 => AttemptReport::of(Err(busy)),
            _ => AttemptReport::of(Ok(CallAnswer::Done)),
        }
    }
}

/// Names that panic for one id: a fault inside the batcher.
struct Names;

const PANICKING_ID: i64 = 13;

impl SeriesNames for Names {
    fn canonical_hashes(
        &self,
        _identity: &Identity,
        keys: &[Arc<SeriesKey>],
        _now: Instant,
    ) -> Vec<Option<u64>> {
        keys.iter()
            .map(|key| {
                assert_ne!(
                    *key.reference(),
                    SeriesReference::Id(PANICKING_ID),
                    "a fault in the batcher, on purpose"
                );
                Some(key.hash())
            })
            .collect()
    }

    fn types(
        &self,
        _identity: &Identity,
        keys: &[Arc<SeriesKey>],
        _now: Instant,
    ) -> Vec<Option<bool>> {
        vec![None; keys.len()]
    }
}

struct Pipeline {
    intake: Intake,
    told: mpsc::UnboundedReceiver<u64>,
    gate: Arc<Semaphore>,
    connection: ConnectionBudget,
    memory: MemoryBudget,
    identity: Arc<Identity>,
}

impl Pipeline {
    /// A pipeline whose calls pass the gate at once, or wait for the test to open it.
    fn start(is_open: bool) -> Self {
        let (told, heard) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(if is_open { 1_000_000 } else { 0 }));
        let attempts = Arc::new(AtomicUsize::new(0));
        let quick = BatchSettings {
            linger_ms: 5,
            ..BatchSettings::default()
        };
        let settings = PipelineSettings {
            batch: BatchTable {
                datapoints: quick.clone(),
                raw_rows: quick,
                ..BatchTable::default()
            },
            retry: RetrySettings {
                initial_interval_ms: 1,
                stale_write_guard_ms: 30,
                ..RetrySettings::default()
            },
            runtime: RuntimeSettings {
                writer_threads: 2,
                ..RuntimeSettings::default()
            },
            ..PipelineSettings::default()
        };
        let sender_gate = gate.clone();
        let intake = Intake::start_with(settings, Arc::new(Names), move || {
            Ok(Scripted {
                told: told.clone(),
                gate: sender_gate.clone(),
                attempts: attempts.clone(),
            })
        })
        .expect("the pipeline starts");
        let memory = MemoryBudget::new(1 << 20, 1 << 20);
        Pipeline {
            intake,
            told: heard,
            gate,
            connection: memory.connection(),
            memory,
            identity: Arc::new(Identity {
                project: Project {
                    base_url: "https://cdf.test".to_owned(),
                    name: "plant".to_owned(),
                },
                name: "client".to_owned(),
                credentials: Credentials::FixedToken(Secret::new("token")),
                create_missing_time_series: false,
                required_access: Default::default(),
            }),
        }
    }

    async fn submit(&self, ticket: &Ticket, batch: RowBatch) {
        let resource = match &batch {
            RowBatch::Datapoints(_) => Resource::Datapoints,
            RowBatch::RawRows(_) | RowBatch::Objects(_) => Resource::RawRows,
        };
        let submission = Submission {
            identity: self.identity.clone(),
            part: ticket.part(batch.rows() as u64, 1),
            permit: self.connection.acquire(batch.bytes()).await,
            batch,
            connection: 1,
            ticket_waits: true,
            sent_before: None,
        };
        self.intake.submit(resource, submission);
    }

    async fn next_call(&mut self) -> u64 {
        self.told.recv().await.expect("the writers live")
    }
}

fn one_point(id: i64) -> RowBatch {
    datapoints(&[(SeriesReference::Id(id), 0)], 1)
}

#[test]
fn rows_are_accepted_once_the_sender_has_taken_them_and_their_memory_is_free_then() {
    System::new().block_on(async {
        let mut pipeline = Pipeline::start(false);
        let ticket = Ticket::new();
        pipeline.submit(&ticket, raw_rows("a", &[1, 2, 3], 1)).await;
        assert_eq!(pipeline.next_call().await, 3);
        assert_eq!(ticket.so_far().accepted, 0);
        assert!(pipeline.memory.used_bytes() > 0);
        pipeline.gate.add_permits(1);
        let outcome = ticket.settled().await;
        assert_eq!((outcome.accepted, outcome.first_error), (3, None));
        assert_eq!(pipeline.memory.used_bytes(), 0);
    });
}

#[test]
fn a_request_that_meets_a_busy_cdf_is_sent_again() {
    System::new().block_on(async {
        let mut pipeline = Pipeline::start(true);
        let ticket = Ticket::new();
        pipeline.submit(&ticket, raw_rows(BUSY_ONCE, &[1], 1)).await;
        assert_eq!(ticket.settled().await.accepted, 1);
        assert_eq!(pipeline.next_call().await, 1);
        assert_eq!(pipeline.next_call().await, 1);
    });
}

#[test]
fn a_writer_that_panics_leaves_its_rows_unknown_and_goes_on_with_others() {
    System::new().block_on(async {
        let pipeline = Pipeline::start(true);
        let (lost, fine) = (Ticket::new(), Ticket::new());
        pipeline.submit(&lost, raw_rows(PANICS, &[1], 1)).await;
        pipeline.submit(&fine, raw_rows("a", &[1], 2)).await;
        let outcome = lost.settled().await;
        assert_eq!(outcome.unknown, 1);
        let (_, reason) = outcome.first_error.expect("the rows are not accepted");
        assert_eq!(reason.sqlstate, SqlState::STATEMENT_COMPLETION_UNKNOWN);
        assert_eq!(fine.settled().await.accepted, 1);
    });
}

#[test]
fn a_batcher_that_panics_settles_what_it_held_and_its_successor_waits_for_its_calls() {
    System::new().block_on(async {
        let mut pipeline = Pipeline::start(false);
        let (sent, fatal) = (Ticket::new(), Ticket::new());
        pipeline.submit(&sent, one_point(1)).await;
        assert_eq!(pipeline.next_call().await, 1);
        pipeline.submit(&fatal, one_point(PANICKING_ID)).await;
        assert_eq!(fatal.settled().await.failed, 1, "it was never sent");
        // Its address closes when the thread has unwound; until then rows are turned away.
        let next = loop {
            let ticket = Ticket::new();
            pipeline.submit(&ticket, one_point(1)).await;
            let early = tokio::time::timeout(Duration::from_millis(100), ticket.settled()).await;
            match early {
                Ok(outcome) => assert_eq!(outcome.failed, 1),
                Err(_) => break ticket,
            }
        };
        // The successor has the rows, and the call of the dead batcher is still under way.
        assert!(pipeline.told.try_recv().is_err());
        pipeline.gate.add_permits(2);
        let outcome = sent.settled().await;
        assert_eq!(outcome.unknown, 1, "nobody was there to hear the answer");
        assert_eq!(next.settled().await.accepted, 1);
    });
}

#[test]
fn a_drain_ends_when_every_row_has_its_verdict() {
    System::new().block_on(async {
        let mut pipeline = Pipeline::start(false);
        let ticket = Ticket::new();
        pipeline.submit(&ticket, raw_rows("a", &[1], 1)).await;
        assert_eq!(pipeline.next_call().await, 1);
        let short = Duration::from_millis(10);
        let drained = pipeline.intake.drain(short).await;
        assert_eq!(drained, Err(DrainTimedOut { batchers: 1 }));
        pipeline.gate.add_permits(1);
        assert_eq!(pipeline.intake.drain(Duration::from_secs(60)).await, Ok(()));
        assert_eq!(ticket.so_far().accepted, 1);
    });
}

#[test]
fn any_thread_may_submit() {
    System::new().block_on(async {
        let pipeline = Arc::new(Pipeline::start(true));
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let pipeline = pipeline.clone();
                tokio::task::spawn_blocking(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()
                        .expect("a runtime starts");
                    runtime.block_on(async {
                        let ticket = Ticket::new();
                        for row in 0..50 {
                            let batch = raw_rows("a", &[row % 7], thread * 50 + row as u64);
                            pipeline.submit(&ticket, batch).await;
                        }
                        ticket.settled().await.accepted
                    })
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.await.expect("no thread panics"), 50);
        }
    });
}
