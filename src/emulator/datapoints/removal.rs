//! `POST /timeseries/data/delete`: deleting datapoints by time range.
//!
//! Owns the call. Without an end only the single timestamp is deleted. All or nothing.

use super::given::check_timestamp;
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use crate::emulator::reference::{InstanceId, Reference};
use crate::emulator::time_series::find_all;
use serde::Deserialize;

const RANGES_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
struct DeleteRequest {
    items: Vec<DeleteRange>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteRange {
    id: Option<i64>,
    external_id: Option<String>,
    instance_id: Option<InstanceId>,
    inclusive_begin: i64,
    exclusive_end: Option<i64>,
}

/// Deletes the points of time ranges.
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<DeleteRequest>()?.items;
    check_items("time ranges", items.len(), RANGES_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    let mut references = Vec::with_capacity(items.len());
    let mut ranges = Vec::with_capacity(items.len());
    for item in items {
        check_timestamp(item.inclusive_begin)?;
        let end = item.exclusive_end.unwrap_or(item.inclusive_begin + 1);
        if end <= item.inclusive_begin {
            return Err(Refusal::invalid(format!(
                "exclusiveEnd {end} has to be after inclusiveBegin {}",
                item.inclusive_begin
            )));
        }
        references.push(Reference::from_fields(
            item.id,
            item.external_id,
            item.instance_id,
        )?);
        ranges.push(item.inclusive_begin..end);
    }
    call.tally.keys = references.iter().take(16).map(Reference::label).collect();
    let found = find_all(call, &references, false)?;
    for (series, range) in found.into_iter().flatten().zip(ranges) {
        series.points().remove(range);
    }
    Ok(Answer::empty())
}
