//! Which points and sequence rows CDF has: for rows that are changed only where they exist, and
//! for deletes that tell how many there were.
//!
//! Owns the reads of one page. Promises the positions that CDF has, in their order, and whether
//! there may be more behind the last. Never reads a value's meaning.

use super::answer::Answer;
use super::client::{Call, JSON, PROTOBUF};
use super::encode::{json, push_series};
use super::read_back::{DataPointListResponse, unreadable};
use super::{AttemptFailure, CdfClient, Identity, Operation, Reference, Repeat};
use crate::catalog::Resource;
use crate::rows::SeriesReference;
use bytes::Bytes;
use prost::Message;
use reqwest::Method;
use serde::Deserialize;
use std::ops::Range;

/// Questions of one call about points, CDF's own bound.
pub const POINT_QUESTIONS_MAX: usize = 100;

/// Points of one answer, CDF's own bound.
pub const POINTS_PER_ANSWER_MAX: usize = 100_000;

/// Rows of one answer, CDF's own bound.
pub const ROWS_PER_ANSWER_MAX: usize = 10_000;

/// Bytes of an answer that are read: 100,000 strings of 1023 bytes.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Which points a series has between two times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointQuestion {
    pub series: SeriesReference,
    /// In ms; the end is not included.
    pub times_ms: Range<i64>,
    /// Points of the answer, at most.
    pub limit: usize,
}

/// Which rows a sequence has between two numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowQuestion {
    pub sequence: Reference,
    /// The end is not included.
    pub numbers: Range<i64>,
    pub limit: usize,
}

/// What CDF has of what was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresentPage {
    /// Times in ms, or row numbers; ascending.
    pub positions: Vec<i64>,
    /// There may be more behind the last.
    pub has_more: bool,
    /// The points are strings.
    pub is_string: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowList {
    rows: Vec<Row>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    row_number: i64,
}

impl CdfClient {
    /// An answer to each of `questions`, at most [`POINT_QUESTIONS_MAX`], in their order.
    ///
    /// # Errors
    /// As an attempt; series that do not exist are `missing`.
    pub async fn present_points(
        &self,
        identity: &Identity,
        questions: &[PointQuestion],
    ) -> Result<Vec<PresentPage>, AttemptFailure> {
        let mut body = b"{\"items\":[".to_vec();
        for (index, question) in questions.iter().enumerate() {
            body.extend_from_slice(if index == 0 { b"{" } else { b",{" });
            push_series(&mut body, &question.series);
            push_range(&mut body, &question.times_ms, question.limit);
            body.push(b'}');
        }
        body.extend_from_slice(
            b"],\"ignoreUnknownIds\":false,\"ignoreBadDataPoints\":false,\"treatUncertainAsBad\":false}",
        );
        let answer = self
            .ask(
                identity,
                Resource::Datapoints,
                "/timeseries/data/list",
                PROTOBUF,
                body,
            )
            .await?;
        let page = DataPointListResponse::decode(answer.body.as_slice())
            .map_err(|error| unreadable(&answer, &error))?;
        if page.items.len() != questions.len() {
            let said = format!(
                "{} answers to {} questions",
                page.items.len(),
                questions.len()
            );
            return Err(unreadable(&answer, &std::io::Error::other(said)));
        }
        Ok(page
            .items
            .into_iter()
            .zip(questions)
            .map(|(item, question)| {
                let numbers = item.numeric.map(|list| list.datapoints).unwrap_or_default();
                let strings = item.strings.map(|list| list.datapoints).unwrap_or_default();
                let positions: Vec<i64> = numbers
                    .iter()
                    .map(|point| point.timestamp)
                    .chain(strings.iter().map(|point| point.timestamp))
                    .collect();
                PresentPage {
                    has_more: positions.len() >= question.limit || !item.next_cursor.is_empty(),
                    is_string: item.is_string || !strings.is_empty(),
                    positions,
                }
            })
            .collect())
    }

    /// The answer to a question about the rows of a sequence.
    ///
    /// # Errors
    /// As an attempt; a sequence that does not exist is `missing`.
    pub async fn present_rows(
        &self,
        identity: &Identity,
        question: &RowQuestion,
    ) -> Result<PresentPage, AttemptFailure> {
        let mut body = vec![b'{'];
        match &question.sequence {
            Reference::Id(id) => {
                body.extend_from_slice(b"\"id\":");
                json::push_integer(&mut body, *id);
            }
            Reference::ExternalId(name)
            | Reference::Name(name)
            | Reference::NameInColumn { name, .. } => {
                body.extend_from_slice(b"\"externalId\":");
                json::push_string(&mut body, name.as_bytes());
            }
            Reference::InColumn { id, .. } => {
                body.extend_from_slice(b"\"id\":");
                json::push_integer(&mut body, *id);
            }
            // Rows of sequences do not name them so; CDF would say that there is none.
            Reference::InstanceId(instance) => {
                body.extend_from_slice(b"\"externalId\":");
                json::push_string(&mut body, instance.external_id.as_bytes());
            }
        }
        push_range(&mut body, &question.numbers, question.limit);
        body.push(b'}');
        let path = "/sequences/data/list";
        let answer = self
            .ask(identity, Resource::SequenceRows, path, JSON, body)
            .await?;
        let list: RowList =
            serde_json::from_slice(&answer.body).map_err(|error| unreadable(&answer, &error))?;
        Ok(PresentPage {
            has_more: list.next_cursor.is_some(),
            is_string: false,
            positions: list.rows.into_iter().map(|row| row.row_number).collect(),
        })
    }

    async fn ask(
        &self,
        identity: &Identity,
        resource: Resource,
        path: &str,
        accept: &'static str,
        body: Vec<u8>,
    ) -> Result<Answer, AttemptFailure> {
        let call = Call {
            operation: Operation::LookUp(resource),
            repeat: Repeat::Harmless,
            method: Method::POST,
            path,
            body: Bytes::from(body),
            content_type: JSON,
            gzip: false,
            accept,
            answer_bytes_max: ANSWER_BYTES_MAX,
        };
        self.call(identity, &call).await
    }
}

/// `,"start":1,"end":2,"limit":3`.
fn push_range(body: &mut Vec<u8>, range: &Range<i64>, limit: usize) {
    body.extend_from_slice(b",\"start\":");
    json::push_integer(body, range.start);
    body.extend_from_slice(b",\"end\":");
    json::push_integer(body, range.end);
    body.extend_from_slice(b",\"limit\":");
    json::push_integer(body, i64::try_from(limit).unwrap_or(i64::MAX));
}
