//! The points of an insert, before the type of their series is known.
//!
//! Owns the reading of both body formats and every check of a single point. In JSON the
//! text `"NaN"` is a value of a string series and a special value of a numeric one, so
//! the decision waits for the series.

use super::messages::{DataPointInsertionRequest, InsertedPoints, ItemReference, StatusMessage};
use super::points::{Point, Timed, TypedPoints};
use super::status::{Severity, StatusCode};
use super::{STRING_BYTES_MAX, TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS, VALUE_LIMIT};
use crate::emulator::answer::Refusal;
use crate::emulator::json;
use crate::emulator::reference::{InstanceId, Reference};
use prost::Message;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The points of one series.
#[derive(Debug)]
pub struct GivenItem {
    pub reference: Reference,
    points: GivenPoints,
}

#[derive(Debug)]
enum GivenPoints {
    Typed(TypedPoints),
    Untyped(Vec<(i64, GivenValue, StatusCode)>),
}

#[derive(Debug)]
enum GivenValue {
    Null,
    Number(f64),
    Text(String),
}

impl GivenItem {
    pub fn len(&self) -> usize {
        match &self.points {
            GivenPoints::Typed(points) => points.len(),
            GivenPoints::Untyped(points) => points.len(),
        }
    }

    /// Whether its values say that the series is one of strings; `None` when nothing says.
    pub fn says_string(&self) -> Option<bool> {
        match &self.points {
            GivenPoints::Typed(TypedPoints::Numeric(_)) => Some(false),
            GivenPoints::Typed(TypedPoints::Text(_)) => Some(true),
            GivenPoints::Untyped(points) => points.iter().find_map(|(_, value, _)| match value {
                GivenValue::Null => None,
                GivenValue::Number(_) => Some(false),
                GivenValue::Text(_) => Some(true),
            }),
        }
    }

    /// The points as a series of this type takes them.
    pub fn into_points(self, is_string: bool) -> Result<TypedPoints, Refusal> {
        match self.points {
            GivenPoints::Typed(TypedPoints::Text(points)) if !is_string && !points.is_empty() => {
                Err(expected_numeric())
            }
            GivenPoints::Typed(TypedPoints::Numeric(points)) if is_string && !points.is_empty() => {
                Err(expected_string())
            }
            GivenPoints::Typed(points) => Ok(points),
            GivenPoints::Untyped(points) if is_string => points
                .into_iter()
                .map(|(timestamp, value, status)| string_point(timestamp, value, status))
                .collect::<Result<_, _>>()
                .map(TypedPoints::Text),
            GivenPoints::Untyped(points) => points
                .into_iter()
                .map(|(timestamp, value, status)| numeric_point(timestamp, value, status))
                .collect::<Result<_, _>>()
                .map(TypedPoints::Numeric),
        }
    }
}

fn string_point(
    timestamp: i64,
    value: GivenValue,
    status: StatusCode,
) -> Result<(i64, Point<Box<str>>), Refusal> {
    let value = match value {
        GivenValue::Null => None,
        GivenValue::Text(text) => Some(text.into_boxed_str()),
        GivenValue::Number(_) => return Err(expected_string()),
    };
    check_string(value.as_deref(), status)?;
    Ok((timestamp, Point { value, status }))
}

fn numeric_point(
    timestamp: i64,
    value: GivenValue,
    status: StatusCode,
) -> Result<(i64, Point<f64>), Refusal> {
    let value = match value {
        GivenValue::Null => None,
        GivenValue::Number(number) => Some(number),
        GivenValue::Text(text) => Some(match text.as_str() {
            "NaN" => f64::NAN,
            "Infinity" => f64::INFINITY,
            "-Infinity" => f64::NEG_INFINITY,
            _ => return Err(expected_numeric()),
        }),
    };
    check_number(value, status)?;
    Ok((timestamp, Point { value, status }))
}

/// 400 in CDF's words; no list names the series.
fn expected_numeric() -> Refusal {
    Refusal::invalid("Expected numeric value for datapoint")
}

fn expected_string() -> Refusal {
    Refusal::invalid("Expected string value for datapoint")
}

/// Checks a timestamp: the years 1900 to 2099.
pub fn check_timestamp(timestamp_ms: i64) -> Result<(), Refusal> {
    if (TIMESTAMP_MIN_MS..=TIMESTAMP_MAX_MS).contains(&timestamp_ms) {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "Datapoint timestamp has to be from {TIMESTAMP_MIN_MS} to {TIMESTAMP_MAX_MS}, got {timestamp_ms}"
    )))
}

/// Checks a numeric value; with a Bad status anything goes.
pub fn check_number(value: Option<f64>, status: StatusCode) -> Result<(), Refusal> {
    match value {
        _ if status.severity() == Severity::Bad => Ok(()),
        None => Err(value_required()),
        Some(value) if value.abs() < VALUE_LIMIT => Ok(()),
        Some(value) => Err(Refusal::invalid(format!(
            "Datapoint value has to lie between -1e100 and 1e100 unless its status is Bad, got {value}"
        ))),
    }
}

/// Checks a string value; its length counts with a Bad status too.
pub fn check_string(value: Option<&str>, status: StatusCode) -> Result<(), Refusal> {
    match value {
        None if status.severity() == Severity::Bad => Ok(()),
        None => Err(value_required()),
        Some(text) if text.len() <= STRING_BYTES_MAX => Ok(()),
        Some(text) => Err(Refusal::invalid(format!(
            "Datapoint string value has to be at most {STRING_BYTES_MAX} bytes, got {}",
            text.len()
        ))),
    }
}

fn value_required() -> Refusal {
    Refusal::invalid("Datapoint value is required unless its status is Bad")
}

#[derive(Deserialize)]
struct JsonRequest<'a> {
    #[serde(borrow)]
    items: Vec<JsonItem<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonItem<'a> {
    id: Option<i64>,
    external_id: Option<String>,
    instance_id: Option<InstanceId>,
    #[serde(borrow)]
    datapoints: Vec<JsonPoint<'a>>,
}

#[derive(Deserialize)]
struct JsonPoint<'a> {
    timestamp: i64,
    // Raw: the number is read exactly, and a string is told from a number.
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    status: Option<JsonStatus>,
}

#[derive(Deserialize)]
struct JsonStatus {
    code: Option<i64>,
    symbol: Option<String>,
}

/// Reads an insert in JSON.
pub fn read_json(body: &[u8]) -> Result<Vec<GivenItem>, Refusal> {
    let request: JsonRequest<'_> = json::read_object(body)?;
    request
        .items
        .into_iter()
        .map(|item| {
            let reference = Reference::from_fields(item.id, item.external_id, item.instance_id)?;
            let points = item.datapoints.into_iter().map(read_json_point);
            Ok(GivenItem {
                reference,
                points: GivenPoints::Untyped(points.collect::<Result<_, Refusal>>()?),
            })
        })
        .collect()
}

fn read_json_point(point: JsonPoint<'_>) -> Result<(i64, GivenValue, StatusCode), Refusal> {
    check_timestamp(point.timestamp)?;
    let status = match point.status {
        Some(status) => StatusCode::given(status.code, status.symbol.as_deref())?,
        None => StatusCode::GOOD,
    };
    let text = point.value.map_or("null", RawValue::get);
    let value = match text.as_bytes().first() {
        Some(b'"') => GivenValue::Text(json::read(text.as_bytes())?),
        Some(b'-' | b'0'..=b'9') => GivenValue::Number(
            text.parse()
                .map_err(|_| Refusal::invalid(format!("Datapoint value {text} is not a number")))?,
        ),
        _ if text == "null" => GivenValue::Null,
        _ => {
            return Err(Refusal::invalid(
                "Datapoint value has to be a number or a string",
            ));
        }
    };
    Ok((point.timestamp, value, status))
}

/// Reads an insert in protobuf.
pub fn read_protobuf(body: &[u8]) -> Result<Vec<GivenItem>, Refusal> {
    let request = DataPointInsertionRequest::decode(body).map_err(|error| {
        Refusal::invalid(format!("Request body is not valid protobuf: {error}"))
    })?;
    request
        .items
        .into_iter()
        .map(|item| {
            let reference = match item.reference {
                Some(ItemReference::Id(id)) => Reference::from_fields(Some(id), None, None),
                Some(ItemReference::ExternalId(external_id)) => {
                    Reference::from_fields(None, Some(external_id), None)
                }
                Some(ItemReference::InstanceId(instance)) => {
                    let instance_id = InstanceId {
                        space: instance.space,
                        external_id: instance.external_id,
                    };
                    Reference::from_fields(None, None, Some(instance_id))
                }
                None => Reference::from_fields(None, None, None),
            }?;
            Ok(GivenItem {
                reference,
                points: read_protobuf_points(item.points)?,
            })
        })
        .collect()
}

fn read_protobuf_points(points: Option<InsertedPoints>) -> Result<GivenPoints, Refusal> {
    let points = match points {
        None => return Ok(GivenPoints::Untyped(Vec::new())),
        Some(InsertedPoints::State(_)) => {
            return Err(Refusal::invalid(
                "State datapoints are not served by this local CDF",
            ));
        }
        Some(InsertedPoints::Numeric(numeric)) => {
            let mut points: Timed<f64> = Vec::with_capacity(numeric.datapoints.len());
            for point in numeric.datapoints {
                check_timestamp(point.timestamp)?;
                let status = read_status(point.status)?;
                let value = (!point.null_value).then(|| point.value.unwrap_or_default());
                check_number(value, status)?;
                points.push((point.timestamp, Point { value, status }));
            }
            TypedPoints::Numeric(points)
        }
        Some(InsertedPoints::Text(text)) => {
            let mut points: Timed<Box<str>> = Vec::with_capacity(text.datapoints.len());
            for point in text.datapoints {
                check_timestamp(point.timestamp)?;
                let status = read_status(point.status)?;
                let value = (!point.null_value).then(|| point.value.into_boxed_str());
                check_string(value.as_deref(), status)?;
                points.push((point.timestamp, Point { value, status }));
            }
            TypedPoints::Text(points)
        }
    };
    Ok(GivenPoints::Typed(points))
}

fn read_status(status: Option<StatusMessage>) -> Result<StatusCode, Refusal> {
    match status {
        None => Ok(StatusCode::GOOD),
        Some(StatusMessage { code, symbol }) => {
            // Protobuf cannot tell code 0 from no code: beside a symbol it is no code.
            let code = (code != 0 || symbol.is_empty()).then_some(code);
            StatusCode::given(code, (!symbol.is_empty()).then_some(symbol.as_str()))
        }
    }
}
