//! The core of a batcher: which rows go into which request, in which order, and what becomes
//! of them.
//!
//! Owns everything between a submission and its verdicts for one resource of one project:
//! queues, claims on keys, requests, budgets, repeats. Promises that
//! - every row gets one verdict, by `Drop` if by nothing else;
//! - two requests under way never share a key, and writes of one key are sent in the order in
//!   which their submissions came;
//! - no request breaks the configured bounds or mixes identities or targets;
//! - nothing waits without a time at which it is looked at again, or a call under way.
//!
//! Never does I/O, never reads a clock: it is told `now`, and returns the calls to make and
//! the time at which to ask again. That is what lets the tests run it on virtual time.

mod admission;
mod barriers;
mod calls;
mod claims;
mod cut;
mod entries;
mod errands;
mod expiry;
mod figures;
mod lane;
mod look_first;
mod orphans;
mod outcome;
mod poison;
mod presence;
mod queues;
mod reads;
mod reasons;
mod repeats;
mod request;
mod stopped;
mod turns;
mod upsert;

pub use claims::Unhashed;
pub use figures::{QueueFigures, QueueState};
pub use lane::Target;
pub(super) use reads::rows_at;

use super::Submission;
use super::attempt::{Attempt, AttemptReport, CallId};
use super::creations::Creation;
use super::pacing::PacingClient;
use super::segment::{Piece, RowVerdict, Segment, Step};
use super::weight::RequestBounds;
use crate::catalog::{Resource, ResourceKind};
use crate::cdf::{Identity, Operation, Project};
use crate::config::{BatchSettings, RetrySettings};
use crate::diagnostic::Diagnostic;
use crate::rows::SeriesKey;
use crate::telemetry::{PipelineMeters, Verdict};
use admission::Lookup;
use barriers::Barriers;
use claims::{KeyClaims, SeriesClaims};
use entries::{Entries, EntryId};
use foldhash::{HashMap, HashMapExt};
use lane::Lanes;
use orphans::Orphans;
use queues::Queues;
use rand::SeedableRng;
use rand::rngs::StdRng;
use request::{Request, Stage};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is known of the two names of time series.
pub trait SeriesNames: Send + Sync {
    /// Per key, the hash that stands for its series however it is named; `None` for an id
    /// that must be looked up first.
    fn canonical_hashes(
        &self,
        identity: &Identity,
        keys: &[Arc<SeriesKey>],
        now: Instant,
    ) -> Vec<Option<u64>>;

    /// Whether an object of `resource` that CDF does not have may appear: rows that make such
    /// objects in this project are on their way.
    fn may_appear(&self, _project: &Project, _resource: Resource, _now: Instant) -> bool {
        false
    }

    /// Rows that make objects of `resource` in this project are on their way, until what is
    /// returned drops.
    fn begin_creation(&self, _project: &Project, _resource: Resource) -> Option<Creation> {
        None
    }

    /// Per key, whether its series holds strings, where that is known.
    fn types(
        &self,
        identity: &Identity,
        keys: &[Arc<SeriesKey>],
        now: Instant,
    ) -> Vec<Option<bool>>;
}

/// The settings of one sequencer.
#[derive(Clone, Debug)]
pub struct SequencerSettings {
    pub resource: Resource,
    pub batch: BatchSettings,
    pub retry: RetrySettings,
    /// Seeds the jitter, so that a test can be repeated.
    pub seed: u64,
}

/// Claims of the resource's kind.
#[derive(Debug)]
enum Claims {
    Series(SeriesClaims),
    Keys(KeyClaims),
}

/// Everything under way for one resource of one project.
pub struct Sequencer {
    resource: Resource,
    batch: BatchSettings,
    bounds: RequestBounds,
    retry: RetrySettings,
    guard: Duration,
    names: Arc<dyn SeriesNames>,
    entries: Entries,
    claims: Claims,
    /// The order between the two names of objects.
    barriers: Barriers,
    lanes: Lanes,
    /// Lanes with free entries, the next to be looked at first.
    listed: VecDeque<usize>,
    /// Calls that wait for their turn.
    queues: Queues,
    /// Budgets and endpoints, shared with other sequencers.
    pacing: PacingClient,
    requests: HashMap<CallId, Request>,
    lookups: HashMap<CallId, Lookup>,
    /// By connection, the look-up behind which its later submissions queue.
    lookup_of: HashMap<u64, CallId>,
    timers: BinaryHeap<Reverse<(Instant, CallId)>>,
    /// When a lane's rows have waited long enough, as of the last poll.
    linger_ends: Option<Instant>,
    /// When the next of what waits for a held endpoint is given up.
    expiry_at: Option<Instant>,
    next_call: u64,
    next_sequence: u64,
    next_cut: u64,
    /// Identities whose journaled rows go back to the journal, with what CDF said.
    stopped: HashMap<String, Box<Diagnostic>>,
    /// By RAW table, who empties it: what comes later waits for it.
    emptied: HashMap<u64, EntryId>,
    /// Rows that wait for their parents.
    orphans: Orphans,
    /// How upserts of this resource begin: as those before should have.
    upserts_begin: Step,
    /// Nothing waits for company any more.
    flushing: bool,
    random: StdRng,
    meters: PipelineMeters,
}

impl Sequencer {
    /// A sequencer whose calls are paid through `pacing`. Ask it again ([`Sequencer::poll`])
    /// when pacing nudges.
    pub fn new(
        settings: SequencerSettings,
        names: Arc<dyn SeriesNames>,
        pacing: PacingClient,
    ) -> Self {
        let SequencerSettings {
            resource,
            batch,
            retry,
            seed,
        } = settings;
        let rate_items_max = pacing.request_items_max(Operation::writing(resource));
        Sequencer {
            resource,
            bounds: RequestBounds::new(&batch, rate_items_max),
            guard: Duration::from_millis(retry.stale_write_guard_ms),
            names,
            entries: Entries::default(),
            claims: match resource.kind() {
                ResourceKind::Datapoints => Claims::Series(SeriesClaims::default()),
                ResourceKind::RawRows | ResourceKind::Objects => Claims::Keys(KeyClaims::default()),
            },
            barriers: Barriers::default(),
            lanes: Lanes::default(),
            listed: VecDeque::new(),
            queues: Queues::default(),
            pacing,
            requests: HashMap::new(),
            lookups: HashMap::new(),
            lookup_of: HashMap::new(),
            timers: BinaryHeap::new(),
            linger_ends: None,
            expiry_at: None,
            next_call: 0,
            next_sequence: 1,
            next_cut: 1,
            stopped: HashMap::new(),
            emptied: HashMap::new(),
            orphans: Orphans::default(),
            upserts_begin: Step::Change,
            flushing: false,
            random: StdRng::seed_from_u64(seed),
            meters: PipelineMeters::of(resource),
            batch,
            retry,
        }
    }

    /// Takes rows in. Call [`Sequencer::poll`] afterwards.
    pub fn submit(&mut self, now: Instant, submission: Submission) {
        self.meters.batches.increment(1);
        self.admit(now, submission);
    }

    /// A statement of this connection waits for the rows that its identity has in here, and has no
    /// more to come.
    pub fn ticket_waits(&mut self, identity: &Arc<Identity>, connection: u64) {
        let sequence = self.next_sequence;
        self.note_all_rows(connection, sequence);
        for lane in self.lanes.iter_mut() {
            if lane.identity == *identity {
                lane.urgent_sequence = sequence;
                lane.urgent |= !lane.bulk.turns.is_empty();
            }
        }
        for lookup in self.lookups.values_mut() {
            if lookup.identity == *identity {
                for submission in &mut lookup.waiting {
                    submission.ticket_waits = true;
                }
            }
        }
    }

    /// Some statement was cancelled: gives up its rows that wait here, so that their memory
    /// is free at once and not when their turn would have come. Requests under way notice when
    /// their call ends.
    pub fn drop_cancelled(&mut self, now: Instant) {
        self.drop_cancelled_orphans(now);
        let dropped = self
            .entries
            .take_segments(|_, segment| segment.submission.part.is_aborted());
        for (_, segment) in dropped {
            self.settle_segment(&segment, &RowVerdict::Failed(admission::cancelled()));
        }
        let backing_off: Vec<CallId> = self
            .requests
            .iter()
            .filter(|(_, request)| request.stage == Stage::BackingOff)
            .map(|(id, _)| *id)
            .collect();
        for id in backing_off {
            self.drop_aborted(id);
        }
    }

    /// Takes the report of a call in. Call [`Sequencer::poll`] afterwards.
    pub fn finished(&mut self, now: Instant, id: CallId, report: AttemptReport) {
        if self.requests.contains_key(&id) {
            self.request_finished(now, id, report);
        } else if self.lookups.contains_key(&id) {
            self.lookup_finished(now, id, report);
        }
    }

    /// Does what is due at `now`; `calls` receives the calls to make.
    pub fn poll(&mut self, now: Instant, calls: &mut Vec<Attempt>) {
        while let Some(Reverse((at, id))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            self.timer_fired(now, id);
        }
        self.end_waits_for_parents(now);
        for queue in 0..self.queues.len() {
            self.grant(now, queue, calls);
        }
        self.cut_due_lanes(now, calls);
        self.expire(now);
    }

    /// When to poll next if nothing comes in before.
    pub fn wake_at(&self) -> Option<Instant> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        [
            timer,
            self.linger_ends,
            self.expiry_at,
            self.queues.wake_at(),
            self.orphans.wake_at(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// From now on rows are sent without waiting for company.
    pub fn flush(&mut self) {
        self.flushing = true;
    }

    /// Whether every row taken in has its verdict.
    pub fn is_idle(&self) -> bool {
        self.lookups.is_empty()
            && self
                .requests
                .values()
                .all(|request| request.stage == Stage::Guarding)
            && self.lanes_are_empty()
    }

    /// Requests that have rows without a verdict.
    pub fn requests_open(&self) -> usize {
        self.requests
            .values()
            .filter(|request| request.stage != Stage::Guarding)
            .count()
    }

    fn lanes_are_empty(&self) -> bool {
        let guarded: usize = self
            .requests
            .values()
            .map(|request| request.entries.len())
            .sum();
        self.entries.open() == guarded
    }

    fn timer_fired(&mut self, now: Instant, id: CallId) {
        match self.requests.get(&id).map(|request| request.stage) {
            Some(Stage::BackingOff) => self.proceed(now, id),
            Some(Stage::Guarding) => self.release(id),
            Some(Stage::Queued | Stage::Called | Stage::AwaitingParents) => {}
            None => self.enqueue_lookup(id),
        }
    }

    fn new_call_id(&mut self) -> CallId {
        self.next_call += 1;
        CallId(self.next_call)
    }

    fn settle(&self, piece: &Piece, verdict: &RowVerdict) {
        self.count_verdict(piece.rows(), verdict);
        piece.settle(verdict);
    }

    fn settle_segment(&self, segment: &Segment, verdict: &RowVerdict) {
        self.count_verdict(segment.rows(), verdict);
        segment.settle(verdict);
    }

    fn count_verdict(&self, rows: u64, verdict: &RowVerdict) {
        let verdict = match verdict {
            RowVerdict::Accepted | RowVerdict::Skipped => Verdict::Accepted,
            RowVerdict::Rejected(_) | RowVerdict::Stopped(_) => Verdict::Rejected,
            RowVerdict::Failed(_) => Verdict::Failed,
            RowVerdict::Unknown(_) => Verdict::Unknown,
        };
        self.meters.rows_settled.add(verdict, rows);
    }
}
