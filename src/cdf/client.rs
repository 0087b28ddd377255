//! One attempt at CDF: sign, send, read, judge.
//!
//! Owns the HTTP side of a writer. Promises one verdict per attempt, by [`AttemptFailure`],
//! and one renewal of the token when CDF answers 401. Never repeats a write by itself.

use super::answer::Answer;
use super::classify::classify;
use super::found::{InstanceName, names_in, untouched_in};
use super::token_slot::Bearer;
use super::transport::{self, Transport};
use super::unanswered::unanswered;
use super::{
    AttemptFailure, Credentials, EncodedRequest, Identity, Operation, Repeat, TokenCache, percent,
};
use crate::diagnostic::{Diagnostic, SqlState};
use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of an answer that are read when only success or an error is expected. An error may
/// name 10,000 series of 255 characters.
const ANSWER_BYTES_MAX: usize = 16 << 20;

pub(super) const JSON: &str = "application/json";
pub(super) const PROTOBUF: &str = "application/protobuf";

/// CDF as one writer sees it. Clones share their connections; a client belongs to the
/// runtime that it was made on.
#[derive(Clone, Debug)]
pub struct CdfClient {
    transport: Transport,
    tokens: Arc<TokenCache>,
    /// CDF's clock less ours, in ms, as of the last answer.
    clock_offset_ms: Arc<AtomicI64>,
}

/// A request as it goes out.
#[derive(Clone, Debug)]
pub(super) struct Call<'a> {
    pub operation: Operation,
    pub repeat: Repeat,
    pub method: Method,
    /// Below `/api/v1/projects/{project}`.
    pub path: &'a str,
    pub body: Bytes,
    pub content_type: &'static str,
    pub gzip: bool,
    pub accept: &'static str,
    pub answer_bytes_max: usize,
}

impl CdfClient {
    /// A client whose attempts take at most `request_timeout`, with tokens from a cache that
    /// all clients of the process share.
    ///
    /// # Errors
    /// When the HTTP library cannot be set up.
    pub fn new(
        request_timeout: Duration,
        tokens: Arc<TokenCache>,
    ) -> Result<Self, Box<Diagnostic>> {
        let transport = Transport::new(request_timeout).map_err(|error| {
            Box::new(Diagnostic::error(
                SqlState::SYSTEM_ERROR,
                format!("the HTTP client cannot start: {}", transport::cause(&error)),
            ))
        })?;
        Ok(CdfClient {
            transport,
            tokens,
            clock_offset_ms: Arc::default(),
        })
    }

    /// Sends rows once. `Ok` means that CDF has them.
    ///
    /// # Errors
    /// By what to do next: see [`AttemptFailure`].
    pub async fn send(
        &self,
        identity: &Identity,
        request: &EncodedRequest,
    ) -> Result<(), AttemptFailure> {
        self.call(identity, &rows_call(request)).await.map(|_| ())
    }

    /// The same, and what CDF answered: one object for each item, in their order. Empty where the
    /// answer holds none, or one that does not fit: the rows are written all the same.
    ///
    /// # Errors
    /// As [`CdfClient::send`].
    pub async fn send_for_objects(
        &self,
        identity: &Identity,
        request: &EncodedRequest,
    ) -> Result<Vec<Box<RawValue>>, AttemptFailure> {
        let answer = self.call(identity, &rows_call(request)).await?;
        #[derive(Deserialize)]
        struct Page {
            items: Vec<Box<RawValue>>,
        }
        // A file is made alone, and answered alone.
        let objects = serde_json::from_slice::<Page>(&answer.body)
            .map(|page| page.items)
            .or_else(|_| serde_json::from_slice::<Box<RawValue>>(&answer.body).map(|one| vec![one]))
            .unwrap_or_default();
        Ok(if objects.len() == request.items {
            objects
        } else {
            Vec::new()
        })
    }

    /// Deletes instances, and tells which of these there were; all of them where the answer does
    /// not say.
    ///
    /// # Errors
    /// As [`CdfClient::send`].
    pub async fn delete_instances(
        &self,
        identity: &Identity,
        request: &EncodedRequest,
        names: &[InstanceName],
    ) -> Result<Vec<bool>, AttemptFailure> {
        let answer = self.call(identity, &rows_call(request)).await?;
        let deleted: Option<HashSet<InstanceName>> =
            names_in(&answer.body).map(|names| names.into_iter().collect());
        let was_there = |name| {
            deleted
                .as_ref()
                .is_none_or(|deleted| deleted.contains(name))
        };
        Ok(names.iter().map(was_there).collect())
    }

    /// Makes those of these instances that do not exist, and tells which; all of them where the
    /// answer does not say.
    ///
    /// # Errors
    /// As [`CdfClient::send`].
    pub async fn make_missing_instances(
        &self,
        identity: &Identity,
        request: &EncodedRequest,
        names: &[InstanceName],
    ) -> Result<Vec<bool>, AttemptFailure> {
        let answer = self.call(identity, &rows_call(request)).await?;
        let untouched = untouched_in(&answer.body).unwrap_or_default();
        Ok(names.iter().map(|name| !untouched.contains(name)).collect())
    }

    /// Deletes RAW rows. Of a table that does not exist none is left.
    ///
    /// # Errors
    /// As [`CdfClient::send`].
    pub async fn delete_raw_rows(
        &self,
        identity: &Identity,
        request: &EncodedRequest,
    ) -> Result<(), AttemptFailure> {
        let call = rows_call(request);
        self.call_for_existing(identity, &call).await.map(|_| ())
    }

    /// Sends a call, with a fresh token after a 401, and judges the answer.
    pub(super) async fn call(
        &self,
        identity: &Identity,
        call: &Call<'_>,
    ) -> Result<Answer, AttemptFailure> {
        let answered = self.answered(identity, call).await;
        let called = answered.and_then(|answer| self.judge(call, answer));
        self.note_denial(identity, &called);
        called
    }

    /// A refusal of the principal makes those look who watch over its access.
    fn note_denial<T>(&self, identity: &Identity, called: &Result<T, AttemptFailure>) {
        if let Err(AttemptFailure::Stop { reason }) = called
            && matches!(
                reason.sqlstate,
                SqlState::INVALID_AUTHORIZATION_SPECIFICATION | SqlState::INSUFFICIENT_PRIVILEGE
            )
        {
            self.tokens.denied(identity);
        }
    }

    /// The same where CDF may say that there is no such row or table: `None` then. What a proxy
    /// says of an address says nothing of rows.
    pub(super) async fn call_for_existing(
        &self,
        identity: &Identity,
        call: &Call<'_>,
    ) -> Result<Option<Answer>, AttemptFailure> {
        let answered = self.answered(identity, call).await;
        let called = answered.and_then(|answer| {
            if answer.status == 404 && answer.error().from_cdf {
                return Ok(None);
            }
            self.judge(call, answer).map(Some)
        });
        self.note_denial(identity, &called);
        called
    }

    /// An answer that is not judged yet.
    async fn answered(
        &self,
        identity: &Identity,
        call: &Call<'_>,
    ) -> Result<Answer, AttemptFailure> {
        let bearer = self.bearer(identity).await?;
        let answer = self.exchange(identity, call, &bearer).await?;
        if answer.status != 401 || !self.discard(identity, &bearer).await {
            return Ok(answer);
        }
        let bearer = self.bearer(identity).await?;
        self.exchange(identity, call, &bearer).await
    }

    fn judge(&self, call: &Call<'_>, answer: Answer) -> Result<Answer, AttemptFailure> {
        if call.operation.is_done(answer.status) && !is_a_page(&answer) {
            Ok(answer)
        } else {
            Err(classify(call.operation, call.repeat, &answer))
        }
    }

    /// CDF's clock less ours, in milliseconds, to the second: what its `Date` said last.
    pub(super) fn clock_offset_ms(&self) -> i64 {
        self.clock_offset_ms.load(Ordering::Relaxed)
    }

    /// A token for `identity`.
    pub(super) async fn bearer(&self, identity: &Identity) -> Result<Bearer, AttemptFailure> {
        let http = self.token_http(identity)?;
        self.tokens.bearer(http, &identity.credentials).await
    }

    /// Drops the token that CDF answered with 401; whether there can be another one.
    pub(super) async fn discard(&self, identity: &Identity, rejected: &Bearer) -> bool {
        self.tokens.discard(&identity.credentials, rejected).await
    }

    /// Whether the source of the identity's tokens gives one now.
    pub(super) async fn prove(&self, identity: &Identity) -> Result<(), AttemptFailure> {
        let http = self.token_http(identity)?;
        let credentials = &identity.credentials;
        match credentials {
            Credentials::Session(_) => self.tokens.bearer(http, credentials).await,
            _ => self.tokens.bearer_anew(http, credentials).await,
        }
        .map(|_| ())
    }

    /// Whether the identity is a session that has to be exchanged soon to live on.
    pub fn is_session_due(&self, identity: &Identity) -> bool {
        self.tokens.is_session_due(&identity.credentials)
    }

    /// Exchanges the identity's session, so that it lives on.
    ///
    /// # Errors
    /// `Retry` when nobody answers, `Stop` when the session is over.
    pub async fn renew_session(&self, identity: &Identity) -> Result<(), AttemptFailure> {
        let http = self.token_http(identity)?;
        let renewed = self.tokens.bearer_anew(http, &identity.credentials);
        renewed.await.map(|_| ())
    }

    /// Drops the token of an identity that has lost its access.
    pub async fn distrust(&self, identity: &Identity) {
        self.tokens.distrust(&identity.credentials).await;
    }

    /// What tokens for `identity` are fetched with.
    fn token_http(&self, identity: &Identity) -> Result<&reqwest::Client, AttemptFailure> {
        self.http(match identity.credentials.token_source() {
            // Nobody is asked, so no certificates are needed.
            "" => "http://",
            url => url,
        })
    }

    pub(super) fn http(&self, url: &str) -> Result<&reqwest::Client, AttemptFailure> {
        self.transport
            .client(url)
            .map_err(|error| AttemptFailure::Stop {
                reason: Box::new(
                    Diagnostic::error(
                        SqlState::CONNECTION_FAILURE,
                        format!("the gateway cannot use TLS: {error}"),
                    )
                    .with_hint("Install the system's CA certificates (package ca-certificates)."),
                ),
            })
    }

    async fn exchange(
        &self,
        identity: &Identity,
        call: &Call<'_>,
        bearer: &Bearer,
    ) -> Result<Answer, AttemptFailure> {
        let mut url = format!("{}/api/v1/projects/", identity.project.base_url);
        percent::push_segment(&mut url, &identity.project.name);
        url.push_str(call.path);
        let mut request = self
            .http(&url)?
            .request(call.method.clone(), &url)
            .header(AUTHORIZATION, bearer.header.clone())
            .header(ACCEPT, call.accept);
        if !call.body.is_empty() {
            request = request
                .header(CONTENT_TYPE, call.content_type)
                .body(call.body.clone());
        }
        if call.gzip {
            request = request.header(CONTENT_ENCODING, "gzip");
        }
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                return Err(unanswered(
                    &identity.project,
                    call.operation,
                    call.repeat,
                    &error,
                ));
            }
        };
        self.note_clock(&response);
        let status = response.status().as_u16();
        match transport::read(response, call.answer_bytes_max).await {
            Ok(answer) => Ok(answer),
            // The head of the answer has said it; nobody needs the body of a write's success.
            Err(_) if call.operation.is_done(status) && call.repeat != Repeat::Harmless => {
                Ok(Answer {
                    status,
                    ..Answer::default()
                })
            }
            Err(error) => Err(unanswered(
                &identity.project,
                call.operation,
                call.repeat,
                &error,
            )),
        }
    }

    fn note_clock(&self, response: &reqwest::Response) {
        let date = response
            .headers()
            .get(DATE)
            .and_then(|value| value.to_str().ok())
            .and_then(super::http_date::read);
        if let Some(date) = date {
            let offset_ms = milliseconds(date) - milliseconds(SystemTime::now());
            self.clock_offset_ms.store(offset_ms, Ordering::Relaxed);
        }
    }
}

/// The call that sends rows.
fn rows_call(request: &EncodedRequest) -> Call<'_> {
    Call {
        operation: request.operation,
        repeat: request.repeat,
        method: Method::POST,
        path: &request.path,
        body: request.body.clone(),
        content_type: request.content_type,
        gzip: request.gzip,
        accept: JSON,
        answer_bytes_max: ANSWER_BYTES_MAX,
    }
}

/// Milliseconds since 1970-01-01 UTC.
pub(super) fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A proxy's page with status 200 says nothing of rows.
fn is_a_page(answer: &Answer) -> bool {
    answer.content_type.contains("html")
}
