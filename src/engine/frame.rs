//! A message of an engine, as it came.
//!
//! Owns the cut between messages and the fields of an ErrorResponse. Promises that a message is
//! never changed, and that one beyond the bound is refused before it is read. Never looks into
//! rows.

use super::fault::EngineFault;
use crate::diagnostic::{Diagnostic, Severity, SqlState};
use bytes::{Bytes, BytesMut};
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ErrorFields, Message};

/// Kind and length.
const HEADER_BYTES: usize = 5;

/// Most bytes of one message: PostgreSQL's own bound of a value and what surrounds it.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// One whole message.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The letter: `T` RowDescription, `D` DataRow, `C` CommandComplete, `E` ErrorResponse …
    pub kind: u8,
    /// With the header.
    pub bytes: Bytes,
}

impl Frame {
    /// The next message of `input`, if it is there whole.
    ///
    /// # Errors
    /// `Broken` for a length that no message has.
    pub(super) fn next(input: &mut BytesMut) -> Result<Option<Frame>, EngineFault> {
        let Some(header) = input.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [kind, a, b, c, d] = *header;
        let length = u32::from_be_bytes([a, b, c, d]) as usize + 1;
        if !(HEADER_BYTES..=MESSAGE_BYTES_MAX).contains(&length) {
            return Err(EngineFault::Broken(format!(
                "a message of {length} bytes came from it"
            )));
        }
        if input.len() < length {
            input.reserve(length - input.len());
            return Ok(None);
        }
        let bytes = input.split_to(length).freeze();
        Ok(Some(Frame { kind, bytes }))
    }

    /// The first message of messages that were whole when they came.
    pub(super) fn cut(messages: &mut Bytes) -> Option<Frame> {
        let [kind, a, b, c, d] = *messages.first_chunk::<HEADER_BYTES>()?;
        let length = u32::from_be_bytes([a, b, c, d]) as usize + 1;
        let is_whole = (HEADER_BYTES..=messages.len()).contains(&length);
        let bytes = is_whole.then(|| messages.split_to(length))?;
        Some(Frame { kind, bytes })
    }

    /// What follows the header.
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// The tag of a CommandComplete.
    pub fn tag(&self) -> String {
        let body = self.body();
        let end = memchr::memchr(0, body).unwrap_or(body.len());
        String::from_utf8_lossy(&body[..end]).into_owned()
    }

    /// The values of a DataRow in text form.
    ///
    /// # Errors
    /// `Broken` when it is none.
    pub(super) fn values(&self) -> Result<Vec<Option<String>>, EngineFault> {
        let broken = || EngineFault::Broken("it sent a row that makes no sense".to_owned());
        let mut copy = BytesMut::from(&self.bytes[..]);
        let Ok(Some(Message::DataRow(row))) = Message::parse(&mut copy) else {
            return Err(broken());
        };
        row.ranges()
            .map(|range| {
                Ok(range.map(|range| String::from_utf8_lossy(&row.buffer()[range]).into_owned()))
            })
            .collect()
            .map_err(|_| broken())
    }

    /// The fields of an ErrorResponse or a NoticeResponse.
    ///
    /// # Errors
    /// `Broken` when it is neither.
    pub fn diagnostic(&self) -> Result<Box<Diagnostic>, EngineFault> {
        let broken = || EngineFault::Broken("it sent an error that makes no sense".to_owned());
        let mut copy = BytesMut::from(&self.bytes[..]);
        let fields = match Message::parse(&mut copy) {
            Ok(Some(Message::ErrorResponse(body))) => read(body.fields()),
            Ok(Some(Message::NoticeResponse(body))) => read(body.fields()),
            _ => return Err(broken()),
        };
        fields.ok_or_else(broken)
    }
}

/// A diagnostic of the fields as PostgreSQL gives them.
fn read(mut fields: ErrorFields<'_>) -> Option<Box<Diagnostic>> {
    let mut diagnostic = Box::new(Diagnostic::error(SqlState::INTERNAL_ERROR, ""));
    while let Some(field) = fields.next().ok()? {
        let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'V' => {
                diagnostic.severity = match text.as_str() {
                    "ERROR" => Severity::Error,
                    "WARNING" => Severity::Warning,
                    "FATAL" | "PANIC" => Severity::Fatal,
                    // LOG, INFO, DEBUG
                    _ => Severity::Notice,
                }
            }
            b'C' => diagnostic.sqlstate = SqlState::of_postgresql(&text),
            b'M' => diagnostic.message = text,
            b'D' => diagnostic.detail = Some(text),
            b'H' => diagnostic.hint = Some(text),
            b'P' => diagnostic.position = text.parse().ok(),
            b'W' => diagnostic.context = Some(text),
            b't' => diagnostic.table = Some(text),
            b'c' => diagnostic.column = Some(text),
            // The severity is said again; file, line and routine are those of another program.
            b'S' | b's' | b'F' | b'L' | b'R' => {}
            code => diagnostic.others.push((code, text)),
        }
    }
    Some(diagnostic)
}
