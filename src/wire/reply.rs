//! The gateway's messages, encoded by pgwire into a buffer.
//!
//! Owns which fields a diagnostic has on the wire and the ParameterStatus messages. Promises
//! that a message that cannot be encoded leaves the buffer as it was. Never decides when the
//! buffer is sent.

use super::encoding::ClientEncoding;
use super::notifications::Notification;
use crate::catalog::{PUBLIC, TABLES};
use crate::diagnostic::{Diagnostic, Severity};
use bytes::BytesMut;
use pgwire::messages::Message;
use pgwire::messages::response::{
    CommandComplete, ErrorResponse, NoticeResponse, ReadyForQuery, TransactionStatus,
};
use pgwire::messages::startup::ParameterStatus;

/// Appends a message.
pub(super) fn put<M: Message>(output: &mut BytesMut, message: &M) {
    let start = output.len();
    if let Err(error) = message.encode(output) {
        output.truncate(start);
        tracing::error!(%error, "a reply could not be encoded and was left out");
    }
}

/// Appends a message whose body is strings only, in the client's encoding.
fn put_text<M: Message>(output: &mut BytesMut, encoding: ClientEncoding, message: &M) {
    let start = output.len();
    put(output, message);
    let body_start = start + super::frame::HEADER_BYTES;
    if encoding == ClientEncoding::Utf8 || output.len() <= body_start {
        return;
    }
    let body = output.split_off(body_start);
    match std::str::from_utf8(&body) {
        Ok(text) => {
            let encoded = encoding.encode(text);
            let length = u32::try_from(encoded.len() + 4).unwrap_or(u32::MAX);
            output[start + 1..body_start].copy_from_slice(&length.to_be_bytes());
            output.extend_from_slice(&encoded);
        }
        Err(_) => output.unsplit(body),
    }
}

/// Appends an ErrorResponse, or a NoticeResponse, as its severity asks.
pub(super) fn put_diagnostic(
    output: &mut BytesMut,
    encoding: ClientEncoding,
    diagnostic: &Diagnostic,
) {
    let fields = fields(diagnostic);
    match diagnostic.severity {
        Severity::Error | Severity::Fatal => {
            put_text(output, encoding, &ErrorResponse::new(fields));
        }
        Severity::Warning | Severity::Notice => {
            put_text(output, encoding, &NoticeResponse::new(fields));
        }
    }
}

/// The schema of the table that a diagnostic names.
fn schema_of(table: &str) -> &'static str {
    TABLES
        .iter()
        .find(|known| known.name == table)
        .map_or(PUBLIC, |known| known.schema)
}

/// The fields of a diagnostic, by PostgreSQL's field codes. NUL ends a field on the wire, so
/// none may be inside.
fn fields(diagnostic: &Diagnostic) -> Vec<(u8, String)> {
    let severity = diagnostic.severity.name();
    let position = diagnostic.position.map(|position| position.to_string());
    let schema = diagnostic
        .table
        .as_ref()
        .map(|table| schema_of(table).to_owned());
    let others = diagnostic.others.iter().cloned();
    let others = others.map(|(code, text)| (code, Some(text)));
    [
        (b'S', Some(severity.to_owned())),
        (b'V', Some(severity.to_owned())),
        (b'C', Some(diagnostic.sqlstate.code().to_owned())),
        (b'M', Some(diagnostic.message.clone())),
        (b'D', diagnostic.detail.clone()),
        (b'H', diagnostic.hint.clone()),
        (b'P', position),
        (b'W', diagnostic.context.clone()),
        (b's', schema),
        (b't', diagnostic.table.clone()),
        (b'c', diagnostic.column.clone()),
    ]
    .into_iter()
    .chain(others)
    .filter_map(|(code, text)| text.map(|text| (code, text.replace('\0', "\u{fffd}"))))
    .collect()
}

/// Appends a CommandComplete.
pub(super) fn put_complete(output: &mut BytesMut, tag: impl Into<String>) {
    put(output, &CommandComplete::new(tag.into()));
}

/// Appends a ParameterStatus.
pub(super) fn put_parameter(
    output: &mut BytesMut,
    encoding: ClientEncoding,
    name: &str,
    value: &str,
) {
    put_text(
        output,
        encoding,
        &ParameterStatus::new(name.to_owned(), value.to_owned()),
    );
}

/// Appends a NotificationResponse.
pub(super) fn put_notification(
    output: &mut BytesMut,
    encoding: ClientEncoding,
    notification: &Notification,
) {
    // By hand: pgwire writes strings as UTF-8.
    let channel = encoding.encode(&notification.channel);
    let payload = encoding.encode(&notification.payload);
    let length = 4 + 4 + channel.len() + 1 + payload.len() + 1;
    output.extend_from_slice(b"A");
    output.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    output.extend_from_slice(&notification.process_id.to_be_bytes());
    for text in [channel, payload] {
        output.extend_from_slice(&text);
        output.extend_from_slice(b"\0");
    }
}

/// Appends a ReadyForQuery.
pub(super) fn put_ready(output: &mut BytesMut, status: TransactionStatus) {
    put(output, &ReadyForQuery::new(status));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SqlState;

    #[test]
    fn a_diagnostic_keeps_all_its_fields() {
        let diagnostic = Diagnostic::error(SqlState::UNDEFINED_COLUMN, "no such column")
            .with_detail("detail")
            .with_hint("hint")
            .with_context("context")
            .with_table("t")
            .with_column("c")
            .with_position(7);
        let mut output = BytesMut::new();
        put_diagnostic(&mut output, ClientEncoding::Utf8, &diagnostic);
        assert_eq!(output[0], b'E');
        let body = &output[5..];
        for field in [
            &b"SERROR\0"[..],
            b"VERROR\0",
            b"C42703\0",
            b"Mno such column\0",
            b"Ddetail\0",
            b"Hhint\0",
            b"P7\0",
            b"Wcontext\0",
            b"spublic\0",
            b"tt\0",
            b"cc\0",
        ] {
            assert!(
                body.windows(field.len()).any(|window| window == field),
                "{field:?}"
            );
        }
    }

    #[test]
    fn a_nul_in_a_message_does_not_end_its_field() {
        let mut output = BytesMut::new();
        let diagnostic = Diagnostic::error(SqlState::SYNTAX_ERROR, "a\0b");
        put_diagnostic(&mut output, ClientEncoding::Utf8, &diagnostic);
        let text = String::from_utf8_lossy(&output);
        assert!(text.contains("Ma\u{fffd}b\0"), "{text}");
    }

    #[test]
    fn a_latin1_client_gets_latin1_with_the_right_length() {
        let mut output = BytesMut::new();
        let diagnostic = Diagnostic::error(SqlState::SYNTAX_ERROR, "\u{e9}t\u{e9}");
        put_diagnostic(&mut output, ClientEncoding::Latin1, &diagnostic);
        let length = u32::from_be_bytes([output[1], output[2], output[3], output[4]]);
        assert_eq!(length as usize + 1, output.len());
        assert!(output.windows(5).any(|window| window == b"M\xe9t\xe9\0"));
    }
}
