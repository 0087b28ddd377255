//! `POST /timeseries/data/list`: reading datapoints.
//!
//! Owns the options of a query, per item and at the top, and the paging: a cursor is the
//! timestamp of the next point. Aggregates and unit conversion answer a clear 400.

use super::messages::DataPointListResponse;
use super::points::{StatusFilter, TypedPoints};
use super::times::TimeExpression;
use super::view::ListedSeries;
use crate::emulator::answer::{Answer, Content, Refusal};
use crate::emulator::call::Call;
use crate::emulator::clock;
use crate::emulator::cursor;
use crate::emulator::json::check_items;
use crate::emulator::reference::{InstanceId, Reference};
use crate::emulator::time_series::{Series, find_all};
use prost::Message;
use serde::Deserialize;

const QUERIES_MAX: usize = 100;
const LIMIT_DEFAULT: i64 = 100;
/// Over all queries of a request.
const LIMIT_MAX: i64 = 100_000;
const CURSOR: &str = "datapoints";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListRequest {
    items: Vec<Query>,
    ignore_unknown_ids: Option<bool>,
    #[serde(flatten)]
    options: Options,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Query {
    id: Option<i64>,
    external_id: Option<String>,
    instance_id: Option<InstanceId>,
    cursor: Option<String>,
    #[serde(flatten)]
    options: Options,
}

/// What may stand at the top and in each item; the item's word counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    start: Option<TimeExpression>,
    end: Option<TimeExpression>,
    limit: Option<i64>,
    include_outside_points: Option<bool>,
    include_status: Option<bool>,
    ignore_bad_data_points: Option<bool>,
    treat_uncertain_as_bad: Option<bool>,
    aggregates: Option<Vec<String>>,
    granularity: Option<String>,
    target_unit: Option<String>,
    target_unit_system: Option<String>,
}

impl Options {
    fn or(&self, top: &Self) -> Self {
        let own = self.clone();
        let top = top.clone();
        Self {
            start: own.start.or(top.start),
            end: own.end.or(top.end),
            limit: own.limit.or(top.limit),
            include_outside_points: own.include_outside_points.or(top.include_outside_points),
            include_status: own.include_status.or(top.include_status),
            ignore_bad_data_points: own.ignore_bad_data_points.or(top.ignore_bad_data_points),
            treat_uncertain_as_bad: own.treat_uncertain_as_bad.or(top.treat_uncertain_as_bad),
            aggregates: own.aggregates.or(top.aggregates),
            granularity: own.granularity.or(top.granularity),
            target_unit: own.target_unit.or(top.target_unit),
            target_unit_system: own.target_unit_system.or(top.target_unit_system),
        }
    }

    fn check_served(&self) -> Result<(), Refusal> {
        if self.aggregates.is_some() || self.granularity.is_some() {
            return Err(Refusal::invalid(
                "Aggregates are not served by this local CDF",
            ));
        }
        if self.target_unit.is_some() || self.target_unit_system.is_some() {
            return Err(Refusal::invalid(
                "Unit conversion is not served by this local CDF",
            ));
        }
        Ok(())
    }
}

/// Lists datapoints, in the format that `Accept` asks for.
pub fn list(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    let request = call.json::<ListRequest>()?;
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
    let series = find_all(
        call,
        &references,
        request.ignore_unknown_ids.unwrap_or(false),
    )?;
    let share = LIMIT_MAX / request.items.len() as i64;
    let now_ms = clock::now_ms();
    let mut listed = Vec::with_capacity(series.len());
    for (series, query) in series.into_iter().zip(&request.items) {
        let options = query.options.or(&request.options);
        let range = Range::read(&options, query.cursor.as_deref(), share, now_ms)?;
        if let Some(series) = series {
            listed.push(range.list(&series, &options));
        }
    }
    if call.accept.contains("application/protobuf") {
        let items = listed
            .into_iter()
            .map(ListedSeries::into_protobuf)
            .collect();
        return Ok(Answer {
            status: 200,
            content: Content::Protobuf(DataPointListResponse { items }.encode_to_vec()),
        });
    }
    let items: Vec<_> = listed.iter().map(ListedSeries::to_json).collect();
    Ok(Answer::items(200, &items))
}

/// The checked range of one query.
struct Range {
    start: i64,
    end: i64,
    limit: i64,
    outside_points: bool,
}

impl Range {
    fn read(
        options: &Options,
        given_cursor: Option<&str>,
        share: i64,
        now_ms: i64,
    ) -> Result<Self, Refusal> {
        options.check_served()?;
        let resolve = |time: &Option<TimeExpression>, absent: i64| {
            time.as_ref()
                .map_or(Ok(absent), |time| time.resolve(now_ms))
        };
        let mut start = resolve(&options.start, 0)?;
        let end = resolve(&options.end, now_ms)?;
        if start >= end {
            return Err(Refusal::invalid(format!(
                "Invalid time range: start {start} has to be before end {end}"
            )));
        }
        let limit = options.limit.unwrap_or(LIMIT_DEFAULT);
        // Zero is a question too: for the outside points alone, say.
        if !(0..=LIMIT_MAX).contains(&limit) {
            return Err(Refusal::invalid(format!(
                "limit: must be from 0 to {LIMIT_MAX}, got {limit}"
            )));
        }
        let outside_points = options.include_outside_points.unwrap_or(false);
        if let Some(text) = given_cursor {
            if outside_points {
                return Err(Refusal::invalid(
                    "cursor cannot be used together with includeOutsidePoints",
                ));
            }
            start = cursor::decode(CURSOR, text)?;
        }
        Ok(Self {
            start,
            end,
            // The bound counts over all queries: each gets its share of it.
            limit: limit.min(share),
            outside_points,
        })
    }

    fn list(&self, series: &Series, options: &Options) -> ListedSeries {
        let filter = StatusFilter {
            ignore_bad: options.ignore_bad_data_points.unwrap_or(true),
            uncertain_is_bad: options.treat_uncertain_as_bad.unwrap_or(true),
        };
        let points = series.points();
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let page = points.page(self.start..self.end.max(self.start), limit, filter);
        let mut shown = page.points;
        if self.outside_points {
            let before = points.last_before(self.start, filter);
            let after = points.page(self.end..i64::MAX, 1, filter).points;
            shown = join(join(before, shown), after);
        }
        drop(points);
        // Pages with outside points have no next one: a cursor could not say which it is.
        let next_cursor = page
            .next
            .filter(|_| !self.outside_points)
            .map(|next| cursor::encode(CURSOR, &next));
        ListedSeries::new(
            series,
            shown,
            next_cursor,
            options.include_status.unwrap_or(false),
        )
    }
}

fn join(first: TypedPoints, second: TypedPoints) -> TypedPoints {
    match (first, second) {
        (TypedPoints::Numeric(mut first), TypedPoints::Numeric(second)) => {
            first.extend(second);
            TypedPoints::Numeric(first)
        }
        (TypedPoints::Text(mut first), TypedPoints::Text(second)) => {
            first.extend(second);
            TypedPoints::Text(first)
        }
        // Both come from one series, so their types do not differ.
        (first, _) => first,
    }
}
