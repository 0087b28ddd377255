//! How points look in answers, in JSON and in protobuf.
//!
//! Owns both forms. Good statuses are left out; in JSON the special values are text.

use super::messages::{
    DataPointListItem, InstanceIdMessage, ListedPoints, NumericDatapoint, NumericDatapoints,
    StatusMessage, StringDatapoint, StringDatapoints,
};
use super::points::{Point, TypedPoints};
use super::status::StatusCode;
use crate::emulator::reference::InstanceId;
use crate::emulator::time_series::{Series, TimeSeries};
use serde::Serialize;

/// The points of one series, as they were read.
#[derive(Debug)]
pub struct ListedSeries {
    description: TimeSeries,
    points: TypedPoints,
    next_cursor: Option<String>,
    include_status: bool,
}

impl ListedSeries {
    pub fn new(
        series: &Series,
        points: TypedPoints,
        next_cursor: Option<String>,
        include_status: bool,
    ) -> Self {
        Self {
            description: series.description().clone(),
            points,
            next_cursor,
            include_status,
        }
    }

    /// Its element of `items` in JSON.
    pub fn to_json(&self) -> impl Serialize + '_ {
        let datapoints = match &self.points {
            TypedPoints::Numeric(points) => points
                .iter()
                .map(|(timestamp, point)| self.json_point(*timestamp, point, json_number))
                .collect(),
            TypedPoints::Text(points) => points
                .iter()
                .map(|(timestamp, point)| {
                    self.json_point(*timestamp, point, |text| JsonValue::Text(text))
                })
                .collect(),
        };
        JsonItem {
            id: self.description.id,
            external_id: self.description.external_id.as_deref(),
            instance_id: self.description.instance_id.as_ref(),
            is_string: self.description.is_string,
            kind: self.description.kind,
            is_step: self.description.is_step,
            unit: self.description.unit.as_deref(),
            unit_external_id: self.description.unit_external_id.as_deref(),
            next_cursor: self.next_cursor.as_deref(),
            datapoints,
        }
    }

    fn json_point<'a, V>(
        &self,
        timestamp: i64,
        point: &'a Point<V>,
        value: impl Fn(&'a V) -> JsonValue<'a>,
    ) -> JsonPoint<'a> {
        JsonPoint {
            timestamp,
            value: point.value.as_ref().map(value),
            status: self.shown_status(point.status).map(|status| JsonStatus {
                code: status.code(),
                symbol: status.symbol(),
            }),
        }
    }

    fn shown_status(&self, status: StatusCode) -> Option<StatusCode> {
        (self.include_status && status != StatusCode::GOOD).then_some(status)
    }

    fn status_message(&self, status: StatusCode) -> Option<StatusMessage> {
        self.shown_status(status).map(|status| StatusMessage {
            code: i64::from(status.code()),
            symbol: status.symbol(),
        })
    }

    /// Its element of `items` in protobuf.
    pub fn into_protobuf(self) -> DataPointListItem {
        let points = match &self.points {
            TypedPoints::Numeric(points) => ListedPoints::Numeric(NumericDatapoints {
                datapoints: points
                    .iter()
                    .map(|(timestamp, point)| NumericDatapoint {
                        timestamp: *timestamp,
                        value: point.value.filter(|value| value.to_bits() != 0),
                        status: self.status_message(point.status),
                        null_value: point.value.is_none(),
                    })
                    .collect(),
            }),
            TypedPoints::Text(points) => ListedPoints::Text(StringDatapoints {
                datapoints: points
                    .iter()
                    .map(|(timestamp, point)| StringDatapoint {
                        timestamp: *timestamp,
                        value: point.value.as_deref().unwrap_or_default().to_owned(),
                        status: self.status_message(point.status),
                        null_value: point.value.is_none(),
                    })
                    .collect(),
            }),
        };
        DataPointListItem {
            id: self.description.id,
            r#type: if self.description.is_string { 2 } else { 1 },
            is_string: self.description.is_string,
            is_step: self.description.is_step,
            external_id: self.description.external_id.unwrap_or_default(),
            instance_id: self
                .description
                .instance_id
                .map(|instance| InstanceIdMessage {
                    space: instance.space,
                    external_id: instance.external_id,
                }),
            unit: self.description.unit.unwrap_or_default(),
            unit_external_id: self.description.unit_external_id.unwrap_or_default(),
            next_cursor: self.next_cursor.unwrap_or_default(),
            points: Some(points),
        }
    }
}

fn json_number(value: &f64) -> JsonValue<'_> {
    if value.is_nan() {
        JsonValue::Text("NaN")
    } else if *value == f64::INFINITY {
        JsonValue::Text("Infinity")
    } else if *value == f64::NEG_INFINITY {
        JsonValue::Text("-Infinity")
    } else {
        JsonValue::Number(*value)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonItem<'a> {
    id: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance_id: Option<&'a InstanceId>,
    is_string: bool,
    #[serde(rename = "type")]
    kind: &'static str,
    is_step: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit_external_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<&'a str>,
    datapoints: Vec<JsonPoint<'a>>,
}

#[derive(Serialize)]
struct JsonPoint<'a> {
    timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<JsonValue<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<JsonStatus>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum JsonValue<'a> {
    Number(f64),
    Text(&'a str),
}

#[derive(Serialize)]
struct JsonStatus {
    code: u32,
    symbol: String,
}
