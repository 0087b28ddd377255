//! Datapoints of some series, in protobuf.
//!
//! Owns the sharing of a page's points among series and where each of them goes on. Promises each
//! point of a series once, in order of time. Which series are read is settled before.

use super::super::copy_text::RowWriter;
use super::super::fault::ScanFault;
use super::super::source::{Page, Source, Turn, bytes_max};
use super::series::{Series, Wanted};
use crate::catalog::Resource;
use crate::cdf::{DataPointListItem, DataPointListResponse, Operation, PageCall, PageFormat};
use crate::rows::status_symbol;
use crate::sql::{Cell, time_cell};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use prost::Message;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Series of one call, CDF's own bound.
pub(super) const SERIES_MAX: usize = 100;

/// Points of one page over all its series, CDF's own bound.
const POINTS_MAX: usize = 100_000;

/// Points of some series.
pub(super) struct Points {
    wanted: Arc<Wanted>,
    series: VecDeque<Rest>,
    /// Series of the call at hand, and points of each.
    asked: usize,
    share: usize,
}

/// What is still to be read of a series.
#[derive(Clone)]
struct Rest {
    series: Series,
    start_ms: i64,
    /// Where CDF goes on, counted from the same start.
    cursor: Option<String>,
}

/// One point, of either kind.
struct Point {
    time_ms: i64,
    value: Option<Cell>,
    status: Option<(i64, String)>,
}

impl Points {
    pub fn new(wanted: Arc<Wanted>, series: &[Series]) -> Self {
        let start = wanted.times_ms.start;
        Points {
            wanted,
            series: series
                .iter()
                .map(|one| Rest {
                    series: one.clone(),
                    start_ms: start,
                    cursor: None,
                })
                .collect(),
            asked: 0,
            share: 1,
        }
    }

    fn push(&self, rows: &mut RowWriter, series: &Series, point: Point) -> Result<(), ScanFault> {
        let Point {
            time_ms,
            mut value,
            status,
        } = point;
        let text = |text: &str| Some(Cell::Text(text.to_owned()));
        let named = || format!("the point of series {} at {time_ms} ms", series.id);
        rows.row(named, |_, column| {
            Ok(match column.field {
                "value" => value.take(),
                "timestamp" => Timestamp::from_millisecond(time_ms)
                    .ok()
                    .map(|at| time_cell(at, &TimeZone::UTC)),
                "externalId" => series.shown_external_id(self.wanted.is_wide).and_then(text),
                "instanceId.space" => series
                    .instance_id
                    .as_ref()
                    .and_then(|node| text(&node.space)),
                "id" => Some(Cell::Int8(series.id)),
                // CDF leaves Good out.
                "status.code" => Some(Cell::Int8(status.as_ref().map_or(0, |(code, _)| *code))),
                "status.symbol" => match &status {
                    Some((_, symbol)) if !symbol.is_empty() => text(symbol),
                    Some((code, _)) => text(&status_symbol(u32::try_from(*code).unwrap_or(0))),
                    None => text("Good"),
                },
                _ => None,
            })
        })
    }
}

/// The points of an item, whichever kind they are of.
fn points_of(item: DataPointListItem) -> Vec<Point> {
    let numbers = item.numeric.map(|list| list.datapoints).unwrap_or_default();
    let strings = item.strings.map(|list| list.datapoints).unwrap_or_default();
    let numbers = numbers.into_iter().map(|point| Point {
        time_ms: point.timestamp,
        value: (!point.null_value).then_some(Cell::Float8(point.value)),
        status: point.status.map(|status| (status.code, status.symbol)),
    });
    let strings = strings.into_iter().map(|point| Point {
        time_ms: point.timestamp,
        value: (!point.null_value).then_some(Cell::Text(point.value)),
        status: point.status.map(|status| (status.code, status.symbol)),
    });
    numbers.chain(strings).collect()
}

impl Source for Points {
    fn page_max(&self) -> usize {
        POINTS_MAX
    }

    fn call(&mut self, items: usize) -> PageCall {
        self.asked = self.series.len().min(SERIES_MAX).min(items).max(1);
        self.share = (items / self.asked).max(1);
        let queries: Vec<Value> = self
            .series
            .iter()
            .take(self.asked)
            .map(|rest| {
                let mut query = json!({"id": rest.series.id, "start": rest.start_ms});
                if let Some(cursor) = &rest.cursor {
                    query["cursor"] = cursor.as_str().into();
                }
                query
            })
            .collect();
        let mut body = json!({
            "items": queries,
            "end": self.wanted.times_ms.end,
            "limit": self.share,
            "ignoreUnknownIds": true,
        });
        if self.wanted.is_wide {
            body["includeStatus"] = true.into();
            body["ignoreBadDataPoints"] = false.into();
            body["treatUncertainAsBad"] = false.into();
        }
        PageCall {
            operation: Operation::List(Resource::Datapoints),
            path: "/timeseries/data/list".to_owned(),
            body: Some(body.to_string().into()),
            format: PageFormat::Protobuf,
            bytes_max: bytes_max(items),
            may_be_absent: false,
        }
    }

    fn take(&mut self, page: Option<Page<'_>>, rows: &mut RowWriter) -> Result<Turn, ScanFault> {
        let Some(page) = page else {
            return Ok(Turn::done());
        };
        let list =
            DataPointListResponse::decode(page.body).map_err(|error| page.unreadable(&error))?;
        // A series that has gone meanwhile is left out: places do not tell.
        let mut items: HashMap<i64, DataPointListItem> =
            list.items.into_iter().map(|item| (item.id, item)).collect();
        let mut rests = Vec::new();
        for rest in self.series.iter().take(self.asked) {
            let Some(mut item) = items.remove(&rest.series.id) else {
                continue;
            };
            let cursor = std::mem::take(&mut item.next_cursor);
            let points = points_of(item);
            let is_full = points.len() >= self.share;
            let last_ms = points.last().map(|point| point.time_ms);
            for point in points {
                self.push(rows, &rest.series, point)?;
            }
            if !cursor.is_empty() {
                rests.push(Rest {
                    cursor: Some(cursor),
                    ..rest.clone()
                });
            } else if let Some(last_ms) = last_ms
                && is_full
                && last_ms + 1 < self.wanted.times_ms.end
            {
                rests.push(Rest {
                    start_ms: last_ms + 1,
                    cursor: None,
                    ..rest.clone()
                });
            }
        }
        self.series.drain(..self.asked);
        self.series.extend(rests);
        Ok(Turn::more_if(!self.series.is_empty()))
    }
}
