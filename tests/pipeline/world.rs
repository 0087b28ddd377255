//! A sequencer, a CDF that applies what reaches it, and a clock that only the test moves.

use crate::cdf::{Cdf, Fate, busy, reason};
use crate::directory::{Directory, IDS_WITH_NAME, name_of_id};
use crate::rows::{Key, Row, name_of_node, read};
use futures::FutureExt;
use penstock::catalog::Resource;
use penstock::cdf::{
    AttemptFailure, Credentials, Identity, Project, Reference, Secret, SettledCreates,
};
use penstock::config::{
    BatchSettings, BatchTable, LimitsTable, OperationLimits, PacingSettings, RetrySettings,
};
use penstock::pipeline::attempt::{Attempt, AttemptReport, Call, CallAnswer};
use penstock::pipeline::pacing::{Clocks, Nudge, Pacing, PacingTerms, Spent};
use penstock::pipeline::segment::Piece;
use penstock::pipeline::sequencer::{Sequencer, SequencerSettings, SeriesNames};
use penstock::pipeline::{ConnectionBudget, MemoryBudget, Outcome, Submission, Ticket};
use penstock::rows::{ActionKind, RowBatch, SeriesReference};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A submission and what the model knows of it.
pub struct Submitted {
    pub ticket: Ticket,
    pub rows: Vec<Row>,
    pub aborted: bool,
}

pub struct World {
    pub sequencer: Option<Sequencer>,
    pub now: Instant,
    pub calls: Vec<Attempt>,
    pub submitted: Vec<Submitted>,
    pub cdf: Cdf,
    directory: Arc<Directory>,
    identities: Vec<Arc<Identity>>,
    connection: ConnectionBudget,
    settings: Settings,
    /// When calls were sent, for whom, with how many items and bytes.
    pub sent: Vec<(Instant, String, usize, u64)>,
    next_place: u64,
}

/// What a world goes by.
#[derive(Clone)]
pub struct Settings {
    pub resource: Resource,
    pub batch: BatchSettings,
    pub limits: LimitsTable,
    pub retry: RetrySettings,
    pub pacing: PacingSettings,
}

impl Settings {
    /// Budgets that nothing has been spent of.
    pub fn pacing(&self, now: Instant) -> Arc<Pacing> {
        Pacing::new(self.terms(), now, 1)
    }

    /// Budgets that go on from what was spent before.
    pub fn restored(&self, clocks: Clocks, spent: &Spent) -> Arc<Pacing> {
        Pacing::restore(self.terms(), clocks, spent, 1)
    }

    fn terms(&self) -> PacingTerms {
        let batch = || self.batch.clone();
        PacingTerms {
            limits: self.limits.clone(),
            batch: BatchTable {
                datapoints: batch(),
                raw_rows: batch(),
                raw_tables: batch(),
                time_series: batch(),
                ..BatchTable::default()
            },
            retry: self.retry.clone(),
            pacing: self.pacing.clone(),
        }
    }

    /// A sequencer that shares budgets with others.
    pub fn sequencer(
        &self,
        names: Arc<dyn SeriesNames>,
        pacing: &Arc<Pacing>,
        nudge: Nudge,
    ) -> Sequencer {
        let settings = SequencerSettings {
            resource: self.resource,
            batch: self.batch.clone(),
            retry: self.retry.clone(),
            seed: 1,
        };
        Sequencer::new(settings, names, pacing.client(nudge))
    }
}

pub fn settings(resource: Resource) -> Settings {
    Settings {
        resource,
        batch: BatchSettings {
            items_max: 6,
            points_max: 12,
            bytes_max: 1200,
            linger_ms: 50,
            in_flight_max: 3,
            gzip_bytes_min: 0,
        },
        limits: LimitsTable {
            datapoints: OperationLimits::default(),
            raw_rows: OperationLimits::default(),
            ..LimitsTable::default()
        },
        retry: RetrySettings {
            initial_interval_ms: 100,
            interval_max_ms: 2000,
            elapsed_max_s: 60,
            stale_write_guard_ms: 5000,
            ..RetrySettings::default()
        },
        pacing: PacingSettings::default(),
    }
}

impl World {
    pub fn new(settings: Settings) -> Self {
        let now = Instant::now();
        let directory = Arc::new(Directory::default());
        let identities = (0..3)
            .map(|number| {
                Arc::new(Identity {
                    project: Project {
                        base_url: "https://cdf.test".to_owned(),
                        name: "plant".to_owned(),
                    },
                    // The last two are one principal with two secrets: one budget.
                    name: format!("client-{}", number.min(1)),
                    credentials: Credentials::FixedToken(Secret::new(format!("token-{number}"))),
                    create_missing_time_series: number == 2,
                    required_access: Default::default(),
                })
            })
            .collect();
        World {
            sequencer: Some(settings.sequencer(
                directory.clone(),
                &settings.pacing(now),
                Arc::new(|| {}),
            )),
            now,
            calls: Vec::new(),
            submitted: Vec::new(),
            cdf: Cdf::default(),
            directory,
            identities,
            connection: MemoryBudget::new(1 << 30, 1 << 30).connection(),
            settings,
            sent: Vec::new(),
            next_place: 1,
        }
    }

    fn sequencer(&mut self) -> &mut Sequencer {
        self.sequencer
            .as_mut()
            .expect("the sequencer is dropped last")
    }

    /// The place that the first row of the next submission has.
    /// The identity of that number.
    pub fn identity(&self, number: usize) -> &Identity {
        &self.identities[number]
    }

    pub fn next_place(&self) -> u64 {
        self.next_place
    }

    pub fn submit(&mut self, identity: usize, connection: u64, batch: RowBatch, waits: bool) {
        let rows: Vec<Row> = (0..batch.rows())
            .map(|row| read(&batch, row, name_of_id))
            .collect();
        self.submit_rows(identity, connection, batch, waits, rows);
        self.poll();
    }

    fn submit_rows(
        &mut self,
        identity: usize,
        connection: u64,
        batch: RowBatch,
        waits: bool,
        rows: Vec<Row>,
    ) {
        self.next_place += rows.len() as u64;
        let ticket = Ticket::new();
        let part = ticket.part(batch.rows() as u64, 1);
        let permit = self
            .connection
            .acquire(batch.bytes())
            .now_or_never()
            .expect("the budget of the test is large");
        let submission = Submission {
            identity: self.identities[identity % 3].clone(),
            batch,
            part,
            permit,
            connection,
            ticket_waits: waits,
            sent_before: None,
        };
        self.submitted.push(Submitted {
            ticket,
            rows,
            aborted: false,
        });
        let now = self.now;
        self.sequencer().submit(now, submission);
    }

    /// Rows that the model cannot read: calls are not looked at and succeed.
    pub fn submit_unread(&mut self, batch: RowBatch) {
        self.submit_rows(0, 0, batch, true, Vec::new());
        self.poll_unread();
    }

    /// The first call succeeds.
    pub fn finish_unread(&mut self) {
        let id = self.calls.remove(0).id;
        let now = self.now;
        let report = AttemptReport::of(Ok(CallAnswer::Done));
        self.sequencer().finished(now, id, report);
        self.poll_unread();
    }

    fn poll_unread(&mut self) {
        let (now, mut calls) = (self.now, Vec::new());
        self.sequencer().poll(now, &mut calls);
        self.calls.extend(calls);
    }

    /// A statement is cancelled; the sequencer is told at once or finds out by itself.
    pub fn abort(&mut self, submitted: usize, tells: bool) {
        let count = self.submitted.len();
        if count > 0 {
            let submitted = &mut self.submitted[submitted % count];
            submitted.ticket.abort();
            submitted.aborted = true;
        }
        if tells {
            let now = self.now;
            self.sequencer().drop_cancelled(now);
            self.poll();
        }
    }

    pub fn ticket_waits(&mut self, identity: usize) {
        let identity = self.identities[identity % 3].clone();
        // Whose statement it is matters to children without parents only.
        self.sequencer().ticket_waits(&identity, 0);
        self.poll();
    }

    /// Moves the clock, stopping wherever something is due.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            let wake = self.sequencer().wake_at();
            let lands = self.cdf.next_landing();
            let Some(next) = [wake, lands].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            assert!(
                next > self.now || lands == Some(next),
                "the sequencer wants to be asked again at once: it would spin"
            );
            self.now = self.now.max(next);
            self.poll();
        }
        self.now = end;
        self.poll();
    }

    fn poll(&mut self) {
        self.cdf.land(self.now);
        let (now, mut calls) = (self.now, Vec::new());
        self.sequencer().poll(now, &mut calls);
        for call in calls {
            self.check_call(&call);
            self.calls.push(call);
        }
    }

    /// Ends one of the calls under way.
    pub fn finish(&mut self, call: usize, fate: Fate) {
        if self.calls.is_empty() {
            return;
        }
        let attempt = self.calls.remove(call % self.calls.len());
        let result = match &attempt.call {
            Call::Read { .. } => panic!("the model changes nothing that it must read"),
            Call::Write(piece) => self.cdf.write(self.now, attempt.id, rows_of(piece), fate),
            Call::FindSeries(keys) => match fate {
                Fate::Answered => {
                    let mut known = self.directory.known.lock().expect("as above");
                    known.extend(keys.iter().filter_map(|key| match key.reference() {
                        SeriesReference::Id(id) if *id < IDS_WITH_NAME => Some(*id),
                        _ => None,
                    }));
                    drop(known);
                    let mut nodes = self.directory.known_nodes.lock().expect("as above");
                    nodes.extend(keys.iter().filter_map(|key| match key.reference() {
                        SeriesReference::InstanceId(node) => Some(node.external_id.to_string()),
                        _ => None,
                    }));
                    drop(nodes);
                    if self.cdf.tells_types {
                        let strings = Some(self.cdf.strings.clone());
                        *self.directory.strings.lock().expect("as above") = strings;
                    }
                    Ok(CallAnswer::Done)
                }
                Fate::Refused => Err(AttemptFailure::Stop { reason: reason() }),
                Fate::Busy { .. } | Fate::Unanswered { .. } | Fate::Lost { .. } => {
                    Err(busy(None, true))
                }
            },
            Call::FindPoints(_) | Call::FindRows(_) => panic!("the model changes no points"),
            Call::MakeSeries { external_ids, .. } => {
                for name in external_ids.iter() {
                    self.cdf.missing_series.remove(&**name);
                }
                Ok(CallAnswer::Done)
            }
            Call::MakeNodes { nodes, .. } => {
                for node in nodes.iter() {
                    self.cdf.missing_series.remove(&name_of_node(node));
                }
                Ok(CallAnswer::Done)
            }
            Call::SettleCreates { duplicated, .. } => {
                let (ours, theirs) = duplicated.iter().cloned().partition(|reference| {
                    let Reference::ExternalId(name) = reference else {
                        panic!("the model names objects by external id");
                    };
                    let key = (name.to_string(), 0);
                    self.cdf.made_by.get(&key) == Some(&attempt.id)
                });
                match fate {
                    Fate::Answered => Ok(CallAnswer::Settled(SettledCreates { ours, theirs })),
                    Fate::Refused => Err(AttemptFailure::Stop { reason: reason() }),
                    Fate::Busy { .. } | Fate::Unanswered { .. } | Fate::Lost { .. } => {
                        Err(busy(None, true))
                    }
                }
            }
        };
        let id = attempt.id;
        drop(attempt);
        let now = self.now;
        self.sequencer()
            .finished(now, id, AttemptReport::of(result));
        self.poll();
    }

    /// What must hold of every call when it is sent.
    fn check_call(&mut self, attempt: &Attempt) {
        let Call::Write(piece) = &attempt.call else {
            return;
        };
        let batch = &self.settings.batch;
        let rows = rows_of(piece);
        assert!(!rows.is_empty(), "a request without rows");
        let series: HashSet<&String> = rows.iter().map(|row| &row.key.0).collect();
        let bytes: usize = piece.weight.bytes;
        match self.settings.resource {
            Resource::Datapoints => {
                assert!(rows.len() <= batch.points_max, "{} points", rows.len());
                assert!(series.len() <= batch.items_max, "{} series", series.len());
            }
            Resource::RawRows => {
                assert!(rows.len() <= batch.items_max, "{} items", rows.len());
                assert_eq!(series.len(), 1, "rows of several RAW tables");
            }
            _ => {
                // CDF changes more objects in one call than it makes.
                let items_max = match piece.action() {
                    ActionKind::Update => batch.items_max.max(1000),
                    _ => batch.items_max,
                };
                assert!(rows.len() <= items_max, "{} items", rows.len());
                assert_eq!(
                    series.len(),
                    rows.len(),
                    "an object stands twice in a request"
                );
            }
        }
        assert!(bytes <= batch.bytes_max || rows.len() == 1, "{bytes} bytes");
        for segment in &piece.segments {
            assert_eq!(segment.submission.identity, attempt.identity);
        }
        let keys: HashSet<&Key> = rows.iter().map(|row| &row.key).collect();
        for other in &self.calls {
            if let Call::Write(other) = &other.call {
                for row in rows_of(other) {
                    assert!(!keys.contains(&row.key), "{:?} is in flight twice", row.key);
                }
            }
        }
        for (_, id, landing) in &self.cdf.landing {
            for row in landing {
                assert!(
                    *id == attempt.id || !keys.contains(&row.key),
                    "{:?} is sent while an older write may land",
                    row.key
                );
            }
        }
        let in_flight = self
            .calls
            .iter()
            .filter(|call| call.identity.name == attempt.identity.name)
            .filter(|call| matches!(call.call, Call::Write(_)))
            .count();
        assert!(
            in_flight < batch.in_flight_max,
            "too many requests in flight"
        );
        self.sent.push((
            self.now,
            attempt.identity.name.clone(),
            piece.weight.items,
            piece.weight.bytes as u64,
        ));
    }

    /// Answers everything as CDF would until nothing is left, within bounds.
    pub fn calm(&mut self) {
        self.sequencer().flush();
        for _ in 0..100_000 {
            while !self.calls.is_empty() {
                self.finish(0, Fate::Answered);
            }
            if self.sequencer().is_idle() && self.cdf.next_landing().is_none() {
                return;
            }
            let wake = self.sequencer().wake_at();
            let lands = self.cdf.next_landing();
            let next = [wake, lands].into_iter().flatten().min();
            let next = next.expect("rows wait, and nobody will ever look at them again");
            self.now = self.now.max(next);
            self.poll();
        }
        panic!("rows are still waiting after 100,000 steps");
    }

    /// What one ticket knows now.
    pub fn outcomes_so_far(&self, submitted: usize) -> Outcome {
        self.submitted[submitted].ticket.so_far()
    }

    pub fn outcomes(&self) -> Vec<Outcome> {
        self.submitted
            .iter()
            .map(|submitted| {
                submitted
                    .ticket
                    .settled()
                    .now_or_never()
                    .expect("a ticket has not settled")
            })
            .collect()
    }
}

fn rows_of(piece: &Piece) -> Vec<Row> {
    piece
        .segments
        .iter()
        .flat_map(|segment| {
            let batch = &segment.submission.batch;
            segment.rows.clone().map(|row| read(batch, row, name_of_id))
        })
        .collect()
}
