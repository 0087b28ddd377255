//! Reading time series: by reference, and as filtered pages.
//!
//! Owns the filters and the paging. Pages follow the ids; a cursor is the last id of its
//! page, so that series created in between never shift a page.

use super::model::TimeSeries;
use super::{ITEMS_MAX, find_distinct};
use crate::emulator::answer::{Answer, Refusal};
use crate::emulator::call::Call;
use crate::emulator::cursor;
use crate::emulator::metadata::Metadata;
use crate::emulator::objects::{ObjectKind, Objects};
use crate::emulator::partition::Partition;
use crate::emulator::query::Query;
use crate::emulator::reference::{InstanceId, Reference, ReferenceList};
use serde::Deserialize;

const PAGE_DEFAULT: i64 = 100;
const PAGE_MAX: i64 = 1_000;
const CURSOR: &str = "time_series";

/// `POST /timeseries/byids`
pub fn by_ids(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let (references, ignore_unknown) = call
        .json::<ReferenceList>()?
        .check("time series", ITEMS_MAX)?;
    call.tally.items = references.len() as u64;
    call.consume(call.tally.items, 0)?;
    let found: Vec<TimeSeries> = find_distinct(call, &references, ignore_unknown)?
        .into_iter()
        .flatten()
        .map(|series| series.description().clone())
        .collect();
    Ok(Answer::items(200, &found))
}

/// `GET /timeseries` and `POST /timeseries/list`
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = match call.bytes().as_ref() {
        [] => ListRequest::from_query(call.query)?,
        body => crate::emulator::json::read_object::<ListRequest>(body)?,
    };
    let limit = request.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Refusal::invalid(format!(
            "limit: must be from 1 to {PAGE_MAX}, got {limit}"
        )));
    }
    let after = match &request.cursor {
        Some(text) => cursor::decode(CURSOR, text)?,
        None => 0,
    };
    let partition = request
        .partition
        .as_deref()
        .map(|text| Partition::parse(text, None))
        .transpose()?;
    let filter = request.filter.unwrap_or_default();
    let data_sets = filter.resolve_data_sets(&call.project.objects);
    let mut page = Vec::new();
    let mut next_cursor = None;
    for series in call.project.time_series.after(after) {
        let fits = partition
            .as_ref()
            .is_none_or(|partition| partition.holds(series.id));
        if !fits
            || call.check_series(&series).is_err()
            || !filter.matches(&series.description(), data_sets.as_deref())
        {
            continue;
        }
        if page.len() as i64 == limit {
            next_cursor = page
                .last()
                .map(|last: &TimeSeries| cursor::encode(CURSOR, &last.id));
            break;
        }
        page.push(series.description().clone());
    }
    if !request.include_metadata.unwrap_or(true) {
        for series in &mut page {
            series.metadata = None;
        }
    }
    call.tally.items = page.len() as u64;
    Ok(Answer::page(200, &page, next_cursor))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListRequest {
    filter: Option<Filter>,
    limit: Option<i64>,
    cursor: Option<String>,
    partition: Option<String>,
    include_metadata: Option<bool>,
}

impl ListRequest {
    fn from_query(query: &Query) -> Result<Self, Refusal> {
        let asset_ids = query
            .get("assetIds")
            .map(|text| crate::emulator::json::read(text.as_bytes()))
            .transpose()?;
        Ok(Self {
            filter: Some(Filter {
                asset_ids,
                external_id_prefix: query.get("externalIdPrefix").map(str::to_owned),
                ..Filter::default()
            }),
            // As documented, GET gives 1000 at most whatever is asked for.
            limit: query.number("limit")?.map(|limit| limit.min(PAGE_MAX)),
            cursor: query.get("cursor").map(str::to_owned),
            partition: query.get("partition").map(str::to_owned),
            include_metadata: Some(query.flag("includeMetadata", true)?),
        })
    }
}

/// The filters that are served; others are refused by name.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    name: Option<String>,
    unit: Option<String>,
    unit_external_id: Option<String>,
    is_string: Option<bool>,
    is_step: Option<bool>,
    metadata: Option<Metadata>,
    asset_ids: Option<Vec<i64>>,
    data_set_ids: Option<Vec<DataSetReference>>,
    external_id_prefix: Option<String>,
    instance_id: Option<InstanceId>,
    created_time: Option<TimeRange>,
    last_updated_time: Option<TimeRange>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DataSetReference {
    id: Option<i64>,
    external_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeRange {
    min: Option<i64>,
    max: Option<i64>,
}

impl TimeRange {
    fn holds(&self, time_ms: i64) -> bool {
        self.min.is_none_or(|min| min <= time_ms) && self.max.is_none_or(|max| time_ms <= max)
    }
}

impl Filter {
    fn resolve_data_sets(&self, objects: &Objects) -> Option<Vec<i64>> {
        let references = self.data_set_ids.as_ref()?;
        let ids = references.iter().filter_map(|reference| {
            reference.id.or_else(|| {
                let external_id = reference.external_id.clone()?;
                objects.id_of(ObjectKind::DataSets, &Reference::ExternalId(external_id))
            })
        });
        Some(ids.collect())
    }

    fn matches(&self, series: &TimeSeries, data_sets: Option<&[i64]>) -> bool {
        fn same<T: PartialEq>(wanted: &Option<T>, found: Option<&T>) -> bool {
            wanted.as_ref().is_none_or(|wanted| found == Some(wanted))
        }
        let held = |wanted: Option<&[i64]>, found: Option<i64>| {
            wanted.is_none_or(|wanted| found.is_some_and(|found| wanted.contains(&found)))
        };
        same(&self.name, series.name.as_ref())
            && same(&self.unit, series.unit.as_ref())
            && same(&self.unit_external_id, series.unit_external_id.as_ref())
            && same(&self.is_string, Some(&series.is_string))
            && same(&self.is_step, Some(&series.is_step))
            && same(&self.instance_id, series.instance_id.as_ref())
            && held(self.asset_ids.as_deref(), series.asset_id)
            && held(data_sets, series.data_set_id)
            && self.metadata.iter().flatten().all(|(key, value)| {
                series.metadata.as_ref().and_then(|pairs| pairs.get(key)) == Some(value)
            })
            && self.external_id_prefix.as_ref().is_none_or(|prefix| {
                series
                    .external_id
                    .as_ref()
                    .is_some_and(|id| id.starts_with(prefix.as_str()))
            })
            && self
                .created_time
                .as_ref()
                .is_none_or(|range| range.holds(series.created_time))
            && self
                .last_updated_time
                .as_ref()
                .is_none_or(|range| range.holds(series.last_updated_time))
    }
}
