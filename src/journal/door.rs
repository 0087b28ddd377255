//! The journal as the rest of the gateway sees it: open it, hand it rows, close it.
//!
//! Owns the lock on the directory and the two threads. Promises that what was acknowledged in an
//! earlier life is delivered before anything that comes later for the same project and resource,
//! and that closing leaves nothing that a start must guess. Never waits for CDF.

use super::appender::Appender;
use super::disk::{Disk, make_directory};
use super::entry::Entry;
use super::envelope::stream_id;
use super::feeder::{FedStore, Feeder};
use super::lock::{DirectoryLock, LockError};
use super::parked::{Parked, parked_stream_id};
use super::principals::Principals;
use super::progress::Progress;
use super::record_in_flight::Events;
use super::recovery::{Mending, Recovered, RecoveryError, recover};
use super::space::{Room, Space};
use super::store::Store;
use super::writer::{Work, Writer};
use crate::catalog::{Resource, Table};
use crate::cdf::Identity;
use crate::config::JournalSettings;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::{Intake, RejectedRows, Submission, TicketPart};
use crate::telemetry::JournalMeters;
use crossbeam::channel::{Sender, unbounded};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("the directory {path} cannot be used: {cause}")]
    Directory { path: PathBuf, cause: LockError },
    #[error("{0}")]
    Recovery(#[from] RecoveryError),
    #[error("a thread of the journal cannot be started: {0}")]
    Thread(io::Error),
}

/// What a journal works with.
pub struct JournalParts {
    pub intake: Intake,
    pub principals: Arc<dyn Principals>,
    pub rejected: Arc<dyn RejectedRows>,
    pub disk: Arc<dyn Disk>,
}

/// What waits on disk of one project and resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalDepth {
    /// Something of it has been in the journal since the start.
    pub is_known: bool,
    /// Records that are only on disk and wait to be read back, whoever wrote them.
    pub records: u64,
    /// When the next of them was written, in milliseconds since 1970, where that is known.
    pub next_ms: Option<i64>,
    /// Parked records of the one principal, those that are tried included.
    pub parked_records: u64,
}

/// An open journal.
pub struct Journal {
    settings: JournalSettings,
    intake: Intake,
    store: Arc<Store>,
    parked: Arc<Store>,
    space: Arc<Space>,
    events: Arc<Events>,
    work: Sender<Work>,
    is_stopping: Arc<AtomicBool>,
    is_writer_stopping: Arc<AtomicBool>,
    threads: Mutex<Option<Threads>>,
}

struct Threads {
    writer: JoinHandle<()>,
    feeder: JoinHandle<()>,
    _lock: DirectoryLock,
}

/// Where parked rows are, in the journal's directory.
pub const PARKED: &str = "parked";

impl Journal {
    /// Opens the journal in `directory`, mends what must be mended and begins to deliver what is
    /// in it.
    ///
    /// # Errors
    /// The directory is in use or cannot be read, or holds segments of another version.
    pub fn open(
        directory: &Path,
        settings: &JournalSettings,
        parts: JournalParts,
    ) -> Result<Self, JournalError> {
        let unusable = |cause| JournalError::Directory {
            path: directory.to_owned(),
            cause,
        };
        let lock = DirectoryLock::take(directory).map_err(unusable)?;
        let parked_directory = directory.join(PARKED);
        make_directory(&parked_directory).map_err(|error| unusable(error.into()))?;
        let meters = JournalMeters::new();
        let space = Arc::new(Space::new(settings.bytes_max, settings.when_full));
        meters.bytes_max.set(space.bytes_max() as f64);
        // Several segments must fit, or none could be deleted while another is written.
        let segment_bytes = settings.segment_bytes.min(space.bytes_max() / 8).max(4096);
        let events = Arc::new(Events::default());
        let open = |directory: PathBuf, is_parked: bool| -> Result<_, RecoveryError> {
            let mut found = recover(&directory, Mending::Repair)?;
            space.use_without_room(found.segments.record_bytes());
            meters.damages.increment(found.damages.len() as u64);
            let rows = found.damages.iter().filter_map(|damage| damage.rows).sum();
            meters.damaged_rows.increment(rows);
            let store = Arc::new(Store::new(
                directory,
                &mut found,
                is_parked,
                settings.feed_bytes_max,
            ));
            let appender = Appender::new(store.clone(), parts.disk.clone(), segment_bytes);
            let progress = resume(&store, &found, &parts.intake);
            let fed = FedStore::new(store.clone(), progress);
            Ok((store, appender, fed, found))
        };
        let (store, appender, main, found) = open(directory.to_owned(), false)?;
        let (parked_store, parked_appender, fed_parked, found_parked) =
            open(parked_directory, true)?;
        log_found(directory, &found, &found_parked);
        let pause = Duration::from_secs(settings.parked_retry_s.max(1));
        let mut parked = Parked::new(fed_parked, parked_appender, pause);
        let long_ago = Instant::now()
            .checked_sub(pause)
            .unwrap_or_else(Instant::now);
        for stream in parked_store.streams() {
            if let Some(found) = found_parked.streams.get(&stream.id())
                && stream.is_behind()
            {
                let main = store.stream(found.main, || found.main_name.clone());
                parked.stop(&main, &found.identity, long_ago);
            }
        }
        let (work, works) = unbounded();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let is_writer_stopping = Arc::new(AtomicBool::new(false));
        let feeder = Feeder {
            main,
            parked,
            space: space.clone(),
            disk: parts.disk,
            intake: parts.intake.clone(),
            events: events.clone(),
            meters: meters.clone(),
            principals: parts.principals,
            rejected: parts.rejected,
            work: work.clone(),
            is_stopping: is_stopping.clone(),
            position_interval: Duration::from_millis(settings.position_interval_ms.max(1)),
            hold_max: Duration::from_secs(settings.hold_max_s),
            pending: Vec::new(),
            retry_pending_at: Instant::now(),
        };
        let writer = Writer {
            appender,
            store: store.clone(),
            space: space.clone(),
            intake: parts.intake.clone(),
            events: events.clone(),
            meters,
            work: works,
            is_stopping: is_writer_stopping.clone(),
        };
        let threads = Threads {
            writer: spawn("journal-writer", move || writer.run())?,
            feeder: spawn("journal-feeder", move || feeder.run())?,
            _lock: lock,
        };
        Ok(Journal {
            settings: settings.clone(),
            intake: parts.intake,
            store,
            parked: parked_store,
            space,
            events,
            work,
            is_stopping,
            is_writer_stopping,
            threads: Mutex::new(Some(threads)),
        })
    }

    /// How tables acknowledge.
    pub fn settings(&self) -> &JournalSettings {
        &self.settings
    }

    /// Room for this batch. Waits for it, or refuses, as the operator decided.
    ///
    /// # Errors
    /// 53100, 53400.
    pub async fn admit(&self, batch_bytes: usize, rows: usize) -> Result<Room, Box<Diagnostic>> {
        self.space.admit(Entry::bytes_of(batch_bytes, rows)).await
    }

    /// Writes rows of `user` down. Their statement hears of it by its ticket.
    pub fn append(
        &self,
        submission: Submission,
        table: &'static Table,
        user: Arc<str>,
        room: Room,
    ) {
        let entry = Box::new(Entry::new(submission, table, user, room));
        if let Err(refused) = self.work.send(Work::Append(entry))
            && let Work::Append(entry) = refused.into_inner()
        {
            let submission = entry.submission;
            let reason = Diagnostic::error(
                SqlState::ADMIN_SHUTDOWN,
                "the journal is closed: the gateway ends",
            );
            let rows = submission.batch.rows() as u64;
            let first = submission.batch.row_number(0);
            submission.part.fail(rows, first, &reason);
        }
    }

    /// Takes rows that are acknowledged when CDF has them: behind the rows of their project and
    /// resource that wait in the journal, if there are any.
    pub fn submit(&self, resource: Resource, submission: Submission) {
        self.hold(&submission.identity, resource, &submission.part);
        if !self.store.is_behind() && !self.parked.is_behind() {
            self.intake.submit(resource, submission);
            return;
        }
        if let Some(submission) = self.take_in_turn(resource, submission) {
            self.intake.submit(resource, submission);
        }
    }

    /// Keeps the statement of `part` from its end until the rows of its project and resource that
    /// were journaled before are delivered.
    pub fn hold(&self, identity: &Identity, resource: Resource, part: &TicketPart) {
        let id = stream_id(&identity.project, resource);
        let of_parked = || {
            let id = parked_stream_id(id, &identity.name);
            self.parked.known_stream(id)
        };
        for stream in [self.store.known_stream(id), of_parked()]
            .into_iter()
            .flatten()
        {
            stream.hold(part);
        }
    }

    /// What of `resource` waits on disk.
    pub fn depth(&self, identity: &Identity, resource: Resource) -> JournalDepth {
        let id = stream_id(&identity.project, resource);
        let main = self.store.known_stream(id);
        let parked = self
            .parked
            .known_stream(parked_stream_id(id, &identity.name));
        JournalDepth {
            is_known: main.is_some() || parked.is_some(),
            records: main.as_ref().map_or(0, |stream| stream.backlog()),
            next_ms: main
                .filter(|stream| stream.backlog() > 0)
                .and_then(|stream| stream.read_back_ms()),
            parked_records: parked.map_or(0, |stream| stream.unsettled_records()),
        }
    }

    fn take_in_turn(&self, resource: Resource, submission: Submission) -> Option<Submission> {
        let identity = submission.identity.clone();
        let id = stream_id(&identity.project, resource);
        let Some(stream) = self.store.known_stream(id) else {
            return Some(submission);
        };
        let submission = stream.take_in_turn(resource, submission)?;
        if !stream.is_stopped_for(&identity.name) {
            return Some(submission);
        }
        let parked = self
            .parked
            .known_stream(parked_stream_id(id, &identity.name));
        let Some(parked) = parked else {
            return Some(submission);
        };
        let submission = parked.take_in_turn(resource, submission);
        parked.want_probe();
        self.events.wake();
        submission
    }

    /// A statement of `identity` was broken off: what of it waits behind records is given up.
    pub fn drop_cancelled(&self, identity: &Identity, resource: Resource) {
        let id = stream_id(&identity.project, resource);
        for stream in [
            self.store.known_stream(id),
            self.parked
                .known_stream(parked_stream_id(id, &identity.name)),
        ]
        .into_iter()
        .flatten()
        {
            if stream.is_behind() {
                stream.drop_cancelled();
            }
        }
    }

    /// Writes what was handed over, and hands nothing more to the pipeline: what is not there
    /// yet is delivered after the next start.
    pub fn stop_feeding(&self) {
        for store in [&self.store, &self.parked] {
            for stream in store.streams() {
                stream.stop();
            }
        }
    }

    /// Ends the threads. Rows in the pipeline must have their verdicts by now, or are delivered
    /// again after the next start.
    pub fn close(&self) {
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(threads) = threads else {
            return;
        };
        self.is_writer_stopping.store(true, Ordering::Release);
        // Fails only when the thread has ended already.
        let _ = self.work.send(Work::Stop);
        let writer = threads.writer.join();
        self.is_stopping.store(true, Ordering::Release);
        self.events.wake();
        let feeder = threads.feeder.join();
        if writer.is_err() || feeder.is_err() {
            tracing::error!("a thread of the journal has ended by a fault");
        }
        self.store.drop_spare();
        self.parked.drop_spare();
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.close();
    }
}

/// Exit code of a process that ended itself because a thread of the journal had a fault
/// (EX_SOFTWARE).
const EXIT_FAULT: i32 = 70;

/// Without its threads a journal neither acknowledges nor delivers, and nothing in the process
/// can know what state they left. What was acknowledged is on disk: a start delivers it.
struct EndsTheProcess;

impl Drop for EndsTheProcess {
    fn drop(&mut self) {
        tracing::error!("a thread of the journal ended by a fault: the gateway ends itself");
        std::process::exit(EXIT_FAULT);
    }
}

/// Starts every stream where it was.
fn resume(store: &Store, found: &Recovered, intake: &Intake) -> BTreeMap<u32, Progress> {
    let mut ids: Vec<u32> = found.positions.streams.keys().copied().collect();
    ids.extend(found.streams.keys().copied());
    ids.sort_unstable();
    ids.dedup();
    let mut progress = BTreeMap::new();
    for id in ids {
        let noted = found
            .positions
            .streams
            .get(&id)
            .cloned()
            .unwrap_or_default();
        let name = match found.streams.get(&id) {
            Some(found) => found.name.clone(),
            None => noted.name.clone(),
        };
        let stream = store.stream(id, || name);
        let settled = found.settled(id);
        let end = found.next_sequence_of(id);
        if let Some(found) = found.streams.get(&id)
            && let Some((project, resource)) = found.makes_objects_of.clone()
            && !stream.is_parked()
        {
            let intake = intake.clone();
            stream.makes_objects(move || intake.begin_creation(&project, resource));
        }
        stream.resume(settled.first_missing(0), end);
        let noted = super::positions::StreamPosition { settled, ..noted };
        progress.insert(id, Progress::new(stream, noted, end));
    }
    progress
}

fn log_found(directory: &Path, found: &Recovered, parked: &Recovered) {
    tracing::info!(
        directory = %directory.display(),
        records = found.records,
        parked_records = parked.records,
        damages = found.damages.len() + parked.damages.len(),
        "the journal is open"
    );
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, JournalError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let ends = EndsTheProcess;
            work();
            std::mem::forget(ends);
        })
        .map_err(JournalError::Thread)
}
