//! The way into the pipeline: finds the batcher of a project and resource, or starts it.
//!
//! Owns the addresses of the batchers and the threads of batchers and writers. Promises that
//! a submission reaches a living batcher, or that its ticket learns at once that it did not.
//! Callable from any thread. Never waits for delivery: tickets do.

use super::Submission;
use super::batcher::{BatcherActor, Cancelled, Drain, Look, Nudged, Submit, TicketWaits};
use super::creations::Creation;
use super::pacing::{Pacing, PacingTerms, StateFile};
use super::quarantine::Quarantine;
use super::sender::{CdfSender, RequestSender, SeriesDirectories};
use super::sequencer::{QueueFigures, Sequencer, SequencerSettings, SeriesNames};
use super::writer::WriterPool;
use crate::catalog::Resource;
use crate::cdf::{CdfClient, Identity, Project, TokenCache};
use crate::config::{BatchTable, LimitsTable, PacingSettings, RetrySettings, RuntimeSettings};
use crate::diagnostic::{Diagnostic, SqlState};
use crate::telemetry::{Actor as ActorKind, ActorCounters, WatchedThread};
use actix::{Actor, Addr, Arbiter, ArbiterHandle, AsyncContext};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// What the pipeline goes by.
#[derive(Clone, Debug, Default)]
pub struct PipelineSettings {
    pub batch: BatchTable,
    pub limits: LimitsTable,
    pub retry: RetrySettings,
    pub pacing: PacingSettings,
    pub runtime: RuntimeSettings,
}

/// Not everything was delivered in time; the tickets tell which rows were not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainTimedOut {
    /// Batchers that still had rows.
    pub batchers: usize,
}

impl fmt::Display for DrainTimedOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} batchers still had rows when the time to drain was over",
            self.batchers
        )
    }
}

impl std::error::Error for DrainTimedOut {}

/// The door to the pipeline. Clones are the same door.
#[derive(Clone)]
pub struct Intake {
    shared: Arc<Shared>,
}

struct Shared {
    settings: PipelineSettings,
    names: Arc<dyn SeriesNames>,
    writers: Arc<WriterPool>,
    pacing: Arc<Pacing>,
    state_file: Option<StateFile>,
    /// Until then writes of a process that crashed may still land.
    crash_guard_ends: Option<Instant>,
    batcher_arbiter: ArbiterHandle,
    writer_arbiters: Vec<ArbiterHandle>,
    batchers: RwLock<HashMap<Project, [Option<Batcher>; Resource::ALL.len()]>>,
    counters: ActorCounters,
}

#[derive(Clone)]
struct Batcher {
    address: Addr<BatcherActor>,
    /// Alive while calls of this batcher are under way.
    calls: Weak<()>,
}

impl Shared {
    /// How long a write without an answer may still land.
    fn guard(&self) -> Duration {
        Duration::from_millis(self.settings.retry.stale_write_guard_ms)
    }
}

impl Intake {
    /// Starts threads and writers that call CDF. Needs an actix system on this thread.
    ///
    /// # Errors
    /// When threads or HTTP clients cannot be made.
    pub fn start(
        settings: PipelineSettings,
        tokens: Arc<TokenCache>,
    ) -> Result<Self, Box<Diagnostic>> {
        let directories = Arc::new(SeriesDirectories::default());
        let batch = Arc::new(settings.batch.clone());
        let timeout = Duration::from_secs(settings.retry.request_timeout_s);
        let names = directories.clone();
        Self::start_with(settings, names, move || {
            let client = CdfClient::new(timeout, tokens.clone())?;
            Ok(CdfSender::new(client, batch.clone(), directories.clone()))
        })
    }

    /// The budgets that everybody who asks CDF keeps to.
    pub fn pacing(&self) -> Arc<Pacing> {
        self.shared.pacing.clone()
    }

    /// The same with any sender: each writer gets one.
    ///
    /// # Errors
    /// When threads or senders cannot be made.
    pub fn start_with<S: RequestSender>(
        settings: PipelineSettings,
        names: Arc<dyn SeriesNames>,
        make_sender: impl Fn() -> Result<S, Box<Diagnostic>> + Clone + Send + Sync + 'static,
    ) -> Result<Self, Box<Diagnostic>> {
        let writer_threads = match settings.runtime.writer_threads {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)),
            threads => threads,
        };
        let mut writer_arbiters = Vec::with_capacity(writer_threads);
        for _ in 0..writer_threads {
            writer_arbiters.push(new_arbiter()?);
        }
        let writers = WriterPool::start(writer_arbiters.clone(), make_sender)?;
        let terms = PacingTerms {
            limits: settings.limits.clone(),
            batch: settings.batch.clone(),
            retry: settings.retry.clone(),
            pacing: settings.pacing.clone(),
        };
        let (pacing, state_file) = match settings.pacing.state_file.clone() {
            Some(path) => {
                let (pacing, file) = StateFile::open(path, terms, rand::random())?;
                (pacing, Some(file))
            }
            None => (Pacing::new(terms, Instant::now(), rand::random()), None),
        };
        let crash_guard_ends = state_file
            .as_ref()
            .filter(|file| file.follows_a_crash())
            .map(|_| Instant::now() + Duration::from_millis(settings.retry.stale_write_guard_ms));
        Ok(Intake {
            shared: Arc::new(Shared {
                crash_guard_ends,
                settings,
                names,
                writers: Arc::new(writers),
                pacing,
                state_file,
                batcher_arbiter: new_arbiter()?,
                writer_arbiters,
                batchers: RwLock::default(),
                counters: ActorCounters::new(),
            }),
        })
    }

    /// Hands rows over. Their ticket tells what became of them.
    pub fn submit(&self, resource: Resource, mut submission: Submission) {
        if resource.is_referred_to() {
            let creation = self.begin_creation(&submission.identity.project, resource);
            submission.part.note_creation(creation);
        }
        // A batcher that dies with this message in its mailbox drops it, and the drop
        // settles the ticket: the rows were not sent.
        self.batcher(&submission.identity.project, resource)
            .do_send(Submit(submission));
    }

    /// Rows that make objects of `resource` are on their way, until what is returned drops: rows
    /// that miss one, as datapoints a series, wait for it.
    pub fn begin_creation(&self, project: &Project, resource: Resource) -> Option<Creation> {
        self.shared.names.begin_creation(project, resource)
    }

    /// A statement of this identity and connection has sent its last row: what it has in `resource` should
    /// not wait for company.
    pub fn ticket_waits(&self, identity: &Arc<Identity>, resource: Resource, connection: u64) {
        if let Some(batcher) = self.running(&identity.project, resource) {
            batcher
                .address
                .do_send(TicketWaits(identity.clone(), connection));
        }
    }

    /// A statement of this identity was cancelled, and its ticket aborted: what of it waits in
    /// `resource` is given up now rather than when its turn comes.
    pub fn cancelled(&self, identity: &Identity, resource: Resource) {
        if let Some(batcher) = self.running(&identity.project, resource) {
            batcher.address.do_send(Cancelled);
        }
    }

    /// What is on its way of `identity` in `resource`; `None`: nothing ever was. The batcher is asked
    /// in turn with all that it has to do.
    ///
    /// # Errors
    /// When it has not answered within `timeout`.
    pub async fn figures(
        &self,
        identity: &Arc<Identity>,
        resource: Resource,
        timeout: Duration,
    ) -> Result<Option<QueueFigures>, tokio::time::error::Elapsed> {
        let Some(batcher) = self.running(&identity.project, resource) else {
            return Ok(None);
        };
        let (told, figures) = oneshot::channel();
        batcher.address.do_send(Look(identity.clone(), told));
        let figures = tokio::time::timeout(timeout, figures).await?;
        // One that has died meanwhile has nothing any more.
        Ok(figures.ok().flatten())
    }

    /// Sends everything without waiting for company, and waits until every row has a verdict.
    ///
    /// # Errors
    /// When `timeout` passes before that.
    pub async fn drain(&self, timeout: Duration) -> Result<(), DrainTimedOut> {
        let batchers: Vec<Batcher> = self
            .shared
            .batchers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .values()
            .flatten()
            .flatten()
            .cloned()
            .collect();
        let drains = batchers.into_iter().map(|batcher| async move {
            let (drained, told) = oneshot::channel();
            batcher.address.do_send(Drain(drained));
            // A batcher that died has settled its rows by dropping them.
            tokio::time::timeout(timeout, told).await.is_ok()
        });
        let drained = futures::future::join_all(drains).await;
        match drained.iter().filter(|in_time| !**in_time).count() {
            0 => {
                // Nothing is sent any more, so what is spent is known.
                if let Some(file) = &self.shared.state_file {
                    file.close();
                }
                Ok(())
            }
            batchers => Err(DrainTimedOut { batchers }),
        }
    }

    /// The threads of batchers and writers, to be watched.
    pub fn threads(&self) -> impl Iterator<Item = (WatchedThread, ArbiterHandle)> {
        let shared = &self.shared;
        let batchers = (WatchedThread::Batchers, shared.batcher_arbiter.clone());
        let writers = shared.writer_arbiters.iter().cloned();
        std::iter::once(batchers).chain(writers.map(|writer| (WatchedThread::Writers, writer)))
    }

    fn running(&self, project: &Project, resource: Resource) -> Option<Batcher> {
        let batchers = self
            .shared
            .batchers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        batchers.get(project)?[resource as usize]
            .as_ref()
            .filter(|batcher| batcher.address.connected())
            .cloned()
    }

    /// The address of the batcher; started if there is none, started again if it died.
    fn batcher(&self, project: &Project, resource: Resource) -> Addr<BatcherActor> {
        if let Some(batcher) = self.running(project, resource) {
            return batcher.address;
        }
        let mut batchers = self
            .shared
            .batchers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if !batchers.contains_key(project) {
            batchers.insert(project.clone(), Default::default());
        }
        let slots = batchers.entry(project.clone()).or_default();
        let slot = &mut slots[resource as usize];
        if let Some(batcher) = slot.as_ref().filter(|batcher| batcher.address.connected()) {
            return batcher.address.clone();
        }
        let predecessor = slot.take();
        if predecessor.is_some() {
            tracing::error!(
                project = project.name,
                resource = resource.name(),
                "a batcher died and was started again"
            );
            self.shared.counters.restarts.add(ActorKind::Batcher, 1);
        }
        let quarantine = match predecessor {
            Some(dead) => Some(Quarantine::after_fault(dead.calls, self.shared.guard())),
            None => self.shared.crash_guard_ends.map(Quarantine::after_crash),
        };
        let batcher = self.start_batcher(resource, quarantine);
        let address = batcher.address.clone();
        *slot = Some(batcher);
        address
    }

    fn start_batcher(&self, resource: Resource, quarantine: Option<Quarantine>) -> Batcher {
        let shared = &self.shared;
        let settings = SequencerSettings {
            resource,
            batch: shared.settings.batch.of(resource).clone(),
            retry: shared.settings.retry.clone(),
            seed: rand::random(),
        };
        let (names, writers) = (shared.names.clone(), shared.writers.clone());
        let pacing = shared.pacing.clone();
        let calls_token = Arc::new(());
        let calls = Arc::downgrade(&calls_token);
        let address = BatcherActor::start_in_arbiter(&shared.batcher_arbiter, move |context| {
            let itself = context.address();
            // Dropped when the batcher has died: its successor has a client of its own.
            let pacing = pacing.client(Arc::new(move || itself.do_send(Nudged)));
            let sequencer = Sequencer::new(settings, names, pacing);
            BatcherActor::new(sequencer, writers, calls_token, quarantine)
        });
        Batcher { address, calls }
    }
}

/// A new thread with an event loop.
fn new_arbiter() -> Result<ArbiterHandle, Box<Diagnostic>> {
    Arbiter::try_new()
        .map(|arbiter| arbiter.handle())
        .map_err(|error| {
            Box::new(Diagnostic::error(
                SqlState::INSUFFICIENT_RESOURCES,
                format!("a thread cannot be started: {error}"),
            ))
        })
}
