//! Time series: what describes a series of datapoints.
//!
//! `model` owns the fields and their limits, `store` the series of a project and their
//! identifiers, `changes` the creating and updating, `listing` the reading.

mod changes;
mod listing;
mod model;
mod store;

pub use changes::{create, delete, update};
pub use listing::{by_ids, list};
pub use model::{NewTimeSeries, TimeSeries};
pub use store::{Series, TimeSeriesStore};

use super::answer::Refusal;
use super::call::Call;
use super::reference::{Reference, refuse_doubled};
use std::collections::HashSet;
use std::sync::Arc;

/// Most series per create, update, delete and byids call.
const ITEMS_MAX: usize = 1_000;

/// Looks up references in their order. Unknown ones are a 400 with `missing`, or `None`
/// with `ignore_unknown`; in sink mode every series exists.
pub fn find_all(
    call: &Call<'_>,
    references: &[Reference],
    ignore_unknown: bool,
) -> Result<Vec<Option<Arc<Series>>>, Refusal> {
    let mut found = call.project.time_series.find_all(references);
    let mut missing = Vec::new();
    for (place, reference) in found.iter_mut().zip(references) {
        if place.is_none() && call.sink() {
            *place = Some(Arc::new(Series::imagined(reference)));
        }
        if place.is_none() {
            missing.push(reference.to_json());
        }
    }
    for series in found.iter().flatten() {
        call.check_series(series)?;
    }
    if missing.is_empty() || ignore_unknown {
        return Ok(found);
    }
    Err(Refusal::UnknownReferences {
        message: "Time series not found".to_owned(),
        missing,
    })
}

/// The same, for calls that may name each series only once: two references to one series
/// (its id and its external id, say) are a 422.
pub fn find_distinct(
    call: &Call<'_>,
    references: &[Reference],
    ignore_unknown: bool,
) -> Result<Vec<Option<Arc<Series>>>, Refusal> {
    let found = find_all(call, references, ignore_unknown)?;
    let mut seen = HashSet::with_capacity(found.len());
    let doubled = found
        .iter()
        .zip(references)
        .filter(|(series, _)| {
            series
                .as_ref()
                .is_some_and(|series| !seen.insert(series.id))
        })
        .map(|(_, reference)| reference.to_json())
        .collect();
    refuse_doubled(doubled)?;
    Ok(found)
}
