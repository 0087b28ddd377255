//! The way of one request through the emulator.
//!
//! In this order: find the operation, count the arrival, check the token and the project,
//! take a place in the budgets, read the body, meet a fault, decompress, call the handler,
//! count and log the end, answer. Every answer carries `x-request-id`. A request whose
//! fault makes it wait goes on even when its client has left, as a late write does.

use super::answer::{Answer, Content, Refusal};
use super::body::{self, BodyFault};
use super::call::{Call, RequestBody, Tally};
use super::connection::ResetSwitch;
use super::fault::{FaultKind, FaultRule};
use super::query::Query;
use super::request_log::Entry;
use super::route::{self, Operation, PathNames};
use super::state::Emulator;
use super::statistics::{Ending, Serving};
use super::throttle::{Asker, InFlight};
use super::token::{self, TokenFault};
use super::{admin, data_sets, datapoints, raw, time_series};
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use std::sync::Arc;
use std::time::Duration;

/// Serves one request.
pub async fn serve(
    State(emulator): State<Arc<Emulator>>,
    ConnectInfo(switch): ConnectInfo<ResetSwitch>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path().starts_with("/_emulator") {
        let answer = match body::read_whole(body, content_length(&parts.headers)).await {
            Ok(bytes) => admin::serve(&emulator, &parts, &bytes),
            Err(BodyFault::Refused(refusal)) => refusal.into(),
            Err(BodyFault::Gone) => Answer::empty(),
        };
        return respond(answer, &emulator.request_id(), &[]);
    }
    let mut exchange = Exchange::arrive(emulator, parts, switch);
    exchange.read(body).await;
    if exchange.waits() {
        // On a task of its own: hyper drops this future when the client leaves.
        let request_id = exchange.request_id.clone();
        return match tokio::spawn(exchange.finish()).await {
            Ok(response) => response,
            Err(_) => respond(
                Answer::json(
                    500,
                    &serde_json::json!({"error": {"code": 500, "message": "Internal server error"}}),
                ),
                &request_id,
                &[],
            ),
        };
    }
    exchange.finish().await
}

/// One request on its way.
struct Exchange {
    emulator: Arc<Emulator>,
    parts: Parts,
    switch: ResetSwitch,
    asker: Asker,
    names: PathNames,
    request_id: String,
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
    fn arrive(emulator: Arc<Emulator>, parts: Parts, switch: ResetSwitch) -> Self {
        let started_us = emulator.elapsed_us();
        let path = parts.uri.path();
        let (operation, names, mut refusal) = match route::resolve(&parts.method, path) {
            Ok((operation, names)) => (operation, names, None),
            Err(refusal) => (Operation::Unknown, PathNames::default(), Some(refusal)),
        };
        let serving = emulator.statistics.begin(operation);
        let mut asker = Asker {
            project: names.project.clone(),
            identity: String::new(),
            operation,
        };
        let mut in_flight = None;
        if !matches!(operation, Operation::TokenIssue | Operation::Unknown) {
            match emulator
                .tokens
                .identity(header(&parts.headers, AUTHORIZATION))
            {
                Ok(identity) => asker.identity = identity,
                Err(fault) => refusal = refusal.or_else(|| Some(unauthorized(fault))),
            }
            if operation != Operation::TokenInspect
                && let Some(only) = &emulator.only_project
                && *only != names.project
            {
                refusal = refusal.or_else(|| {
                    Some(Refusal::Unauthorized(format!(
                        "Unauthorized: no access to project '{}'",
                        names.project
                    )))
                });
            }
            let (places, verdict) = emulator.throttle.arrive(&asker);
            in_flight = Some(places);
            refusal = refusal.or(verdict.err());
        }
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
            names,
            started_us,
            body: RequestBody::Whole(Bytes::new()),
            body_bytes: 0,
            refusal,
            fault,
            _serving: serving,
            _in_flight: in_flight,
        }
    }

    /// Reads the body, also of a request that will be refused: the client may not look
    /// for an answer before it has sent everything.
    async fn read(&mut self, body: Body) {
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

    fn waits(&self) -> bool {
        self.fault
            .as_ref()
            .is_some_and(|fault| !fault.wait_before().is_zero() || !fault.wait_after().is_zero())
    }

    async fn finish(mut self) -> Response {
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
            if let Some(token) = header(&self.parts.headers, AUTHORIZATION).and_then(token::bearer)
            {
                self.emulator.tokens.expire(token);
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
        let project = self.emulator.project(&self.names.project);
        let query = Query::parse(self.parts.uri.query().unwrap_or_default())?;
        let mut call = Call {
            emulator: &self.emulator,
            project: &project,
            asker: &self.asker,
            names: &self.names,
            query: &query,
            body,
            content_type: &self.content_type(),
            accept: &header(&self.parts.headers, ACCEPT)
                .unwrap_or_default()
                .to_ascii_lowercase(),
            rows_max,
            tally: Tally::default(),
        };
        let answer = match self.asker.operation {
            Operation::TokenIssue => {
                let basic = authorization.filter(|header| token::bearer(header).is_none());
                Ok(self.emulator.tokens.issue(basic, &call.bytes()))
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

fn dispatch(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    use Operation as O;
    let takes_protobuf = call.asker.operation == O::DatapointsInsert;
    match call.content_type {
        "" | "application/json" => {}
        "application/protobuf" if takes_protobuf => {}
        other => {
            return Err(Refusal::UnsupportedMedia(format!(
                "Content-Type '{other}' is not supported here"
            )));
        }
    }
    match call.asker.operation {
        O::TokenInspect => Ok(admin::inspect(call)),
        O::TimeSeriesCreate => time_series::create(call),
        O::TimeSeriesList => time_series::list(call),
        O::TimeSeriesByIds => time_series::by_ids(call),
        O::TimeSeriesUpdate => time_series::update(call),
        O::TimeSeriesDelete => time_series::delete(call),
        O::DatapointsInsert => datapoints::insert(call),
        O::DatapointsList => datapoints::list(call),
        O::DatapointsLatest => datapoints::latest(call),
        O::DatapointsDelete => datapoints::delete(call),
        O::DataSetsCreate => data_sets::create(call),
        O::DataSetsList => data_sets::list(call),
        O::DataSetsByIds => data_sets::by_ids(call),
        O::DataSetsUpdate => data_sets::update(call),
        O::RawDatabasesCreate => raw::create_databases(call),
        O::RawDatabasesList => raw::list_databases(call),
        O::RawDatabasesDelete => raw::delete_databases(call),
        O::RawTablesCreate => raw::create_tables(call),
        O::RawTablesList => raw::list_tables(call),
        O::RawTablesDelete => raw::delete_tables(call),
        O::RawRowsInsert => raw::insert_rows(call),
        O::RawRowsList => raw::list_rows(call),
        O::RawRowsGet => raw::get_row(call),
        O::RawRowsDelete => raw::delete_rows(call),
        O::RawCursorsList => raw::list_cursors(call),
        O::TokenIssue | O::Unknown => Err(Refusal::invalid("Nothing to do here")),
    }
}

fn unauthorized(fault: TokenFault) -> Refusal {
    Refusal::Unauthorized(
        match fault {
            TokenFault::Absent => "Unauthorized: no bearer token was given",
            TokenFault::Unknown => "Unauthorized: the token is not known",
            TokenFault::Expired => "Unauthorized: the token has expired",
        }
        .to_owned(),
    )
}

fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn content_length(headers: &HeaderMap) -> usize {
    header(headers, CONTENT_LENGTH)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

fn respond(answer: Answer, request_id: &str, headers: &[(String, String)]) -> Response {
    let (content_type, body) = match answer.content {
        Content::Json(body) => ("application/json", body),
        Content::Protobuf(body) => ("application/protobuf", body),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let all = response.headers_mut();
    all.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
    {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) {
            all.insert(name, value);
        }
    }
    if let Ok(value) = HeaderValue::from_str(request_id) {
        all.insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}
