//! Reading what was written: for those who check that every row arrived.
//!
//! Owns the paging through datapoints and RAW rows. Promises to read to the end, or fail, and
//! to visit each point or row once. Never part of the write path: it has a protobuf reader
//! of its own, so that a fault of the encoder shows.

mod current;
mod digest;
mod point_list;

pub use current::{CurrentPoint, POINTS_MAX};
pub use digest::{DatapointDigest, RawDigest};

use super::client::{Call, JSON, PROTOBUF};
use super::encode::json;
use super::{AttemptFailure, CdfClient, Identity, Operation, Repeat, answer::Answer, percent};
use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
pub(crate) use point_list::{DataPointListItem, DataPointListResponse};
use prost::Message;
use reqwest::Method;
use serde::Deserialize;
use std::ops::Range;

/// Points per page, CDF's own bound.
const POINTS_PER_PAGE: i64 = 100_000;

/// Rows per page, RAW's own bound.
const ROWS_PER_PAGE: usize = 10_000;

/// Bytes of a page that are read; a page of RAW rows has no documented bound.
const PAGE_BYTES_MAX: usize = 256 << 20;

#[derive(Deserialize)]
struct Cursors {
    items: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RowPage {
    items: Vec<Row>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    columns: serde_json::Value,
}

impl CdfClient {
    /// Count and checksum of a numeric series' points with `first <= timestamp < end`, in ms.
    ///
    /// # Errors
    /// As an attempt, of any page.
    pub async fn digest_datapoints(
        &self,
        identity: &Identity,
        external_id: &str,
        times_ms: Range<i64>,
    ) -> Result<DatapointDigest, AttemptFailure> {
        let mut digest = DatapointDigest::default();
        self.read_doubles(identity, external_id, times_ms, |timestamp_ms, value| {
            digest.add(timestamp_ms, value);
        })
        .await?;
        Ok(digest)
    }

    /// Visits the points of a numeric series in order of time.
    ///
    /// # Errors
    /// As an attempt, of any page.
    pub async fn read_doubles(
        &self,
        identity: &Identity,
        external_id: &str,
        times_ms: Range<i64>,
        mut visit: impl FnMut(i64, f64),
    ) -> Result<(), AttemptFailure> {
        self.read_points(identity, external_id, times_ms, |item| {
            let points = item.numeric.map(|list| list.datapoints).unwrap_or_default();
            for point in &points {
                visit(point.timestamp, point.value);
            }
            points.last().map(|point| point.timestamp)
        })
        .await
    }

    /// Visits the points of a string series in order of time.
    ///
    /// # Errors
    /// As an attempt, of any page.
    pub async fn read_strings(
        &self,
        identity: &Identity,
        external_id: &str,
        times_ms: Range<i64>,
        mut visit: impl FnMut(i64, &str),
    ) -> Result<(), AttemptFailure> {
        self.read_points(identity, external_id, times_ms, |item| {
            let points = item.strings.map(|list| list.datapoints).unwrap_or_default();
            for point in &points {
                visit(point.timestamp, &point.value);
            }
            points.last().map(|point| point.timestamp)
        })
        .await
    }

    /// Count and checksum of a RAW table's rows.
    ///
    /// # Errors
    /// As an attempt, of any page.
    pub async fn digest_raw_rows(
        &self,
        identity: &Identity,
        database: &str,
        table: &str,
    ) -> Result<RawDigest, AttemptFailure> {
        let mut digest = RawDigest::default();
        self.read_raw_rows(identity, database, table, |key, columns| {
            digest.add(key, columns);
        })
        .await?;
        Ok(digest)
    }

    /// Visits the rows of a RAW table, in no order.
    ///
    /// # Errors
    /// As an attempt, of any page.
    pub async fn read_raw_rows(
        &self,
        identity: &Identity,
        database: &str,
        table: &str,
        mut visit: impl FnMut(&str, &serde_json::Value),
    ) -> Result<(), AttemptFailure> {
        let mut base = "/raw/dbs/".to_owned();
        percent::push_segment(&mut base, database);
        base.push_str("/tables/");
        percent::push_segment(&mut base, table);
        let path = format!("{base}/cursors?numberOfCursors=4");
        let answer = self.get(identity, &path, JSON).await?;
        let cursors: Cursors =
            serde_json::from_slice(&answer.body).map_err(|error| unreadable(&answer, &error))?;
        for cursor in cursors.items {
            let mut next = Some(cursor);
            while let Some(cursor) = next {
                let mut path = format!("{base}/rows?limit={ROWS_PER_PAGE}&cursor=");
                percent::push_segment(&mut path, &cursor);
                let answer = self.get(identity, &path, JSON).await?;
                let page: RowPage = serde_json::from_slice(&answer.body)
                    .map_err(|error| unreadable(&answer, &error))?;
                for row in page.items {
                    visit(&row.key, &row.columns);
                }
                next = page.next_cursor;
            }
        }
        Ok(())
    }

    /// Reads page by page; `visit` tells the last time that it saw, where the next page
    /// begins.
    async fn read_points(
        &self,
        identity: &Identity,
        external_id: &str,
        mut times_ms: Range<i64>,
        mut visit: impl FnMut(DataPointListItem) -> Option<i64>,
    ) -> Result<(), AttemptFailure> {
        while !times_ms.is_empty() {
            let items = self
                .datapoint_page(identity, external_id, &times_ms)
                .await?;
            let last_ms = items.into_iter().filter_map(&mut visit).max();
            match last_ms {
                Some(last_ms) => times_ms.start = last_ms + 1,
                None => break,
            }
        }
        Ok(())
    }

    async fn datapoint_page(
        &self,
        identity: &Identity,
        external_id: &str,
        times_ms: &Range<i64>,
    ) -> Result<Vec<DataPointListItem>, AttemptFailure> {
        let mut body = b"{\"items\":[{\"externalId\":".to_vec();
        json::push_string(&mut body, external_id.as_bytes());
        body.extend_from_slice(b",\"start\":");
        json::push_integer(&mut body, times_ms.start);
        body.extend_from_slice(b",\"end\":");
        json::push_integer(&mut body, times_ms.end);
        body.extend_from_slice(b",\"limit\":");
        json::push_integer(&mut body, POINTS_PER_PAGE);
        body.extend_from_slice(
            b"}],\"ignoreUnknownIds\":false,\"ignoreBadDataPoints\":false,\"treatUncertainAsBad\":false}",
        );
        let call = Call {
            operation: Operation::ReadBack,
            repeat: Repeat::Harmless,
            method: Method::POST,
            path: "/timeseries/data/list",
            body: Bytes::from(body),
            content_type: JSON,
            gzip: false,
            accept: PROTOBUF,
            answer_bytes_max: PAGE_BYTES_MAX,
        };
        let answer = self.call(identity, &call).await?;
        let page = DataPointListResponse::decode(answer.body.as_slice())
            .map_err(|error| unreadable(&answer, &error))?;
        Ok(page.items)
    }

    async fn get(
        &self,
        identity: &Identity,
        path: &str,
        accept: &'static str,
    ) -> Result<Answer, AttemptFailure> {
        let call = Call {
            operation: Operation::ReadBack,
            repeat: Repeat::Harmless,
            method: Method::GET,
            path,
            body: Bytes::new(),
            content_type: JSON,
            gzip: false,
            accept,
            answer_bytes_max: PAGE_BYTES_MAX,
        };
        self.call(identity, &call).await
    }
}

pub(super) fn unreadable(answer: &Answer, error: &dyn std::error::Error) -> AttemptFailure {
    AttemptFailure::Reject {
        reason: Box::new(
            Diagnostic::error(
                SqlState::FDW_ERROR,
                format!("CDF's answer to a read cannot be read: {error}"),
            )
            .with_detail(answer.in_words())
            .with_hint("Check that base_url leads to CDF."),
        ),
    }
}
