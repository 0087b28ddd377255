//! A record whose rows are in the pipeline, and what becomes of them.
//!
//! Owns the way of verdicts from the pipeline to the feeder. Promises that every record that was
//! handed over is reported once when its rows are gone from the pipeline, with a verdict for all
//! of them or not. Never blocks and never locks: it is called from the threads that talk to CDF.

use super::stream::Stream;
use crate::catalog::Table;
use crate::diagnostic::Diagnostic;
use crate::pipeline::{JournalRecord, RejectedFate, RowVerdict, Submission};
use crossbeam::queue::SegQueue;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;

/// Which record, and whose.
#[derive(Clone, Debug)]
pub struct RecordName {
    pub stream: Arc<Stream>,
    /// In its stream.
    pub sequence: u64,
    /// In the journal.
    pub record: u64,
    pub rows: u64,
    pub user: Arc<str>,
    pub table: &'static Table,
    pub appended_ms: i64,
    /// Where only some rows of the record were handed over, which: row i of the batch is row
    /// `selection[i]`.
    pub selection: Option<Arc<[u32]>>,
}

impl RecordName {
    /// The rows of the record that these rows of the batch are, as ranges.
    pub fn record_rows(&self, rows: &Range<usize>) -> Vec<Range<u64>> {
        match &self.selection {
            None => std::iter::once(rows.start as u64..rows.end as u64).collect(),
            Some(selection) => selection[rows.clone()]
                .iter()
                .map(|row| u64::from(*row)..u64::from(*row) + 1)
                .collect(),
        }
    }
}

/// What the feeder is told.
#[derive(Debug)]
pub enum Event {
    /// Some rows of a record, not all, are settled.
    RowsSettled {
        record: Arc<RecordName>,
        rows: Range<usize>,
    },
    /// Rows that will never be in CDF, or of which nobody knows.
    Rejected {
        record: Arc<RecordName>,
        /// Keeps the rows, and the record in the pipeline, until the feeder is done.
        submission: Arc<Submission>,
        rows: Range<usize>,
        fate: RejectedFate,
        reason: Box<Diagnostic>,
    },
    /// CDF does not let this identity write.
    Stopped {
        record: Arc<RecordName>,
        submission: Arc<Submission>,
        rows: Range<usize>,
        reason: Box<Diagnostic>,
    },
    /// CDF still does not let the principal of parked rows write.
    ProbeFailed {
        stream: Arc<Stream>,
        reason: Box<Diagnostic>,
    },
    /// The record has left the pipeline.
    Ended {
        stream: Arc<Stream>,
        sequence: u64,
        /// Every row has its verdict, or its event with one.
        is_settled: bool,
    },
}

/// Where events gather until the feeder takes them.
#[derive(Debug, Default)]
pub struct Events {
    queue: SegQueue<Event>,
    /// The feeder should look now, not when it would by itself.
    is_urgent: AtomicBool,
    feeder: std::sync::OnceLock<Thread>,
}

impl Events {
    pub fn push(&self, event: Event) {
        let is_urgent = match &event {
            Event::RowsSettled { .. } => false,
            Event::Rejected { .. } | Event::Stopped { .. } | Event::ProbeFailed { .. } => true,
            Event::Ended {
                stream, is_settled, ..
            } => !is_settled || stream.is_behind() || stream.has_holds(),
        };
        self.queue.push(event);
        if is_urgent {
            self.wake();
        }
    }

    pub fn pop(&self) -> Option<Event> {
        self.queue.pop()
    }

    /// The feeder says where it is.
    pub fn served_by(&self, feeder: Thread) {
        // Only one feeder is started.
        let _ = self.feeder.set(feeder);
    }

    /// Lets the feeder look at once.
    pub fn wake(&self) {
        if !self.is_urgent.swap(true, Ordering::AcqRel)
            && let Some(feeder) = self.feeder.get()
        {
            feeder.unpark();
        }
    }

    /// Sleeps until somebody wakes the feeder or `timeout` has passed.
    pub fn sleep(&self, timeout: std::time::Duration) {
        if !self.is_urgent.swap(false, Ordering::AcqRel) {
            std::thread::park_timeout(timeout);
            self.is_urgent.store(false, Ordering::Release);
        }
    }
}

/// The part of a submission that stands for its record.
#[derive(Debug)]
pub struct RecordInFlight {
    name: Arc<RecordName>,
    /// Rows without a verdict.
    open: AtomicU64,
    events: Arc<Events>,
}

impl RecordInFlight {
    /// For `rows` rows that are handed over.
    pub fn new(name: Arc<RecordName>, rows: u64, events: Arc<Events>) -> Self {
        name.stream.began();
        RecordInFlight {
            name,
            open: AtomicU64::new(rows),
            events,
        }
    }
}

impl JournalRecord for RecordInFlight {
    fn is_parked(&self) -> bool {
        self.name.stream.is_parked()
    }

    fn settled(&self, submission: &Arc<Submission>, rows: Range<usize>, verdict: &RowVerdict) {
        let count = rows.len() as u64;
        let record = self.name.clone();
        let event = match verdict {
            // Not sent, and nobody has refused it: it stays open and comes again.
            RowVerdict::Failed(_) => return,
            // Parked rows stay where they are; the feeder hears that the probe has failed.
            RowVerdict::Stopped(reason) if record.stream.is_parked() => {
                self.events.push(Event::ProbeFailed {
                    stream: record.stream.clone(),
                    reason: reason.clone(),
                });
                return;
            }
            RowVerdict::Accepted | RowVerdict::Skipped => {
                self.open.fetch_sub(count, Ordering::AcqRel);
                if count != self.name.rows {
                    self.events.push(Event::RowsSettled { record, rows });
                }
                return;
            }
            RowVerdict::Rejected(reason) => Event::Rejected {
                record,
                submission: submission.clone(),
                rows,
                fate: RejectedFate::Refused,
                reason: reason.clone(),
            },
            RowVerdict::Unknown(reason) => Event::Rejected {
                record,
                submission: submission.clone(),
                rows,
                fate: RejectedFate::Unknown,
                reason: reason.clone(),
            },
            RowVerdict::Stopped(reason) => {
                // At once: what comes behind must not be handed over any more.
                record.stream.stop_for(&submission.identity.name);
                Event::Stopped {
                    record,
                    submission: submission.clone(),
                    rows,
                    reason: reason.clone(),
                }
            }
        };
        self.open.fetch_sub(count, Ordering::AcqRel);
        self.events.push(event);
    }
}

impl Drop for RecordInFlight {
    fn drop(&mut self) {
        let is_settled = self.open.load(Ordering::Acquire) == 0;
        let stream = &self.name.stream;
        if !is_settled {
            stream.returned();
        }
        self.events.push(Event::Ended {
            stream: stream.clone(),
            sequence: self.name.sequence,
            is_settled,
        });
        // Last: who finds no record open finds all their events.
        stream.ended();
    }
}
