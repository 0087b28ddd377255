//! Creating, updating and deleting time series.
//!
//! Owns the checks that need more than one series: doubled external ids, data sets and assets
//! that have to exist. Security categories are kept as they are sent: the emulator does not
//! serve those.

use super::model::{NewTimeSeries, TimeSeries};
use super::{ITEMS_MAX, find_distinct};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::json::check_items;
use crate::emulator::reference::{Reference, ReferenceList, check_distinct};
use crate::emulator::update::UpdateList;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
struct CreateList {
    items: Vec<NewTimeSeries>,
}

/// `POST /timeseries`
pub fn create(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let items = call.json::<CreateList>()?.items;
    check_items("time series", items.len(), ITEMS_MAX)?;
    call.tally.items = items.len() as u64;
    call.consume(call.tally.items, 0)?;
    for new in &items {
        TimeSeries::create(1, new.clone(), 0).check()?;
    }
    let references: Vec<_> = items
        .iter()
        .filter_map(|new| new.external_id.clone().map(Reference::ExternalId))
        .collect();
    check_distinct(&references)?;
    call.tally.keys = references.iter().take(16).map(Reference::label).collect();
    let data_sets = items.iter().filter_map(|new| new.data_set_id);
    call.project.objects.check_data_sets(data_sets)?;
    let assets = items.iter().filter_map(|new| new.asset_id);
    call.project.objects.check_assets(assets)?;
    Ok(Answer::items(201, &call.project.time_series.create(items)?))
}

/// `POST /timeseries/update`
pub fn update(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let changes = call.json::<UpdateList>()?.check("time series", ITEMS_MAX)?;
    call.tally.items = changes.len() as u64;
    call.consume(call.tally.items, 0)?;
    let set_ids = |field: &'static str| {
        let fields = changes.iter().map(|change| &change.fields);
        fields.filter_map(move |fields| fields.get(field)?.get("set")?.as_i64())
    };
    let objects = &call.project.objects;
    objects.check_data_sets(set_ids("dataSetId"))?;
    objects.check_assets(set_ids("assetId"))?;
    if call.rights.is_some() {
        let references: Vec<_> = changes.iter().map(|one| one.reference.clone()).collect();
        let found = call.project.time_series.find_all(&references);
        let mut found = found.iter().flatten();
        found.try_for_each(|series| call.check_series(series))?;
    }
    Ok(Answer::items(
        200,
        &call.project.time_series.update(changes)?,
    ))
}

/// `POST /timeseries/delete`
pub fn delete(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (references, ignore_unknown) = call
        .json::<ReferenceList>()?
        .check("time series", ITEMS_MAX)?;
    call.tally.items = references.len() as u64;
    call.consume(call.tally.items, 0)?;
    if references
        .iter()
        .any(|reference| matches!(reference, Reference::InstanceId(_)))
    {
        return Err(Refusal::invalid(
            "Time series of a data model are deleted by deleting their node",
        ));
    }
    let found = find_distinct(call, &references, ignore_unknown)?;
    let found: Vec<Arc<_>> = found.into_iter().flatten().collect();
    call.project.time_series.delete(&found);
    Ok(Answer::empty())
}
