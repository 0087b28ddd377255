//! `POST /timeseries/data/latest`: the last point of each series.
//!
//! Owns the call: at most one point per item, strictly before `before`.

use super::points::StatusFilter;
use super::times::TimeExpression;
use super::view::ListedSeries;
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::clock;
use crate::emulator::json::check_items;
use crate::emulator::reference::{InstanceId, Reference};
use crate::emulator::time_series::find_all;
use serde::Deserialize;

const QUERIES_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LatestRequest {
    items: Vec<LatestQuery>,
    ignore_unknown_ids: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LatestQuery {
    id: Option<i64>,
    external_id: Option<String>,
    instance_id: Option<InstanceId>,
    before: Option<TimeExpression>,
    include_status: Option<bool>,
    ignore_bad_data_points: Option<bool>,
    treat_uncertain_as_bad: Option<bool>,
    target_unit: Option<String>,
    target_unit_system: Option<String>,
}

/// Reads the last point of each series.
pub fn latest(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = call.json::<LatestRequest>()?;
    check_items("queries", request.items.len(), QUERIES_MAX)?;
    call.tally.items = request.items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let references = request
        .items
        .iter()
        .map(|item| {
            Reference::from_fields(item.id, item.external_id.clone(), item.instance_id.clone())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let found = find_all(
        call,
        &references,
        request.ignore_unknown_ids.unwrap_or(false),
    )?;
    let now_ms = clock::now_ms();
    let mut listed = Vec::with_capacity(found.len());
    for (series, query) in found.into_iter().zip(&request.items) {
        if query.target_unit.is_some() || query.target_unit_system.is_some() {
            return Err(Refusal::invalid(
                "Unit conversion is not served by this local CDF",
            ));
        }
        let before = match &query.before {
            Some(time) => time.resolve(now_ms)?,
            None => now_ms,
        };
        let filter = StatusFilter {
            ignore_bad: query.ignore_bad_data_points.unwrap_or(true),
            uncertain_is_bad: query.treat_uncertain_as_bad.unwrap_or(true),
        };
        if let Some(series) = series {
            let points = series.points().last_before(before, filter);
            let include_status = query.include_status.unwrap_or(false);
            listed.push(ListedSeries::new(&series, points, None, include_status));
        }
    }
    let items: Vec<_> = listed.iter().map(ListedSeries::to_json).collect();
    Ok(Answer::items(200, &items))
}
