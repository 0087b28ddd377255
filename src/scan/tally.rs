//! What a scan has cost.
//!
//! Owns the counts of one scan. Promises that every attempt counts, whatever came of it. Never
//! counts what was not asked of CDF.

use crate::telemetry::ScanMeters;
use std::sync::atomic::{AtomicU64, Ordering};

/// What was read, so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanFigures {
    pub rows: u64,
    /// Requests to CDF, repeats included.
    pub requests: u64,
    /// Bytes of the bodies of its answers.
    pub answer_bytes: u64,
}

/// The counts of one scan, for those who read its pages.
#[derive(Debug)]
pub(super) struct Tally {
    requests: AtomicU64,
    answer_bytes: AtomicU64,
    /// Of the resource, over all scans.
    meters: ScanMeters,
}

impl Tally {
    pub fn new(meters: ScanMeters) -> Self {
        Tally {
            requests: AtomicU64::new(0),
            answer_bytes: AtomicU64::new(0),
            meters,
        }
    }

    /// A request is sent.
    pub fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.meters.requests.increment(1);
    }

    /// An answer of so many bytes was read.
    pub fn answered(&self, bytes: u64) {
        self.answer_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.meters.answer_bytes.increment(bytes);
    }

    /// So many rows came of an answer.
    pub fn gave(&self, rows: u64) {
        self.meters.rows.increment(rows);
    }

    /// The counts, of a scan that has read `rows`.
    pub fn figures(&self, rows: u64) -> ScanFigures {
        ScanFigures {
            rows,
            requests: self.requests.load(Ordering::Relaxed),
            answer_bytes: self.answer_bytes.load(Ordering::Relaxed),
        }
    }
}
