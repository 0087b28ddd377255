//! An engine's answer on its way to the client.
//!
//! Owns the hand-over of messages. Promises that they are handed on as they came, row by row, or
//! wait on disk for a client that is slow. Never keeps more than a bound in memory.

use super::changes::Changed;
use super::cold::{Kept, Wanted};
use super::encoding::ClientEncoding;
use super::session::Session;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{AnswerSpool, EngineFault, EngineLink, Frame, Recording};
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;

/// Replies are sent once there are so many.
const REPLY_BYTES_MAX: usize = 64 << 10;

/// Rows that are kept for later fetches take so much memory at most.
const KEPT_BYTES_MAX: usize = 16 << 20;

/// What a kept row takes beside its bytes.
const KEPT_ROW_BYTES: usize = 64;

/// One answer.
pub(super) struct Relay<'s, 'w> {
    session: &'s mut Session,
    wanted: Wanted<'w>,
    kept: VecDeque<bytes::Bytes>,
    kept_bytes: usize,
    /// Where the answer is taken down.
    recording: Option<Recording>,
    /// Where rows wait for a client that is slow.
    spool: Option<AnswerSpool>,
}

/// What was handed over.
#[derive(Debug, Default)]
pub(super) struct Relayed {
    /// Rows that are kept, and the tag.
    pub(super) kept: Option<Kept>,
    /// The portal may have more rows.
    pub(super) is_suspended: bool,
    /// Nothing yet: the statement has changed rows, and its answer waits with them.
    pub(super) changed: Option<Box<Changed>>,
}

impl<'s, 'w> Relay<'s, 'w> {
    pub(super) fn new(session: &'s mut Session, wanted: Wanted<'w>) -> Self {
        Relay {
            session,
            wanted,
            kept: VecDeque::new(),
            kept_bytes: 0,
            recording: None,
            spool: None,
        }
    }

    /// The same, which takes the answer down.
    pub(super) fn recording(self, recording: Option<Recording>) -> Self {
        Relay { recording, ..self }
    }

    /// Hands over an answer that is there whole; rows that are kept come back with the tag.
    ///
    /// # Errors
    /// 53400 when more rows would be kept than may be.
    pub(super) fn replay(
        mut self,
        answer: impl Iterator<Item = Frame>,
    ) -> Result<Option<Kept>, Box<Diagnostic>> {
        let mut tag = None;
        for frame in answer {
            match frame.kind {
                b'D' if self.wanted.keeps => {
                    self.keep(&frame).map_err(EngineFault::into_diagnostic)?;
                }
                b'C' if self.wanted.keeps => tag = Some(frame.tag()),
                b'D' => self.put_row(&frame),
                _ => self.put(&frame),
            }
        }
        Ok(tag.map(|tag| (self.kept, tag)))
    }

    /// Hands everything over up to ReadyForQuery; rows that are kept come back with the tag.
    ///
    /// # Errors
    /// `Refused` with the statement's own error; `Broken` when the engine, or the client, is gone.
    pub(super) async fn until_part(
        mut self,
        link: &mut EngineLink,
    ) -> Result<Relayed, EngineFault> {
        let mut tag = None;
        let mut is_suspended = false;
        let mut refused = None;
        loop {
            let frame = link.receive().await?;
            if let (Some(recording), b'D' | b'T' | b'N' | b'C') = (&mut self.recording, frame.kind)
            {
                recording.take(&frame);
            }
            match frame.kind {
                b'Z' => break,
                b'E' => refused = Some(frame.diagnostic()?),
                b'D' if self.wanted.keeps => self.keep(&frame)?,
                b'C' if self.wanted.keeps => tag = Some(frame.tag()),
                b'D' => {
                    self.put_row(&frame);
                    self.send_when_many().await?;
                }
                // RowDescription, NoticeResponse, CommandComplete, EmptyQueryResponse, and those
                // of COPY … TO STDOUT.
                b'T' | b'N' | b'C' | b'I' | b'H' | b'd' | b'c' => {
                    self.put(&frame);
                    self.send_when_many().await?;
                }
                b's' => {
                    is_suspended = true;
                    self.put(&frame);
                }
                // ParseComplete, BindComplete, NoData, ParameterStatus.
                _ => {}
            }
        }
        self.session.spooled = self.spool.take();
        match refused {
            Some(diagnostic) => Err(EngineFault::Refused(diagnostic)),
            None => {
                if let Some(recording) = self.recording {
                    self.session.gateway.engines.answers().keep(recording);
                }
                Ok(Relayed {
                    kept: tag.map(|tag| (self.kept, tag)),
                    is_suspended,
                    changed: None,
                })
            }
        }
    }

    fn keep(&mut self, frame: &Frame) -> Result<(), EngineFault> {
        self.kept_bytes += kept_bytes(&frame.bytes);
        if self.kept_bytes > KEPT_BYTES_MAX {
            return Err(EngineFault::Stopped(Box::new(
                Diagnostic::error(
                    SqlState::CONFIGURATION_LIMIT_EXCEEDED,
                    "too many rows wait to be fetched",
                )
                .with_detail(format!(
                    "A portal keeps {KEPT_BYTES_MAX} bytes of rows at most."
                ))
                .with_hint("Execute without a limit on rows: they are sent as they come then."),
            )));
        }
        let mut row = BytesMut::new();
        put_row(&mut row, self.session.encoding, frame, &self.wanted);
        self.kept.push_back(row.freeze());
        Ok(())
    }

    fn put_row(&mut self, frame: &Frame) {
        let encoding = self.session.encoding;
        put_row(&mut self.session.replies, encoding, frame, &self.wanted);
    }

    /// Puts a message of texts, or of bytes that no encoding concerns.
    fn put(&mut self, frame: &Frame) {
        put_message_in(&mut self.session.replies, self.session.encoding, frame);
    }

    async fn send_when_many(&mut self) -> Result<(), EngineFault> {
        if self.session.replies.len() < REPLY_BYTES_MAX {
            return Ok(());
        }
        self.session.send_or_spool(&mut self.spool).await
    }
}

/// What a row takes of memory while it is kept.
pub(super) fn kept_bytes(row: &bytes::Bytes) -> usize {
    row.len() + KEPT_ROW_BYTES
}

/// Puts a message of texts, in the client's encoding.
pub(super) fn put_message_in(output: &mut BytesMut, encoding: ClientEncoding, frame: &Frame) {
    match (encoding, std::str::from_utf8(frame.body())) {
        (ClientEncoding::Latin1, Ok(text)) if !text.is_ascii() => {
            put_message(output, frame.kind, &encoding.encode(text));
        }
        _ => output.extend_from_slice(&frame.bytes),
    }
}

/// Puts a DataRow; text in the client's encoding.
pub(super) fn put_row(
    output: &mut BytesMut,
    encoding: ClientEncoding,
    frame: &Frame,
    wanted: &Wanted<'_>,
) {
    if encoding == ClientEncoding::Utf8 || frame.body().is_ascii() {
        output.extend_from_slice(&frame.bytes);
        return;
    }
    let mut body = BytesMut::new();
    let mut rest = frame.body();
    let (count, after) = rest.split_at(2.min(rest.len()));
    body.extend_from_slice(count);
    rest = after;
    let mut column = 0;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = i32::from_be_bytes(*length);
        rest = after;
        let Ok(bytes) = usize::try_from(length) else {
            body.put_i32(length);
            column += 1;
            continue;
        };
        let (value, after) = rest.split_at(bytes.min(rest.len()));
        rest = after;
        let encoded = match std::str::from_utf8(value) {
            Ok(text) if wanted.formats.code(column) == 0 => encoding.encode(text),
            _ => value.into(),
        };
        body.put_i32(i32::try_from(encoded.len()).unwrap_or(i32::MAX));
        body.extend_from_slice(&encoded);
        column += 1;
    }
    put_message(output, frame.kind, &body);
}

fn put_message(output: &mut BytesMut, kind: u8, body: &[u8]) {
    output.put_u8(kind);
    output.put_u32(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
    output.extend_from_slice(body);
}
