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
    /// The bounds of `resource`: datapoints 10,000 series and 100,000 points, RAW 10,000 rows,
    /// everything else 1,000 items.
    pub const fn of(resource: Resource) -> Self {
        match resource {
            Resource::Datapoints => RequestBounds {
                items: 10_000,
                points: Some(100_000),
            },
            Resource::RawRows => RequestBounds {
                items: 10_000,
                points: None,
            },
            Resource::RawTables | Resource::TimeSeries => RequestBounds {
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
        }
    }
}
