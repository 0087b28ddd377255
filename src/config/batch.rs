//! `[batch.<resource>]`: how rows gather into requests.
//!
//! Owns the bounds of a request per resource. Promises defaults at CDF's own limits. Never
//! holds rates: those are in `limits.toml`.

use crate::catalog::Resource;
use serde::{Deserialize, Serialize};

/// Bounds of one request, and how long rows wait for company.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchSettings {
    /// Items per request: series for datapoints, rows for the others.
    pub items_max: usize,
    /// Datapoints per request; used by datapoints only.
    pub points_max: usize,
    /// Bytes of rows per request, before compression.
    pub bytes_max: usize,
    /// Milliseconds that rows wait for company when nobody waits for them.
    pub linger_ms: u64,
    /// Requests in flight at once, never above the limit in `limits.toml`.
    pub in_flight_max: usize,
    /// gzip bodies of at least this many bytes; 0: never.
    pub gzip_bytes_min: usize,
}

impl Default for BatchSettings {
    fn default() -> Self {
        BatchSettings {
            items_max: 1000,
            points_max: 100_000,
            bytes_max: 4 << 20,
            linger_ms: 50,
            in_flight_max: 4,
            gzip_bytes_min: 0,
        }
    }
}

/// CDF's bounds of one write request, from its API specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestBounds {
    pub items: usize,
    /// Datapoints; `None` where a request holds none.
    pub points: Option<usize>,
}

impl RequestBounds {
    /// The bounds of `resource`: datapoints 10,000 series and 100,000 points, RAW and sequences
    /// 10,000 rows, data sets 10, files and runs one, everything else 1,000 items.
    pub const fn of(resource: Resource) -> Self {
        match resource {
            Resource::Datapoints => RequestBounds {
                items: 10_000,
                points: Some(100_000),
            },
            Resource::RawRows | Resource::SequenceRows => RequestBounds {
                items: 10_000,
                points: None,
            },
            Resource::DataSets => RequestBounds {
                items: 10,
                points: None,
            },
            Resource::Files | Resource::ExtractionPipelineRuns => RequestBounds {
                items: 1,
                points: None,
            },
            _ => RequestBounds {
                items: 1000,
                points: None,
            },
        }
    }
}

/// The settings of every resource.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchTable {
    pub datapoints: BatchSettings,
    pub raw_rows: BatchSettings,
    pub raw_tables: BatchSettings,
    pub time_series: BatchSettings,
    pub assets: BatchSettings,
    pub events: BatchSettings,
    pub files: BatchSettings,
    pub labels: BatchSettings,
    pub relationships: BatchSettings,
    pub sequences: BatchSettings,
    pub sequence_rows: BatchSettings,
    pub extraction_pipelines: BatchSettings,
    pub extraction_pipeline_runs: BatchSettings,
    pub data_sets: BatchSettings,
    pub instances: BatchSettings,
}

impl Default for BatchTable {
    fn default() -> Self {
        BatchTable {
            // 10,000 series and 100,000 points a request: cdf insert limits.
            datapoints: BatchSettings {
                items_max: 10_000,
                ..BatchSettings::default()
            },
            // 10,000 rows a request; RAW guards its budget by bytes.
            raw_rows: BatchSettings {
                items_max: 10_000,
                ..BatchSettings::default()
            },
            raw_tables: BatchSettings::default(),
            time_series: BatchSettings::default(),
            // 23 requests in flight per identity: what CDF publishes for assets.
            assets: BatchSettings {
                in_flight_max: 23,
                ..BatchSettings::default()
            },
            // 30 requests in flight per identity: what CDF publishes for events.
            events: BatchSettings {
                in_flight_max: 30,
                ..BatchSettings::default()
            },
            // One file a request: many requests, then.
            files: BatchSettings {
                items_max: 1,
                in_flight_max: 16,
                ..BatchSettings::default()
            },
            labels: BatchSettings::default(),
            relationships: BatchSettings::default(),
            sequences: BatchSettings::default(),
            sequence_rows: BatchSettings {
                items_max: 10_000,
                ..BatchSettings::default()
            },
            extraction_pipelines: BatchSettings::default(),
            // One run a request.
            extraction_pipeline_runs: BatchSettings {
                items_max: 1,
                in_flight_max: 8,
                ..BatchSettings::default()
            },
            data_sets: BatchSettings {
                items_max: 10,
                ..BatchSettings::default()
            },
            // 4 requests in flight per project: what CDF publishes for instances.
            instances: BatchSettings::default(),
        }
    }
}

impl BatchTable {
    /// The settings of `resource`.
    pub fn of(&self, resource: Resource) -> &BatchSettings {
        match resource {
            Resource::Datapoints => &self.datapoints,
            Resource::RawRows => &self.raw_rows,
            Resource::RawTables => &self.raw_tables,
            Resource::TimeSeries => &self.time_series,
            Resource::Assets => &self.assets,
            Resource::Events => &self.events,
            Resource::Files => &self.files,
            Resource::Labels => &self.labels,
            Resource::Relationships => &self.relationships,
            Resource::Sequences => &self.sequences,
            Resource::SequenceRows => &self.sequence_rows,
            Resource::ExtractionPipelines => &self.extraction_pipelines,
            Resource::ExtractionPipelineRuns => &self.extraction_pipeline_runs,
            Resource::DataSets => &self.data_sets,
            Resource::Instances => &self.instances,
        }
    }
}
