//! Pages of what CDF has, for those who read whole tables.
//!
//! Owns the call that fetches one page. Promises that no more of an answer is read than the call
//! allows, and that an answer which is longer says so, so that a smaller page can be asked for.
//! Never reads what a page means, never repeats and never goes on to the next one.

use super::client::{Call, JSON, PROTOBUF};
use super::{AttemptFailure, CdfClient, Identity, Operation, Repeat};
use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
use reqwest::Method;

/// How CDF is to write a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFormat {
    Json,
    /// Datapoints only.
    Protobuf,
}

/// The call for one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageCall {
    pub operation: Operation,
    /// Below `/api/v1/projects/{project}`, percent-encoded, with its query.
    pub path: String,
    /// JSON that is posted; `None`: the page is got.
    pub body: Option<Bytes>,
    pub format: PageFormat,
    /// Bytes of the answer that are read.
    pub bytes_max: usize,
    /// "There is no such thing" is an answer, not a fault.
    pub may_be_absent: bool,
}

/// What CDF answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageAnswer {
    Page {
        body: Vec<u8>,
        /// `HTTP 200, x-request-id …`, for the DETAIL of what cannot be read.
        words: String,
    },
    /// CDF has no such database, table, row or object.
    Absent,
    /// Longer than [`PageCall::bytes_max`].
    TooLong,
}

impl CdfClient {
    /// Fetches a page once.
    ///
    /// # Errors
    /// By what to do next: see [`AttemptFailure`].
    pub async fn page(
        &self,
        identity: &Identity,
        page: &PageCall,
    ) -> Result<PageAnswer, AttemptFailure> {
        let call = Call {
            operation: page.operation,
            repeat: Repeat::Harmless,
            method: match page.body {
                Some(_) => Method::POST,
                None => Method::GET,
            },
            path: &page.path,
            body: page.body.clone().unwrap_or_default(),
            content_type: JSON,
            gzip: false,
            accept: match page.format {
                PageFormat::Json => JSON,
                PageFormat::Protobuf => PROTOBUF,
            },
            answer_bytes_max: page.bytes_max,
        };
        let answer = if page.may_be_absent {
            match self.call_for_existing(identity, &call).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Ok(PageAnswer::Absent),
                // Some calls say it with 400 and the name of what is missing.
                Err(AttemptFailure::Split { missing, .. }) if !missing.is_empty() => {
                    return Ok(PageAnswer::Absent);
                }
                Err(failure) => return Err(failure),
            }
        } else {
            self.call(identity, &call).await?
        };
        if answer.truncated {
            return Ok(PageAnswer::TooLong);
        }
        Ok(PageAnswer::Page {
            words: answer.in_words(),
            body: answer.body,
        })
    }
}

/// What a client is told of a page that is not what CDF documents.
pub(crate) fn unreadable_page(error: &dyn std::fmt::Display, words: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::error(
            SqlState::FDW_ERROR,
            format!("CDF's answer to a read cannot be read: {error}"),
        )
        .with_detail(words)
        .with_hint("Check that base_url leads to CDF."),
    )
}

/// Appends a name to a path, so that it is one segment of it; `None`: no URL can name it.
pub(crate) fn with_segment(mut path: String, name: &str) -> Option<String> {
    if !super::percent::is_segment(name) {
        return None;
    }
    super::percent::push_segment(&mut path, name);
    Some(path)
}

/// Appends a value of a query, encoded.
pub(crate) fn with_query_value(mut path: String, name: &str, value: &str) -> String {
    path.push(if path.contains('?') { '&' } else { '?' });
    path.push_str(name);
    path.push('=');
    super::percent::push_segment(&mut path, value);
    path
}
