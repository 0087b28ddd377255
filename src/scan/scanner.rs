//! Where scans begin.
//!
//! Owns what all scans of one thread share: connections to CDF, the place among those who are
//! paced, the terms of repeats. Cheap to clone; make one for each runtime, as connections belong
//! to it. Never reads by itself.

use super::memory::ScanMemory;
use super::paced::PacedReader;
use super::plan::{Scan, planned};
use super::rows::ScanRows;
use super::tally::Tally;
use crate::catalog::Resource;
use crate::cdf::{CdfClient, Identity};
use crate::config::RetrySettings;
use crate::pipeline::pacing::Pacing;
use crate::telemetry::ScanMeters;
use std::sync::Arc;

/// Reads tables of CDF.
#[derive(Clone, Debug)]
pub struct Scanner {
    reader: Arc<PacedReader>,
    meters: Arc<[(Resource, ScanMeters)]>,
}

impl Scanner {
    /// A scanner that keeps to the budgets of `pacing`, repeats as `retry` says, and holds pages
    /// in `memory`.
    pub fn new(
        client: CdfClient,
        pacing: &Arc<Pacing>,
        retry: RetrySettings,
        memory: ScanMemory,
    ) -> Self {
        Scanner {
            reader: Arc::new(PacedReader::new(client, pacing, retry, memory)),
            meters: (Resource::ALL.iter())
                .map(|resource| (*resource, ScanMeters::of(*resource)))
                .collect(),
        }
    }

    /// Starts a scan with the rights of `identity`. Nothing is asked of CDF before the first
    /// [`ScanRows::next_chunk`]; dropping the rows ends it.
    pub fn begin(&self, identity: Arc<Identity>, scan: &Scan) -> ScanRows {
        let resource = scan.table.resource;
        let known = self.meters.iter().find(|(known, _)| *known == resource);
        let meters = known.map_or_else(|| ScanMeters::of(resource), |(_, meters)| meters.clone());
        let (reader, tally) = (self.reader.clone(), Tally::new(meters));
        ScanRows::new(reader, identity, scan, planned(scan), tally)
    }
}
