//! One request on its way, from its arrival to its record.
//!
//! Owns the order of things: count the arrival, check the token and the project, take a
//! place in the budgets, read the body, meet a fault, decompress, call the handler, count
//! and log the end. The places taken are given back when it is dropped, however it ends.

use super::access::Rights;
use super::admission::{Admission, unauthorized};
use super::answer::{Answer, Refusal};
use super::body::{self, BodyFault};
use super::call::{Call, RequestBody, Tally};
use super::connection::ResetSwitch;
use super::fault::{FaultKind, FaultRule};
use super::identity::{self, Principal, TokenFault};
use super::query::Query;
use super::request_log::Entry;
use super::route::{self, Operation, PathNames};
use super::service::{content_length, dispatch, header, respond};
use super::state::Emulator;
use super::statistics::{Ending, Serving};
use super::throttle::{Asker, InFlight};
use axum::body::{Body, Bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;

/// One request on its way.
pub struct Exchange {
    emulator: Arc<Emulator>,
    parts: Parts,
    switch: ResetSwitch,
    asker: Asker,
    principal: Arc<Principal>,
    rights: Option<Rights>,
    names: PathNames,
    pub request_id: String,
    started_us: u64,
    body: RequestBody,
    body_bytes: u64,
    /// Why it will be refused whatever its body says.
    refusal: Option<Refusal>,
    fault: Option<FaultRule>,
    // Held until the end of the exchange.
    _serving: Serving,
    _in_flight: Option<InFlight>,
}

impl Exchange {
    /// Takes a request in: who asks for what, and may it.
    pub fn arrive(emulator: Arc<Emulator>, parts: Parts, switch: ResetSwitch) -> Self {
        let started_us = emulator.elapsed_us();
        let path = parts.uri.path();
        let (operation, names, unknown) = match route::resolve(&parts.method, path) {
            Ok((operation, names)) => (operation, names, None),
            Err(refusal) => (Operation::Unknown, PathNames::default(), Some(refusal)),
        };
        let serving = emulator.statistics.begin(operation);
        let authorization = header(&parts.headers, AUTHORIZATION);
        let admission = Admission::decide(&emulator, operation, &names, authorization);
        let refusal = unknown.or(admission.refusal);
        let asker = admission.asker;
        let fault = match &refusal {
            None => emulator.faults.strike(&asker, path),
            Some(_) => None,
        };
        Self {
            request_id: emulator.request_id(),
            emulator,
            parts,
            switch,
            asker,
            principal: admission.principal,
            rights: admission.rights,
            names,
            started_us,
            body: RequestBody::Whole(Bytes::new()),
            body_bytes: 0,
            refusal,
            fault,
            _serving: serving,
            _in_flight: admission.in_flight,
        }
    }

    /// Reads the body, also of a request that will be refused: the client may not look
    /// for an answer before it has sent everything.
    pub async fn read(&mut self, body: Body) {
        let streams = self.emulator.sink
            && self.asker.operation == Operation::DatapointsInsert
            && self.content_encoding().is_empty()
            && self.content_type() == "application/protobuf";
        let read = if streams {
            body::read_points(body).await.map(|(body_bytes, points)| {
                self.body_bytes = body_bytes;
                RequestBody::Streamed(points)
            })
        } else {
            let expected_bytes = content_length(&self.parts.headers);
            body::read_whole(body, expected_bytes).await.map(|bytes| {
                self.body_bytes = bytes.len() as u64;
                RequestBody::Whole(bytes)
            })
        };
        match read {
            Ok(read) => self.body = read,
            Err(BodyFault::Refused(refusal)) => self.refusal = Some(refusal),
            // Nobody is left to hear it; the log shows what became of the request.
            Err(BodyFault::Gone) => {
                self.refusal = Some(Refusal::invalid(
                    "The client left before the body was whole",
                ));
            }
        }
    }

    /// Whether its fault makes it wait.
    pub fn waits(&self) -> bool {
        self.fault
            .as_ref()
            .is_some_and(|fault| !fault.wait_before().is_zero() || !fault.wait_after().is_zero())
    }

    /// Does what was asked, or what its fault says, and answers.
    pub async fn finish(mut self) -> Response {
        let fault = self.fault.take();
        if let Some(fault) = &fault {
            self.wait(fault.wait_before()).await;
        }
        let mut tally = Tally::default();
        let mut decoded_bytes = self.body_bytes;
        let (mut answer, committed) = match (self.refusal.take(), &fault) {
            (Some(refusal), _) => (refusal.into(), false),
            (None, Some(fault)) if !commits(fault) => (self.fault_answer(fault), false),
            (None, fault) => {
                let rows_max = fault
                    .as_ref()
                    .filter(|fault| fault.kind == FaultKind::PartialWrite)
                    .map(|fault| fault.rows);
                match self.handle(rows_max, &mut tally, &mut decoded_bytes) {
                    Ok(answer) => (answer, true),
                    Err(refusal) => (refusal.into(), false),
                }
            }
        };
        let mut headers: &[(String, String)] = &[];
        let mut reset = false;
        let fault_headers;
        if let Some(fault) = &fault {
            self.wait(fault.wait_after()).await;
            match fault.kind {
                FaultKind::ResetBeforeCommit | FaultKind::ResetAfterCommit => {
                    reset = true;
                    self.switch.throw();
                }
                FaultKind::Status | FaultKind::PartialWrite => {
                    answer = self.fault_answer(fault);
                    fault_headers = fault.headers.clone().into_iter().collect::<Vec<_>>();
                    headers = &fault_headers;
                }
                FaultKind::Delay | FaultKind::LateAnswer | FaultKind::ExpireToken => {}
            }
        }
        let ending = Ending {
            status: answer.status,
            committed,
            reset,
            body_bytes: self.body_bytes,
            decoded_bytes,
        };
        let response = respond(answer, &self.request_id, headers);
        self.record(ending, tally, fault.map(|fault| fault.kind.name()));
        response
    }

    async fn wait(&self, time: Duration) {
        if !time.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(time) => {}
                () = self.emulator.stopping.cancelled() => {}
            }
        }
    }

    fn fault_answer(&self, fault: &FaultRule) -> Answer {
        if fault.kind == FaultKind::ExpireToken {
            let authorization = header(&self.parts.headers, AUTHORIZATION);
            if let Some(token) = authorization.and_then(identity::bearer) {
                let now_ms = self.emulator.identity.clock.now_ms();
                self.emulator.identity.tokens.expire(token, now_ms);
            }
            return unauthorized(TokenFault::Expired).into();
        }
        Answer::json(fault.status, &fault.answer_body())
    }

    fn handle(
        &mut self,
        rows_max: Option<usize>,
        tally: &mut Tally,
        decoded_bytes: &mut u64,
    ) -> Result<Answer, Refusal> {
        let placeholder = RequestBody::Whole(Bytes::new());
        let mut body = std::mem::replace(&mut self.body, placeholder);
        if let RequestBody::Whole(bytes) = body {
            let decoded = body::decode(bytes, &self.content_encoding())?;
            *decoded_bytes = decoded.len() as u64;
            body = RequestBody::Whole(decoded);
        }
        let authorization = header(&self.parts.headers, AUTHORIZATION);
        // Signing in belongs to no project, and asking for one would make it.
        let project = match self.names.project.as_str() {
            "" => Arc::default(),
            name => self.emulator.project(name),
        };
        let query = Query::parse(self.parts.uri.query().unwrap_or_default())?;
        let mut call = Call {
            emulator: &self.emulator,
            project: &project,
            asker: &self.asker,
            principal: &self.principal,
            rights: self.rights.as_ref(),
            names: &self.names,
            query: &query,
            body,
            host: header(&self.parts.headers, HOST).unwrap_or_default(),
            content_type: &self.content_type(),
            accept: &header(&self.parts.headers, ACCEPT)
                .unwrap_or_default()
                .to_ascii_lowercase(),
            rows_max,
            tally: Tally::default(),
        };
        let answer = match self.asker.operation {
            Operation::TokenIssue => {
                let basic = authorization.filter(|header| identity::bearer(header).is_none());
                let (provider, names) = (&self.emulator.identity, &self.names);
                let form = call.bytes();
                identity::answer_token_request(provider, &names.tenant, names.version, basic, &form)
            }
            _ => dispatch(&mut call),
        };
        *tally = call.tally;
        answer
    }

    fn record(self, ending: Ending, tally: Tally, fault: Option<&'static str>) {
        self.emulator
            .statistics
            .end(self.asker.operation, ending, &tally);
        self.emulator.requests.push(Entry {
            sequence: 0,
            content_type: self.content_type(),
            content_encoding: self.content_encoding(),
            request_id: self.request_id,
            operation: self.asker.operation,
            method: self.parts.method.to_string(),
            path: self.parts.uri.path().to_owned(),
            project: self.asker.project,
            identity: self.asker.identity,
            status: ending.status,
            committed: ending.committed,
            fault,
            started_us: self.started_us,
            ended_us: self.emulator.elapsed_us(),
            body_bytes: ending.body_bytes,
            decoded_bytes: ending.decoded_bytes,
            tally,
        });
    }

    fn content_type(&self) -> String {
        let value = header(&self.parts.headers, CONTENT_TYPE).unwrap_or_default();
        let essence = value.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    }

    fn content_encoding(&self) -> String {
        let value = header(&self.parts.headers, CONTENT_ENCODING).unwrap_or_default();
        value.trim().to_ascii_lowercase()
    }
}

/// Whether the request takes effect although it meets this fault.
fn commits(fault: &FaultRule) -> bool {
    match fault.kind {
        FaultKind::Status => fault.after_commit,
        FaultKind::ResetBeforeCommit | FaultKind::ExpireToken => false,
        FaultKind::ResetAfterCommit
        | FaultKind::Delay
        | FaultKind::LateAnswer
        | FaultKind::PartialWrite => true,
    }
}
