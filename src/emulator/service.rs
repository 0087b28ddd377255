//! The entrance: every request comes in here, and every answer goes out.
//!
//! Owns the table from operations to handlers and the headers of answers; every answer
//! carries `x-request-id`. What happens in between is `exchange`'s part. A request whose
//! fault makes it wait goes on even when its client has left, as a late write does.

use super::answer::{Answer, Content, Refusal};
use super::body::{self, BodyFault};
use super::call::Call;
use super::connection::ResetSwitch;
use super::exchange::Exchange;
use super::objects::ObjectOperation;
use super::route::Operation;
use super::state::Emulator;
use super::{access, admin, data_modeling, datapoints, identity, objects, raw, time_series, units};
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use std::sync::Arc;

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

/// Checks the type of the body and calls the handler.
pub fn dispatch(call: &mut Call<'_>) -> Result<Answer, Refusal> {
    use Operation as O;
    let takes_protobuf = call.asker.operation == O::DatapointsInsert;
    match call.content_type {
        "" | "application/json" => {}
        "application/protobuf" if takes_protobuf => {}
        // The content of a file has the type that the file says.
        _ if call.asker.operation == O::Objects(ObjectOperation::FilesUpload) => {}
        other => {
            return Err(Refusal::UnsupportedMedia(format!(
                "Content-Type '{other}' is not supported here"
            )));
        }
    }
    access::check(call)?;
    match call.asker.operation {
        O::TokenInspect => Ok(access::inspect(call)),
        O::Access(operation) => access::serve(call, operation),
        O::IdentityKeys => Ok(identity::keys(&call.emulator.identity)),
        O::IdentityConfiguration => Ok(identity::configuration(
            &call.emulator.identity,
            &call.names.tenant,
            call.names.version,
        )),
        O::TimeSeriesCreate => time_series::create(call),
        O::TimeSeriesList => time_series::list(call),
        O::TimeSeriesByIds => time_series::by_ids(call),
        O::TimeSeriesUpdate => time_series::update(call),
        O::TimeSeriesDelete => time_series::delete(call),
        O::DatapointsInsert => datapoints::insert(call),
        O::DatapointsList => datapoints::list(call),
        O::DatapointsLatest => datapoints::latest(call),
        O::DatapointsDelete => datapoints::delete(call),
        O::Objects(operation) => objects::serve(call, operation),
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
        O::DataModeling(operation) => data_modeling::serve(call, operation),
        O::Units(operation) => units::serve(call, operation),
        O::TokenIssue | O::Unknown => Err(Refusal::invalid("Nothing to do here")),
    }
}

/// A header as text, if it is text.
pub fn header(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// What the client says about the length of its body; 0 when it says nothing.
pub fn content_length(headers: &HeaderMap) -> usize {
    header(headers, CONTENT_LENGTH)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Turns an answer into a response.
pub fn respond(answer: Answer, request_id: &str, headers: &[(String, String)]) -> Response {
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
