//! COPY FROM STDIN into a temporary table.
//!
//! Owns the way of the client's data to the session's engine. Promises that no more of it is in
//! memory than has just been read from the socket, that reading stops while the engine is busy, and
//! that an error is PostgreSQL's, with its line and column. Never looks at the data.

use super::load::Loaded;
use super::owning::Work;
use super::refused;
use crate::diagnostic::{Diagnostic, SqlState};
use crate::engine::{EngineFault, EngineLink};
use crate::sql::ColdStatement;
use crate::telemetry::ConnectionEnd;
use crate::wire::encoding::ClientEncoding;
use crate::wire::ending::Ending;
use crate::wire::frame::{FrameHeader, HEADER_BYTES};
use crate::wire::message::FrontendMessage;
use crate::wire::session::{Failure, Session};
use bytes::{Buf, Bytes};
use postgres_protocol::message::frontend;

/// What of the client's data goes to the engine at a time.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// What came of handing data over: the client may have left meanwhile.
type Handed = Result<(), Failure>;

impl Session {
    /// Runs the COPY and answers it.
    pub(super) async fn copy_into_engine(&mut self, cold: &ColdStatement) -> Result<(), Failure> {
        if self.owned.is_none() {
            return Err(Box::new(Diagnostic::error(
                SqlState::UNDEFINED_TABLE,
                "the temporary table of this COPY is gone",
            ))
            .into());
        }
        let savepoints = self.transaction.savepoints();
        let text = cold.text.clone();
        let copied = self.with_owned(Work::OfClient, async move |session, engine| {
            engine.begin(&savepoints).await?;
            engine.begin_statement().await?;
            session.apply_settings(engine).await?;
            let link = engine.link()?;
            let sql = session.becoming_user(link.powers(), &Loaded::default(), true);
            link.run(&sql).await?;
            if let Err(gone) = session.hand_over(link, &text).await? {
                return Ok(Err(gone));
            }
            engine.keep_statement_of_user().await?;
            engine.check_disk().await?;
            Ok(Ok(()))
        });
        match copied.await {
            Ok(handed) => handed,
            Err(failure) => {
                self.undo_in_engine().await?;
                Err(failure)
            }
        }
    }

    /// Begins the copy, hands all data over, and answers with the engine's words.
    async fn hand_over(
        &mut self,
        link: &mut EngineLink,
        text: &str,
    ) -> Result<Handed, EngineFault> {
        link.ask(text)?;
        link.send().await?;
        let is_binary = loop {
            let frame = link.receive().await?;
            match frame.kind {
                b'G' => {
                    self.replies.extend_from_slice(&frame.bytes);
                    break frame.body().first() == Some(&1);
                }
                b'E' => return Err(failed(link, frame.diagnostic()?).await),
                b'Z' => return Err(EngineFault::Broken("it did not begin a copy".to_owned())),
                _ => {}
            }
        };
        if let Err(gone) = self.flush_replies_within_query().await {
            return Ok(Err(gone.into()));
        }
        self.activity.copies(None);
        if let Err(gone) = self.hand_data_over(link, is_binary).await? {
            return Ok(Err(gone));
        }
        self.activity.has_copied();
        let mut refusal = None;
        loop {
            let frame = link.receive().await?;
            match frame.kind {
                b'Z' => break,
                b'E' if refusal.is_none() => refusal = Some(frame.diagnostic()?),
                b'N' | b'C' => self.replies.extend_from_slice(&frame.bytes),
                _ => {}
            }
        }
        match refusal {
            Some(diagnostic) => Err(EngineFault::Refused(diagnostic)),
            None => Ok(Ok(())),
        }
    }

    /// Hands the client's messages over, to the end of its data.
    async fn hand_data_over(
        &mut self,
        link: &mut EngineLink,
        is_binary: bool,
    ) -> Result<Handed, EngineFault> {
        let bytes_max = self.gateway.settings.listen.message_bytes_max;
        loop {
            let header = match FrameHeader::read(&self.transport.input, bytes_max) {
                Ok(Some(header)) => header,
                Ok(None) => match self.more_data(link).await? {
                    Ok(()) => continue,
                    gone => return Ok(gone),
                },
                Err(violation) => return Ok(Err(violation.into())),
            };
            if header.kind == b'd' {
                self.transport.input.advance(HEADER_BYTES);
                self.unread_bytes = header.body_bytes;
                if let Err(gone) = self.hand_body_over(link, is_binary).await? {
                    return Ok(Err(gone));
                }
                continue;
            }
            while self.transport.input.len() < header.total_bytes() {
                if let Err(gone) = self.more_data(link).await? {
                    return Ok(Err(gone));
                }
            }
            let frame = header.split(&mut self.transport.input);
            let message = match FrontendMessage::decode(frame) {
                // The engine repeats the reason.
                Ok(FrontendMessage::CopyFail(reason)) => {
                    let reason = String::from_utf8_lossy(&reason).into_owned();
                    return Err(given_up(link, &reason).await);
                }
                Ok(message) => message,
                Err(violation) => return Ok(Err(violation.into())),
            };
            match self.ends_copy(header.kind, message) {
                Ok(true) => {
                    frontend::copy_done(link.output());
                    link.send().await?;
                    return Ok(Ok(()));
                }
                Ok(false) => {}
                Err(gone) => return Ok(Err(gone)),
            }
        }
    }

    /// Hands the body of one CopyData over, of which `unread_bytes` are left.
    async fn hand_body_over(
        &mut self,
        link: &mut EngineLink,
        is_binary: bool,
    ) -> Result<Handed, EngineFault> {
        while self.unread_bytes > 0 {
            if self.transport.input.is_empty()
                && let Err(gone) = self.more_data(link).await?
            {
                return Ok(Err(gone));
            }
            let here = self
                .unread_bytes
                .min(self.transport.input.len())
                .min(CHUNK_BYTES_MAX);
            let chunk = self.in_utf8(&self.transport.input[..here], is_binary);
            self.transport.input.advance(here);
            self.unread_bytes -= here;
            link.copy_chunk(chunk).await?;
            // A bad row is told of at once: what follows is for nothing.
            while let Some(frame) = link.received()? {
                if frame.kind == b'E' {
                    return Err(failed(link, frame.diagnostic()?).await);
                }
            }
        }
        Ok(Ok(()))
    }

    /// Data as the engine takes it, which has no other encoding: a byte of Latin 1 is a character,
    /// wherever the data is cut.
    fn in_utf8(&self, data: &[u8], is_binary: bool) -> Bytes {
        if is_binary || self.encoding == ClientEncoding::Utf8 || data.is_ascii() {
            return Bytes::copy_from_slice(data);
        }
        let text: String = data.iter().map(|byte| char::from(*byte)).collect();
        text.into()
    }

    /// Waits for more bytes of the client.
    async fn more_data(&mut self, link: &mut EngineLink) -> Result<Handed, EngineFault> {
        let signals = self.signals.clone();
        let received = tokio::select! {
            biased;
            () = signals.interrupted_mildly() => {
                let _ = given_up(link, "interrupted").await;
                return Err(EngineFault::Refused(signals.interruption()));
            }
            received = self.transport.fill() => received,
        };
        Ok(match received {
            Ok(0) => Err(Ending::silent(ConnectionEnd::Vanished).into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        })
    }
}

/// The copy has failed: the engine is read up to where it can be asked again.
async fn failed(link: &mut EngineLink, diagnostic: Box<Diagnostic>) -> EngineFault {
    match link.until_ready(|_| Ok(())).await {
        Ok(()) | Err(EngineFault::Refused(_)) => EngineFault::Refused(diagnostic),
        Err(fault) => fault,
    }
}

/// Breaks the copy off, with the reason that the engine repeats.
async fn given_up(link: &mut EngineLink, reason: &str) -> EngineFault {
    let ended = async {
        frontend::copy_fail(reason, link.output())?;
        link.send().await?;
        link.until_ready(|_| Ok(())).await
    };
    match ended.await {
        Err(fault) => fault,
        Ok(()) => refused(Diagnostic::error(
            SqlState::QUERY_CANCELED,
            "COPY from stdin failed",
        )),
    }
}
