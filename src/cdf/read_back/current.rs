//! What CDF has now under a few keys: for those who are about to write them again.
//!
//! Owns the look at single points and RAW rows. Promises an answer for each key, in their order.
//! Never reads more than was asked for.

use super::unreadable;
use crate::cdf::client::{Call, JSON};
use crate::cdf::{AttemptFailure, CdfClient, Identity, Operation, Repeat, percent};
use crate::rows::SeriesReference;
use bytes::Bytes;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// Queries of one call, CDF's own bound.
pub const POINTS_MAX: usize = 100;

/// Bytes of an answer that are read: 100 points with strings of 1023 characters, or a RAW row.
const ANSWER_BYTES_MAX: usize = 16 << 20;

#[derive(Deserialize)]
struct Listed {
    items: Vec<ListedSeries>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedSeries {
    id: i64,
    external_id: Option<String>,
    instance_id: Option<Instance>,
    datapoints: Vec<Point>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Instance {
    space: String,
    external_id: String,
}

#[derive(Deserialize)]
struct Point {
    timestamp: i64,
    #[serde(default)]
    value: Value,
    status: Option<Status>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    code: u32,
}

/// A point in CDF.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrentPoint {
    /// A number, a string, the name of a number that JSON does not have, or null.
    pub value: Value,
    /// 0: Good.
    pub status_code: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowTime {
    last_updated_time: i64,
}

impl ListedSeries {
    fn is(&self, series: &SeriesReference) -> bool {
        match series {
            SeriesReference::Id(id) => self.id == *id,
            SeriesReference::ExternalId(name) => self.external_id.as_deref() == Some(&**name),
            SeriesReference::InstanceId(name) => self.instance_id.as_ref().is_some_and(|own| {
                *own.space == *name.space && *own.external_id == *name.external_id
            }),
        }
    }
}

impl CdfClient {
    /// What is at each (series, time in ms), if there is a point; at most [`POINTS_MAX`].
    ///
    /// # Errors
    /// As an attempt. A series that does not exist has no point.
    pub async fn points_at(
        &self,
        identity: &Identity,
        places: &[(SeriesReference, i64)],
    ) -> Result<Vec<Option<CurrentPoint>>, AttemptFailure> {
        let items: Vec<Value> = places
            .iter()
            .map(|(series, time_ms)| {
                let (name, value) = match series {
                    SeriesReference::Id(id) => ("id", json!(id)),
                    SeriesReference::ExternalId(external_id) => ("externalId", json!(external_id)),
                    SeriesReference::InstanceId(name) => (
                        "instanceId",
                        json!({"space": name.space, "externalId": name.external_id}),
                    ),
                };
                json!({name: value, "start": time_ms, "end": time_ms + 1, "limit": 1})
            })
            .collect();
        let body = json!({
            "items": items,
            "ignoreUnknownIds": true,
            "includeStatus": true,
            "ignoreBadDataPoints": false,
            "treatUncertainAsBad": false,
        });
        let call = Call {
            operation: Operation::ReadBack,
            repeat: Repeat::Harmless,
            method: Method::POST,
            path: "/timeseries/data/list",
            body: Bytes::from(body.to_string()),
            content_type: JSON,
            gzip: false,
            accept: JSON,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self.call(identity, &call).await?;
        let listed: Listed =
            serde_json::from_slice(&answer.body).map_err(|error| unreadable(&answer, &error))?;
        // Series that do not exist are left out of the answer: places do not tell.
        let point = |series: &SeriesReference, time_ms: i64| {
            listed
                .items
                .iter()
                .filter(|item| item.is(series))
                .flat_map(|item| &item.datapoints)
                .find(|point| point.timestamp == time_ms)
                .map(|point| CurrentPoint {
                    value: point.value.clone(),
                    status_code: point.status.as_ref().map_or(0, |status| status.code),
                })
        };
        Ok(places
            .iter()
            .map(|(series, time_ms)| point(series, *time_ms))
            .collect())
    }

    /// When a RAW row was written last, in ms, by CDF's clock; `None` if there is no such row.
    ///
    /// # Errors
    /// As an attempt.
    pub async fn raw_row_written_ms(
        &self,
        identity: &Identity,
        database: &str,
        table: &str,
        key: &str,
    ) -> Result<Option<i64>, AttemptFailure> {
        let mut path = "/raw/dbs/".to_owned();
        percent::push_segment(&mut path, database);
        path.push_str("/tables/");
        percent::push_segment(&mut path, table);
        path.push_str("/rows/");
        percent::push_segment(&mut path, key);
        match self.get(identity, &path, JSON).await {
            Ok(answer) => {
                let row: RowTime = serde_json::from_slice(&answer.body)
                    .map_err(|error| unreadable(&answer, &error))?;
                Ok(Some(row.last_updated_time))
            }
            Err(failure) if is_not_found(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

fn is_not_found(failure: &AttemptFailure) -> bool {
    let answer = failure.reason().answer.as_ref();
    answer.is_some_and(|answer| answer.code == 404)
}
