//! The thread that writes: everything that came while the disk was busy goes in one write and
//! one sync.
//!
//! Owns the appender of the store of acknowledged rows. Promises that a statement hears of its
//! rows only after they are safe, and after they have their place in the order of delivery; and
//! that a full disk is waited out or told, as the operator decided. Never waits for CDF.

use super::appender::{AppendError, Appender};
use super::entry::Entry;
use super::record::{Header, MAKES_DOUBLES};
use super::record_in_flight::{Events, RecordInFlight, RecordName};
use super::space::{Space, disk_full};
use super::store::Store;
use super::stream::Stream;
use crate::catalog::Table;
use crate::cdf::Identity;
use crate::config::FullJournal;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::pipeline::{Intake, JOURNAL_CONNECTION, Submission, TicketPart};
use crate::rows::RowBatch;
use crate::telemetry::JournalMeters;
use crossbeam::channel::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of one write at most: what comes then waits for the next sync.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// Records of one write at most.
const GROUP_RECORDS_MAX: usize = 16_384;

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_millis(100);

/// What the writer is told.
#[derive(Debug)]
pub enum Work {
    Append(Box<Entry>),
    /// Close the segment, so that it can be deleted.
    Seal,
    Stop,
}

/// The thread's state.
pub struct Writer {
    pub appender: Appender,
    pub store: Arc<Store>,
    pub space: Arc<Space>,
    pub intake: Intake,
    pub events: Arc<Events>,
    pub meters: JournalMeters,
    pub work: Receiver<Work>,
    /// The gateway ends: a full disk is not waited for any more.
    pub is_stopping: Arc<AtomicBool>,
}

impl Writer {
    /// Works until it is told to stop, or nobody can tell it anything any more.
    pub fn run(mut self) {
        let mut group: Vec<Entry> = Vec::new();
        while let Ok(work) = self.work.recv() {
            let mut goes_on = self.take(work, &mut group);
            let mut bytes: usize = group.iter().map(|entry| entry.draft.bytes.len()).sum();
            while goes_on && bytes < GROUP_BYTES_MAX && group.len() < GROUP_RECORDS_MAX {
                let Ok(work) = self.work.try_recv() else {
                    break;
                };
                goes_on = self.take(work, &mut group);
                bytes += group.last().map_or(0, |entry| entry.draft.bytes.len());
            }
            self.write(&mut group);
            if !goes_on {
                break;
            }
        }
        self.appender.seal();
    }

    /// Tells whether to go on after this.
    fn take(&mut self, work: Work, group: &mut Vec<Entry>) -> bool {
        match work {
            Work::Append(entry) => group.push(*entry),
            Work::Seal => self.appender.seal(),
            Work::Stop => return false,
        }
        true
    }

    /// Makes the group safe and answers it; the group is empty afterwards.
    fn write(&mut self, group: &mut Vec<Entry>) {
        loop {
            // Nobody was told that these are safe, and nobody wants to be.
            group.retain(|entry| !entry.submission.part.is_aborted());
            if group.is_empty() {
                self.note_disk(false);
                return;
            }
            for entry in group.iter() {
                // Records find the numbers of their stream by it.
                let project = &entry.submission.identity.project;
                let resource = entry.table.resource;
                let stream = self.store.stream(entry.draft.header.stream, || {
                    format!(
                        "{} of {} at {}",
                        resource.name(),
                        project.name,
                        project.base_url
                    )
                });
                if resource.is_referred_to() && !stream.is_making_objects() {
                    let (intake, project) = (self.intake.clone(), project.clone());
                    stream.makes_objects(move || intake.begin_creation(&project, resource));
                }
            }
            let appended_ms = now_ms();
            let mut drafts = Vec::with_capacity(group.len());
            for entry in group.iter_mut() {
                entry.draft.header.appended_ms = appended_ms;
                drafts.push(&mut entry.draft);
            }
            match self.appender.append(&mut drafts) {
                Ok(took) => {
                    self.note_disk(false);
                    self.meters.sync_seconds.record(took);
                    self.meters.group_records.record(group.len() as f64);
                    for entry in group.drain(..) {
                        self.safe(entry);
                    }
                    return;
                }
                Err(AppendError::Full(error)) => {
                    self.note_disk(true);
                    let waits = self.space.when_full() == FullJournal::Wait
                        && !self.is_stopping.load(Ordering::Acquire);
                    if !waits {
                        tracing::warn!(%error, "rows are refused: the journal's disk is full");
                        refuse(group, &disk_full());
                        return;
                    }
                    self.wait_for_disk(group);
                }
                Err(AppendError::Failed(error)) => {
                    self.meters.failures.increment(1);
                    tracing::error!(%error, "rows cannot be journaled: the disk fails");
                    refuse(group, &disk_failed(&error));
                    return;
                }
            }
        }
    }

    /// Records are safe: their rows go on, then their statements are answered.
    fn safe(&mut self, entry: Entry) {
        let Entry {
            draft,
            submission,
            table,
            user,
            room,
        } = entry;
        let header = draft.header;
        self.space.use_room(room, draft.bytes.len() as u64);
        self.meters.records.increment(1);
        self.meters
            .appended_bytes
            .increment(draft.bytes.len() as u64);
        let Submission {
            identity,
            batch,
            permit,
            part: statement,
            ..
        } = submission;
        let rows = batch.rows() as u64;
        if let Some(stream) = self.store.known_stream(header.stream) {
            self.hand_over(&stream, &header, identity, batch, user, table);
            if stream.is_behind() {
                self.events.wake();
            }
        }
        statement.accept(rows);
        drop(permit);
    }

    /// Hands rows that are safe over from memory, if it is their turn.
    fn hand_over(
        &self,
        stream: &Arc<Stream>,
        header: &Header,
        identity: Arc<Identity>,
        batch: RowBatch,
        user: Arc<str>,
        table: &'static Table,
    ) {
        if header.flags & MAKES_DOUBLES != 0 {
            stream.appended_for_feeder(header.stream_sequence);
            return;
        }
        let rows = batch.rows() as u64;
        let name = identity.name.clone();
        stream.appended(header.stream_sequence, &name, batch.bytes(), |permit| {
            let name = Arc::new(RecordName {
                stream: stream.clone(),
                sequence: header.stream_sequence,
                record: header.sequence,
                rows,
                user,
                table,
                appended_ms: header.appended_ms,
                selection: None,
            });
            let record = RecordInFlight::new(name, rows, self.events.clone());
            let submission = Submission {
                identity,
                batch,
                permit,
                part: TicketPart::of_record(Box::new(record)),
                connection: JOURNAL_CONNECTION,
                ticket_waits: false,
                sent_before: None,
            };
            self.intake.submit(table.resource, submission);
        });
    }

    /// Waits a little for room on the disk, and takes in what comes meanwhile.
    fn wait_for_disk(&mut self, group: &mut Vec<Entry>) {
        match self.work.recv_timeout(FULL_RETRY) {
            Ok(Work::Append(entry)) => group.push(*entry),
            Ok(Work::Seal) => self.appender.seal(),
            // The sender said so by the flag as well.
            Ok(Work::Stop) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }

    fn note_disk(&self, is_full: bool) {
        if self.space.is_disk_full() == is_full {
            return;
        }
        self.space.set_disk_full(is_full);
        self.meters.disk_full.set(if is_full { 1.0 } else { 0.0 });
        if is_full {
            tracing::error!("the journal's disk is full");
        } else {
            tracing::info!("the journal's disk has room again");
        }
    }
}

/// The rows are not in the journal, or not surely: their statements fail.
fn refuse(group: &mut Vec<Entry>, reason: &Diagnostic) {
    for entry in group.drain(..) {
        let submission = &entry.submission;
        let rows = submission.batch.rows() as u64;
        let first = submission.batch.row_number(0);
        if reason.sqlstate == SqlState::STATEMENT_COMPLETION_UNKNOWN {
            submission.part.unknown(rows, first, reason);
        } else {
            submission.part.fail(rows, first, reason);
        }
    }
}

fn disk_failed(error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(
        SqlState::STATEMENT_COMPLETION_UNKNOWN,
        format!("the journal's disk failed: {error}"),
    )
    .with_hint("After a restart of the gateway the rows may or may not be delivered.")
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}
