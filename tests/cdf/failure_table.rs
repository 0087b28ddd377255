//! The failure table, answer by answer.
//!
//! Owns the tests of what each answer of CDF's means. Promises that the whole way is tested:
//! from the bytes of an answer to class and SQLSTATE.

use super::attempts::{client, datapoint, identity, time_series};
use super::batches::{range, raw_rows, raw_tables};
use super::scripted_server::{Reply, ScriptedServer};
use penstock::catalog::Resource;
use penstock::cdf::{AttemptFailure, EncodedRequest, Operation, Reference, encode};
use penstock::config::BatchSettings;
use penstock::diagnostic::SqlState;
use std::time::Duration;

fn raw_row() -> EncodedRequest {
    let batch = raw_rows("db", "t", &[("k".to_owned(), "{}".to_owned())]);
    encode(
        Operation::writing(Resource::RawRows),
        &[range(&batch)],
        &BatchSettings::default(),
    )
    .expect("the rows are right")
}

fn raw_table() -> EncodedRequest {
    let batch = raw_tables(&[("db", "t")]);
    encode(
        Operation::writing(Resource::RawTables),
        &[range(&batch)],
        &BatchSettings::default(),
    )
    .expect("the rows are right")
}

async fn outcome(request: &EncodedRequest, reply: Reply) -> Result<(), AttemptFailure> {
    let server = ScriptedServer::start(vec![], reply).await;
    client().send(&identity(&server.url), request).await
}

async fn failure(request: &EncodedRequest, reply: Reply) -> AttemptFailure {
    outcome(request, reply.clone())
        .await
        .expect_err(&format!("{reply:?} is no success"))
}

fn error(message: &str) -> String {
    format!(r#"{{"error":{{"code":400,"message":"{message}"}}}}"#)
}

/// Class, SQLSTATE and the part of the message that matters, per answer.
#[tokio::test]
async fn each_answer_has_its_class_and_sqlstate() {
    let cases: Vec<(EncodedRequest, Reply, &str, SqlState)> = vec![
        (
            datapoint(),
            Reply::json(429, error("Too many requests")),
            "retry",
            SqlState::INSUFFICIENT_RESOURCES,
        ),
        (
            time_series(None),
            Reply::json(429, error("Too many requests")),
            "retry",
            SqlState::INSUFFICIENT_RESOURCES,
        ),
        (
            datapoint(),
            Reply::json(500, error("oops")),
            "retry",
            SqlState::CONNECTION_FAILURE,
        ),
        (
            raw_row(),
            Reply::json(502, ""),
            "retry",
            SqlState::CONNECTION_FAILURE,
        ),
        (
            time_series(Some("pump")),
            Reply::json(503, ""),
            "retry",
            SqlState::CONNECTION_FAILURE,
        ),
        (
            raw_table(),
            Reply::json(504, ""),
            "retry",
            SqlState::CONNECTION_FAILURE,
        ),
        (
            time_series(None),
            Reply::json(500, error("oops")).with_header("cdf-is-auto-retryable", "true"),
            "retry",
            SqlState::CONNECTION_FAILURE,
        ),
        (
            datapoint(),
            Reply::json(
                400,
                r#"{"error":{"code":400,"message":"busy","isAutoRetryable":true}}"#,
            ),
            "retry",
            SqlState::CONNECTION_FAILURE,
        ),
        (
            datapoint(),
            Reply::json(409, error("conflicting change")),
            "retry",
            SqlState::CONNECTION_FAILURE,
        ),
        (
            datapoint(),
            Reply::json(400, error("Expected string value for datapoint")),
            "split",
            SqlState::DATATYPE_MISMATCH,
        ),
        (
            datapoint(),
            Reply::json(400, error("expected numeric value")),
            "split",
            SqlState::DATATYPE_MISMATCH,
        ),
        (
            datapoint(),
            Reply::json(400, error("timestamp out of range")),
            "split",
            SqlState::INVALID_PARAMETER_VALUE,
        ),
        (
            raw_row(),
            Reply::json(
                400,
                r#"{"code":400,"message":"Missing required fields","missingFields":["key"]}"#,
            ),
            "split",
            SqlState::NOT_NULL_VIOLATION,
        ),
        (
            raw_row(),
            Reply::json(413, ""),
            "split",
            SqlState::PROGRAM_LIMIT_EXCEEDED,
        ),
        (
            raw_table(),
            Reply::json(409, error("Table exists")),
            "split",
            SqlState::UNIQUE_VIOLATION,
        ),
        (
            datapoint(),
            Reply::json(403, r#"{"error":"Forbidden"}"#),
            "stop",
            SqlState::INSUFFICIENT_PRIVILEGE,
        ),
        (
            datapoint(),
            Reply::json(401, r#"{"error":{"code":401,"message":"Unauthorized"}}"#),
            "stop",
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        ),
        (
            datapoint(),
            Reply::json(404, error("project not found")),
            "stop",
            SqlState::INVALID_CATALOG_NAME,
        ),
        (
            datapoint(),
            Reply::json(415, ""),
            "reject",
            SqlState::FDW_ERROR,
        ),
        (
            datapoint(),
            Reply::json(202, "{}"),
            "unknown",
            SqlState::STATEMENT_COMPLETION_UNKNOWN,
        ),
        (
            datapoint(),
            Reply::html(200, "<html><title>Sign in</title></html>"),
            "unknown",
            SqlState::STATEMENT_COMPLETION_UNKNOWN,
        ),
    ];
    for (request, reply, class, sqlstate) in cases {
        let case = format!("{:?} {reply:?}", request.operation);
        let failure = failure(&request, reply).await;
        assert_eq!(failure.class(), class, "{case}: {failure:?}");
        assert_eq!(failure.reason().sqlstate, sqlstate, "{case}: {failure:?}");
        let reason = failure.reason();
        assert!(reason.hint.is_some(), "{case}: no hint");
        let detail = reason.detail.as_deref().unwrap_or_default();
        assert!(detail.contains("HTTP "), "{case}: {detail}");
    }
}

#[tokio::test]
async fn both_codes_that_say_done_are_success() {
    for request in [datapoint(), raw_row(), raw_table(), time_series(Some("a"))] {
        for status in [200, 201] {
            let outcome = outcome(&request, Reply::json(status, "{}")).await;
            assert_eq!(outcome, Ok(()), "{:?} {status}", request.operation);
        }
    }
}

#[tokio::test]
async fn a_missing_series_is_named_as_it_was_sent() {
    let body = r#"{"error":{"code":400,"message":"Time series not found",
        "missing":[{"externalId":"a"},{"id":7},{"externalId":"b"},{"externalId":"c"}]}}"#;
    let failure = failure(&datapoint(), Reply::json(400, body)).await;
    let AttemptFailure::Split {
        missing,
        duplicated,
        reason,
    } = failure
    else {
        panic!("{failure:?}");
    };
    assert_eq!(
        missing,
        [
            Reference::ExternalId("a".into()),
            Reference::Id(7),
            Reference::ExternalId("b".into()),
            Reference::ExternalId("c".into()),
        ]
    );
    assert!(duplicated.is_empty());
    assert_eq!(reason.sqlstate, SqlState::FOREIGN_KEY_VIOLATION);
    assert_eq!(
        reason.message,
        "time series do not exist: external_id \"a\", id 7, external_id \"b\", and 1 more"
    );
    assert_eq!(
        reason.detail.as_deref(),
        Some("CDF said: Time series not found (HTTP 400, x-request-id request-42).")
    );
}

#[tokio::test]
async fn an_existing_time_series_is_named_in_either_shape_of_error() {
    for body in [
        r#"{"error":{"code":409,"message":"duplicates","duplicated":[{"externalId":"a"}]}}"#,
        r#"{"code":409,"message":"duplicates","duplicated":[{"externalId":"a"}]}"#,
    ] {
        let failure = failure(&time_series(Some("a")), Reply::json(409, body)).await;
        let AttemptFailure::Split {
            duplicated, reason, ..
        } = failure
        else {
            panic!("{failure:?}");
        };
        assert_eq!(duplicated, [Reference::ExternalId("a".into())]);
        assert_eq!(reason.sqlstate, SqlState::UNIQUE_VIOLATION);
    }
}

#[tokio::test]
async fn a_missing_data_set_is_named_with_the_column_that_points_at_it() {
    let body =
        r#"{"error":{"code":400,"message":"Data set ids not found: 5","missing":[{"id":5}]}}"#;
    let failure = failure(&time_series(Some("a")), Reply::json(400, body)).await;
    let AttemptFailure::Split {
        missing, reason, ..
    } = failure
    else {
        panic!("{failure:?}");
    };
    assert_eq!(
        missing,
        [Reference::InColumn {
            column: "data_set_id",
            id: 5
        }]
    );
    assert_eq!(reason.sqlstate, SqlState::FOREIGN_KEY_VIOLATION);
    assert_eq!(reason.column.as_deref(), Some("data_set_id"));
}

#[tokio::test]
async fn what_a_create_misses_without_saying_where_is_looked_for_by_halves() {
    let body = r#"{"error":{"code":400,"message":"Ids not found","missing":[{"id":5}]}}"#;
    let failure = failure(&time_series(Some("a")), Reply::json(400, body)).await;
    let AttemptFailure::Split {
        missing,
        duplicated,
        reason,
    } = failure
    else {
        panic!("{failure:?}");
    };
    assert!(missing.is_empty() && duplicated.is_empty());
    assert_eq!(reason.sqlstate, SqlState::FOREIGN_KEY_VIOLATION);
}

#[tokio::test]
async fn a_series_under_two_names_in_one_request_blames_no_row() {
    let body = r#"{"error":{"code":422,"message":"Duplicated","duplicated":[{"id":7}]}}"#;
    let failure = failure(&datapoint(), Reply::json(422, body)).await;
    let AttemptFailure::Split {
        missing,
        duplicated,
        ..
    } = failure
    else {
        panic!("{failure:?}");
    };
    assert!(missing.is_empty() && duplicated.is_empty());
}

#[tokio::test]
async fn whether_a_write_may_still_land_depends_on_who_answered() {
    for (status, expected) in [
        (429, true),
        (500, true),
        (503, true),
        (408, false),
        (502, false),
        (504, false),
    ] {
        let failure = failure(&datapoint(), Reply::json(status, "")).await;
        let AttemptFailure::Retry {
            answered,
            status: seen,
            ..
        } = failure
        else {
            panic!("{failure:?}");
        };
        assert_eq!(answered, expected, "{status}");
        assert_eq!(seen, Some(status));
    }
}

#[tokio::test]
async fn retry_after_is_read_in_all_its_forms() {
    for (value, expected) in [
        ("3", Some(Duration::from_secs(3))),
        ("0.5", Some(Duration::from_millis(500))),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(Duration::ZERO)),
        ("soon", None),
        ("-1", None),
        ("NaN", None),
        ("1e300", Some(Duration::from_secs(86_400))),
    ] {
        let reply = Reply::json(429, "").with_header("retry-after", value);
        let failure = failure(&datapoint(), reply).await;
        let AttemptFailure::Retry { retry_after, .. } = failure else {
            panic!("{failure:?}");
        };
        assert_eq!(retry_after, expected, "{value}");
    }
}

#[tokio::test]
async fn what_a_proxy_says_is_not_put_into_the_mouth_of_cdf() {
    let page = "<!DOCTYPE html><html><head><TITLE>502\tBad \x1b[31mGateway</TITLE></head></html>";
    let failure = failure(&datapoint(), Reply::html(502, page)).await;
    let detail = failure.reason().detail.clone().unwrap_or_default();
    assert_eq!(
        detail,
        "Peer said: an HTML page titled \"502 Bad  [31mGateway\" (HTTP 502, no x-request-id)."
    );
}

#[tokio::test]
async fn a_bare_text_and_a_text_in_error_are_read() {
    for body in [
        r#"{"error":"No access to project"}"#,
        r#""No access to project""#,
    ] {
        let failure = failure(&datapoint(), Reply::json(403, body)).await;
        let detail = failure.reason().detail.clone().unwrap_or_default();
        assert!(
            detail.starts_with("CDF said: No access to project (HTTP 403"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn a_very_long_message_is_cut() {
    let reply = Reply::json(400, error(&"long ".repeat(10_000)));
    let failure = failure(&datapoint(), reply).await;
    let detail = failure.reason().detail.clone().unwrap_or_default();
    assert!(
        detail.chars().count() < 1_200,
        "{} characters",
        detail.len()
    );
    assert!(detail.contains('…'));
}
