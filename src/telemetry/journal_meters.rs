//! What the journal counts.
//!
//! Owns the handles. Promises that every metric exists from the start, at zero. Never reads a
//! clock.

use super::names;
use metrics::{Counter, Gauge, Histogram};

/// The journal's metrics.
#[derive(Clone, Debug)]
pub struct JournalMeters {
    pub bytes: Gauge,
    pub bytes_max: Gauge,
    pub segments: Gauge,
    pub records: Counter,
    pub appended_bytes: Counter,
    pub group_records: Histogram,
    pub sync_seconds: Histogram,
    pub failures: Counter,
    pub disk_full: Gauge,
    /// Records that wait for the feeder.
    pub backlog_records: Gauge,
    pub oldest_seconds: Gauge,
    pub damaged_rows: Counter,
    pub damages: Counter,
    pub rejected_rows: Counter,
    pub parked_bytes: Gauge,
    pub identities_stopped: Gauge,
}

impl JournalMeters {
    pub fn new() -> Self {
        JournalMeters {
            bytes: names::JOURNAL_BYTES.gauge(&[]),
            bytes_max: names::JOURNAL_BYTES_MAX.gauge(&[]),
            segments: names::JOURNAL_SEGMENTS.gauge(&[]),
            records: names::JOURNAL_RECORDS.counter(&[]),
            appended_bytes: names::JOURNAL_APPENDED.counter(&[]),
            group_records: names::JOURNAL_GROUP_RECORDS.histogram(&[]),
            sync_seconds: names::JOURNAL_SYNC.histogram(&[]),
            failures: names::JOURNAL_FAILURES.counter(&[]),
            disk_full: names::JOURNAL_DISK_FULL.gauge(&[]),
            backlog_records: names::JOURNAL_BACKLOG.gauge(&[]),
            oldest_seconds: names::JOURNAL_OLDEST.gauge(&[]),
            damaged_rows: names::JOURNAL_DAMAGED_ROWS.counter(&[]),
            damages: names::JOURNAL_DAMAGES.counter(&[]),
            rejected_rows: names::JOURNAL_REJECTED_ROWS.counter(&[]),
            parked_bytes: names::JOURNAL_PARKED.gauge(&[]),
            identities_stopped: names::JOURNAL_IDENTITIES_STOPPED.gauge(&[]),
        }
    }
}

impl Default for JournalMeters {
    fn default() -> Self {
        Self::new()
    }
}
