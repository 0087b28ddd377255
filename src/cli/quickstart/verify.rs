//! The far side of the quickstart: everything read back through CDF's API and compared.
//!
//! Owns the comparison, row by row, with the sample. Promises to count a missing and a
//! different row alike. Never writes.

use super::sample::{RAW_DATABASE, RAW_TABLE, Sample};
use crate::cdf::{AttemptFailure, CdfClient, Identity};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What CDF has of what was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    pub rows: u64,
    /// Rows that are not what the sample says, or that it does not have.
    pub different: u64,
}

/// Reads every series of the sample.
///
/// # Errors
/// CDF's answer to a page that failed.
pub async fn datapoints(
    client: &CdfClient,
    identity: &Identity,
    sample: &Sample,
) -> Result<Found, AttemptFailure> {
    let mut found = Found::default();
    let times_ms = sample.timestamp_ms(0)..sample.timestamp_ms(sample.points_per_series);
    for index in 0..sample.series {
        let external_id = sample.series(index).external_id;
        let mut point = 0;
        client
            .read_doubles(
                identity,
                &external_id,
                times_ms.clone(),
                |timestamp, value| {
                    let expected = (sample.timestamp_ms(point), sample.value(index, point));
                    if (timestamp, value) != expected {
                        found.different += 1;
                    }
                    found.rows += 1;
                    point += 1;
                },
            )
            .await?;
    }
    Ok(found)
}

/// Reads the RAW table of the sample.
///
/// # Errors
/// CDF's answer to a page that failed.
pub async fn raw_rows(
    client: &CdfClient,
    identity: &Identity,
    sample: &Sample,
) -> Result<Found, AttemptFailure> {
    let mut found = Found::default();
    client
        .read_raw_rows(identity, RAW_DATABASE, RAW_TABLE, |key, columns| {
            found.rows += 1;
            let row = key
                .strip_prefix("WO-")
                .and_then(|number| number.parse::<usize>().ok())
                .and_then(|number| number.checked_sub(1));
            let same =
                row.is_some_and(|row| row < sample.raw_rows && sample.raw_columns(row) == *columns);
            if !same {
                found.different += 1;
            }
        })
        .await?;
    Ok(found)
}

/// What the emulator counted, by operation.
#[derive(Deserialize)]
struct Statistics {
    operations: BTreeMap<String, Figures>,
}

#[derive(Deserialize)]
struct Figures {
    accepted: u64,
}

/// Requests of `operation` that the local CDF accepted; 0 where it cannot be asked, since the
/// figure is only shown.
pub async fn requests(cdf_url: &str, operation: &str) -> u64 {
    let Ok(response) = reqwest::get(format!("{cdf_url}/_emulator/statistics")).await else {
        return 0;
    };
    let Ok(body) = response.bytes().await else {
        return 0;
    };
    serde_json::from_slice::<Statistics>(&body)
        .ok()
        .and_then(|statistics| statistics.operations.get(operation).map(|f| f.accepted))
        .unwrap_or(0)
}
