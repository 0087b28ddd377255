//! The thread that delivers what is in the journal: it reads records back, hands their rows to
//! the pipeline, hears of their verdicts and notes how far it is.
//!
//! Owns the progress of all streams and the files that are read. Promises that rows go in the
//! order of their stream, that no more of them are in memory than each stream may have, and that
//! a segment is deleted only when the disk knows that all of it is settled. Never answers a
//! client.

use super::disk::Disk;
use super::parked::Parked;
use super::positions::Positions;
use super::principals::Principals;
use super::progress::Progress;
use super::reader::StreamReader;
use super::record_in_flight::{Event, Events};
use super::rejection::PendingRejection;
use super::settled::Settled;
use super::space::Space;
use super::store::Store;
use super::stream::{NextStep, Stream};
use super::writer::{Work, now_ms};
use crate::catalog::Resource;
use crate::pipeline::{Intake, RejectedRows, Submission};
use crate::telemetry::JournalMeters;
use crossbeam::channel::Sender;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long the feeder sleeps when something waits for memory.
const BEHIND_SLEEP: Duration = Duration::from_millis(10);

/// How long what could not be read, kept or delivered waits for the next try.
pub const RETRY: Duration = Duration::from_secs(1);

/// What the feeder knows of one store.
pub struct FedStore {
    pub store: Arc<Store>,
    pub progress: BTreeMap<u32, Progress>,
    pub readers: HashMap<u32, StreamReader>,
    /// Until when a stream is left alone.
    pub paused: HashMap<u32, Instant>,
    /// By stream, when the record at hand was written.
    pub oldest_ms: HashMap<u32, i64>,
    /// What the disk knows to be settled.
    noted: HashMap<u32, Settled>,
}

impl FedStore {
    pub fn new(store: Arc<Store>, progress: BTreeMap<u32, Progress>) -> Self {
        FedStore {
            store,
            progress,
            readers: HashMap::new(),
            paused: HashMap::new(),
            oldest_ms: HashMap::new(),
            noted: HashMap::new(),
        }
    }

    pub fn progress_of(&mut self, stream: &Arc<Stream>) -> &mut Progress {
        self.progress
            .entry(stream.id())
            .or_insert_with(|| Progress::new(stream.clone(), Default::default(), 0))
    }

    /// Notes on disk what is settled, if it has changed.
    pub fn note(&mut self) {
        if !self.progress.values().any(|progress| progress.is_changed) {
            return;
        }
        let (next_sequence, rows) = self.store.numbers();
        let positions = Positions {
            next_sequence,
            rows,
            streams: self
                .progress
                .iter()
                .map(|(id, progress)| (*id, progress.position()))
                .collect(),
        };
        if let Err(error) = positions.save(self.store.directory()) {
            tracing::error!(%error, "the positions of the journal cannot be noted");
            return;
        }
        for progress in self.progress.values_mut() {
            progress.is_changed = false;
        }
        self.noted = positions
            .streams
            .into_iter()
            .map(|(id, position)| (id, position.settled))
            .collect();
        for (id, settled) in &self.noted {
            if let Some(stream) = self.store.known_stream(*id) {
                stream.noted(settled);
            }
        }
    }
}

/// The thread's state.
pub struct Feeder {
    pub main: FedStore,
    pub parked: Parked,
    pub space: Arc<Space>,
    pub disk: Arc<dyn Disk>,
    pub intake: Intake,
    pub events: Arc<Events>,
    pub meters: JournalMeters,
    pub principals: Arc<dyn Principals>,
    pub rejected: Arc<dyn RejectedRows>,
    pub work: Sender<Work>,
    pub is_stopping: Arc<AtomicBool>,
    pub position_interval: Duration,
    pub hold_max: Duration,
    pub pending: Vec<PendingRejection>,
    pub retry_pending_at: Instant,
}

impl Feeder {
    /// Works until the gateway ends.
    pub fn run(mut self) {
        self.events.served_by(std::thread::current());
        let _last_note = LastNote {
            stores: [self.main.store.clone(), self.parked.fed.store.clone()],
        };
        let mut note_at = Instant::now();
        loop {
            // Read before the events: what comes after is seen by the next round.
            let is_stopping = self.is_stopping.load(Ordering::Acquire);
            self.hear();
            if is_stopping {
                break;
            }
            let now = Instant::now();
            self.keep_pending(now);
            self.retry_parking(now);
            self.feed_parked(now);
            self.feed_main(now);
            if note_at <= now {
                self.note();
                self.tidy();
                note_at = now + self.position_interval;
            } else if self.has_holds() {
                self.note();
            }
            self.end_long_holds(now);
            let until_note = note_at.saturating_duration_since(now);
            self.events.sleep(if self.main.store.is_behind() {
                until_note.min(BEHIND_SLEEP)
            } else {
                until_note
            });
        }
        self.keep_pending(self.retry_pending_at);
        self.note();
    }

    /// Takes in what the pipeline has told.
    pub fn hear(&mut self) {
        while let Some(event) = self.events.pop() {
            match event {
                Event::RowsSettled { record, rows } => {
                    self.store_of(&record.stream)
                        .progress_of(&record.stream)
                        .settle_rows(&record, &rows);
                }
                Event::Ended {
                    stream,
                    sequence,
                    is_settled: true,
                } => {
                    self.store_of(&stream).progress_of(&stream).settle(sequence);
                    self.parked.went_through(&stream);
                }
                Event::Ended { stream, .. } => stream.check_behind(),
                Event::ProbeFailed { stream, reason } => self.probe_failed(&stream, &reason),
                Event::Rejected {
                    record,
                    submission,
                    rows,
                    fate,
                    reason,
                } => self.reject(PendingRejection {
                    record,
                    submission,
                    rows: std::iter::once(rows).collect(),
                    fate,
                    reason,
                }),
                Event::Stopped {
                    record,
                    submission,
                    rows,
                    reason,
                } => self.stopped(&record, &submission, rows, &reason),
            }
        }
        self.flush_parked();
    }

    pub fn store_of(&mut self, stream: &Stream) -> &mut FedStore {
        if stream.is_parked() {
            &mut self.parked.fed
        } else {
            &mut self.main
        }
    }

    /// Keeps rows that will never be in CDF.
    pub fn reject(&mut self, rejection: PendingRejection) {
        let record = rejection.record.clone();
        let kept = rejection.keep(&*self.rejected);
        let progress = self.store_of(&record.stream).progress_of(&record.stream);
        match kept {
            Ok(rows) => {
                for rows in &rejection.rows {
                    progress.settle_rows(&record, rows);
                }
                self.meters.rejected_rows.increment(rows);
            }
            Err(error) => {
                tracing::error!(%error, "rejected rows cannot be kept; they stay in the journal");
                progress.set_unkept(record.sequence, true);
                self.pending.push(rejection);
            }
        }
    }

    /// Tries again to keep rejected rows.
    fn keep_pending(&mut self, now: Instant) {
        if self.pending.is_empty() || self.retry_pending_at > now {
            return;
        }
        self.retry_pending_at = now + RETRY;
        let pending = std::mem::take(&mut self.pending);
        for rejection in &pending {
            let record = &rejection.record;
            self.store_of(&record.stream)
                .progress_of(&record.stream)
                .set_unkept(record.sequence, false);
        }
        for rejection in pending {
            self.reject(rejection);
        }
    }

    fn feed_main(&mut self, now: Instant) {
        if !self.main.store.is_behind() {
            return;
        }
        for stream in self.main.store.streams() {
            if stream.is_behind() {
                self.feed(now, &stream, usize::MAX);
            }
        }
    }

    /// Hands over up to `records_max` records of a stream, as far as memory allows.
    pub fn feed(&mut self, now: Instant, stream: &Arc<Stream>, records_max: usize) {
        self.feed_some(now, stream, records_max);
        self.flush_parked();
    }

    fn feed_some(&mut self, now: Instant, stream: &Arc<Stream>, records_max: usize) {
        let id = stream.id();
        let fed = self.store_of(stream);
        if fed.paused.get(&id).is_some_and(|until| *until > now) {
            return;
        }
        fed.paused.remove(&id);
        let mut records_left = records_max;
        loop {
            let mut turns: Vec<(Resource, Submission)> = Vec::new();
            let step = stream.next_step(|resource, submission| turns.push((resource, submission)));
            for (resource, submission) in turns {
                self.submit_delivered(stream, resource, submission);
            }
            match step {
                NextStep::Handed => {}
                NextStep::CaughtUp => {
                    let fed = self.store_of(stream);
                    fed.readers.remove(&id);
                    fed.oldest_ms.remove(&id);
                    stream.note_read_back(0);
                    return;
                }
                NextStep::WaitForReturn | NextStep::Stopped => return,
                NextStep::Rewind => {
                    // All have come back: their events are here.
                    self.hear();
                    let fed = self.store_of(stream);
                    let cursor = fed.progress_of(stream).rewind();
                    fed.readers.remove(&id);
                    fed.paused.entry(id).or_insert(now + RETRY);
                    stream.rewind(cursor);
                    return;
                }
                NextStep::Read(sequence) => {
                    let open = self
                        .store_of(stream)
                        .progress_of(stream)
                        .first_open(sequence);
                    if open != sequence {
                        stream.pass_over(open);
                    } else if records_left == 0 || !self.feed_record(now, stream, sequence) {
                        return;
                    } else {
                        records_left -= 1;
                    }
                }
            }
        }
    }

    /// Delivered rows have their turn in the stream of their project and resource.
    fn submit_delivered(
        &mut self,
        stream: &Arc<Stream>,
        resource: Resource,
        submission: Submission,
    ) {
        let identity = &submission.identity.name;
        let submission = if !stream.is_parked() && stream.is_stopped_for(identity) {
            let parked = self.parked.stop(stream, identity, Instant::now());
            parked.want_probe();
            parked.take_in_turn(resource, submission)
        } else {
            Some(submission)
        };
        if let Some(submission) = submission {
            self.intake.submit(resource, submission);
        }
    }

    /// Whether clients wait for what is settled to be noted.
    fn has_holds(&self) -> bool {
        let stores = [&self.main.store, &self.parked.fed.store];
        let mut streams = stores.into_iter().flat_map(|store| store.streams());
        streams.any(|stream| stream.has_holds())
    }

    /// Ends the waits of statements behind rows that CDF keeps failing with.
    fn end_long_holds(&self, now: Instant) {
        let Some(since) = now.checked_sub(self.hold_max) else {
            return;
        };
        let stores = [&self.main.store, &self.parked.fed.store];
        for stream in stores.into_iter().flat_map(|store| store.streams()) {
            if stream.has_holds() {
                stream.end_holds_since(since);
            }
        }
    }

    fn note(&mut self) {
        self.main.note();
        self.parked.fed.note();
    }

    /// Deletes what is settled, makes a segment in advance and tells the meters.
    fn tidy(&mut self) {
        let mut freed = 0;
        for fed in [&self.main, &self.parked.fed] {
            freed += fed.store.delete_settled(&fed.noted);
        }
        if freed > 0 {
            self.space.free(freed);
        }
        let is_wanted = self.space.is_wanted();
        if self.main.store.is_active_settled(&self.main.noted)
            && (is_wanted || self.main.store.active_bytes() > self.space.bytes_max() / 8)
        {
            // Nobody listens any more only when the gateway ends.
            let _ = self.work.send(Work::Seal);
        }
        self.parked.seal_if_settled();
        if let Err(error) = self.main.store.make_spare(&*self.disk) {
            tracing::debug!(%error, "no segment can be made in advance");
        }
        let (_, segments) = self.main.store.size();
        let (parked_bytes, parked_segments) = self.parked.fed.store.size();
        self.meters.bytes.set(self.space.used() as f64);
        self.meters
            .segments
            .set((segments + parked_segments) as f64);
        self.meters.parked_bytes.set(parked_bytes as f64);
        let backlog: u64 = self
            .main
            .store
            .streams()
            .iter()
            .map(|stream| stream.backlog())
            .sum();
        self.meters.backlog_records.set(backlog as f64);
        let oldest = self.main.oldest_ms.values().min();
        let age_ms = oldest.map_or(0, |oldest| (now_ms() - oldest).max(0));
        self.meters.oldest_seconds.set(age_ms as f64 / 1000.0);
        self.meters
            .identities_stopped
            .set(self.parked.streams() as f64);
    }
}

/// Answers who waits for notes when there are no more, also after a panic: no client waits for
/// ever.
struct LastNote {
    stores: [Arc<Store>; 2],
}

impl Drop for LastNote {
    fn drop(&mut self) {
        for stream in self.stores.iter().flat_map(|store| store.streams()) {
            stream.release_holds();
        }
    }
}
