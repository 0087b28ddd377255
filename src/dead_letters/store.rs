//! The store of dead letters as the gateway sees it.
//!
//! Owns the thread that writes. Promises that [`DeadLetterStore::add`] returns only when the
//! letters survive a power cut, that letters which come together share one commit, and that a
//! caller whose letters could not be stored learns it. Never blocks a runtime: callers wait for
//! room in the queue.

use super::changes::{Edit, Purged, ReplayEnd};
use super::clock::SteadyClock;
use super::database::{Database, Totals};
use super::filter::LetterFilter;
use super::letter::{Letter, NewLetter};
use super::{DeadLetterSettings, StoreError};
use crate::telemetry::{DeadLetterMeters, PurgeCause};
use jiff::Timestamp;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Calls that may wait for the thread; more wait for room.
const QUEUE_CALLS: usize = 64;

/// Letters of one commit, unless a single call brings more.
const COMMIT_LETTERS: usize = 10_000;

/// How often old letters are looked for.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);

const MS_PER_DAY: i64 = 86_400_000;

/// Holds the directory for one gateway at a time.
const LOCK_FILE: &str = "dead-letters.lock";

type Told<T> = oneshot::Sender<Result<T, StoreError>>;

enum Call {
    Add(Vec<NewLetter>, Told<()>),
    Other(Box<dyn FnOnce(&mut Keeper) + Send>),
}

/// The store. Clones are the same store; it closes with the last one.
#[derive(Clone)]
pub struct DeadLetterStore {
    calls: mpsc::Sender<Call>,
}

impl fmt::Debug for DeadLetterStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DeadLetterStore")
    }
}

impl DeadLetterStore {
    /// Opens the store in `directory` and starts its thread.
    ///
    /// # Errors
    /// Another gateway uses the directory; the store cannot be opened or made.
    pub fn open(directory: &Path, settings: &DeadLetterSettings) -> Result<Self, StoreError> {
        let database = Database::open(directory)?;
        let lock = lock(directory)?;
        let mut keeper = Keeper {
            totals: Totals::default(),
            database,
            settings: settings.clone(),
            meters: DeadLetterMeters::new(),
            clock: SteadyClock::start(),
            _lock: lock,
        };
        keeper.upkeep()?;
        let (calls, waiting) = mpsc::channel(QUEUE_CALLS);
        let failed = |error: std::io::Error| StoreError::Failed(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(failed)?;
        std::thread::Builder::new()
            .name("dead letters".to_owned())
            .spawn(move || runtime.block_on(keeper.serve(waiting)))
            .map_err(failed)?;
        Ok(DeadLetterStore { calls })
    }

    /// Stores letters.
    ///
    /// # Errors
    /// Full, failed or closed: none of them is stored.
    pub async fn add(&self, letters: Vec<NewLetter>) -> Result<(), StoreError> {
        if letters.is_empty() {
            return Ok(());
        }
        let (told, stored) = oneshot::channel();
        let sent = self.calls.send(Call::Add(letters, told)).await;
        sent.map_err(|_| StoreError::Closed)?;
        stored.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The same for a thread that may block; never call it on a runtime.
    ///
    /// # Errors
    /// As [`DeadLetterStore::add`].
    pub fn add_blocking(&self, letters: Vec<NewLetter>) -> Result<(), StoreError> {
        if letters.is_empty() {
            return Ok(());
        }
        let (told, stored) = oneshot::channel();
        let sent = self.calls.blocking_send(Call::Add(letters, told));
        sent.map_err(|_| StoreError::Closed)?;
        stored.blocking_recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Up to `limit` letters with an id above `after`; fewer when they are large.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn page(
        &self,
        filter: LetterFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Letter>, StoreError> {
        self.call(move |keeper| keeper.database.page(&filter, after, limit))
            .await
    }

    /// Gives letters new values, all or none.
    ///
    /// # Errors
    /// One of them is not there or was replayed.
    pub async fn edit(&self, edits: Vec<Edit>) -> Result<(), StoreError> {
        self.call(move |keeper| keeper.database.edit(&edits)).await
    }

    /// Notes what became of replays.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn note_replays(&self, ends: Vec<(i64, ReplayEnd)>) -> Result<(), StoreError> {
        self.call(move |keeper| {
            let now = keeper.clock.now();
            keeper.database.note_replays(&ends, now)?;
            keeper.recount()
        })
        .await
    }

    /// Deletes letters because an operator says so.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn purge(&self, filter: LetterFilter) -> Result<Purged, StoreError> {
        self.call(move |keeper| {
            let purged = keeper.database.purge(&filter)?;
            keeper.tell(&purged, PurgeCause::Operator);
            keeper.recount()?;
            Ok(purged)
        })
        .await
    }

    /// What the store holds.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn totals(&self) -> Result<Totals, StoreError> {
        self.call(|keeper| keeper.database.totals()).await
    }

    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Keeper) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (told, done) = oneshot::channel();
        let call = Call::Other(Box::new(move |keeper| {
            // Nobody waits any more: the call was given up.
            let _ = told.send(work(keeper));
        }));
        let sent = self.calls.send(call).await;
        sent.map_err(|_| StoreError::Closed)?;
        done.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// What the thread owns.
struct Keeper {
    database: Database,
    settings: DeadLetterSettings,
    totals: Totals,
    meters: DeadLetterMeters,
    clock: SteadyClock,
    _lock: File,
}

impl Keeper {
    async fn serve(mut self, mut waiting: mpsc::Receiver<Call>) {
        let mut upkeep = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            let call = tokio::select! {
                biased;
                call = waiting.recv() => call,
                _ = upkeep.tick() => {
                    if let Err(error) = self.upkeep() {
                        tracing::error!(%error, "old dead letters cannot be purged");
                    }
                    continue;
                }
            };
            match call {
                None => return,
                Some(Call::Other(work)) => work(&mut self),
                Some(Call::Add(letters, told)) => self.gather(letters, told, &mut waiting),
            }
        }
    }

    /// Adds letters together with those that have come meanwhile.
    fn gather(
        &mut self,
        letters: Vec<NewLetter>,
        told: Told<()>,
        waiting: &mut mpsc::Receiver<Call>,
    ) {
        let mut count = letters.len();
        let mut groups = vec![letters];
        let mut to_tell = vec![told];
        let mut next = None;
        while count < COMMIT_LETTERS
            && let Ok(call) = waiting.try_recv()
        {
            match call {
                Call::Add(letters, told) => {
                    count += letters.len();
                    groups.push(letters);
                    to_tell.push(told);
                }
                Call::Other(work) => {
                    next = Some(work);
                    break;
                }
            }
        }
        match self.add(&groups) {
            Ok(()) => {
                for told in to_tell {
                    // Nobody waits any more: the letters are stored all the same.
                    let _ = told.send(Ok(()));
                }
            }
            // One caller's letters must not be the end of the others'.
            Err(_) if groups.len() > 1 => {
                for (group, told) in groups.into_iter().zip(to_tell) {
                    let _ = told.send(self.add(&[group]));
                }
            }
            Err(error) => {
                for told in to_tell {
                    let _ = told.send(Err(error.clone()));
                }
            }
        }
        if let Some(work) = next {
            work(self);
        }
    }

    fn add(&mut self, groups: &[Vec<NewLetter>]) -> Result<(), StoreError> {
        let borrowed: Vec<&[NewLetter]> = groups.iter().map(Vec::as_slice).collect();
        let now = self.clock.now();
        let added = self.database.add(&borrowed, now, self.settings.bytes_max);
        let added = added.inspect_err(|error| {
            self.meters.writes_failed.increment(1);
            tracing::error!(%error, "dead letters were not stored");
        })?;
        for (letter, is_new) in groups.iter().flatten().zip(&added.is_new) {
            if *is_new {
                let source = letter.origin.source;
                self.meters.count(source, &letter.reason.sqlstate);
                self.totals.letters += 1;
                self.totals.open += 1;
            }
        }
        self.tell(&added.purged, PurgeCause::Size);
        self.totals.bytes = super::database::used_bytes(&self.database.connection)?;
        self.show();
        Ok(())
    }

    /// Purges what is too old and counts what is there.
    fn upkeep(&mut self) -> Result<(), StoreError> {
        if self.settings.keep_days > 0 {
            let days = i64::try_from(self.settings.keep_days).unwrap_or(i64::MAX);
            let before_ms = self
                .clock
                .now()
                .as_millisecond()
                .saturating_sub(days.saturating_mul(MS_PER_DAY));
            if let Ok(before) = Timestamp::from_millisecond(before_ms) {
                let too_old = LetterFilter {
                    until: Some(before),
                    ..LetterFilter::default()
                };
                let purged = self.database.purge(&too_old)?;
                self.tell(&purged, PurgeCause::Age);
            }
        }
        self.recount()
    }

    fn recount(&mut self) -> Result<(), StoreError> {
        self.totals = self.database.totals()?;
        self.show();
        Ok(())
    }

    /// Counts and logs what was deleted.
    fn tell(&mut self, purged: &Purged, cause: PurgeCause) {
        if purged.letters == 0 {
            return;
        }
        self.meters.purged.add(cause, purged.letters);
        self.totals.letters = self.totals.letters.saturating_sub(purged.letters);
        self.totals.open = self.totals.open.saturating_sub(purged.not_replayed);
        if purged.not_replayed > 0 {
            tracing::warn!(?cause, %purged, "dead letters were purged: rows that CDF does not have are gone");
        } else {
            tracing::info!(?cause, %purged, "replayed dead letters were purged");
        }
    }

    fn show(&self) {
        self.meters.open.set(self.totals.open as f64);
        self.meters.bytes.set(self.totals.bytes as f64);
    }
}

/// Takes the directory for this process.
fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join(LOCK_FILE);
    let failed =
        |error: &dyn std::fmt::Display| StoreError::Failed(format!("{}: {error}", path.display()));
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| failed(&error))?;
    file.try_lock()
        .map_err(|_| failed(&"another gateway uses this directory"))?;
    Ok(file)
}
