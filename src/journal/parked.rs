//! Parked rows: those of principals that CDF does not let write, so that others pass.
//!
//! Owns the store of parked rows and the probes by which it learns that a principal can write
//! again. Promises that a row is on disk there before it counts as settled where it was, that
//! rows of a principal keep their order, and that a principal is probed with one record, less
//! and less often. Never gives a row up.

use super::appender::Appender;
use super::envelope::Envelope;
use super::feeder::{FedStore, Feeder, RETRY};
use super::record::{Draft, Header};
use super::record_in_flight::RecordName;
use super::stream::Stream;
use crate::diagnostic::Diagnostic;
use crate::pipeline::Submission;
use crate::rows::RowBatch;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much longer than the first the longest pause between two probes is.
const PAUSE_GROWTH_MAX: u32 = 20;

/// Parked records of one write at most.
const GROUP_RECORDS_MAX: usize = 1024;

/// Bytes of one write at most.
const GROUP_BYTES_MAX: usize = 8 << 20;

/// A principal that is stopped.
#[derive(Debug)]
struct Probe {
    /// Where its rows come from.
    main: Arc<Stream>,
    parked: Arc<Stream>,
    identity: Box<str>,
    pause: Duration,
    last: Instant,
    state: ProbeState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProbeState {
    Waiting,
    /// One record is in the pipeline.
    Probing,
    /// It went through: the others follow.
    Working,
}

/// A record that is to be parked.
#[derive(Debug)]
struct Gathered {
    draft: Draft,
    main: Arc<Stream>,
    sequence: u64,
    /// Which rows of the record are settled by it.
    settles: Settles,
}

#[derive(Debug)]
enum Settles {
    All,
    Rows(Arc<RecordName>, Range<usize>),
}

/// The parked rows.
pub struct Parked {
    pub fed: FedStore,
    appender: Appender,
    pause: Duration,
    probes: BTreeMap<u32, Probe>,
    gathered: Vec<Gathered>,
    gathered_bytes: usize,
    /// Groups that could not be written.
    unparked: Vec<Vec<Gathered>>,
    retry_at: Instant,
}

/// The stream of a principal's parked rows, which come from stream `main`.
pub fn parked_stream_id(main: u32, identity: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&main.to_le_bytes());
    hasher.update(identity.as_bytes());
    hasher.finalize()
}

impl Parked {
    pub fn new(fed: FedStore, appender: Appender, pause: Duration) -> Self {
        Parked {
            fed,
            appender,
            pause,
            probes: BTreeMap::new(),
            gathered: Vec::new(),
            gathered_bytes: 0,
            unparked: Vec::new(),
            retry_at: Instant::now(),
        }
    }

    /// Principals with parked rows.
    pub fn streams(&self) -> usize {
        self.probes.len()
    }

    /// Rows of `identity` are parked from now on. They are tried at `first_try`.
    pub fn stop(&mut self, main: &Arc<Stream>, identity: &str, now: Instant) -> Arc<Stream> {
        main.stop_for(identity);
        let id = parked_stream_id(main.id(), identity);
        let parked = self
            .fed
            .store
            .stream(id, || format!("{identity}: {}", main.name()));
        let pause = self.pause;
        self.probes.entry(id).or_insert_with(|| Probe {
            main: main.clone(),
            parked: parked.clone(),
            identity: identity.into(),
            pause,
            last: now,
            state: ProbeState::Waiting,
        });
        parked
    }

    /// A record of this stream has its verdicts, and they are CDF's.
    pub fn went_through(&mut self, stream: &Stream) {
        if stream.is_parked()
            && let Some(probe) = self.probes.get_mut(&stream.id())
            && probe.state == ProbeState::Probing
        {
            probe.state = ProbeState::Working;
            tracing::info!(
                identity = &*probe.identity,
                "CDF lets this principal write again: its parked rows are delivered"
            );
        }
    }

    fn probe_failed(&mut self, stream: &Stream, now: Instant) {
        let pause_max = self.pause * PAUSE_GROWTH_MAX;
        if let Some(probe) = self.probes.get_mut(&stream.id()) {
            if probe.state != ProbeState::Waiting {
                probe.pause = (probe.pause * 2).min(pause_max);
            }
            probe.state = ProbeState::Waiting;
            probe.last = now;
        }
    }

    /// Closes the segment once all of it is settled.
    pub fn seal_if_settled(&mut self) {
        if self.probes.is_empty() {
            self.appender.seal();
        }
    }

    fn gather(&mut self, gathered: Gathered) {
        self.gathered_bytes += gathered.draft.bytes.len();
        self.gathered.push(gathered);
    }

    fn is_full(&self) -> bool {
        self.gathered.len() >= GROUP_RECORDS_MAX || self.gathered_bytes >= GROUP_BYTES_MAX
    }
}

impl Feeder {
    /// Tries stopped principals again, and delivers the parked rows of those that can write.
    pub fn feed_parked(&mut self, now: Instant) {
        let ids: Vec<u32> = self.parked.probes.keys().copied().collect();
        for id in ids {
            let Some(probe) = self.parked.probes.get_mut(&id) else {
                continue;
            };
            let stream = probe.parked.clone();
            if !stream.is_behind() && !stream.is_open() {
                tracing::info!(
                    identity = &*probe.identity,
                    "no rows of this principal are parked any more"
                );
                probe.main.resume_for(&probe.identity);
                self.parked.probes.remove(&id);
                continue;
            }
            match probe.state {
                ProbeState::Working => self.feed(now, &stream, usize::MAX),
                ProbeState::Probing => {}
                ProbeState::Waiting => {
                    let pause = if stream.take_probe_wish() {
                        RETRY
                    } else {
                        probe.pause
                    };
                    if now < probe.last + pause {
                        continue;
                    }
                    probe.last = now;
                    probe.state = ProbeState::Probing;
                    self.probe(now, &stream);
                }
            }
        }
    }

    /// Sends the first parked record.
    fn probe(&mut self, now: Instant, stream: &Arc<Stream>) {
        self.parked.fed.paused.remove(&stream.id());
        self.feed(now, stream, 1);
        if !stream.is_open()
            && let Some(probe) = self.parked.probes.get_mut(&stream.id())
        {
            // It came to nothing: no credentials, or the rows have to come back first.
            probe.state = ProbeState::Waiting;
        }
    }

    /// CDF does not let the principal of parked rows write.
    pub fn probe_failed(&mut self, stream: &Arc<Stream>, reason: &Diagnostic) {
        self.parked.probe_failed(stream, Instant::now());
        stream.fail_waiting(reason);
    }

    /// CDF has stopped the principal of these rows, which come from the main store.
    pub fn stopped(
        &mut self,
        record: &Arc<RecordName>,
        submission: &Submission,
        rows: Range<usize>,
        reason: &Diagnostic,
    ) {
        let identity = &submission.identity;
        tracing::error!(
            user = &*record.user,
            identity = identity.name,
            %reason,
            "CDF does not let this principal write: its journaled rows are parked"
        );
        let parked = self
            .parked
            .stop(&record.stream, &identity.name, Instant::now());
        let envelope = Envelope::of(identity, &record.user, record.table);
        let batch = submission.batch.select(std::slice::from_ref(&rows));
        let mut draft = Draft::new(&envelope, &batch, parked.id(), 0);
        draft.header.appended_ms = record.appended_ms;
        self.parked.gather(Gathered {
            draft,
            main: record.stream.clone(),
            sequence: record.sequence,
            settles: Settles::Rows(record.clone(), rows),
        });
    }

    /// Moves a record to the parked rows. Tells whether to go on with its stream.
    pub fn park_record(
        &mut self,
        now: Instant,
        stream: &Arc<Stream>,
        sequence: u64,
        header: &Header,
        envelope: &Envelope<'_>,
        batch: &RowBatch,
    ) -> bool {
        if stream.is_parked() {
            // Still without credentials.
            self.parked.probe_failed(stream, now);
            return false;
        }
        let parked = self.parked.stop(stream, envelope.identity, now);
        let mut draft = Draft::new(envelope, batch, parked.id(), header.flags);
        draft.header.appended_ms = header.appended_ms;
        self.parked.gather(Gathered {
            draft,
            main: stream.clone(),
            sequence,
            settles: Settles::All,
        });
        stream.pass_over(sequence + 1);
        if self.parked.is_full() {
            self.flush_parked();
        }
        true
    }

    /// Makes gathered rows safe among the parked ones, and settles them where they were.
    pub fn flush_parked(&mut self) {
        if self.parked.gathered.is_empty() {
            return;
        }
        self.retry_parking(Instant::now());
        if !self.parked.unparked.is_empty() {
            // Rows of a principal keep their order: these wait for those before them.
            return;
        }
        let gathered = std::mem::take(&mut self.parked.gathered);
        self.parked.gathered_bytes = 0;
        self.park(gathered);
    }

    /// Tries again to park what could not be parked.
    pub fn retry_parking(&mut self, now: Instant) {
        if self.parked.unparked.is_empty() || self.parked.retry_at > now {
            return;
        }
        for gathered in std::mem::take(&mut self.parked.unparked) {
            for gathered in &gathered {
                let progress = self.main.progress_of(&gathered.main);
                progress.set_unkept(gathered.sequence, false);
            }
            self.park(gathered);
        }
    }

    fn park(&mut self, mut gathered: Vec<Gathered>) {
        let mut drafts: Vec<&mut Draft> = gathered
            .iter_mut()
            .map(|gathered| &mut gathered.draft)
            .collect();
        if let Err(error) = self.parked.appender.append(&mut drafts) {
            tracing::error!(%error, "rows cannot be parked yet; they stay where they are as well");
            for gathered in &gathered {
                let progress = self.main.progress_of(&gathered.main);
                progress.set_unkept(gathered.sequence, true);
            }
            self.parked.unparked.push(gathered);
            self.parked.retry_at = Instant::now() + RETRY;
            return;
        }
        for Gathered {
            draft,
            main,
            sequence,
            settles,
        } in gathered
        {
            self.space.use_without_room(draft.bytes.len() as u64);
            if let Some(parked) = self.parked.fed.store.known_stream(draft.header.stream) {
                parked.appended_for_feeder(draft.header.stream_sequence);
            }
            let progress = self.main.progress_of(&main);
            match settles {
                Settles::All => progress.settle(sequence),
                Settles::Rows(record, rows) => progress.settle_rows(&record, &rows),
            }
        }
    }
}
